"""The problems of an update as it met them, for whoever looks at the gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from pgrobot.batch import Batch, CriticBatch
from pgrobot.critics import Critic
from pgrobot.policies import Policy
from pgrobot.solvers.parameters import FlatParameters
from pgrobot.solvers.problem import CriticProblem, PolicyProblem, Report
from pgrobot.types import Rollout, State


@dataclass(frozen=True, slots=True)
class SnapshotProblem:
    """Where the parameters were, and what was to be maximised around there.

    Attributes:
        parameters: the vector ``[P]``, and which part of it is which layer's.
        terms: what each term adds to the objective at any vector ``[P]``, by name, a scalar each; pure.
    """

    parameters: FlatParameters
    terms: Callable[[Tensor], Report]


@dataclass(frozen=True, slots=True)
class UpdateSnapshot:
    """What an update learns from in its first pass, and the state it begins from: what it moves is copied."""

    rollout: Rollout  # as it was collected
    batch: Batch  # rows [B] or chunks [B, L]
    critic_batch: CriticBatch  # likewise
    policy: State  # parameters and normalisers
    critic: State
    weights: Tensor  # of the objective's terms

    @classmethod
    def of(
        cls,
        rollout: Rollout,
        batch: Batch,
        critic_batch: CriticBatch,
        policy: Policy,
        critic: Critic,
        problem: PolicyProblem,
    ) -> Self:
        states = own_state(policy), own_state(critic)
        return cls(rollout, batch, critic_batch, *states, problem.weights.clone())

    def problems(self, policy: Policy, critic: Critic, problem: PolicyProblem) -> dict[str, SnapshotProblem]:
        """Pose the problems ``policy`` and ``critic`` again, about copies of the modules."""
        policy, critic = copy.deepcopy(policy), copy.deepcopy(critic)
        policy.load_state_dict(self.policy)
        critic.load_state_dict(self.critic)
        policy_parameters, critic_parameters = FlatParameters(policy), FlatParameters(critic)
        again = problem.about(policy, policy_parameters, self.weights)
        fit = CriticProblem(critic, critic_parameters, problem.reduce)
        return {
            "policy": SnapshotProblem(policy_parameters, lambda v: again.contributions(v, self.batch)),
            "critic": SnapshotProblem(
                critic_parameters, lambda v: {"value": -fit.loss(v, self.critic_batch)[0]}
            ),
        }


def own_state(module: nn.Module) -> State:
    """A module's state in storage of its own: its parameters may be views of a larger one."""
    return {name: value.clone() for name, value in module.state_dict().items()}
