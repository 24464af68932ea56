"""Hiding a part of what is observed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.groups import POLICY, named
from pgrobot.ranges import list_of, text
from pgrobot.simulation.wrappers import WrappedEnvironment
from pgrobot.types import Environment, Observation, ObservationGroup, Step

Names = Annotated[
    Sequence[str],
    list_of(text("the name of an observation entry"), "a list of observation entries, such as [qvel/*]"),
]


class Mask(WrappedEnvironment):
    """Hides entries of what is observed, such as all velocities.

    A trained policy takes what was left to it: a robot that it drives elsewhere need not measure the rest.

    Args:
        environment: what is masked.
        hide: names of entries, as ``spec.json`` has them, or patterns of such: ``qvel/*``; a group's name may stand
            before them: ``policy/qvel/*``.
        keep: an observation group that the hidden entries are shown in, which a critic may read beside the others;
            empty: nobody sees them.

    Raises:
        PgrobotError: a name is of no entry, nothing would be left, there is such a group already or none that keeps
            policies from reading it, or a wrapper within makes more of what is observed.
    """

    def __init__(self, environment: Environment, hide: Names, keep: str = "") -> None:
        super().__init__(environment)
        observation = environment.spec.observation
        _check_within(environment)
        for pattern in hide:
            _check_known(pattern, observation)
        self._hidden = {name: _hidden(name, group, hide) for name, group in observation.items()}
        left = {
            name: _part(group, ~self._hidden[name]) for name, group in observation.items() if not group.image
        }
        images = {name: group for name, group in observation.items() if group.image}
        left = {name: group for name, group in left.items() if group.width}
        if not left:
            raise PgrobotError(f"wrapper.mask.hide={list(hide)} hides all that {self.spec.name} observes")
        self._keep = keep
        kept = {} if not keep else {keep: _kept(observation, self._hidden)}
        if keep in observation:
            raise PgrobotError(
                f"wrapper.mask.keep={keep} is an observation group already: choose another name"
            )
        if keep and POLICY not in left:
            raise PgrobotError(
                f"wrapper.mask.keep={keep} would show the policy what is hidden, for without an observation group "
                f"{POLICY!r} it reads all groups: leave it out"
            )
        self._left = tuple(left)
        shown = {name: left.get(name, images.get(name)) for name in observation}
        self.spec = replace(
            self.spec, observation={**{name: group for name, group in shown.items() if group}, **kept}
        )

    def reset(self) -> Observation:
        return self._masked(super().reset())

    def restart(self, ids: np.ndarray) -> Observation:
        return self._masked(super().restart(ids))

    def step(self, action: np.ndarray) -> Step:
        step = super().step(action)
        return replace(step, obs=self._masked(step.obs), next_obs=self._masked(step.next_obs))

    def _masked(self, obs: Observation) -> Observation:
        shown = {}
        for name in self.spec.observation:
            if name == self._keep:
                parts = [obs[group].reshape(len(obs[group]), -1)[:, at] for group, at in self._told()]
                shown[name] = np.concatenate(parts, -1)
            elif self._hidden[name].any():
                shown[name] = obs[name].reshape(len(obs[name]), -1)[:, ~self._hidden[name]]
            else:
                shown[name] = obs[name]
        return shown

    def _told(self) -> Iterator[tuple[str, np.ndarray]]:
        return ((name, at) for name, at in self._hidden.items() if at.any())


def _hidden(name: str, group: ObservationGroup, hide: Sequence[str]) -> np.ndarray:
    """Which entries of a group are hidden, ``[D]`` bool."""
    if group.image:
        return np.zeros(0, bool)
    return np.array([any(named(pattern, name, entry) for pattern in hide) for entry in group.names], bool)


def _part(group: ObservationGroup, where: np.ndarray) -> ObservationGroup:
    if where.all():
        return group
    names = tuple(name for name, shown in zip(group.names, where, strict=True) if shown)
    return ObservationGroup(names, (len(names),), group.dtype)


def _kept(observation: Mapping[str, ObservationGroup], hidden: Mapping[str, np.ndarray]) -> ObservationGroup:
    parts = [_part(observation[name], at) for name, at in hidden.items() if at.any()]
    names = tuple(name for part in parts for name in part.names)
    dtypes = {part.dtype for part in parts}
    return ObservationGroup(names, (len(names),), dtypes.pop() if len(dtypes) == 1 else "float64")


def _check_known(pattern: str, observation: Mapping[str, ObservationGroup]) -> None:
    entries = [
        (name, entry) for name, group in observation.items() if not group.image for entry in group.names
    ]
    if not any(named(pattern, name, entry) for name, entry in entries):
        raise PgrobotError(
            f"wrapper.mask.hide names {pattern!r}, which is not observed; "
            f"{nearest(pattern, [entry for _, entry in entries])}"
        )


def _check_within(environment: Environment) -> None:
    """Refuse what may not be taken along: a policy might have to be shown what is hidden."""
    while isinstance(environment, WrappedEnvironment):
        if environment.travels:
            raise PgrobotError(
                f"wrapper.mask is around {type(environment).__name__}, which travels with its policy and may need "
                "what is hidden: name the mask first, as in wrapper=[mask,history]"
            )
        environment = environment.environment
