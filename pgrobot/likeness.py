"""Constraints that are like another one: ``+constraint.knee={like:torque,budget:0.01,cost:{joints:[knee]}}``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot.errors import PgrobotError, nearest, shown

GROUP, LIKE = "constraint", "like"
Options = Callable[[], Sequence[str]]
Chosen = Callable[[str], Any]


def liken(constraints: Any, options: Options, chosen: Chosen) -> None:
    """Complete in place each constraint that says what it is like; its own keys count before those.

    Args:
        constraints: the node of all.
        options: names those of the group.
        chosen: the node of one of them.

    Raises:
        PgrobotError: there is no constraint of that name, or some are like each other.
    """
    for name in map(str, list(constraints) if isinstance(constraints, DictConfig) else ()):
        _complete(constraints, name, (), options, chosen)


def _complete(
    constraints: DictConfig, name: str, by: tuple[str, ...], options: Options, chosen: Chosen
) -> None:
    own: Any = _plain(constraints[name])
    if not isinstance(own, dict) or LIKE not in own:
        return
    like, by = str(own.pop(LIKE)), (*by, name)
    key = f"{GROUP}.{name}.{LIKE}={shown(like)}"
    if like in by:
        raise PgrobotError(f"{key} leads back to itself: name a constraint that stands by itself")
    if like in constraints:
        _complete(constraints, like, by, options, chosen)
        base = constraints[like]
    elif like in options():
        base = chosen(like)
    else:
        known = {*options(), *map(str, constraints)} - {name, "none"}
        raise PgrobotError(f"{key} is no constraint: {nearest(like, known)}")
    constraints[name] = OmegaConf.merge(OmegaConf.create(_plain(base)), own)


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
