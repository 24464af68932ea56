"""``spec.json`` of a run: what a policy needs to know of its environment to act without it.

::

    {"name": "Hopper-v5", "num_envs": 64, "control_dt": 0.008, "max_episode_steps": 1000, "can_fall": true,
     "observation": {"policy": {"names": ["qpos/rootz", …], "shape": [11], "dtype": "float64"}},
     "actions": [{"name": "thigh_joint", "unit": "200 N·m", "choices": 0, "low": -1.0, "high": 1.0,
                  "gives": [-200.0, 200.0]}, …],
     "reward_terms": ["forward", …], "costs": ["speed"], "violations": {"speed": ["torso"]},
     "highest_cost": {"speed": 1.0}, "counted": ["speed"],
     "parts": [{"path": ["position"], "group": "policy", "shape": [3], "choices": [], "start": []}, …],
     "action_form": {"shape": [3], "dtype": "float32", "start": []}, "left_behind": ["noise"]}

``null`` stands for no bound: −∞ as ``low``, +∞ as ``high`` and in ``highest_cost``. The fields are those of
``pgrobot.types.EnvironmentSpec``; files of older versions lack ``counted``, ``gives`` and the last three.
An action has ``mapped`` beside them, offset and scale, where the environment says what a policy's numbers command.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.files import write_json
from pgrobot.types import (
    ROW,
    UNLIMITED,
    Action,
    ActionForm,
    EnvironmentSpec,
    ObservationGroup,
    ObservationPart,
)

FILE = "spec.json"


def write_spec(run: Path, spec: EnvironmentSpec) -> None:
    """Write the spec of a run's environment, atomically; raises PgrobotError where that is not possible."""
    write_json(run / FILE, as_json(spec))


def read_spec(run: Path) -> EnvironmentSpec:
    """Read what ``write_spec`` wrote.

    Raises:
        PgrobotError: the run has none, as those of older versions, or it is damaged.
    """
    path = run / FILE
    if not path.is_file():
        raise PgrobotError(
            f"{run} has no {FILE}: it is no run, or one of an older version, which going on with (resume={run}) writes."
        )
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PgrobotError(f"{path} is not a spec of pgrobot: {' '.join(str(error).split())}.") from error


def as_json(spec: EnvironmentSpec) -> dict[str, Any]:
    """A spec in plain values, in which what has no bound is still infinite."""
    entries = zip(spec.actions, spec.action_low.tolist(), spec.action_high.tolist(), strict=True)
    return {
        "name": spec.name,
        "num_envs": spec.num_envs,
        "control_dt": spec.control_dt,
        "max_episode_steps": spec.max_episode_steps,
        "can_fall": spec.can_fall,
        "observation": {
            name: {"names": list(group.names), "shape": list(group.shape), "dtype": group.dtype}
            for name, group in spec.observation.items()
        },
        "actions": [
            {
                "name": action.name,
                "unit": action.unit,
                "choices": action.choices,
                "low": low,
                "high": high,
                "gives": list(action.gives),
                **({"mapped": list(action.mapped)} if action.mapped else {}),
            }
            for action, low, high in entries
        ],
        "reward_terms": list(spec.reward_terms),
        "costs": list(spec.costs),
        "violations": {cost: list(parts) for cost, parts in spec.violations.items()},
        "highest_cost": dict(spec.highest_cost),
        "parts": [
            {
                "path": list(part.path),
                "group": part.group,
                "shape": list(part.shape),
                "choices": list(part.choices),
                "start": list(part.start),
            }
            for part in spec.parts
        ],
        "action_form": {
            "shape": list(spec.action_form.shape),
            "dtype": spec.action_form.dtype,
            "start": list(spec.action_form.start),
        },
        "counted": list(spec.counted),
        "left_behind": list(spec.left_behind),
    }


def from_json(told: Mapping[str, Any]) -> EnvironmentSpec:
    """The spec that ``spec.json`` tells.

    Raises:
        ValueError: its parts contradict each other.
    """
    spec = EnvironmentSpec(
        name=told["name"],
        num_envs=told["num_envs"],
        observation={
            name: ObservationGroup(tuple(group["names"]), tuple(group["shape"]), group["dtype"])
            for name, group in told["observation"].items()
        },
        action_low=np.array([_number(action["low"], -math.inf) for action in told["actions"]]),
        action_high=np.array([_number(action["high"], math.inf) for action in told["actions"]]),
        actions=tuple(
            Action(
                action["name"],
                action["unit"],
                action["choices"],
                _range(action.get("gives", UNLIMITED)),
                tuple(action.get("mapped", ())),
            )
            for action in told["actions"]
        ),
        reward_terms=tuple(told["reward_terms"]),
        costs=tuple(told["costs"]),
        violations={cost: tuple(parts) for cost, parts in told["violations"].items()},
        highest_cost={cost: _number(most, math.inf) for cost, most in told["highest_cost"].items()},
        can_fall=told["can_fall"],
        max_episode_steps=told["max_episode_steps"],
        control_dt=told["control_dt"],
        parts=tuple(
            ObservationPart(
                tuple(part["path"]),
                part["group"],
                tuple(part["shape"]),
                tuple(part["choices"]),
                tuple(part["start"]),
            )
            for part in told.get("parts", ())
        ),
        action_form=_form(told["action_form"]) if "action_form" in told else ROW,
        counted=tuple(told.get("counted", ())),
        left_behind=tuple(told.get("left_behind", ())),
    )
    _check(spec)
    return spec


def _check(spec: EnvironmentSpec) -> None:
    for name, group in spec.observation.items():
        if len(group.names) != group.width:
            raise ValueError(
                f"observation {name!r} has {len(group.names)} names and the shape {group.shape}, of {group.width}"
            )
    for action, low, high in zip(spec.actions, spec.action_low, spec.action_high, strict=True):
        if not low <= high:
            raise ValueError(f"action {action.name!r} has low {low} above high {high}")
    for part in spec.parts:
        if part.group not in spec.observation:
            raise ValueError(
                f"part {list(part.path)} is of the observation {part.group!r}, which is not there"
            )
    shape = spec.action_form.shape
    if -1 not in shape and math.prod(shape) != len(spec.actions):
        raise ValueError(f"action_form has the shape {shape}, and there are {len(spec.actions)} actions")
    if not spec.control_dt > 0.0 or spec.max_episode_steps < 1:
        raise ValueError(
            f"control_dt {spec.control_dt} and max_episode_steps {spec.max_episode_steps} have to be positive"
        )


def _form(told: Mapping[str, Any]) -> ActionForm:
    return ActionForm(tuple(told["shape"]), told["dtype"], tuple(told["start"]))


def _range(told: Sequence[float | None]) -> tuple[float, float]:
    low, high = told
    return _number(low, -math.inf), _number(high, math.inf)


def _number(told: float | None, unbounded: float) -> float:
    return unbounded if told is None else float(told)
