"""From what a user types to a checked config, and from that to the objects that train."""

from pgrobot.configure.advice import CONFIG_MODULE
from pgrobot.configure.aliases import in_full, settle
from pgrobot.configure.blame import blaming
from pgrobot.configure.clash import RECIPES, clash
from pgrobot.configure.composition import (
    CONFIG_NAME,
    VERSION_BASE,
    compose,
    expand,
    options,
    register_resolver,
    resolved,
    search_path,
    session,
)
from pgrobot.configure.construction import (
    Assembly,
    build,
    build_environment,
    build_learners,
    build_mirrors,
    build_policy,
    model_files,
    planned_steps,
)
from pgrobot.configure.diagnosis import parse, quote
from pgrobot.configure.foreign import hint
from pgrobot.configure.memory import check_memory, within_memory
from pgrobot.configure.validation import validated
from pgrobot.schemes import build_constraints

__all__ = [
    "CONFIG_MODULE",
    "CONFIG_NAME",
    "RECIPES",
    "VERSION_BASE",
    "Assembly",
    "blaming",
    "build",
    "build_constraints",
    "build_environment",
    "build_learners",
    "build_mirrors",
    "build_policy",
    "check_memory",
    "clash",
    "compose",
    "expand",
    "hint",
    "in_full",
    "model_files",
    "options",
    "parse",
    "planned_steps",
    "quote",
    "register_resolver",
    "resolved",
    "search_path",
    "session",
    "settle",
    "validated",
    "within_memory",
]
