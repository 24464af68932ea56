"""Schemes: which collector feeds which learners."""

from pgrobot.schemes.blueprint import Blueprint, build_constraints, iterations
from pgrobot.schemes.casting import cast, load_policies, policies_of, restored
from pgrobot.schemes.scheme import Scheme
from pgrobot.schemes.single import LEARNER, Single

__all__ = [
    "LEARNER",
    "Blueprint",
    "Scheme",
    "Single",
    "build_constraints",
    "cast",
    "iterations",
    "load_policies",
    "policies_of",
    "restored",
]
