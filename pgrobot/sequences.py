"""Sequences: cutting rollouts into what a solver's minibatches consist of, and what modules say along them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn
from torch.func import functional_call
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch, CriticBatch
from pgrobot.critics import Critic
from pgrobot.errors import PgrobotError, nearest_divisor
from pgrobot.policies import Policy

T = TypeVar("T")


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


class _Along(nn.Module):
    """A module along steps, as something that ``functional_call`` calls."""

    def __init__(self, module: Policy | Critic) -> None:
        super().__init__()
        self.module = module

    def forward(self, *steps: Any) -> tuple[Any, Tensor]:
        said: tuple[Any, Tensor] = self.module.along(*steps)
        return said


class _Asked(nn.Module):
    """A module's method of a name, as something that ``functional_call`` calls."""

    def __init__(self, module: nn.Module, method: str) -> None:
        super().__init__()
        self.module, self.method = module, method

    def forward(self, *arguments: Any) -> Any:
        return getattr(self.module, self.method)(*arguments)


def asked(module: nn.Module, method: str, parameters: Mapping[str, Tensor], *arguments: Any) -> Any:
    """What a method of a module says with other parameters than its own, by name."""
    named = {f"module.{name}": value for name, value in parameters.items()}
    return functional_call(_Asked(module, method), named, arguments)


def along(module: Policy | Critic, parameters: Mapping[str, Tensor], *steps: Any) -> tuple[Any, Tensor]:
    """What ``module.along`` says of steps with other parameters than its own, by name; with none, its own."""
    named = {f"module.{name}": value for name, value in parameters.items()}
    said: tuple[Any, Tensor] = functional_call(_Along(module), named, steps)
    return said


def along_chunks(
    module: Policy | Critic, parameters: Mapping[str, Tensor], batch: Batch | CriticBatch, *others: Tensor
) -> Any:
    """What a module says along chunks, ``[B, L, …]``, each begun with the carry that its first step has in the batch.

    Args:
        module: it learns from sequences.
        parameters: of the module, by name.
        batch: chunks ``[B, L]``.
        others: what else its ``along`` is told, ``[B, L, …]``.
    """
    turned = lambda x: x.transpose(0, 1)
    obs = {name: turned(value) for name, value in batch.obs.items()}
    steps = obs, batch.carry[:, 0], turned(batch.episode_start), *map(turned, others)
    said, _ = along(module, parameters, *steps)
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
