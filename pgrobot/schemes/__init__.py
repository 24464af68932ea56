"""Schemes: which collector feeds which learners."""

from pgrobot.schemes.blueprint import Blueprint, build_constraints, iterations
from pgrobot.schemes.casting import cast, load_policies, policies_of, restored
from pgrobot.schemes.clone import Clone
from pgrobot.schemes.manager_worker import ManagerWorker
from pgrobot.schemes.scheme import Scheme
from pgrobot.schemes.single import LEARNER, Single

__all__ = [
    "LEARNER",
    "Blueprint",
    "Clone",
    "ManagerWorker",
    "Scheme",
    "Single",
    "build_constraints",
    "cast",
    "iterations",
    "load_policies",
    "policies_of",
    "restored",
]
