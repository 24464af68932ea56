"""Whether demonstrations make sense by themselves, and whether they are of a robot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pgrobot.demonstrations.demonstrations import Demonstrations
from pgrobot.errors import PgrobotError
from pgrobot.types import EnvironmentSpec

ROUNDING = 1e-5  # of an action's range, by which single precision may lie outside of it
_LISTED = 4  # names in a sentence


def check_demonstrations(demonstrations: Demonstrations) -> None:
    """Refuse demonstrations that contradict themselves.

    Raises:
        PgrobotError: there are none; a tensor has another length or type than the others, or a number that is not
            finite; an episode does not begin where the one before ends, or does not end.
    """
    source, steps = demonstrations.source, len(demonstrations.reward)
    if steps == 0:
        raise PgrobotError(f"{source} holds no step of any episode.")
    if demonstrations.obs.keys() != demonstrations.next_obs.keys():
        raise PgrobotError(f"{source} has other groups of next observations than of observations.")
    for name, value in demonstrations.tensors():
        flag = name in ("terminated", "truncated", "episode_start")
        if not isinstance(value, Tensor) or len(value) != steps or (value.dtype == torch.bool) != flag:
            kind = f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            wanted = "true or false" if flag else "numbers"
            raise PgrobotError(f"{source}: {name} is {kind}, where {wanted} of {steps} steps are needed.")
        if value.dim() != _dimensions(name, value):
            raise PgrobotError(
                f"{source}: {name} has the shape {list(value.shape)}, where {_dimensions(name, value)} dimensions are "
                "needed: steps first, then entries."
            )
        if not flag:
            _check_finite(source, name, value)
    for name, value in demonstrations.next_obs.items():
        if value.shape != demonstrations.obs[name].shape:
            raise PgrobotError(
                f"{source}: observation {name!r} has the shape {list(demonstrations.obs[name].shape)} and its "
                f"successor {list(value.shape)}."
            )
    _check_names(demonstrations)
    _check_ends(demonstrations)


def check_against(demonstrations: Demonstrations, spec: EnvironmentSpec) -> None:
    """Refuse demonstrations of another robot.

    What a source does not name is compared by its width alone. Groups that the robot does not show are left alone.

    Raises:
        PgrobotError: entries or actions are others, by name; a width or a type differs; an action lies outside the
            range.
    """
    source = demonstrations.source
    for name, group in spec.observation.items():
        if name not in demonstrations.obs:
            raise PgrobotError(
                f"{source} shows {_listed(list(demonstrations.obs))} and no observation {name!r}, which {spec.name} "
                "has: they are demonstrations of another robot, or of another version of it."
            )
        _check_same(demonstrations, "observes", name, demonstrations.names[name], group.names, spec.name)
        value = demonstrations.obs[name]
        if tuple(value.shape[1:]) != group.shape or (value.dtype == torch.uint8) != group.image:
            raise PgrobotError(
                f"{source} shows {value.dtype} {list(value.shape[1:])} as {name!r}, and {spec.name} {group.dtype} "
                f"{list(group.shape)}: they are demonstrations of another robot."
            )
    _check_same(
        demonstrations,
        "is told",
        "",
        demonstrations.actions,
        [action.name for action in spec.actions],
        spec.name,
    )
    if demonstrations.action.shape[1] != len(spec.actions):
        raise PgrobotError(
            f"{source} has {demonstrations.action.shape[1]} actions, and {spec.name} {len(spec.actions)}: they are "
            "demonstrations of another robot."
        )
    _check_range(demonstrations, spec)


def _dimensions(name: str, value: Tensor) -> int:
    if "observation" in name:
        return 4 if value.dtype == torch.uint8 and value.dim() == 4 else 2
    return 2 if name in ("action", "cost") else 1


def _check_finite(source: str, name: str, value: Tensor) -> None:
    if not value.is_floating_point():
        return
    read = value.float()  # as a policy will read it
    if bool(read.sum().isfinite()):  # a sum is finite only if every number is
        return
    numbers = value.reshape(len(value), -1)
    bad = (~read.reshape(numbers.shape).isfinite()).nonzero().tolist()
    if bad:
        step, entry = bad[0]
        found = float(numbers[step, entry])
        where = f", entry {entry}" if numbers.shape[1] > 1 else ""
        why = ", which is too large for single precision" if math.isfinite(found) else ""
        raise PgrobotError(f"{source}: {name} is {found} in step {step}{where}{why}.")


def _check_names(demonstrations: Demonstrations) -> None:
    named: Mapping[str, tuple[Sequence[str], int]] = {
        **{
            f"observation {group!r}": (names, demonstrations.obs[group][0].numel())
            for group, names in demonstrations.names.items()
        },
        "action": (demonstrations.actions, demonstrations.action.shape[1]),
    }
    for what, (names, width) in named.items():
        if names and len(names) != width:
            raise PgrobotError(f"{demonstrations.source}: {what} has {width} entries and {len(names)} names.")
    if len(demonstrations.costs) != demonstrations.cost.shape[1]:
        raise PgrobotError(
            f"{demonstrations.source}: there are {demonstrations.cost.shape[1]} costs and {len(demonstrations.costs)} "
            "names of them."
        )


def _check_ends(demonstrations: Demonstrations) -> None:
    """Episodes are whole: each begins behind the end of the one before, and the last one ends."""
    source, start, done = demonstrations.source, demonstrations.episode_start, demonstrations.done
    if not bool(done.any()):
        raise PgrobotError(
            f"{source}: no episode ends in its {len(done):,} steps: say which steps terminate or truncate one."
        )
    begins = torch.cat((torch.ones(1, dtype=torch.bool), done[:-1]))
    wrong = (begins != start).nonzero().flatten().tolist()
    if wrong:
        words = (
            "begins no episode, though the one before it ended"
            if begins[wrong[0]]
            else "begins an episode within another"
        )
        raise PgrobotError(f"{source}: step {wrong[0]} {words}.")
    if not bool(done[-1]):
        raise PgrobotError(
            f"{source}: the last episode does not end with the last step: where it was cut, say that it is truncated."
        )


def _check_same(
    demonstrations: Demonstrations,
    verb: str,
    group: str,
    theirs: Sequence[str],
    ours: Sequence[str],
    robot: str,
) -> None:
    if not theirs or list(theirs) == list(ours):
        return
    within = f" in {group!r}" if group else ""
    extra, missing = [x for x in theirs if x not in set(ours)], [x for x in ours if x not in set(theirs)]
    if not extra and not missing:
        first = next(i for i, (one, other) in enumerate(zip(theirs, ours, strict=True)) if one != other)
        raise PgrobotError(
            f"{demonstrations.source} {verb} {theirs[first]!r}{within} where {robot} has {ours[first]!r}: the same "
            "entries in another order are another robot's demonstrations."
        )
    parts = [f"{verb} {_listed(extra)}{within}, which {robot} does not have" if extra else ""]
    parts += [f"lacks {_listed(missing)}{within}, which {robot} has" if missing else ""]
    raise PgrobotError(
        f"{demonstrations.source} {', and '.join(filter(None, parts))}: they are demonstrations of another robot, or "
        "of another version of it."
    )


def _check_range(demonstrations: Demonstrations, spec: EnvironmentSpec) -> None:
    action = demonstrations.action.numpy()
    choices = np.array([each.choices for each in spec.actions])
    low = np.where(choices > 0, 0.0, spec.action_low)
    high = np.where(choices > 0, choices - 1.0, spec.action_high)
    spare = ROUNDING * np.where(np.isfinite(high - low), high - low, 0.0)
    spare[choices > 0] = 0.0
    outside = (action < low - spare) | (action > high + spare) | ((choices > 0) & (action != np.rint(action)))
    if outside.any():
        step, entry = np.argwhere(outside)[0].tolist()
        allowed = (
            f"one of {choices[entry]} choices from 0 on"
            if choices[entry]
            else f"between {low[entry]:g} and {high[entry]:g}"
        )
        raise PgrobotError(
            f"{demonstrations.source}: action {spec.actions[entry].name!r} is {action[step, entry]:g} in step {step}, "
            f"and {spec.name} takes {allowed}: actions are in the units of the action space."
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown
