"""From what a user types to a checked config."""

from pgrobot.advice import CONFIG_MODULE
from pgrobot.assembly import Assembly, build, build_environment, build_policy
from pgrobot.configure.composition import VERSION_BASE, compose, options, search_path
from pgrobot.configure.diagnosis import CONFIG_NAME
from pgrobot.configure.validation import validated
from pgrobot.schemes import build_constraints

__all__ = [
    "CONFIG_MODULE",
    "CONFIG_NAME",
    "VERSION_BASE",
    "Assembly",
    "build",
    "build_constraints",
    "build_environment",
    "build_policy",
    "compose",
    "options",
    "search_path",
    "validated",
]
