"""A policy that remembers what it saw, in front of one that is shown several observations at once."""

from __future__ import annotations

import math
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
        groups: all groups that the policy reads.
        images: shape of one ``(H, W, C)`` by the group that is stacked, in its channels.

    Attributes:
        groups: as given.
    """

    def __init__(
        self,
        policy: Acting,
        widths: Mapping[str, int],
        steps: int,
        groups: Sequence[str],
        images: Mapping[str, tuple[int, ...]],
    ) -> None:
        super().__init__(widths)
        self.policy, self.groups = policy, tuple(groups)
        self.action_size = policy.action_size
        # of a number the width of one of it is 1: an image is remembered pixel by pixel, newest first
        self._widths = {**widths, **{name: math.prod(shape) for name, shape in images.items()}}
        self._images, self._steps = dict(images), steps
        self._older = [(steps - 1) * width for width in self._widths.values()]
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
            now = obs[name].flatten(episode_start.dim()).to(past.dtype)
            first = torch.cat([now] * (past.shape[-1] // width), -1) if past.shape[-1] else past
            seen = torch.cat((now, torch.where(start, first, past)), -1)
            following.append(seen[..., : past.shape[-1]])
            shown[name] = self._image(seen, name) if name in self._images else seen
        distribution, inner = self.policy(shown, inner, episode_start)
        return distribution, torch.cat((*following, inner), -1)

    def _image(self, seen: Tensor, name: str) -> Tensor:
        """An image of which ``[…, steps H W C]`` was seen, newest first: ``[…, H, W, steps C]``, uint8."""
        height, width, channels = self._images[name]
        parts = seen.unflatten(-1, (self._steps, height, width, channels)).movedim(-4, -2)
        return parts.flatten(-2).to(torch.uint8)

    def check(self, obs: Mapping[str, Tensor]) -> None:
        if self._steps == 1:
            self.policy.check(obs)

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        own = sum(self._older)
        return torch.cat((carry[..., :own], self.policy.remember(carry[..., own:], action)), -1)

    def command(self, action: Tensor) -> Tensor:
        return self.policy.command(action)
