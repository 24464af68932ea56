"""Checking a composed config as a whole, before anything is created."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, get_args, get_origin

from omegaconf import DictConfig, OmegaConf

from pgrobot.advice import takers
from pgrobot.arguments import WORDS, check_arguments
from pgrobot.choice import Choice
from pgrobot.configure.agreement import check_agreement
from pgrobot.configure.composition import resolved
from pgrobot.configure.schema import RunConfig
from pgrobot.errors import PgrobotError, nearest_divisor
from pgrobot.foreign import suggestion
from pgrobot.initialisation import Initialisation
from pgrobot.ranges import Function, Keys, Within
from pgrobot.schemes import build_constraints
from pgrobot.signatures import (
    Hint,
    hint_of,
    hints,
    is_section,
    kept_functions,
    own_keys,
)
from pgrobot.targets import check_modules, leaves, locate, nodes, targets

Places = Iterator[tuple[str, Hint]]  # what stands where


def validated(cfg: DictConfig) -> DictConfig:
    """Return the job's config with every value resolved, checked and in its type.

    Args:
        cfg: as composed or as read from a run directory; its ``modules`` are trusted beside pgrobot's own rooms.

    Raises:
        PgrobotError: names the first key that is unknown, of a wrong type or out of range, or that contradicts another.
    """
    raw: Any = OmegaConf.to_container(cfg, resolve=False)
    raw.pop("hydra", None)
    # first, or a node that was wiped out would leave an interpolation without its value
    places = dict(_section("", RunConfig, raw))
    job: Any = OmegaConf.to_container(resolved(cfg))
    _convert("", job, hints(RunConfig))
    for path, hint in places.items():
        if is_section(hint):
            _convert(path, _at(job, path), hints(hint.type))
    check_modules(job["modules"])
    parts: dict[str, Any] = {}
    for path, node in targets(job):
        part = parts[path] = locate(path, node["_target_"], job["modules"])
        check_arguments(path, node, part, places.get(path), takers)
        kept = places[path] if path in places and isinstance(places[path].rule, Function) else None
        known = hints(part) | (own_keys(kept) if kept else {})
        _convert(path, node, known)
        for key, hint in kept_functions(part).items():
            for name, child in node.get(key, {}).items():
                places |= dict(_node(f"{path}.{key}.{name}", hint, child))
        places |= {f"{path}.{key}": hint for key, hint in known.items()}
    for path, value in leaves(job, ""):
        if isinstance(value, float) and math.isnan(value):
            raise PgrobotError(f"{path} is not a number")
    _check_sizes(job)
    choice = Choice(job["algorithm"], parts, job["num_envs"] * job["horizon"] * job["algorithm"]["memory"])
    check_agreement(choice)
    lasts = job["total_steps"] / (job["num_envs"] * job["horizon"])
    Initialisation(**job["initialise"]).check(choice.terms(reads_prior=True), lasts)
    found = OmegaConf.create(job)
    build_constraints(found)
    return found


def _section(path: str, kind: type, node: Any) -> Places:
    """Check that a node has the keys of a dataclass, and yield every node below that the schema knows."""
    known = hints(kind)
    optional = {each.name for each in fields(kind) if each.default is not MISSING}
    told = getattr(kind, "named", "")
    if told and not isinstance(node, dict):
        raise PgrobotError(f"{path} must have {', '.join(known)}, not be {node}")
    Keys(next(iter(known)))(path, node)
    for key in node:
        if key not in known:
            where = f"{path} has no key" if path else "Unknown key"
            raise PgrobotError(f"{where} {str(key)!r}: {suggestion(str(key), list(known))}")
    for key, hint in known.items():
        below = f"{path}.{key}" if path else key
        if node.get(key) is None and key not in optional:
            missing = f"{below} is missing from the config"
            raise PgrobotError(f"{path} has no {key}: {told} has {', '.join(known)}" if told else missing)
        yield from _node(below, hint, node.get(key))


def _node(path: str, hint: Hint, value: Any) -> Places:
    """Check that a node is there where the schema has one, and yield it with those below."""
    if is_section(hint):
        yield path, hint
        yield from _section(path, hint.type, value)
        return
    if isinstance(hint.rule, Keys):
        hint.rule(path, value)
        yield path, hint
    if get_origin(hint.type) is Mapping:
        for name, child in value.items():
            yield from _node(f"{path}.{name}", hint_of(get_args(hint.type)[1]), child)


def _convert(path: str, node: dict[str, Any], known: Mapping[str, Hint]) -> None:
    """Bring the values of a node in place to the types of the parameters that they are for.

    Raises:
        PgrobotError: one is not what its parameter may be.
    """
    for key, hint in known.items():
        value, rule = node.get(key), hint.rule
        built = isinstance(value, dict) and "_target_" in value
        if key in node and key not in WORDS and rule is not None and not built:
            node[key] = rule(f"{path}.{key}" if path else key, value)
    for key, hint in known.items():
        for mark in hint.marks:
            if isinstance(mark, Within):
                mark.check(path, key, node)


def _at(node: Any, path: str) -> Any:
    for key in path.split("."):
        node = node[key]
    return node


def _check_sizes(job: Mapping[str, Any]) -> None:
    rows = job["num_envs"] * job["horizon"]
    if job["total_steps"] < rows:
        raise PgrobotError(
            f"total_steps={job['total_steps']} is less than one iteration: num_envs × horizon is {rows}"
        )
    iterations, memory = math.ceil(job["total_steps"] / rows), job["algorithm"]["memory"]
    if memory > iterations:
        raise PgrobotError(
            f"algorithm.memory={memory} is more rollouts than training has: total_steps={job['total_steps']} are "
            f"{iterations} of {rows} steps; use algorithm.memory={iterations} or less"
        )
    for path, node in nodes(job["algorithm"], "algorithm"):
        minibatch = node.get("minibatch", rows)
        if rows % minibatch and minibatch != rows * memory:
            raise PgrobotError(
                f"{path}.minibatch={minibatch} does not divide num_envs × horizon, which is {rows}: "
                f"the nearest that does is {nearest_divisor(rows, minibatch)}"
            )
