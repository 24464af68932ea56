"""What acts, and what a policy is, which learns as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from torch import Tensor, nn

from pgrobot.distributions import Distribution, Drawable
from pgrobot.origin import Origin
from pgrobot.types import EnvironmentSpec
from pgrobot.unrolling import follows, unroll


class Acting(nn.Module):
    """Observations and a carry in, what an action is drawn from and the next carry out.

    It is all that whoever only acts has to know: collectors, evaluations, deployed policies.

    Args:
        observation: width of each observation group that is measured from an origin; by default none is.

    Attributes:
        origin: subtracted from what an environment shows, before anything reads it.
        action_size: width ``A`` of what is drawn; more than the actuators where a goal is drawn as well.
        carry_size: width ``H`` of what is remembered between steps; 0 for a memoryless one.
        shows: observation groups that critics see beside those of the environment, made of what it observes and
            remembers: name and width; none by default.
    """

    action_size: int
    carry_size: int
    shows: Mapping[str, int] = MappingProxyType({})

    def __init__(self, observation: Mapping[str, int] = MappingProxyType({})) -> None:
        super().__init__()
        self.origin = Origin(observation)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Drawable, Tensor]:
        """Act on one step, or on any number of independent rows.

        Args:
            obs: groups, ``[…, D]``.
            carry: ``[…, H]``.
            episode_start: ``[…]`` bool; the carry is forgotten there.

        Returns:
            What an action is drawn from, in policy units, and the next carry ``[…, H]``.
        """
        raise NotImplementedError

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        """The next carry ``[…, H]`` once it is known what was drawn, ``[…, A]``: as it is, unless overridden.

        Pure, and without parameters: what they have in it ``forward`` puts into the carry.
        """
        del action
        return carry

    def show(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> Mapping[str, Tensor]:
        """The groups ``[…, D]`` that it ``shows`` before a step: as of ``forward``, made of what that is given."""
        del obs, carry, episode_start
        return {}

    def check(self, obs: Mapping[str, Tensor]) -> None:
        """Refuse observations ``[…, D]`` that it cannot read for what they are; by default it reads all.

        Raises:
            PgrobotError: says which, and what they should be.
        """
        del obs

    def command(self, action: Tensor) -> Tensor:
        """What of the action ``[…, A]`` goes to the environment, in policy units, ``[…, actuators]``: all of it."""
        return action


class Policy(Acting):
    """What acts and learns: what it draws from is a distribution that learners compare with others.

    Attributes:
        sequence: steps per chunk in an update, through which gradients flow back; 1: rows are independent.
        parameter_bounds: least and greatest value of parameters by name, which solvers keep them within.
        free_to_differ: arguments that do not change what it computes of what it reads, once its weights are given.
        encodes: width of the features that ``encode`` gives; 0: it has no encoder.
    """

    sequence: int = 1
    encodes: int = 0
    free_to_differ: ClassVar[Sequence[str]] = ()
    parameter_bounds: Mapping[str, tuple[float, float]] = MappingProxyType({})

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        """As of ``Acting``."""
        raise NotImplementedError

    def along(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor, action: Tensor
    ) -> tuple[Distribution, Tensor]:
        """Act along steps that follow each other, as it was drawn: ``forward`` and ``remember``, step by step.

        Override it where that can be computed faster; a class that overrides one of the two alone is unrolled again.

        Args:
            obs: groups, ``[L, …, D]``.
            carry: before the first step, ``[…, H]``.
            episode_start: ``[L, …]`` bool.
            action: what was drawn, ``[L, …, A]``.

        Returns:
            The distributions ``[L, …]``, and the carry before each step and after the last, ``[L + 1, …, H]``.
        """

        def step(
            obs: Mapping[str, Tensor], carry: Tensor, start: Tensor, action: Tensor
        ) -> tuple[Distribution, Tensor]:
            distribution, following = self(obs, carry, start)
            return distribution, self.remember(following, action)

        return unroll(step, obs, carry, episode_start, action)

    def encode(self, obs: Mapping[str, Tensor]) -> Tensor:
        """What its encoder makes of observations ``[…, D]``: features ``[…, encodes]``."""
        raise NotImplementedError

    def inputs(self, obs: Mapping[str, Tensor]) -> Tensor:
        """What its network reads of observations ``[…, D]``, normalised: ``[…, inputs]``."""
        raise NotImplementedError

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        follows(cls, Policy, "forward", "remember")

    @property
    def memory_size(self) -> int:
        """How many numbers of the carry, the first ones, are made of what was seen: not noise, nor what was done."""
        return self.carry_size

    def begin(self, spec: EnvironmentSpec) -> None:
        """Look at the environment that a new policy is for, before its run begins; by default it does not.

        A policy that is taken up again, or loaded, has begun already.

        Raises:
            PgrobotError: it cannot act there as it was asked to.
        """
        del spec

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        """Merge observations ``[…, D]`` into the normalisers, after the update that learnt from them."""
        raise NotImplementedError
