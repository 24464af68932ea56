"""In retrospect: what policy and critic, as they are at present, say along a rollout that was collected before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from pgrobot.critics import Critic
from pgrobot.distributions import Distribution
from pgrobot.policies import Policy
from pgrobot.sequences import along, unrolled
from pgrobot.types import Metrics, Rollout


@dataclass(frozen=True, slots=True)
class Values:
    """What the critic says of a rollout, in the columns' own units."""

    now: Tensor  # V(s_t)                                                    [T, N, C]
    next: Tensor  # V(s'_t) of the true successor                            [T, N, C]
    carries: Tensor  # what it remembers before each step and after the last [T + 1, N, H]


def acting(policy: Policy, rollout: Rollout, parameters: Mapping[str, Tensor]) -> tuple[Distribution, Tensor]:
    """The policy along a rollout, ``[T, N]``, and what it remembers before each step, ``[T, N, H]``.

    A policy whose rows are independent takes the carries as they were when it acted. One that learns from sequences
    remembers anew, from the first row on, what its parameters make of what was seen and done.

    Args:
        policy: any.
        rollout: of any policy.
        parameters: other ones than its own, by name; empty: its own.
    """
    said: Distribution
    if not unrolled(policy):
        rows = rollout.obs, rollout.carry, rollout.episode_start
        said, _ = functional_call(policy, dict(parameters), rows)
        return said, rollout.carry
    steps = rollout.obs, rollout.carry[0], rollout.episode_start, rollout.action
    said, carries = along(policy, parameters, *steps)
    return said, carries[:-1]


@torch.no_grad()
def valued(critic: Critic, rollout: Rollout, carry: Tensor) -> Values:
    """The critic's value of every state and of its true successor.

    The successor of a step is the next row's observation, except where the row is its episode's or the rollout's last:
    only there the critic is asked for the true successor, with what it remembers before the reset. A column that
    does not end with the episode goes on with the next episode's first observation: that of the next row, or what
    follows the rollout.

    Args:
        critic: any.
        rollout: with the columns that it predicts.
        carry: what it remembers before the first step, ``[N, H]``.
    """
    steps, envs = rollout.log_prob.shape
    if critic.carry_size == 0:
        carries = carry.expand(steps + 1, envs, 0)
        predicted, _ = critic(rollout.obs, carries[:-1], rollout.episode_start)
    else:
        predicted, carries = critic.along(rollout.obs, carry, rollout.episode_start)
    value = predicted * critic.scale
    last = rollout.done.clone()
    last[-1] = True
    successors = {name: obs[last] for name, obs in rollout.next_obs.items()}
    within = torch.zeros(int(last.sum()), dtype=torch.bool)
    next_value = torch.cat((value[1:], value[-1:]))
    next_value[last] = critic(successors, carries[1:][last], within)[0] * critic.scale
    if not bool(rollout.episodic.all()):
        begun = _of_next_episodes(critic, rollout, value, carries)
        next_value = torch.where(rollout.done.unsqueeze(-1) & ~rollout.episodic, begun, next_value)
    return Values(value, next_value, carries)


def _of_next_episodes(critic: Critic, rollout: Rollout, value: Tensor, carries: Tensor) -> Tensor:
    """The value of what is acted on after each step, right where an episode ends: of an episode's first state."""
    following, ended = torch.cat((value[1:], value[-1:])), rollout.done & rollout.final
    first = {
        name: obs.expand(len(value), *obs.shape[1:])[ended] for name, obs in rollout.following_obs.items()
    }
    begins = torch.ones(int(ended.sum()), dtype=torch.bool)
    following[ended] = critic(first, carries[1:][ended], begins)[0] * critic.scale
    return following


def explained_variance(target: Tensor, value: Tensor, columns: Sequence[str]) -> Metrics:
    """Share of each column's target variance that the critic predicted before it was fitted to it."""
    rows = tuple(range(target.dim() - 1))
    residual = (target - value).var(rows, correction=0)
    variance = target.var(rows, correction=0).clamp(min=1e-12)
    explained = (1.0 - residual / variance).tolist()
    return {
        f"critic/explained_variance/{name}": value for name, value in zip(columns, explained, strict=True)
    }
