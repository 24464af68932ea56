"""Running: from overrides to a run directory that tells everything."""

from pgrobot.past import fitting, load_checkpoint, saved_config
from pgrobot.run.announcement import STYLES, print_evaluation, print_next, resume_command
from pgrobot.run.callback import Callback, Iteration, check_callback, nobody
from pgrobot.run.checking import checked
from pgrobot.run.choices import choosing
from pgrobot.run.evaluation import EvaluationPlan, evaluation
from pgrobot.run.execution import Surroundings, run, run_until, silent_console
from pgrobot.run.judgement import Judged, judgement, repeats
from pgrobot.run.opened import Opened, check_changes, config_again, opened
from pgrobot.run.own_model import with_own_model
from pgrobot.run.quiet import silence
from pgrobot.run.request import Request, named_by_time, prepare
from pgrobot.run.result import FAILED, FINISHED, STOPPED, Interrupted, Result, read_result
from pgrobot.run.stop import SIGNALS, SharedStop

__all__ = [
    "FAILED",
    "FINISHED",
    "SIGNALS",
    "STOPPED",
    "STYLES",
    "Callback",
    "EvaluationPlan",
    "Interrupted",
    "Iteration",
    "Judged",
    "Opened",
    "Request",
    "Result",
    "SharedStop",
    "Surroundings",
    "check_callback",
    "check_changes",
    "checked",
    "choosing",
    "config_again",
    "evaluation",
    "fitting",
    "judgement",
    "load_checkpoint",
    "named_by_time",
    "nobody",
    "opened",
    "prepare",
    "print_evaluation",
    "print_next",
    "read_result",
    "repeats",
    "resume_command",
    "run",
    "run_until",
    "saved_config",
    "silence",
    "silent_console",
    "with_own_model",
]
