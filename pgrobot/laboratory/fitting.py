"""A critic's fit as in training, from every state of a grid in a regulator and over every course it may take."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pgrobot.batch import CriticBatch
from pgrobot.critics import Critic
from pgrobot.estimators import Estimator
from pgrobot.factories import CriticFactory
from pgrobot.laboratory.apparatus import estimate, last_step
from pgrobot.laboratory.regulator import Steered
from pgrobot.randomness import stream
from pgrobot.solvers import CriticProblem, FlatParameters, Solver

GRID = (-1.0, -0.5, 0.0, 0.5, 1.0)
STEPS = 2  # of a trajectory


@dataclass(frozen=True)
class Branches:
    """From every state of a grid, every sign of whatever noise of one deviation is drawn: ``N`` of them.

    A return is quadratic in the noise, so the mean over them is its expectation.

    Attributes:
        state: ``[T + 1, N, n]``.
        reward: ``[T, N]``.
    """

    state: np.ndarray
    reward: Tensor


def branch(steered: Steered) -> Branches:
    """Follow the policy for a few steps."""
    model = steered.model
    size = len(model.dynamics)
    grid = np.array(list(itertools.product(GRID, repeat=size)))
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=STEPS * (1 + size))))
    sign = np.tile(signs, (len(grid), 1)).reshape(-1, STEPS, 1 + size)
    states, rewards = [np.repeat(grid, len(signs), axis=0)], []
    for t in range(STEPS):
        action = -states[-1] @ steered.gain.T + steered.deviation * sign[:, t, :1]
        noise = sign[:, t, 1:] * np.sqrt(np.diag(model.noise))
        following, reward = steered.advance(states[-1], action, noise)
        states.append(following)
        rewards.append(reward)
    return Branches(np.stack(states), torch.from_numpy(np.stack(rewards)))


def fitted(
    steered: Steered,
    make: CriticFactory,
    estimator: Estimator,
    solver: Callable[..., Solver],
    fits: int,
    seed: int,
) -> Critic:
    """Fit a critic, time and again, to the first steps of trajectories, on targets that it predicts itself.

    Args:
        steered: the policy and its regulator.
        make: the critic.
        estimator: of the targets; trajectories are cut, not ended.
        solver: descends the critic's loss; its minibatch becomes all rows.
        fits: how many.
        seed: of the critic.
    """
    paths = branch(steered)
    obs = products(paths.state)
    first = {"products": obs["products"][0]}
    critic = make(
        observation={"products": obs["products"].shape[-1]},
        columns=("reward",),
        generator=stream(seed, "critic"),
    ).double()
    parameters = FlatParameters(critic)
    descent = partial(solver, minibatch=paths.reward.shape[1])(
        vector=parameters.vector,
        problem=CriticProblem(critic, parameters),
        generator=stream(seed, "shuffle"),
    )
    critic.merge(first)
    end = last_step(paths.reward)
    for _ in range(fits):
        value = critic.value(obs).detach()[..., 0]
        _, target, _ = estimate(
            estimator, paths.reward, value[:-1], value[1:], torch.zeros_like(end), end, steered.model.discount
        )
        rows = target[0].unsqueeze(-1)
        descent.rescale(parameters.spread(critic.rescale(rows)))
        descent.solve(CriticBatch.of_rows(first, rows))
    return critic


def products(state: np.ndarray) -> Mapping[str, Tensor]:
    """What the critic observes of states ``[…, n]``: every ``x_i x_j``."""
    first, second = np.triu_indices(state.shape[-1])
    return {"products": torch.from_numpy(state[..., first] * state[..., second])}
