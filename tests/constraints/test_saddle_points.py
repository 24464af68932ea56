"""Whatever moves the price, it ends at the multiplier of the constrained optimum."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from pgrobot.constraints import PID, AugmentedLagrangian, Constraint, Lagrangian
from pgrobot.types import Multiplier

COLUMNS = ("reward", "cost/c")
ONE = (Constraint("c", 1.0, "step", 1.0),)  # a budget per step, so that the rate is the excess


def multipliers(rate: float, push: float, initial: float) -> dict[str, Multiplier]:
    """Each kind: the price gains ``rate`` per iteration and excess of 1, and ``push`` at once."""
    return {
        "lagrangian": Lagrangian(ONE, COLUMNS, "sgd", rate, initial, 100.0),
        "pid": PID(ONE, COLUMNS, push, rate, 0.1 * push, 0.5, 0.5, 5, initial, 100.0),
        "augmented": AugmentedLagrangian(ONE, COLUMNS, push, 1, initial, 100.0),
        "augmented, held": AugmentedLagrangian(ONE, COLUMNS, push, round(push / rate), initial, 100.0),
    }


NAMES = list(multipliers(1.0, 1.0, 0.0))


def moved(multiplier: Multiplier, excess: float) -> float:
    """The price at rewards of size one, so that λ is its level."""
    told = multiplier.update(torch.tensor([excess], dtype=torch.float64), 1000.0, torch.ones(1, 1, 2))
    return told["multiplier/c"]


@pytest.mark.parametrize("name", NAMES)
def test_a_gaussian_bandit_finds_its_shadow_price(name: str) -> None:
    """max μ subject to μ² + σ² ≤ d has μ* = √(d − σ²) and λ* = 1/(2 μ*)."""
    multiplier, variance, budget = multipliers(0.05, 1.0, 0.0)[name], 0.09, 1.0
    mean, price = 0.1, 0.0
    for _ in range(700):
        price = moved(multiplier, mean**2 + variance - budget)
        mean += 0.05 * (1.0 - 2.0 * mean * price)
    best = math.sqrt(budget - variance)
    assert price == pytest.approx(1.0 / (2.0 * best), rel=1e-6)
    assert mean == pytest.approx(best, rel=1e-6)


def process() -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """What every deterministic policy earns and spends; a budget; the best return within it, and its shadow price."""
    random = np.random.default_rng(3)
    states, actions, gamma = 4, 3, 0.9
    move = random.dirichlet(np.ones(states), (states, actions))
    reward, cost = random.random((states, actions)), random.random((states, actions))
    first = np.full(states, 1 / states)
    # occupancy x(s, a), summing to one: x's outflow equals (1 − γ) first + γ inflow
    flow = np.repeat(np.eye(states), actions, axis=1) - gamma * move.reshape(-1, states).T
    free = linprog(-reward.ravel(), A_eq=flow, b_eq=(1 - gamma) * first)
    budget = 0.5 * float(cost.ravel() @ free.x)
    program = linprog(
        -reward.ravel(), A_ub=cost.reshape(1, -1), b_ub=[budget], A_eq=flow, b_eq=(1 - gamma) * first
    )
    rows, values = np.arange(states), []
    for policy in itertools.product(range(actions), repeat=states):
        occupancy = np.linalg.solve(np.eye(states) - gamma * move[rows, policy].T, (1 - gamma) * first)
        values.append((occupancy @ reward[rows, policy], occupancy @ cost[rows, policy]))
    earned, spent = np.array(values).T
    return earned, spent, budget, -float(program.fun), -float(program.ineqlin.marginals[0])


# best responses jump from iteration to iteration, and one that looks at every second of them sees half of it
@pytest.mark.parametrize("name", NAMES[:3])
def test_a_tiny_cmdp_finds_the_dual_of_its_occupancy_program(name: str) -> None:
    """Best responses to the price, averaged, against the linear program over occupancies and its dual."""
    earned, spent, budget, best, shadow_price = process()
    assert shadow_price > 0.1
    multiplier = multipliers(0.02, 0.04, 0.8)[name]
    price, path = 0.8, []
    for _ in range(800):
        response = np.argmax(earned - price * spent)
        path.append((price, earned[response], spent[response]))
        price = moved(multiplier, spent[response] - budget)
    price, gain, cost = np.mean(path[300:], axis=0)
    assert price == pytest.approx(shadow_price, abs=0.01)
    assert cost == pytest.approx(budget, abs=0.005)
    assert gain == pytest.approx(best, abs=0.005)
