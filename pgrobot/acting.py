"""A policy that acts on what an environment shows, in the units that the environment takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from pgrobot.action_map import ActionMap
from pgrobot.distributions.distribution import Drawable
from pgrobot.policies import Acting
from pgrobot.types import Observation, ObservationGroup

Draw = Callable[[Drawable], Tensor]  # what is done of what actions are drawn from, [N, A]


def undrawn(distribution: Drawable) -> Tensor:
    """The deterministic action: the mean, or the most likely of choices."""
    return distribution.deterministic


def drawn(generator: torch.Generator) -> Draw:
    """Actions that are drawn from a stream."""
    return lambda distribution: distribution.sample(generator)


class Actor:
    """A policy in ``rows`` environments side by side; evaluations and deployed policies act by this and nothing else.

    Args:
        policy: frozen while it acts.
        observation: the groups that it is shown.
        to_environment: from policy units to those of the action space.
        rows: how many environments ``N``.

    Attributes:
        carry: what the policy remembers, ``[N, H]``; zero at first.
    """

    def __init__(
        self,
        policy: Acting,
        observation: Mapping[str, ObservationGroup],
        to_environment: ActionMap,
        rows: int,
    ) -> None:
        self.carry = torch.zeros(rows, policy.carry_size)
        self._policy = policy
        self._to_environment = to_environment
        self._read = policy.origin.reader()
        self._read_obs = {
            name: np.empty((rows, *group.shape), group.row_dtype) for name, group in observation.items()
        }
        self._rows = {name: torch.from_numpy(value) for name, value in self._read_obs.items()}

    @torch.no_grad()
    def __call__(self, obs: Observation, start: np.ndarray, draw: Draw) -> np.ndarray:
        """Act for one step.

        Args:
            obs: groups ``[N, D]`` as the environment gives them.
            start: ``[N]`` bool, where an episode begins and nothing is remembered.
            draw: ``undrawn``, or ``drawn(generator)``.

        Returns:
            Actions ``[N, A]`` float64 in the units of the action space, within its bounds.
        """
        for name, value in obs.items():
            self._read(name, value, self._read_obs[name])
        self._policy.check(self._rows)
        distribution, carry = self._policy(self._rows, self.carry, torch.as_tensor(start))
        action = draw(distribution)
        self.carry = self._policy.remember(carry, action)
        return self._to_environment(self._policy.command(action).numpy())
