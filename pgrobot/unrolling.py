"""Unrolling what remembers: one step after another, each with the memory that the one before it left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

# what is read, carry, episode_start and whatever else of one step -> what it says, and the carry of the next one
Step = Callable[..., tuple[Any, Tensor]]


def unroll(
    step: Step, read: Any, carry: Tensor, episode_start: Tensor, *others: Tensor
) -> tuple[Any, Tensor]:
    """Let a step follow another, each with the carry that the one before it left.

    Args:
        step: one step on rows ``[…]``.
        read: a pytree of tensors, such as observation groups, ``[L, …, D]``.
        carry: before the first step, ``[…, H]``.
        episode_start: ``[L, …]`` bool.
        others: what else a step is told, such as the action that was drawn, ``[L, …, A]``.

    Returns:
        What the steps say, stacked ``[L, …]``, and the carry before each of them and after the last,
        ``[L + 1, …, H]``.
    """
    said, carries = [], [carry]
    # Taken apart at once: the gradient of each part alone would be as large as the whole.
    leaves, structure = pytree.tree_flatten(read)
    for start, *parts in zip(*(x.unbind() for x in (episode_start, *leaves, *others)), strict=True):
        now = pytree.tree_unflatten(parts[: len(leaves)], structure)
        output, carry = step(now, carry, start, *parts[len(leaves) :])
        said.append(output)
        carries.append(carry)
    return pytree.tree_map(lambda *steps: torch.stack(steps), *said), torch.stack(carries)


def unmoved(carry: Tensor, steps: int) -> Tensor:
    """The carries ``[steps + 1, …, H]`` of what leaves its carry ``[…, H]`` as it is."""
    return carry.expand(steps + 1, *carry.shape)


def follows(part: type, unrolling: type, *changed: str) -> None:
    """Have a class that says anew what one step does unrolled by the base class, unless it says that anew as well.

    ``along`` is a faster way to what ``forward`` does step by step, so it holds for that ``forward`` alone.

    Args:
        part: the class as it is made.
        unrolling: the base class, whose ``along`` takes step by step.
        changed: methods that a step consists of.
    """
    own = vars(part)
    if "along" not in own and any(name in own for name in changed):
        part.along = unrolling.along  # type: ignore[attr-defined]
