"""A policy that filters what it does, in front of one whose actions were filtered while it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgrobot.action_map import ActionMap
from pgrobot.distributions import Drawable
from pgrobot.policies import Acting


class Filtering(Acting):
    """Draws an action and what is done of it, side by side; the latter it remembers.

    Args:
        policy: whose actions are filtered.
        bounds: of the actions, whose policy units the filter works in.
        keep: what of its distance to an action it keeps in a step.
        most: by how much it changes in a step, in policy units; or infinite.
        groups: the observation groups that the policy reads.

    Attributes:
        groups: as given.
    """

    low: Tensor
    high: Tensor
    rest: Tensor

    def __init__(
        self, policy: Acting, bounds: ActionMap, keep: float, most: float, groups: Sequence[str]
    ) -> None:
        super().__init__()
        self.policy, self.origin, self.groups = policy, policy.origin, tuple(groups)
        self._width, self._keep, self._most = len(bounds.low), keep, most
        self.action_size = policy.action_size + self._width
        self.carry_size = self._width + policy.carry_size
        unit = np.where(bounds.unit > 0.0, bounds.unit, 1.0)  # 0 where nothing can be chosen
        for name, value in (("low", bounds.low), ("high", bounds.high), ("rest", bounds.rest)):
            self.register_buffer(name, torch.from_numpy((value - bounds.centre) / unit).float())

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Drawable, Tensor]:
        last, inner = carry.split((self._width, self.policy.carry_size), -1)
        last = torch.where(episode_start.unsqueeze(-1), self.rest, last)
        distribution, inner = self.policy(obs, inner, episode_start)
        return Filtered(distribution, self, last), torch.cat((last, inner), -1)

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        drawn, done = self.parts(action)
        return torch.cat((done, self.policy.remember(carry[..., self._width :], drawn)), -1)

    def command(self, action: Tensor) -> Tensor:
        return self.parts(action)[1]

    def parts(self, action: Tensor) -> tuple[Tensor, Tensor]:
        """What the policy drew, and what is done of it, in policy units."""
        drawn, done = action.split((self.policy.action_size, self._width), -1)
        return drawn, done

    def beside(self, drawn: Tensor, last: Tensor) -> Tensor:
        """What was drawn, and beside it what is done after ``last``."""
        wished = torch.minimum(torch.maximum(self.policy.command(drawn), self.low), self.high)
        done = wished + (last - wished) * self._keep
        done = torch.minimum(torch.maximum(done, last - self._most), last + self._most)
        return torch.cat((drawn, done), -1)


@dataclass(frozen=True)
class Filtered(Drawable):
    """What is drawn from, and the filter that it passes.

    Attributes:
        distribution: of the policy.
        by: the filter.
        last: what was done the step before, ``[…, A]``.
    """

    distribution: Drawable
    by: Filtering
    last: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.by.beside(self.distribution.sample(generator), self.last)

    def log_prob(self, action: Tensor) -> Tensor:
        return self.distribution.log_prob(self.by.parts(action)[0])

    @property
    def deterministic(self) -> Tensor:
        return self.by.beside(self.distribution.deterministic, self.last)
