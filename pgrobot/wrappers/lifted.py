"""Hiding a state of few numbers in many: behind a network that nobody trained, and beside noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import torch

from pgrobot.errors import PgrobotError
from pgrobot.groups import POLICY
from pgrobot.ranges import at_least, layers
from pgrobot.types import Environment, Observation, ObservationGroup, State
from pgrobot.wrappers.numbers import Numbers
from pgrobot.wrappers.showing import Showing


class Lifted(Showing):
    """Shows in place of the group ``policy`` what a fixed random network makes of it, and noise beside that.

    ``W_n σ(… σ(W_1 o))``, with an activation behind every layer and entries of ``W`` from ``N(0, 1/width)`` of what the
    layer reads. The noise is standard normal and drawn anew at every step. With ``width=0`` the group is left as it is,
    and without noise too nothing is changed, to the last bit.

    A trained policy is shown what the network makes: it stays behind.

    Args:
        environment: what is observed.
        randoms: a random stream for each environment.
        width: how many numbers the network makes; 0: there is none.
        hidden: widths of its layers below.
        activation: ``none``: it is linear.
        noise: how many numbers of noise.
        seed: of the network's weights, which are the same in training and in evaluation.

    Raises:
        PgrobotError: the environment shows no numbers in a group ``policy``.
    """

    def __init__(
        self,
        environment: Environment,
        randoms: Sequence[np.random.Generator],
        width: Annotated[int, at_least(0)],
        hidden: Annotated[Sequence[int], layers],
        activation: Literal["tanh", "none"],
        noise: Annotated[int, at_least(0)],
        seed: Annotated[int, at_least(0)],
    ) -> None:
        super().__init__(environment)
        group = self.spec.observation.get(POLICY)
        if group is None or group.image:
            raise PgrobotError(
                f"wrapper.lifted lifts the numbers of the observation group {POLICY!r}, and {self.spec.name} shows "
                f"none: it has {', '.join(self.spec.observation)}"
            )
        self._bends, self._count = activation == "tanh", noise
        random, sizes = np.random.default_rng(seed), (group.width, *hidden, width)
        self.weights = [
            random.standard_normal((inputs, outputs)) / np.sqrt(inputs)
            for inputs, outputs in (pairwise(sizes) if width else ())
        ]
        self._unit = Numbers(randoms, noise, lambda stream, shape: stream.standard_normal(shape))
        self._noise = np.zeros((self.spec.num_envs, noise))
        self._all = np.arange(self.spec.num_envs)
        if width or noise:
            names = tuple(f"lifted/{i}" for i in range(width)) if width else group.names
            names += tuple(f"noise/{i}" for i in range(noise))
            shown = ObservationGroup(names, (len(names),), group.dtype)
            self.spec = replace(self.spec, observation={**self.spec.observation, POLICY: shown})

    def begin(self, ids: np.ndarray, obs: Observation) -> None:
        self._noise[ids] = self._unit(ids)

    def observe(self, obs: Observation) -> None:
        self._noise[:] = self._unit(self._all)

    def shown(self, obs: Observation) -> Observation:
        seen = obs[POLICY]
        for weight in self.weights:
            seen = seen.reshape(len(seen), -1) @ weight
            seen = np.tanh(seen) if self._bends else seen
        if self._count:
            seen = np.concatenate((seen.reshape(len(seen), -1), self._noise), 1)
        return {**obs, POLICY: seen if seen is not obs[POLICY] else seen.copy()}

    def own_state(self) -> State:
        self._unit.settle()
        return {"noise": torch.from_numpy(self._noise.copy())}

    def load_own_state(self, state: State) -> None:
        self._unit.forget()
        self._noise = state["noise"].numpy().copy()
