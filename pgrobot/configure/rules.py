"""What a value may be: one table of keys, and the signatures of the classes that the configs name.

A rule takes a value as the user typed it and returns it in its type, or raises ``PgrobotError`` with the words that
follow "<key> ". Keys are matched by shell patterns, the first match counts. Everything below a ``_target_`` that the
table does not list is checked against the annotations of that target's parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pgrobot.baselines import NORMALISATIONS
from pgrobot.constraints import BOUNDS, UNITS
from pgrobot.errors import PgrobotError, nearest

Rule = Callable[[Any], Any]


def whole(minimum: int) -> Rule:
    """A whole number of at least ``minimum``; ``1e6`` is one."""

    def rule(value: Any) -> int:
        if is_number(value) and float(value).is_integer() and value >= minimum:
            return int(value)
        raise PgrobotError(f"must be a whole number of at least {minimum}, not {shown(value)}")

    return rule


def real(minimum: float, maximum: float = math.inf) -> Rule:
    """A finite number between two bounds, which both count."""

    def rule(value: Any) -> float:
        if is_number(value) and math.isfinite(value) and minimum <= value <= maximum:
            return float(value)
        words = f"of at least {minimum:g}" if maximum == math.inf else f"from {minimum:g} to {maximum:g}"
        raise PgrobotError(f"must be a number {words}, not {shown(value)}")

    return rule


def inside(minimum: float, maximum: float = math.inf) -> Rule:
    """A finite number between two bounds, which do not count."""

    def rule(value: Any) -> float:
        if is_number(value) and minimum < value < maximum:
            return float(value)
        words = f"above {minimum:g}" if maximum == math.inf else f"between {minimum:g} and {maximum:g}"
        raise PgrobotError(f"must be a number {words}, not {shown(value)}")

    return rule


def positive(value: Any) -> float:
    """A number above zero; infinity is one."""
    if is_number(value) and value > 0.0:
        return float(value)
    raise PgrobotError(f"must be a number above 0, not {shown(value)}")


def share(value: Any) -> float:
    """A part of a whole, which is not nothing."""
    if is_number(value) and 0.0 < value <= 1.0:
        return float(value)
    raise PgrobotError(f"must be a number above 0 and at most 1, not {shown(value)}")


def decay(value: Any) -> float:
    """The factor by which what is remembered fades, which is not one."""
    if is_number(value) and 0.0 <= value < 1.0:
        return float(value)
    raise PgrobotError(f"must be a number of at least 0 and below 1, not {shown(value)}")


def any_whole(value: Any) -> int:
    """Any whole number."""
    if is_number(value) and float(value).is_integer():
        return int(value)
    raise PgrobotError(f"must be a whole number, not {shown(value)}")


def any_real(value: Any) -> float:
    """Any number, infinity included."""
    if is_number(value):
        return float(value)
    raise PgrobotError(f"must be a number, not {shown(value)}")


def ascending(example: str) -> Rule:
    """A pair of numbers, the lesser first."""

    def rule(value: Any) -> list[float]:
        pair = isinstance(value, list) and len(value) == 2 and all(map(is_number, value))
        if pair and value[0] < value[1]:
            return [float(bound) for bound in value]
        raise PgrobotError(f"must be two ascending numbers, such as {example}, not {shown(value)}")

    return rule


def one_of(*choices: str) -> Rule:
    """One of a few words."""

    def rule(value: Any) -> str:
        if value in choices:
            return str(value)
        raise PgrobotError(f"cannot be {shown(value)}: {nearest(str(value), choices)}")

    return rule


def device(value: Any) -> str:
    """Where networks live."""
    if value == "cpu":
        return "cpu"
    raise PgrobotError(f"cannot be {shown(value)}: valid: cpu, where networks of this size are fastest")


def of_type(kind: type, words: str) -> Rule:
    """A value of a type, described by ``words``."""

    def rule(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        raise PgrobotError(f"must be {words}, not {shown(value)}")

    return rule


layers = of_type(list, "a list of layer sizes, such as [64,64]")

RULES: Mapping[str, Rule] = {
    "seed": whole(0),
    "total_steps": whole(1),
    "annealing_steps": whole(1),
    "num_envs": whole(1),
    "horizon": whole(1),
    "threads": whole(0),
    "device": device,
    "compile": of_type(bool, "true or false"),
    "resume": of_type(str, "a run directory"),
    "resume_fresh": of_type(bool, "true or false"),
    "modules": of_type(list, "a list of modules, such as [my_robots]"),
    "modules.*": of_type(str, "the name of a module"),
    "checkpoint.every": whole(1),
    "evaluation.every": whole(1),
    "evaluation.episodes": whole(2),
    "evaluation.final_episodes": whole(2),
    "evaluation.num_envs": whole(0),
    "evaluation.alone": of_type(bool, "true or false"),
    "evaluation.mode": one_of("stochastic", "deterministic"),
    "evaluation.confidence": inside(0.0, 1.0),
    "evaluation.bound": one_of(*BOUNDS),
    "evaluation.seed": whole(0),
    "diagnostics.*.every": whole(0),
    "constraint.*.budget": real(0.0),
    "constraint.*.limit": real(0.0),
    "constraint.*.unit": one_of(*UNITS),
    "constraint.*.cost._target_": of_type(str, "the path of a class"),
    "policy.hidden": layers,
    "critic.hidden": layers,
    "policy.hidden.*": whole(1),
    "critic.hidden.*": whole(1),
    "policy.log_std_bounds": ascending("[-4,1]"),
    "policy.concentration_bounds": ascending("[1,1000]"),
    "policy.observation_clip": positive,
    "critic.observation_clip": positive,
    "*.observation_memory": positive,
    "*.return_memory": positive,
    "algorithm.passes": whole(1),
    "algorithm.state_discount": of_type(bool, "true or false"),
    "algorithm.normalisation": one_of(*NORMALISATIONS),
    "*.baseline.folds": whole(1),
    "*.baseline.components": whole(0),
    "*.baseline.ridge": inside(0.0),
    "algorithm.average.decay": decay,
    "algorithm.discounts.*": real(0.0, 1.0),
    "algorithm.estimator.*lam": real(0.0, 1.0),
    "*.estimator.n": whole(1),
    "algorithm.estimator.*_bar": positive,
    "algorithm.objective.*.clip": inside(0.0),
    "algorithm.objective.*.epsilon": inside(0.0),
    "algorithm.objective.*.target_kl": inside(0.0),
    "algorithm.objective.*.factor": inside(1.0),
    "algorithm.objective.*.tolerance": real(1.0),
    "algorithm.objective.*.least": inside(0.0),
    "algorithm.objective.*.greatest": inside(0.0),
    "*.minibatch": whole(1),
    "*.epochs": whole(1),
    "*.max_gradient_norm": positive,
    "*.rate.target_kl": inside(0.0),
    "algorithm.*_solver.step.*.target_kl": inside(0.0),
    "*.target_kl": positive,
    "*.rate.initial": inside(0.0),
    "*.rate.final": real(0.0),
    "*.rate.factor": inside(1.0),
    "*.rate.least": inside(0.0),
    "*.rate.greatest": inside(0.0),
    "*.learning_rate": inside(0.0),
    "algorithm.*_solver.damping": real(0.0),
    "algorithm.*_solver.iterations": whole(1),
    "algorithm.*_solver.tolerance": real(0.0),
    "algorithm.*_solver.fisher.fraction": share,
    "algorithm.*_solver.step.*.initial": inside(0.0),
    "algorithm.*_solver.step.*.final": real(0.0),
    "algorithm.*_solver.step.*.factor": inside(1.0),
    "algorithm.*_solver.step.*.least": inside(0.0),
    "algorithm.*_solver.step.*.greatest": inside(0.0),
    "algorithm.*_solver.acceptance.backtracks": whole(0),
    "algorithm.*_solver.acceptance.shrink": inside(0.0, 1.0),
    "*.optimizer.beta[12]": decay,
    "*.optimizer.decay": decay,
    "*.optimizer.momentum": decay,
    "*.optimizer.epsilon": inside(0.0),
    "*.optimizer.initial_square": real(0.0),
}


def matches(pattern: str, key: str) -> bool:
    """Whether a dotted key has as many parts as the pattern, each like the pattern's."""
    patterns, parts = pattern.split("."), key.split(".")
    return len(patterns) == len(parts) and all(map(fnmatchcase, parts, patterns))


def rule_of(key: str) -> Rule | None:
    """Return the table's rule for a dotted key."""
    return next((rule for pattern, rule in RULES.items() if fnmatchcase(key, pattern)), None)


def is_number(value: Any) -> bool:
    """Whether ``value`` is a number, which a truth value and NaN are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def shown(value: Any) -> str:
    """A value as it reads in a sentence: short, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
