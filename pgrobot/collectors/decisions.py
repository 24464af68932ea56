"""Decisions that last: the steps of a rollout gathered into one row for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from pgrobot.types import Rollout


@dataclass(frozen=True, slots=True)
class DecisionRollout(Rollout):
    """A rollout of ``J`` rows, each of which is a decision that lasted ``duration`` steps of the environment."""

    steps: Rollout  # the same experience, step by step                      [T, N]
    row: Tensor  # which decision each step belongs to                       [T, N] int64

    @property
    def by_step(self) -> Rollout:
        return self.steps

    def with_column(self, name: str, reward: Tensor, *, episodic: bool) -> Self:
        """As of ``Rollout``; of a step's own, the column has an even share of what its decision has."""
        wider = Rollout.with_column(self, name, reward, episodic=episodic)
        share = (reward / self.duration).gather(0, self.row)
        return replace(wider, steps=self.steps.with_column(name, share, episodic=episodic))


@dataclass(frozen=True, slots=True)
class Spans:
    """Where the decisions of ``T`` steps begin and end: ``J`` rows for each environment, the last of them padding.

    Attributes:
        row: which one each step belongs to, ``[T, N]``.
        first: the step at which each begins, ``[J, N]``; of padding, like the next, the last one of all.
        last: the step at which it ends, ``[J, N]``.
        count: its steps, ``[J, N]``; 0 of padding.
    """

    row: Tensor
    first: Tensor
    last: Tensor
    count: Tensor

    @classmethod
    def of(cls, begins: Tensor, rows: Callable[[int], int]) -> Self:
        """Decisions that begin at certain steps, ``[T, N]`` bool, of which the first is one.

        Args:
            begins: where.
            rows: ``J``, of the number that is needed.
        """
        steps, environments = begins.shape
        row = begins.long().cumsum(0) - 1
        shape = (rows(int(row.max()) + 1), environments)
        time = torch.arange(steps).unsqueeze(-1).expand_as(row)
        count = torch.zeros(shape, dtype=torch.int64).scatter_add(0, row, torch.ones_like(row))
        last = torch.full(shape, -1).scatter_reduce(0, row, time, "amax")
        last = torch.where(count > 0, last, steps - 1)
        return cls(row, last - (count - 1).clamp(min=0), last, count)

    def at_first(self, x: Tensor) -> Tensor:
        """What was so when each decision began: ``[J, N, …]`` of ``[T, N, …]``."""
        return x[self.first, torch.arange(x.shape[1])]

    def at_last(self, x: Tensor) -> Tensor:
        """What was so in its last step."""
        return x[self.last, torch.arange(x.shape[1])]

    def sums(self, x: Tensor, discount: Tensor) -> Tensor:
        """``Σ γ^i x_i`` over each decision, of columns ``[T, N, C]`` with a γ each ``[C]``: ``[J, N, C]``."""
        time = torch.arange(len(x)).unsqueeze(-1)
        since = time - self.first.gather(0, self.row)
        amounts = x.double() * discount.double() ** since.unsqueeze(-1)
        row = self.row.unsqueeze(-1).expand_as(amounts)
        empty = amounts.new_zeros(*self.count.shape, x.shape[-1])
        return empty.scatter_add(0, row, amounts).to(x.dtype)


def decisions(
    steps: Rollout,
    spans: Spans,
    *,
    action: Tensor,
    log_prob: Tensor,
    carry: Tensor,
    discount: Tensor,
    telemetry: Mapping[str, Tensor],
) -> DecisionRollout:
    """The rollout of whoever decides (Sutton, Precup and Singh 1999: a semi-Markov process).

    A row has what was observed when its decision began and after its last step, and the sum of every column in
    between, each discounted by its own γ from the decision's first step, as ``γ^duration`` discounts what follows. With
    λ = 1 its advantage is then that of the steps themselves.

    An environment with fewer decisions than others ends with padding, before which its trace is cut as a truncation
    cuts it: the value of what was observed then stands for what follows.

    See docs/derivations.md#decisions-that-last.

    Args:
        steps: what happened, ``[T, N]``.
        spans: where the decisions are.
        action: what was decided, ``[J, N, G]``.
        log_prob: of it, ``[J, N]``.
        carry: what the policy remembered, ``[J, N, H]``.
        discount: γ of each column, ``[C]``.
        telemetry: of the decisions, ``[J, N, *]``.
    """
    counts = spans.count > 0
    begun, ended = spans.at_first, spans.at_last
    padded_next = torch.cat((~counts[1:], torch.zeros_like(counts[:1])))
    terminated = ended(steps.terminated) & counts
    truncated = (ended(steps.truncated) & counts) | (counts & padded_next & ~terminated)
    return DecisionRollout(
        obs={name: begun(value) for name, value in steps.obs.items()},
        next_obs={name: ended(value) for name, value in steps.next_obs.items()},
        following_obs=steps.following_obs,
        action=action,
        log_prob=log_prob,
        reward=spans.sums(steps.reward, discount),
        terminated=terminated,
        truncated=truncated,
        censored=ended(steps.censored) | ~counts,
        episode_start=begun(steps.episode_start) & counts,
        age=begun(steps.age),
        paid=begun(steps.paid),
        carry=carry,
        weight=counts.to(steps.weight.dtype),
        duration=spans.count.clamp(min=1).to(steps.duration.dtype),
        episodic=steps.episodic,
        columns=steps.columns,
        telemetry=telemetry,
        steps=steps,
        row=spans.row,
    )
