"""Units of a network that no longer do anything."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pgrobot.diagnostics.states import States

DEAD = 1e-3  # of the median deviation of its layer
BOUNDED = (nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Softsign)
EDGE = 0.99  # of what a bounded activation can say


@dataclass(frozen=True, slots=True)
class Units:
    """The hidden units of a policy on a number of states.

    Attributes:
        count: how many.
        dead: those that say the same, or next to it, in all states.
        saturated: those of bounded activations that are at an end of their range in nearly all.
    """

    count: int
    dead: int
    saturated: int


@torch.no_grad()
def hidden_units(states: States) -> Units:
    """Watch every activation of the policy, whatever its network; none where it has none."""
    said: list[tuple[nn.Module, Tensor]] = []
    kinds = [m for m in states.policy.modules() if type(m).__module__ == nn.Tanh.__module__]
    watches = [m.register_forward_hook(lambda m, _, out: said.append((m, out))) for m in kinds]
    try:
        states.action(states.x)
    finally:
        for watch in watches:
            watch.remove()
    dead = saturated = count = 0
    for module, output in said:
        flat = output.flatten(0, -2)
        deviation = (flat - flat[:1]).std(0, correction=0)
        count += len(deviation)
        dead += int((deviation <= DEAD * deviation.median()).sum())
        if isinstance(module, BOUNDED):
            low = 0.0 if isinstance(module, nn.Sigmoid) else -1.0
            place = (2.0 * (flat - low) / (1.0 - low) - 1.0).abs()
            saturated += int(((place >= EDGE).double().mean(0) >= EDGE).sum())
    return Units(count, dead, saturated)
