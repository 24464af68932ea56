"""Checking a composed config as a whole, before anything is created."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from omegaconf import DictConfig, OmegaConf

from pgrobot.configure.agreement import Choice, check_agreement
from pgrobot.configure.composition import leaves, resolved
from pgrobot.configure.schema import RunConfig
from pgrobot.errors import PgrobotError, nearest_divisor
from pgrobot.foreign import suggestion
from pgrobot.ranges import Called, Keys, Within
from pgrobot.schemes import build_constraints
from pgrobot.signatures import Hint, hint_of, hints, is_section
from pgrobot.targets import check_modules, locate, nodes, targets

WORDS = ("_target_", "_partial_")
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
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
        _check_arguments(path, node, part, places.get(path))
        known = hints(part)
        _convert(path, node, known)
        places |= {f"{path}.{key}": hint for key, hint in known.items()}
    for path, value in leaves(job, ""):
        if isinstance(value, float) and math.isnan(value):
            raise PgrobotError(f"{path} is not a number")
    _check_sizes(job)
    check_agreement(Choice(job["algorithm"], parts, job["num_envs"] * job["horizon"]))
    found = OmegaConf.create(job)
    build_constraints(found)
    return found


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


def _check_arguments(path: str, node: Mapping[str, Any], target: Any, place: Hint | None) -> None:
    """Check that a node says what its target needs, and nothing else.

    Args:
        path: the node's key.
        node: its content.
        target: what it names.
        place: what the schema says of the key, where it has it: how the target is called later.

    Raises:
        PgrobotError: the target is abstract, has no such parameter, needs another, or does not take what it is given
            when called.
    """
    name = str(getattr(target, "__name__", target))
    if inspect.isabstract(target):
        undefined = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        raise PgrobotError(f"{path}._target_: {name} has to define {undefined}, which it does not")
    parameters = inspect.signature(target).parameters
    partial = bool(node.get("_partial_", False))
    called = place.rule if place else None
    keywords, supplied = _given(parameters, called.by) if isinstance(called, Called) else ([], [])
    taken = supplied if partial else []
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        _check_keys(path, node, [key for key in parameters if key not in taken], taken)
        for key in keywords if partial else ():
            if key not in parameters:
                raise PgrobotError(f"{path}: {name} has no parameter {key!r}, which it is called with")
    if partial and not isinstance(called, Called):
        return  # whoever calls it is of the user's own, and knows what it gives
    for key, parameter in parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind not in _VARIADIC
        if needed and key not in node and key not in taken:
            remedy = f"add +{path}.{key}=<value>"
            if key in supplied:
                remedy = f"set {path}._partial_=true, so that pgrobot gives it, or {remedy}"
            raise PgrobotError(f"{path}.{key} must be given, as {name} needs it: {remedy}")


def _check_keys(path: str, node: Mapping[str, Any], known: Sequence[str], taken: Sequence[str]) -> None:
    for key in node:
        if key in taken:
            raise PgrobotError(f"{path}.{key} is given by pgrobot itself: leave it out")
        if key not in known and key not in WORDS:
            raise PgrobotError(f"{path} has no key {key!r}: {suggestion(key, known)}")


def _given(parameters: Mapping[str, inspect.Parameter], by: Any) -> tuple[list[str], list[str]]:
    """What a call by a protocol gives: its keywords, and all the parameters that it fills."""
    _, *given = inspect.signature(by.__call__).parameters.values()  # but for self
    keywords = [each.name for each in given if each.kind is each.KEYWORD_ONLY]
    positional = [name for name, each in parameters.items() if each.kind in _BY_POSITION]
    return keywords, [*positional[: len(given) - len(keywords)], *keywords]


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
    for path, node in nodes(job["algorithm"], "algorithm"):
        minibatch = node.get("minibatch", rows)
        if rows % minibatch:
            raise PgrobotError(
                f"{path}.minibatch={minibatch} does not divide num_envs × horizon, which is {rows}: "
                f"the nearest that does is {nearest_divisor(rows, minibatch)}"
            )
