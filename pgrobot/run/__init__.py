"""Running: from overrides to a run directory that tells everything."""

from pgrobot.run.evaluation import Setting, evaluation
from pgrobot.run.program import Surroundings, one_torch_thread, run, silent_console
from pgrobot.run.report import STYLES, number, print_evaluation, print_next, resume_command
from pgrobot.run.request import Request, prepare, saved_config
from pgrobot.run.result import FAILED, FINISHED, STOPPED, Result, read_result

__all__ = [
    "FAILED",
    "FINISHED",
    "STOPPED",
    "STYLES",
    "Request",
    "Result",
    "Setting",
    "Surroundings",
    "evaluation",
    "number",
    "one_torch_thread",
    "prepare",
    "print_evaluation",
    "print_next",
    "read_result",
    "resume_command",
    "run",
    "saved_config",
    "silent_console",
]
