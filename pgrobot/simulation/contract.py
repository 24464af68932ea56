"""What whoever steps an environment relies on, checked: an environment may be a class of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.results import NUMBERS, shown_result
from pgrobot.types import Environment, EnvironmentSpec, Observation, ObservationGroup, Step

PARTS = ("spec", "reset", "step", "state_dict", "load_state_dict", "close")
KINDS = {"numbers": NUMBERS, "bool": "b", "uint8": "u"}
RESERVED = "time"  # the observation group that collectors add
DTYPES = ("float64", "float32", "uint8")
LONGEST = 1_000_000  # steps of an episode; costs are measured by age, in arrays of that length


def check_environment(name: str, made: Any) -> Environment:
    """Return what a task made.

    Args:
        name: what made it, for messages.
        made: the environment.

    Raises:
        PgrobotError: it is none, or its episodes are longer than can be measured.
    """
    missing = [part for part in PARTS if not hasattr(made, part)]
    if missing:
        raise PgrobotError(
            f"{name} has to make an environment, as pgrobot.types.Environment describes it, but made "
            f"{shown_result(made)}, which has no {missing[0]!r}."
        )
    if not isinstance(made.spec, EnvironmentSpec):
        raise PgrobotError(
            f"the spec of what {name} made has to be an EnvironmentSpec, not {made.spec!r:.60}."
        )
    _check_spec(made.spec)
    steps = made.spec.max_episode_steps
    if not 1 <= steps <= LONGEST:
        raise PgrobotError(
            f"{made.spec.name} has episodes of up to {steps:,} steps: the limit has to lie between 1 and {LONGEST:,}, "
            "such as task.max_episode_steps=1000 (of a Gymnasium environment +task.kwargs.max_episode_steps=1000)."
        )
    environment: Environment = made
    return environment


def _check_spec(spec: EnvironmentSpec) -> None:
    """Refuse a spec whose names and sizes do not agree."""
    if RESERVED in spec.observation:
        raise PgrobotError(
            f"{spec.name} observes {RESERVED!r}, which pgrobot adds itself: choose another name."
        )
    if not spec.observation:
        raise PgrobotError(
            f"{spec.name} observes nothing: policies read the group 'policy', or all that there is."
        )
    _check_groups(spec)
    for action in spec.actions:
        if action.choices < 0:
            raise PgrobotError(
                f"{spec.name} has an action {action.name!r} of {action.choices} choices: 0 is continuous."
            )
    sizes = (len(spec.actions), np.shape(spec.action_low), np.shape(spec.action_high))
    if sizes[1:] != ((sizes[0],),) * 2:
        raise PgrobotError(
            f"{spec.name} has {sizes[0]} actions, and action_low {sizes[1]} and action_high {sizes[2]}: each needs its "
            "bounds, which may be infinite."
        )


def _check_groups(spec: EnvironmentSpec) -> None:
    """Refuse observation groups that are not described, or hold nothing."""
    for name, group in spec.observation.items():
        if not isinstance(group, ObservationGroup):
            raise PgrobotError(
                f"{spec.name} has to describe what it observes as {name!r} by an ObservationGroup, not by "
                f"{shown_result(group)}: ObservationGroup.numbered({name!r}, (3,)) is one of three numbers."
            )
        if not group.width:
            raise PgrobotError(
                f"{spec.name} observes nothing as {name!r}, which is {group.shape}: leave it out of what is observed."
            )
        if len(group.names) != group.width or len(set(group.names)) < group.width:
            raise PgrobotError(
                f"{spec.name} has {len(group.names)} names for the {group.width} entries that it observes as "
                f"{name!r}: each needs one of its own."
            )
        if group.dtype not in DTYPES:
            raise PgrobotError(
                f"{spec.name} observes {name!r} as {group.dtype}: {nearest(group.dtype, DTYPES)}"
            )


def check_observation(spec: EnvironmentSpec, what: str, found: Observation, owner: str = "") -> None:
    """Refuse observations other than the spec says.

    Args:
        spec: of the environment.
        what: what they are, for messages.
        found: the observations.
        owner: whose they are; by default the environment's, by its name.

    Raises:
        PgrobotError: names the group, its shape and the right one.
    """
    owner = owner or spec.name
    if not isinstance(found, Mapping) or found.keys() != spec.observation.keys():
        raise PgrobotError(
            f"{what} of {owner} has to be a dict of {', '.join(spec.observation)}, not {shown_result(found)}."
        )
    for name, group in spec.observation.items():
        kinds = "uint8" if group.image else "numbers"
        _check_array(owner, f"{what}[{name!r}]", found[name], (spec.num_envs, *group.shape), kinds)


def check_step(spec: EnvironmentSpec, step: Step, owner: str = "") -> None:
    """Refuse a step other than the spec says; where the shapes are right, nothing can be broadcast.

    Raises:
        PgrobotError: names the field, its shape and the right one, and whose it is as ``check_observation`` does.
    """
    owner = owner or spec.name
    if not isinstance(step, Step):
        raise PgrobotError(f"{owner} has to step to a pgrobot.types.Step, not to {shown_result(step)}.")
    rows = (spec.num_envs,)
    check_observation(spec, "obs", step.obs, owner)
    check_observation(spec, "next_obs", step.next_obs, owner)
    _check_array(owner, "reward", step.reward, rows, "numbers")
    _check_array(owner, "terms", step.terms, (*rows, len(spec.reward_terms)), "numbers")
    _check_array(owner, "cost", step.cost, (*rows, len(spec.costs)), "numbers")
    for name in ("terminated", "truncated", "censored"):
        _check_array(owner, name, getattr(step, name), rows, "bool")


def check_ends(spec: EnvironmentSpec, step: Step, owner: str = "") -> None:
    """Refuse a step in which an episode ended and its last observation lies where the next one's first is.

    Raises:
        PgrobotError: names the observation group, and whose it is as ``check_observation`` does.
    """
    for group in spec.observation:
        if np.may_share_memory(step.obs[group], step.next_obs[group]):
            raise PgrobotError(
                f"{owner or spec.name} returns obs[{group!r}] and next_obs[{group!r}] in the same memory in a step "
                "that ended an episode, so that its last observation is lost: return a copy."
            )


def _check_array(owner: str, what: str, found: Any, shape: tuple[int, ...], wanted: str) -> None:
    fits = isinstance(found, np.ndarray) and found.shape == shape and found.dtype.kind in KINDS[wanted]
    if not fits or (wanted == "uint8" and found.dtype != np.uint8):
        raise PgrobotError(f"{what} of {owner} has to be {wanted} {shape}, not {shown_result(found)}.")
