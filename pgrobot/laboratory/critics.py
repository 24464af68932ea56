"""The fixed point of the critic's fit, where its features can express the value."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgrobot.batch import CriticBatch
from pgrobot.configure.factories import CriticFactory, PolicyFactory
from pgrobot.critics import MlpCritic
from pgrobot.estimators import Estimator
from pgrobot.laboratory.apparatus import estimate
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.regulator import Steered, steer
from pgrobot.laboratory.worlds import Regulator
from pgrobot.randomness import stream
from pgrobot.solvers import CriticProblem, FlatParameters, SolverFactory

GRID = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class FittedValue:
    """A linear critic of the products ``x_i x_j`` ends at the regulator's value: at ``P_K``, least-squares TD's answer.

    It is fitted as in training, on targets that it predicts itself. The rows are a grid of states, each with noise of
    one deviation to either side, which has the moments that the target's expectation asks for.

    Attributes:
        world: a regulator with one action, whose noise is independent by dimension.
        policy: a linear Gaussian one.
        critic: linear, reading the group ``products``.
        estimators: by name; of their targets.
        solver: descends the critic's loss; its minibatch is all rows.
        fits: how many.
        discount: γ.
        seed: of the policy.
        tolerance: of every entry of ``P_K``, and of the value at the origin.
    """

    world: Regulator
    policy: PolicyFactory
    critic: CriticFactory
    estimators: Mapping[str, Estimator]
    solver: SolverFactory
    fits: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        steered = steer(self.world, self.policy, {}, self.discount, self.seed)
        model = steered.model
        cost = model.cost_matrix(steered.gain)
        origin = model.value(steered.gain, steered.deviation, np.zeros((1, len(cost))))
        outcomes = []
        for name, estimator in self.estimators.items():
            critic = self._fitted(steered, estimator)
            outcomes += [
                compare(f"{name}, P", _cost_matrix(critic, len(cost)), cost, self.tolerance),
                compare(
                    f"{name}, value at the origin", _value(critic, 0.0 * cost[:1]), origin, self.tolerance
                ),
            ]
        return outcomes

    def _fitted(self, steered: Steered, estimator: Estimator) -> MlpCritic:
        state, following, reward = _rows(steered)
        obs, next_obs = _products(state), _products(following)
        critic = self.critic(
            observation={"products": obs["products"].shape[-1]},
            columns=("reward",),
            generator=stream(self.seed, "critic"),
        ).double()
        parameters = FlatParameters(critic)
        solver = self.solver(
            vector=parameters.vector,
            problem=CriticProblem(critic, parameters),
            generator=stream(self.seed, "shuffle"),
        )
        critic.merge(obs)
        going = torch.zeros(1, len(reward), dtype=torch.bool)
        for _ in range(self.fits):
            value, next_value = critic.value(obs).T, critic.value(next_obs).T
            _, target = estimate(
                estimator, torch.from_numpy(reward)[None], value, next_value, going, ~going, self.discount
            )
            critic.rescale(target.T)
            solver.solve(CriticBatch(obs, target.T))
        return critic


def _rows(steered: Steered) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States and successors ``[B, n]``, rewards ``[B]``: a grid of states, every sign of every noise."""
    model = steered.model
    size = len(model.dynamics)
    grid = np.array(list(itertools.product(GRID, repeat=size)))
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=1 + size)))
    state, sign = np.repeat(grid, len(signs), axis=0), np.tile(signs, (len(grid), 1))
    action = -state @ steered.gain.T + steered.deviation * sign[:, :1]
    following, reward = steered.advance(state, action, sign[:, 1:] * np.sqrt(np.diag(model.noise)))
    return state, following, reward


def _products(state: np.ndarray) -> Mapping[str, Tensor]:
    first, second = np.triu_indices(state.shape[-1])
    return {"products": torch.from_numpy(state[:, first] * state[:, second])}


def _value(critic: MlpCritic, state: np.ndarray) -> np.ndarray:
    value: np.ndarray = critic.value(_products(state)).detach().numpy()[:, 0]
    return value


def _cost_matrix(critic: MlpCritic, size: int) -> np.ndarray:
    """``P`` of the value ``−xᵀP x − c``, by polarisation."""
    unit = np.eye(size)
    cost = lambda state: _value(critic, 0.0 * state) - _value(critic, state)
    return np.array(
        [[(cost((x + y)[None]) - cost(x[None]) - cost(y[None]))[0] / 2 for x in unit] for y in unit]
    )
