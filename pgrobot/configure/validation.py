"""Checking a composed config as a whole, before anything is created."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from omegaconf import DictConfig, OmegaConf

from pgrobot.configure.agreement import Algorithm, check_agreement
from pgrobot.configure.composition import leaves, resolved
from pgrobot.configure.foreign import suggestion
from pgrobot.configure.parts import Hint, check_arguments, convert, hint_of, hints
from pgrobot.configure.schema import RunConfig
from pgrobot.configure.targets import check_modules, locate, targets
from pgrobot.errors import PgrobotError
from pgrobot.ranges import Keys

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
    places = dict(
        _section("", RunConfig, raw)
    )  # before a wiped-out node leaves an interpolation without its value
    job: Any = OmegaConf.to_container(resolved(cfg))
    convert("", job, hints(RunConfig))
    for path, hint in places.items():
        if hint.is_section:
            convert(path, _at(job, path), hints(hint.type))
    check_modules(job["modules"])
    for path, node in targets(job):
        target = locate(path, node["_target_"], job["modules"])
        known = hints(target)
        check_arguments(path, node, target, places[path].given() if path in places else None)
        convert(path, node, known)
        places |= {f"{path}.{key}": hint for key, hint in known.items() if hint.given()}
    for path, value in leaves(job, ""):
        if isinstance(value, float) and math.isnan(value):
            raise PgrobotError(f"{path} is not a number")
    _check_sizes(job)
    check_agreement(Algorithm(job["algorithm"], job["num_envs"] * job["horizon"], job["modules"]))
    return OmegaConf.create(job)


def _section(path: str, kind: type, node: Any) -> Places:
    """Check that a node has the keys of a dataclass, and yield every node below that the schema knows."""
    known = hints(kind)
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
        if node.get(key) is None:
            missing = f"{below} is missing from the config"
            raise PgrobotError(f"{path} has no {key}: {told} has {', '.join(known)}" if told else missing)
        yield from _node(below, hint, node[key])


def _node(path: str, hint: Hint, value: Any) -> Places:
    """Check that a node is there where the schema has one, and yield it with those below."""
    if hint.is_section:
        yield path, hint
        yield from _section(path, hint.type, value)
        return
    if isinstance(hint.rule, Keys):
        hint.rule(path, value)
        yield path, hint
    if get_origin(hint.type) is Mapping:
        for name, child in value.items():
            yield from _node(f"{path}.{name}", hint_of(get_args(hint.type)[1]), child)


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
    for path, minibatch in leaves(job["algorithm"], "algorithm"):
        if path.endswith(".minibatch") and rows % minibatch:
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
