"""Sequences: unrolling what remembers, and cutting rollouts into what a solver's minibatches consist of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch, CriticBatch
from pgrobot.errors import PgrobotError, nearest_divisor

T = TypeVar("T")
# observations, carry, episode_start and whatever else of one step -> what it says, and the carry of the next one
Step = Callable[..., tuple[Any, Tensor]]


class Remembering(Protocol):
    """A policy or a critic, as far as its memory goes."""

    carry_size: int
    sequence: int


def unrolled(module: Remembering) -> bool:
    """Whether a module learns step after step: without memory, or from single steps, its rows are independent."""
    return module.sequence > 1 and module.carry_size > 0


def check_sequences(horizon: int, modules: Mapping[str, Remembering]) -> None:
    """Refuse sequences that a rollout does not consist of.

    Raises:
        PgrobotError: names the module by its key in the config.
    """
    for name, module in modules.items():
        if horizon % module.sequence:
            raise PgrobotError(
                f"{name} learns from sequences of {module.sequence} steps, which do not divide horizon={horizon}: "
                f"the nearest that do have {nearest_divisor(horizon, module.sequence)}"
            )


def unroll(
    step: Step, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor, *others: Tensor
) -> tuple[Any, Tensor]:
    """Let a step follow another, each with the carry that the one before it left.

    Args:
        step: one step on rows ``[…]``.
        obs: observation groups, ``[L, …, D]``.
        carry: before the first step, ``[…, H]``.
        episode_start: ``[L, …]`` bool.
        others: what else a step is told, such as the action that was drawn, ``[L, …, A]``.

    Returns:
        What the steps say, stacked ``[L, …]``, and the carry before each of them and after the last,
        ``[L + 1, …, H]``.
    """
    said, carries = [], [carry]
    for t in range(len(episode_start)):
        now = {name: value[t] for name, value in obs.items()}
        output, carry = step(now, carry, episode_start[t], *(other[t] for other in others))
        said.append(output)
        carries.append(carry)
    return pytree.tree_map(lambda *steps: torch.stack(steps), *said), torch.stack(carries)


def along_chunks(step: Step, batch: Batch | CriticBatch, *others: Tensor) -> Any:
    """What a step says along chunks, ``[B, L, …]``, each begun with the carry that its first step has in the batch.

    Args:
        step: one step on rows ``[B]``.
        batch: chunks ``[B, L]``.
        others: what else a step is told, ``[B, L, …]``.
    """
    turned = lambda x: x.transpose(0, 1)
    obs = {name: turned(value) for name, value in batch.obs.items()}
    said, _ = unroll(step, obs, batch.carry[:, 0], turned(batch.episode_start), *map(turned, others))
    return pytree.tree_map(turned, said)


def in_rows(tree: T, length: int) -> T:
    """Cut what is ``[T, N, …]`` into independent rows ``[T · N, …]``, or into chunks ``[T / L · N, L, …]`` of L steps.

    Args:
        tree: a pytree of tensors.
        length: L, which divides T; 1: rows.
    """

    def cut(x: Tensor) -> Tensor:
        return x.unflatten(0, (-1, length)).transpose(1, 2).flatten(0, 1)

    cut_tree: T = pytree.tree_map((lambda x: x.flatten(0, 1)) if length == 1 else cut, tree)
    return cut_tree


def as_rollout(x: Tensor, environments: int, length: int) -> Tensor:
    """Put what ``in_rows`` cut back together: ``[T, N, …]``."""
    if length == 1:
        return x.unflatten(0, (-1, environments))
    return x.unflatten(0, (-1, environments)).transpose(1, 2).flatten(0, 1)
