"""A policy that remembers what it saw, in front of one that is shown several observations at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pgrobot.distributions import Drawable
from pgrobot.policies import Acting


class Stacking(Acting):
    """Shows a policy the last observations, that of now first; at an episode's start the first one several times.

    Args:
        policy: reads ``steps`` observations of each group side by side.
        widths: of one observation, by the group that is stacked.
        steps: how many.
        groups: all groups that the policy reads; those without a width are images, and shown as they are.

    Attributes:
        groups: as given.
    """

    def __init__(self, policy: Acting, widths: Mapping[str, int], steps: int, groups: Sequence[str]) -> None:
        super().__init__(widths)
        self.policy, self.groups = policy, tuple(groups)
        self.action_size = policy.action_size
        self._widths = dict(widths)
        self._older = [(steps - 1) * width for width in widths.values()]
        self.carry_size = sum(self._older) + policy.carry_size
        origin = policy.origin.reader()
        self.origin.fixed.fill_(1)
        begin = 0
        for name, width in widths.items():
            if (found := origin.origin(name)).size:
                self.origin.value[begin : begin + width] = torch.from_numpy(found[:width])
            begin += width

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Drawable, Tensor]:
        *older, inner = carry.split((*self._older, self.policy.carry_size), -1)
        start, shown, following = episode_start.unsqueeze(-1), dict(obs), []
        for (name, width), past in zip(self._widths.items(), older, strict=True):
            now = obs[name].flatten(episode_start.dim())
            first = torch.cat([now] * (past.shape[-1] // width), -1) if past.shape[-1] else past
            shown[name] = torch.cat((now, torch.where(start, first, past)), -1)
            following.append(shown[name][..., : past.shape[-1]])
        distribution, inner = self.policy(shown, inner, episode_start)
        return distribution, torch.cat((*following, inner), -1)

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        own = sum(self._older)
        return torch.cat((carry[..., :own], self.policy.remember(carry[..., own:], action)), -1)

    def command(self, action: Tensor) -> Tensor:
        return self.policy.command(action)
