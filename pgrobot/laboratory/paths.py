"""Every path of a Markov decision process that is solved, as rows that train: what the checks of its gradients sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import Apparatus, assemble
from pgrobot.laboratory.worlds import Model, Process
from pgrobot.objectives import Objective


@dataclass(frozen=True)
class Paths:
    """Every path of ``T`` steps, ``N`` of them, as a rollout.

    Attributes:
        state, action, successor: numbers of states and actions ``[T, N]``.
        terminated: ``[T, N]`` bool; what follows within a path does not exist.
        weight: the path's probability, times what its start counts, where its step exists, else zero ``[T, N]``.
    """

    state: Tensor
    action: Tensor
    successor: Tensor
    terminated: Tensor
    weight: Tensor


def enumerate_paths(model: Model, start: Tensor, policy: Tensor, horizon: int) -> Paths:
    """Follow every action and successor of positive probability for ``horizon`` steps.

    Args:
        model: the process.
        start: what a path from each state counts ``[S]``.
        policy: probabilities ``[S, A]``.
        horizon: T; nothing is terminated there.
    """
    states, actions, _ = model.transition.shape
    # a state of its own stands for the end of the episode: it pays nothing and leads to itself
    ending = 1.0 - model.transition.sum(-1, keepdim=True)
    table = torch.cat((model.transition, ending.where(ending > 1e-12, 0.0)), dim=-1)
    over = torch.zeros(1, actions, states + 1, dtype=table.dtype)
    over[0, 0, states] = 1.0
    table = torch.cat((table, over))
    act = torch.cat((policy, over[:, :, states]))
    (state,) = torch.nonzero(start, as_tuple=True)
    weight = start[state]
    trace: list[tuple[Tensor, Tensor, Tensor]] = []  # state, action, successor, [n] each
    for _ in range(horizon):
        joint = weight[:, None, None] * act[state].unsqueeze(-1) * table[state]
        parent, action, successor = torch.nonzero(joint, as_tuple=True)
        trace = [(s[parent], a[parent], t[parent]) for s, a, t in trace]
        trace.append((state[parent], action, successor))
        state, weight = successor, joint[parent, action, successor]
    visited, taken, reached = (torch.stack(column) for column in zip(*trace, strict=True))
    exists = visited < states
    return Paths(
        state=visited.where(exists, 0),
        action=taken,
        successor=reached.where(reached < states, 0),
        terminated=reached == states,
        weight=weight * exists,
    )


@dataclass(frozen=True)
class Solved:
    """A policy in a process, with every path of it.

    Attributes:
        apparatus: the policy.
        model: the process.
        obs: what is observed of each state ``[S, S]``.
        policy: its probabilities ``[S, A]``.
        paths: all of them.
    """

    apparatus: Apparatus
    model: Model
    obs: Tensor
    policy: Tensor
    paths: Paths

    def batch(self, weighted: Tensor) -> Batch:
        """Every step as a row, given advantages ``[T, N]`` times what each row counts."""
        paths = self.paths
        # a surrogate is the mean over rows
        advantage = (weighted * weighted.numel()).flatten()
        action = self.apparatus.choices[paths.action.flatten()]
        return self.apparatus.batch(self.obs[paths.state.flatten()], action, advantage)

    def gradient(self, weighted: Tensor) -> Tensor:
        """The gradient that training ascends, of advantages ``[T, N]`` times what each row counts."""
        return self.apparatus.gradient(self.batch(weighted))

    def means(self, column: Tensor) -> tuple[Tensor, Tensor]:
        """The mean over paths of a column ``[T, N]`` at every step, state and action, and their mass, ``[T, S, A]``.

        Where the mass is zero, nothing is known.
        """
        paths = self.paths
        step = torch.arange(len(column)).unsqueeze(-1).expand_as(paths.state)
        where = (step, paths.state, paths.action)
        mass = torch.zeros(len(column), *self.policy.shape, dtype=column.dtype)
        total = torch.zeros_like(mass).index_put_(where, paths.weight * column, accumulate=True)
        mass.index_put_(where, paths.weight, accumulate=True)
        return total / mass, mass

    def probabilities(self, vector: Tensor) -> Tensor:
        """``π`` at any parameters ``[S, A]``."""
        return self.apparatus.probabilities(vector, self.obs)


def solve(
    world: Process,
    policy: PolicyFactory,
    terms: Mapping[str, Objective],
    horizon: int,
    seed: int,
    start: Callable[[Tensor], Tensor],
) -> Solved:
    """Take a policy with random parameters apart in a process; ``start`` weighs first states, given the policy."""
    apparatus = assemble(world, policy, terms, seed)
    obs = torch.eye(len(world.model.start), dtype=torch.float64)
    probabilities = apparatus.probabilities(apparatus.vector, obs)
    paths = enumerate_paths(world.model, start(probabilities), probabilities, horizon)
    return Solved(apparatus, world.model, obs, probabilities, paths)
