"""What the parts that are called later are given then, beside the keys of their nodes.

Schemes and learners call them by these protocols, and configs are checked against the same: a part's other parameters
are what its node has to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from pgrobot.constraints import Constraint
from pgrobot.critics import Critic
from pgrobot.origin import Origin
from pgrobot.policies import Policy
from pgrobot.types import Action, Diagnostic, Environment, EnvironmentSpec, IntrinsicReward, Multiplier


class PolicyFactory(Protocol):
    """A policy but for what the environment and the run say."""

    def __call__(
        self, *, observation: Mapping[str, int], actions: Sequence[Action], generator: torch.Generator
    ) -> Policy: ...


class CriticFactory(Protocol):
    """A critic but for what the environment and the run say."""

    def __call__(
        self, *, observation: Mapping[str, int], columns: Sequence[str], generator: torch.Generator
    ) -> Critic: ...


class IntrinsicRewardFactory(Protocol):
    """An intrinsic reward but for what the environment and the run say.

    One that has a parameter ``spec`` is given the environment's, one that has ``origin``, what the policy measures
    observations from.
    """

    def __call__(
        self,
        *,
        observation: Mapping[str, int],
        actions: int,
        generator: torch.Generator,
        spec: EnvironmentSpec = ...,
        origin: Origin = ...,
    ) -> IntrinsicReward: ...


class MultiplierFactory(Protocol):
    """A multiplier but for the budgets and the columns that it mixes."""

    def __call__(
        self,
        *,
        constraints: Sequence[Constraint],
        columns: Sequence[str],
    ) -> Multiplier: ...


class DiagnosticFactory(Protocol):
    """A diagnostic that has to know what it looks at; one that does not is no ``_partial_``."""

    def __call__(self, *, spec: EnvironmentSpec, iterations: int) -> Diagnostic: ...


class EnvironmentWrapper(Protocol):
    """What changes an environment, in training and in evaluation alike unless it asks which of them it is.

    One that has a parameter ``randoms`` is given a random stream for each environment; ``constraints``, the budgets;
    ``cost_discount``, that of the costs; ``training``, whether a policy learns there, and is not judged;
    ``annealing_steps``, environment steps over which budgets with a schedule are tightened.
    """

    def __call__(
        self,
        environment: Environment,
        *,
        randoms: Sequence[np.random.Generator] = ...,
        constraints: Sequence[Constraint] = ...,
        cost_discount: float = ...,
        training: bool = ...,
        annealing_steps: int = ...,
    ) -> Environment: ...
