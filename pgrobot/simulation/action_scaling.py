"""What the numbers of a policy command: offset, scale and clipping, which a config gives any robot.

::

    task:
      actions: {offset: [0.0, 0.9, -1.8, …], scale: 0.25, clip: .inf}

A policy's ``a`` is the command ``offset + scale · a``, within ``clip`` of the offset and within the range of the
actuator. Each of the three is a number for all actuators, a list of one for each, or numbers by name or pattern, of
which the last that names an actuator counts. One that is given no offset has the middle of its range, and one without a
scale half of that range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Annotated, Any

import numpy as np

from pgrobot.action_map import ActionMap
from pgrobot.errors import PgrobotError, nearest
from pgrobot.ranges import Keys, Rule, above, finite, positive
from pgrobot.types import EnvironmentSpec

OWNER = "task.actions"
RULES: Mapping[str, Rule] = {"offset": finite, "scale": above(0.0), "clip": positive}


class ActionsRule(Rule):
    """What ``task.actions`` may be, before it is known which actuators there are."""

    def __call__(self, key: str, value: Any) -> Any:
        """The node, its numbers in their types.

        Raises:
            PgrobotError: names the first key that is unknown, or out of range.
        """
        node = Keys("scale")(key, value)
        for name in node:
            if name not in RULES:
                raise PgrobotError(f"{key} has no key {str(name)!r}: {nearest(str(name), RULES)}")
        return {name: _each(f"{key}.{name}", RULES[name], given) for name, given in node.items()}


Actions = Annotated[Mapping[str, Any], ActionsRule()]


def scaled(given: Mapping[str, Any], spec: EnvironmentSpec) -> EnvironmentSpec:
    """The spec of an environment whose policies are read so; as it is where nothing is given.

    Args:
        given: what ``task.actions`` says.
        spec: of the environment, in which a policy's 0 is the middle of each actuator's range.

    Raises:
        PgrobotError: a number is missing, too many or out of range, or a name is of no actuator.
    """
    if not given:
        return spec
    node, usual = ActionsRule()(OWNER, given), ActionMap.of(spec)
    offset = _by_actuator("offset", node, spec, usual.centre)
    scale = _by_actuator("scale", node, spec, usual.unit)
    clip = _by_actuator("clip", node, spec, np.full_like(offset, math.inf))
    low, high = spec.action_low, spec.action_high
    for name, value, least, most in zip(spec.actuators, offset, low, high, strict=True):
        if not least <= value <= most:
            raise PgrobotError(
                f"{OWNER}.offset of the actuator {name!r} is {value:g}, outside of its range, {least:g} to {most:g}."
            )
    pairs = zip(spec.actions, offset.tolist(), scale.tolist(), strict=True)
    return replace(
        spec,
        actions=tuple(replace(action, mapped=(zero, one)) for action, zero, one in pairs),
        action_low=np.maximum(low, offset - clip),
        action_high=np.minimum(high, offset + clip),
    )


def _each(path: str, rule: Rule, given: Any) -> Any:
    """A number, or several of them in a list or by name."""
    if isinstance(given, Mapping):
        return {str(name): rule(f"{path}.{name}", value) for name, value in given.items()}
    if isinstance(given, list | tuple):
        return [rule(f"{path}.{index}", value) for index, value in enumerate(given)]
    return rule(path, given)


def _by_actuator(key: str, node: Mapping[str, Any], spec: EnvironmentSpec, usual: np.ndarray) -> np.ndarray:
    """What each actuator was given, ``[A]``, or else has as a rule."""
    names, given, found = spec.actuators, node.get(key, {}), usual.copy()
    if isinstance(given, Mapping):
        for pattern, value in given.items():
            chosen = [fnmatchcase(name, pattern) for name in names]
            if not any(chosen):
                raise PgrobotError(
                    f"{OWNER}.{key} names {pattern!r}, which is no actuator of {spec.name}: {nearest(pattern, names)}"
                )
            found[chosen] = value
    elif isinstance(given, list) and len(given) != len(names):
        raise PgrobotError(
            f"{OWNER}.{key} has {len(given)} numbers for the {len(names)} actuators of {spec.name}, "
            f"{', '.join(names)}: it needs one for each."
        )
    else:
        found[:] = given
    return found
