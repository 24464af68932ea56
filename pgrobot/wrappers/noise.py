"""Measuring with errors: noise on what is observed, and biases that last an episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import torch

from pgrobot.groups import matching, named
from pgrobot.ranges import Keys, MappingOf, at_least, one_of
from pgrobot.types import Environment, Observation, State
from pgrobot.wrappers.numbers import Numbers
from pgrobot.wrappers.showing import Showing

GAUSSIAN, UNIFORM = "gaussian", "uniform"
Deviations = Annotated[Mapping[str, float], MappingOf(Keys("policy/*"), at_least(0.0))]


class Noise(Showing):
    """Adds noise to what is observed: to each entry ``deviation · z_t + bias · b`` in the entry's own unit.

    ``z_t`` is drawn anew at every step and ``b`` at every episode's start, both with mean 0 and deviation 1. Both are
    drawn for every entry, so that one that is added or left out leaves the noise of all others as it is. What is
    observed once is noisy once: unless its episode ended, ``next_obs`` is what is acted on next. Images are shown as
    they are.

    Args:
        environment: what is measured.
        randoms: a random stream for each environment.
        deviation: standard deviation of the noise by name of an entry, or pattern of such; of several that name an
            entry the last one counts.
        bias: likewise, that of what lasts an episode.
        distribution: ``gaussian``, or ``uniform`` within ± √3 deviations.

    Raises:
        PgrobotError: a name is of no entry.
    """

    def __init__(
        self,
        environment: Environment,
        randoms: Sequence[np.random.Generator],
        deviation: Deviations,
        bias: Deviations,
        distribution: Annotated[str, one_of(GAUSSIAN, UNIFORM)],
    ) -> None:
        super().__init__(environment)
        self._deviation = _amounts("wrapper.noise.deviation", deviation, environment)
        self._bias = _amounts("wrapper.noise.bias", bias, environment)
        self._unit = Numbers(
            randoms, len(self._deviation), _uniform if distribution == UNIFORM else _gaussian
        )
        self._places: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # in a group, and of all entries
        changed, begin = (self._deviation > 0.0) | (self._bias > 0.0), 0
        for group, width in self.spec.widths.items():
            (at,) = np.nonzero(changed[begin : begin + width])
            if at.size:
                self._places[group] = at, begin + at
            begin += width
        self._all = np.arange(self.spec.num_envs)
        self._lasting = np.zeros((self.spec.num_envs, begin))  # b [N, D]
        self._error = np.zeros_like(self._lasting)  # of what was observed last [N, D]

    def begin(self, ids: np.ndarray, obs: Observation) -> None:
        """Draw what lasts an episode, and the error of its first observation."""
        self._lasting[ids] = self._unit(ids)
        self._draw(ids)

    def observe(self, obs: Observation) -> None:
        self._draw(self._all)

    def own_state(self) -> State:
        self._unit.settle()
        return {
            "lasting": torch.from_numpy(self._lasting.copy()),
            "error": torch.from_numpy(self._error.copy()),
        }

    def load_own_state(self, state: State) -> None:
        self._unit.forget()
        self._lasting, self._error = (state[key].numpy().copy() for key in ("lasting", "error"))

    def _draw(self, ids: np.ndarray) -> None:
        self._error[ids] = self._deviation * self._unit(ids) + self._bias * self._lasting[ids]

    def shown(self, obs: Observation) -> Observation:
        shown = dict(obs)
        for group, (at, of_all) in self._places.items():
            rows = obs[group].reshape(len(obs[group]), -1).copy()
            rows[:, at] += self._error[:, of_all]
            shown[group] = rows.reshape(obs[group].shape)
        return shown


def _gaussian(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return random.standard_normal(shape)


def _uniform(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return (2.0 * random.random(shape) - 1.0) * np.sqrt(3.0)


def _amounts(owner: str, given: Mapping[str, float], environment: Environment) -> np.ndarray:
    """What each entry of all groups was given, ``[D]``; 0 where it was given nothing."""
    observation = environment.spec.widths
    matching(owner, list(given), observation)
    entries = [(group, entry) for group in observation for entry in observation.names(group)]
    amounts = np.zeros(len(entries))
    for pattern, amount in given.items():
        amounts[[named(pattern, *each) for each in entries]] = amount
    return amounts
