"""What a head is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from pgrobot.distributions import Distribution
from pgrobot.errors import PgrobotError
from pgrobot.types import Action
from pgrobot.unrolling import follows, unmoved, unroll


class Head(nn.Module):
    """Turns the numbers of a policy's output layer into a distribution. The layer itself is the policy's.

    Attributes:
        outputs: how many numbers it reads per row, ``O``.
        action_size: width ``A`` of what is drawn.
        carry_size: width ``H`` of what it remembers between steps; 0 for a head without memory.
        parameter_bounds: least and greatest value of its own parameters by name, which solvers keep them within.
        free_to_differ: arguments that do not change what it says, once its parameters are given.
        by_action: names of its own parameters that have an entry for each action, ``[A]``.
    """

    outputs: int
    action_size: int
    carry_size: int = 0
    parameter_bounds: Mapping[str, tuple[float, float]] = MappingProxyType({})
    free_to_differ: ClassVar[Sequence[str]] = ()
    by_action: ClassVar[Sequence[str]] = ()

    def rows(self) -> Tensor:
        """Which of the output layer's numbers are about each action, ``[A, O / A]``, in the same order for all.

        Raises:
            PgrobotError: it does not say, or what is said of an action depends on the others.
        """
        raise PgrobotError(
            f"a {type(self).__name__} does not say of each action by itself what is drawn: no names map it"
        )

    def begin(self, output: nn.Linear) -> None:
        """Set in place what a new output layer says at first; by default it is left as it is."""
        del output

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        """Say what the numbers mean, for any number of independent rows.

        Args:
            numbers: the output layer's, ``[…, O]``.
            seen: what the policy observed, as it was, ``[…, D]``.
            carry: ``[…, H]``.
            episode_start: ``[…]`` bool; the carry is forgotten there.

        Returns:
            The distribution over what is drawn, and the next carry ``[…, H]``.
        """
        raise NotImplementedError

    def along(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        """Say what the numbers of steps that follow each other mean: all ``[L, …]`` but the carry, as of ``Body``."""
        if self.carry_size:
            return unroll(lambda read, *rest: self(*read, *rest), (numbers, seen), carry, episode_start)
        carries = unmoved(carry, len(numbers))
        return self(numbers, seen, carries[:-1], episode_start)[0], carries

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        follows(cls, Head, "forward")


class HeadFactory(Protocol):
    """A head but for what it draws: an entry of an environment's action each."""

    def __call__(self, *, actions: Sequence[Action]) -> Head: ...


def numbers_of(actions: Sequence[Action]) -> int:
    """How many real numbers a head draws.

    Raises:
        PgrobotError: one of them is a choice.
    """
    chosen = next((action for action in actions if action.choices), None)
    if chosen:
        raise PgrobotError(
            f"policy.head draws real numbers, and the action {chosen.name!r} is one of {chosen.choices} choices: "
            f"{_remedy(actions, 'categorical')}"
        )
    return len(actions)


def choices_of(actions: Sequence[Action]) -> tuple[int, ...]:
    """The number of choices of every action that a head draws.

    Raises:
        PgrobotError: one of them is a real number, or there is none.
    """
    real = next((action for action in actions if not action.choices), None)
    if real or not actions:
        what = f"the action {real.name!r} is a real number" if real else "there is no action"
        raise PgrobotError(f"policy.head draws choices, and {what}: {_remedy(actions, 'gaussian')}")
    return tuple(action.choices for action in actions)


def _remedy(actions: Sequence[Action], head: str) -> str:
    kinds = {action.choices > 0 for action in actions}
    return f"use policy/head={head}" if len(kinds) < 2 else "no head draws numbers and choices together"
