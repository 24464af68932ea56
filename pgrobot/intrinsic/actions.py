"""Actions as small networks read them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pgrobot.action_map import ActionMap
from pgrobot.types import EnvironmentSpec


class ActionCode:
    """What was done: policy units within the range of the space; one that is a choice is one of so many numbers.

    Of a policy that also draws goals, only what goes to the environment is read.

    Args:
        spec: of the environment.

    Attributes:
        choices: of each action; 0: it is a real number.
        width: of what is read.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.choices = [action.choices for action in spec.actions]
        self.width = sum(max(1, choices) for choices in self.choices)
        space = ActionMap.of(spec)
        low, high = ((end - space.centre) / space.unit for end in (space.low, space.high))
        self._low, self._high = torch.from_numpy(low).float(), torch.from_numpy(high).float()

    def done(self, action: Tensor) -> Tensor:
        """What the environment made of actions ``[…, A]``, in policy units."""
        return action[..., : len(self.choices)].clamp(self._low, self._high)

    def __call__(self, action: Tensor) -> Tensor:
        """What a network reads of actions ``[…, A]``: ``[…, width]``."""
        parts = [
            functional.one_hot(one.round().long(), choices).to(action) if choices else one.unsqueeze(-1)
            for one, choices in zip(self.done(action).unbind(-1), self.choices, strict=True)
        ]
        return torch.cat(parts, -1)
