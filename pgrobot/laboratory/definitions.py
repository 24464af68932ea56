"""Checks of estimators against their definitions, summed step by step over every piece of a rollout by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pgrobot.estimators import Estimator
from pgrobot.laboratory.apparatus import estimate
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.randomness import stream

GREATEST_LOG_RATIO = 2.5


@dataclass(frozen=True)
class Piece:
    """One episode, or what of it lies in a rollout, of one environment.

    Attributes:
        reward: ``[n]``.
        value: of every state ``[n + 1]``; the last is of where the piece leads, 0 if it terminates.
        ratio: π/μ ``[n]``.
        discount: γ.
    """

    reward: np.ndarray
    value: np.ndarray
    ratio: np.ndarray
    discount: float

    def rewards(self, first: int, steps: int) -> float:
        """So many discounted rewards from a step on, or those that are left, and the value of where they lead."""
        last = min(first + steps, len(self.reward))
        paid = sum(self.discount ** (k - first) * self.reward[k] for k in range(first, last))
        return float(paid + self.discount ** (last - first) * self.value[last])

    def error(self, step: int) -> float:
        """The TD error."""
        return float(self.reward[step] + self.discount * self.value[step + 1] - self.value[step])


class Definition(Protocol):
    """What a step's return is estimated by."""

    def __call__(self, piece: Piece, step: int) -> float: ...


@dataclass(frozen=True)
class Rewards:
    """At most ``steps`` rewards, and the value of where they lead (Sutton and Barto 2018, eq. 7.1)."""

    steps: int

    def __call__(self, piece: Piece, step: int) -> float:
        return piece.rewards(step, self.steps)


@dataclass(frozen=True)
class WholeReturn:
    """All rewards of the piece, also those before the step."""

    def __call__(self, piece: Piece, step: int) -> float:
        del step
        return piece.rewards(0, len(piece.reward))


@dataclass(frozen=True)
class MixedReturns:
    """The λ-return, by its forward view (Sutton and Barto 2018, eq. 12.3): n-step returns weigh ``(1 − λ) λⁿ⁻¹``.

    Schulman et al. 2016, eq. 16, less the value, is GAE.
    """

    lam: float

    def __call__(self, piece: Piece, step: int) -> float:
        left = len(piece.reward) - step
        mixed = sum((1.0 - self.lam) * self.lam ** (n - 1) * piece.rewards(step, n) for n in range(1, left))
        return mixed + self.lam ** (left - 1) * piece.rewards(step, left)


@dataclass(frozen=True)
class CorrectedErrors:
    """V-trace's target: the value and every later TD error behind its traces (Espeholt et al. 2018, eq. 1)."""

    lam: float
    rho_bar: float
    c_bar: float

    def __call__(self, piece: Piece, step: int) -> float:
        total, trace = float(piece.value[step]), 1.0
        for k in range(step, len(piece.reward)):
            total += trace * min(self.rho_bar, piece.ratio[k]) * piece.error(k)
            trace *= piece.discount * self.lam * min(self.c_bar, piece.ratio[k])
        return total


@dataclass(frozen=True)
class CorrectedSuccessor:
    """What V-trace's advantage compares with the value: the reward and the corrected value of what follows it."""

    lam: float
    rho_bar: float
    c_bar: float

    def __call__(self, piece: Piece, step: int) -> float:
        following = float(piece.value[step + 1])
        if step + 1 < len(piece.reward):
            corrected = CorrectedErrors(self.lam, self.rho_bar, self.c_bar)(piece, step + 1)
            following = self.lam * corrected + (1.0 - self.lam) * following
        return float(piece.reward[step]) + piece.discount * following


@dataclass(frozen=True)
class Defined:
    """An estimator, and the definitions of the returns that its advantage and its target come from.

    Attributes:
        estimator: as a run has it.
        advantage: the return that the value is taken from.
        target: the return that the critic is fitted to.
    """

    estimator: Estimator
    advantage: Definition
    target: Definition


@dataclass(frozen=True)
class Definitions:
    """Estimators meet their definitions wherever episodes terminate, are truncated, or outlast the rollout.

    Rewards, values and ratios are drawn. The next value is the next row's, and one of its own where a piece ends.

    Attributes:
        cases: by name.
        shares: of steps that end an episode, either way with equal probability; a rollout is drawn for each.
        steps: of a rollout.
        envs: side by side.
        discount: γ.
        seed: of what is drawn.
        tolerance: of every number.
    """

    cases: Mapping[str, Defined]
    shares: Sequence[float]
    steps: int
    envs: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        rollouts = [self._drawn(index, share) for index, share in enumerate(self.shares)]
        outcomes = []
        for name, case in self.cases.items():
            found = torch.stack([self._estimated(case, columns) for columns in rollouts])
            defined = torch.stack([self._defined(case, columns) for columns in rollouts])
            outcomes += [
                compare(f"advantage, {name}", found[:, 0], defined[:, 0], self.tolerance),
                compare(f"target, {name}", found[:, 1], defined[:, 1], self.tolerance),
            ]
        return outcomes

    def _drawn(self, index: int, share: float) -> tuple[Tensor, ...]:
        """Reward, value, next value, terminated, done and log ratio, ``[T, N]`` each."""
        generator = stream(self.seed, f"rollout_{index}")
        shape = (self.steps, self.envs)
        done = torch.rand(shape, generator=generator) < share
        terminated = done & (torch.rand(shape, generator=generator) < 0.5)
        reward, value, next_value = torch.randn(3, *shape, generator=generator, dtype=torch.float64)
        next_value[:-1] = torch.where(done[:-1], next_value[:-1], value[1:])
        log_ratio = 2.0 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1.0
        return reward, value, next_value, terminated, done, GREATEST_LOG_RATIO * log_ratio

    def _estimated(self, case: Defined, columns: tuple[Tensor, ...]) -> Tensor:
        """Advantage and target, ``[2, T, N]``."""
        reward, value, next_value, terminated, done, log_ratio = columns
        advantage, target, _ = estimate(
            case.estimator, reward, value, next_value, terminated, done, self.discount, log_ratio
        )
        return torch.stack((advantage, target))

    def _defined(self, case: Defined, columns: tuple[Tensor, ...]) -> Tensor:
        """The same by their definitions."""
        returns = torch.empty(2, self.steps, self.envs, dtype=torch.float64)
        for env in range(self.envs):
            for first, piece in self._pieces(columns, env):
                for step, value in enumerate(piece.value[:-1]):
                    place = first + step, env
                    returns[0][place] = case.advantage(piece, step) - value
                    returns[1][place] = case.target(piece, step)
        return returns

    def _pieces(self, columns: tuple[Tensor, ...], env: int) -> Iterator[tuple[int, Piece]]:
        """The pieces of one environment, each with the row where it begins."""
        reward, value, next_value, terminated, done, log_ratio = (
            column[:, env].numpy() for column in columns
        )
        first = 0
        for last in range(self.steps):
            if done[last] or last == self.steps - 1:
                rows = slice(first, last + 1)
                leads_to = 0.0 if terminated[last] else next_value[last]
                ratio = np.array([math.exp(x) for x in log_ratio[rows]])
                yield first, Piece(reward[rows], np.append(value[rows], leads_to), ratio, self.discount)
                first = last + 1
