"""Checking a composed config as a whole, before anything is created."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot.configure.agreement import check_agreement
from pgrobot.configure.composition import resolved
from pgrobot.configure.foreign import suggestion
from pgrobot.configure.rules import RULES, Rule, matches, rule_of, shown
from pgrobot.configure.targets import WORDS, annotated_rules, check_arguments, check_modules, locate, targets
from pgrobot.errors import PgrobotError

# What a config consists of: one node per group, and the keys that the table of rules knows.
SECTIONS = (
    "task",
    "constraint",
    "intrinsic",
    "multiplier",
    "policy",
    "critic",
    "algorithm",
    "tracker",
    "diagnostics",
)
KEYS = frozenset({*SECTIONS, *(pattern.split(".")[0] for pattern in RULES if not pattern.startswith("*"))})
# What the nodes without a `_target_`, whose signature would tell, consist of.
CONSTRAINT = ("cost", "budget", "unit", "limit")
ALGORITHM = (
    "name",
    "estimator",
    "baseline",
    "normalisation",
    "state_discount",
    "objective",
    "average",
    "discounts",
    "passes",
    "policy_solver",
    "critic_solver",
)
DISCOUNTS = ("reward", "cost", "bonus")
# Nodes that consist of keys, which a single value would wipe out, each with a key that may have been meant.
NODES = {
    "checkpoint": "every",
    "evaluation": "episodes",
    "diagnostics": "gradients",
    "diagnostics.*": "_target_",
    "intrinsic": "curiosity",
    "intrinsic.*": "_target_",
    "tracker.*": "_target_",
    "constraint.*.cost": "_target_",
    "algorithm.estimator": "lam",
    "algorithm.baseline": "_target_",
    "algorithm.average": "decay",
    "algorithm.discounts": "reward",
    "algorithm.objective": "surrogate",
    "algorithm.objective.*": "weight",
    "algorithm.*_solver": "rate",
    "algorithm.*_solver.rate": "initial",
    "algorithm.*_solver.optimizer": "epsilon",
    "algorithm.*_solver.step": "_target_",
    "algorithm.*_solver.step.kl": "initial",
    "algorithm.*_solver.step.rate": "initial",
    "algorithm.*_solver.fisher": "_target_",
    "algorithm.*_solver.acceptance": "_target_",
}

PLAIN = {"checkpoint", "evaluation", "diagnostics", "intrinsic", "algorithm.discounts", "algorithm.objective"}
# What is built from a class or function that it names: all other nodes, and whole sections.
BUILT = ("task", "multiplier", "policy", "critic", *(NODES.keys() - PLAIN))


def validated(cfg: DictConfig) -> DictConfig:
    """Return the job's config with every value resolved, checked and in its type.

    Args:
        cfg: as composed or as read from a run directory; its ``modules`` are trusted beside pgrobot's own rooms.

    Raises:
        PgrobotError: names the first key that is unknown, of a wrong type or out of range, or that contradicts another.
    """
    _check_keys(cfg)
    job: Any = _ruled(OmegaConf.to_container(resolved(cfg)), "")
    check_modules(job["modules"])
    for path, node in targets(job):
        target = locate(path, node["_target_"], job["modules"])
        check_arguments(path, node, target)
        _convert(path, node, annotated_rules(target))
    _check_sizes(job)
    check_agreement(job["algorithm"], job["num_envs"] * job["horizon"], job["modules"])
    return OmegaConf.create(job)


def _check_keys(cfg: DictConfig) -> None:
    _check_parts("", [str(key) for key in cfg if key != "hydra"], KEYS)
    _check_nodes(OmegaConf.to_container(cfg, resolve=False), ())
    own = (pattern for pattern in RULES if "*" not in pattern and pattern.partition(".")[0] not in BUILT)
    for key in (*SECTIONS, *own):
        if OmegaConf.select(cfg, key, throw_on_resolution_failure=False) is None:
            raise PgrobotError(f"{key} is missing from the config")
    for section in ("checkpoint", "evaluation"):
        known = [key.partition(".")[2] for key in RULES if key.startswith(f"{section}.")]
        _check_parts(section, cfg[section], known)
    _check_complete("algorithm", cfg.algorithm, ALGORITHM)
    _check_complete("algorithm.discounts", cfg.algorithm.discounts, DISCOUNTS)
    for name, constraint in cfg.constraint.items():
        path = f"constraint.{name}"
        if not isinstance(constraint, DictConfig):
            raise PgrobotError(f"{path} must have {', '.join(CONSTRAINT)}, not be {constraint}")
        _check_parts(path, constraint, CONSTRAINT)
        for key in CONSTRAINT:
            if key not in constraint:
                raise PgrobotError(f"{path} has no {key}: a constraint has {', '.join(CONSTRAINT)}")


def _check_nodes(node: Any, path: tuple[str, ...]) -> None:
    name = ".".join(path)
    if isinstance(node, dict):
        if "_target_" not in node and any(matches(pattern, name) for pattern in BUILT):
            raise PgrobotError(f"{name}._target_ must be given: add +{name}._target_=<class or function>")
        for key, child in node.items():
            if path or key != "hydra":
                _check_nodes(child, (*path, str(key)))
        return
    for pattern, key in NODES.items():
        if matches(pattern, name):
            raise PgrobotError(
                f"{name} consists of keys, such as {name}.{key}, so it cannot be {shown(node)}"
            )


def _check_parts(path: str, keys: Iterable[Any], known: Iterable[str]) -> None:
    for key in keys:
        if key not in known:
            where = f"{path} has no key" if path else "Unknown key"
            raise PgrobotError(f"{where} {str(key)!r}: {suggestion(str(key), list(known))}")


def _check_complete(path: str, keys: Collection[Any], known: Iterable[str]) -> None:
    _check_parts(path, keys, known)
    for key in known:
        if key not in keys:
            raise PgrobotError(f"{path}.{key} is missing from the config")


def _ruled(node: Any, path: str) -> Any:
    if isinstance(node, dict) and rule_of(path) is None:
        return {key: _ruled(child, f"{path}.{key}" if path else str(key)) for key, child in node.items()}
    rule = rule_of(path)
    value = node if rule is None else apply(rule, path, node)
    if isinstance(value, list):
        return [_ruled(child, f"{path}.{index}") for index, child in enumerate(value)]
    if isinstance(value, float) and math.isnan(value):
        raise PgrobotError(f"{path} is not a number")
    return value


def _convert(path: str, node: dict[str, Any], rules: Mapping[str, Rule]) -> None:
    for key, value in node.items():
        if key in rules and key not in WORDS and not (isinstance(value, dict) and "_target_" in value):
            node[key] = apply(rules[key], f"{path}.{key}", value)


def apply(rule: Rule, path: str, value: Any) -> Any:
    """Apply a rule to the value of the key ``path``, which starts the sentence when it is broken.

    Infinity may be typed as YAML writes it, ``.inf``: as configs show it.
    """
    try:
        return rule(math.inf if value == ".inf" else value)
    except PgrobotError as error:
        raise PgrobotError(f"{path} {error}") from None


def _check_sizes(job: Mapping[str, Any]) -> None:
    rows = job["num_envs"] * job["horizon"]
    if job["total_steps"] < rows:
        raise PgrobotError(
            f"total_steps={job['total_steps']} is less than one iteration: num_envs × horizon is {rows}"
        )
    for path, minibatch in _minibatches(job["algorithm"], "algorithm"):
        if rows % minibatch:
            nearest_divisor = min(
                (d for d in range(1, rows + 1) if rows % d == 0), key=lambda d: abs(d - minibatch)
            )
            raise PgrobotError(
                f"{path}={minibatch} does not divide num_envs × horizon, which is {rows}: "
                f"the nearest that does is {nearest_divisor}"
            )
    for name, constraint in job["constraint"].items():
        if constraint["unit"] == "probability" and constraint["budget"] > 1.0:
            raise PgrobotError(
                f"constraint.{name}.budget is a probability, so at most 1, not {constraint['budget']}"
            )


def _minibatches(node: Any, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, dict):
        for key, child in node.items():
            if key == "minibatch":
                yield f"{path}.{key}", child
            yield from _minibatches(child, f"{path}.{key}")
