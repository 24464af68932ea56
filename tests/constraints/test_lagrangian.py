from __future__ import annotations

import io
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from pgrobot.constraints import Constraint, Lagrangian
from pgrobot.errors import PgrobotError


def lagrangian(
    optimizer: str = "sgd",
    learning_rate: float = 0.1,
    initial: float = 0.0,
    maximum: float = 100.0,
    count: int = 1,
) -> Lagrangian:
    """Multipliers of ``count`` budgets per step, so that the rate is the excess."""
    constraints = tuple(Constraint(f"c{k}", 1.0, "step", 1.0) for k in range(count))
    columns = ("reward", *(f"cost/c{k}" for k in range(count)))
    return Lagrangian(constraints, columns, optimizer, learning_rate, initial, maximum)


def moved(multiplier: Lagrangian, *excess: float) -> list[float]:
    """Prices at rewards of size one, so that λ is its level."""
    reward = torch.ones(1, 1, 1 + len(excess))
    told = multiplier.update(torch.tensor(excess, dtype=torch.float64), 1000.0, reward)
    return [value for name, value in told.items() if name.startswith("multiplier/")]


def test_a_gaussian_bandit_finds_its_shadow_price() -> None:
    """max μ subject to μ² + σ² ≤ d has μ* = √(d − σ²) and λ* = 1/(2 μ*); the best μ at price λ is 1/(2λ)."""
    variance, budget = 0.09, 1.0
    multiplier = lagrangian(learning_rate=0.05, initial=1.0)
    price = 1.0
    for _ in range(2000):
        mean = 1.0 / (2.0 * price)
        (price,) = moved(multiplier, mean**2 + variance - budget)
    best = math.sqrt(budget - variance)
    assert best == pytest.approx(0.95394, abs=1e-5)
    assert price == pytest.approx(1.0 / (2.0 * best), rel=1e-9)
    assert 1.0 / (2.0 * price) == pytest.approx(best, rel=1e-9)


def test_a_tiny_cmdp_finds_the_dual_of_its_occupancy_program() -> None:
    """Best responses to λ, averaged dual ascent, against the linear program over occupancies."""
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
    shadow_price = -float(program.ineqlin.marginals[0])
    assert shadow_price > 0.1

    rows, values = np.arange(states), []
    for policy in itertools.product(range(actions), repeat=states):
        occupancy = np.linalg.solve(np.eye(states) - gamma * move[rows, policy].T, (1 - gamma) * first)
        values.append((occupancy @ reward[rows, policy], occupancy @ cost[rows, policy]))
    earned, spent = np.array(values).T
    multiplier = lagrangian(learning_rate=0.02)
    prices = [0.0]
    for _ in range(3000):
        prices += moved(multiplier, float(spent[np.argmax(earned - prices[-1] * spent)]) - budget)
    assert np.mean(prices[500:]) == pytest.approx(shadow_price, abs=0.01)


def test_sgd_steps_by_hand() -> None:
    multiplier = lagrangian("sgd", learning_rate=0.5, initial=1.0)
    assert moved(multiplier, 0.4) == [1.2]
    assert moved(multiplier, -1.0) == pytest.approx([0.7], rel=1e-15)


def test_adam_steps_by_hand() -> None:
    multiplier = lagrangian("adam", learning_rate=0.1, initial=1.0)
    price, first, second = 1.0, 0.0, 0.0
    for step, excess in enumerate([0.02, 0.3, -0.1, -5.0], start=1):
        first = 0.9 * first + 0.1 * excess
        second = 0.999 * second + 0.001 * excess**2
        price += 0.1 * first / (1 - 0.9**step) / (math.sqrt(second / (1 - 0.999**step)) + 1e-8)
        assert moved(multiplier, excess) == pytest.approx([price], rel=1e-7)


def test_rmsprop_and_adagrad_steps_by_hand() -> None:
    rms, ada = lagrangian("rmsprop", initial=1.0), lagrangian("adagrad", initial=1.0)
    assert moved(rms, 0.3) == pytest.approx([1.0 + 0.1 * 0.3 / (math.sqrt(0.01 * 0.09) + 1e-8)], rel=1e-7)
    assert moved(ada, 0.3) == pytest.approx([1.1], rel=1e-7)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adagrad"])
def test_multipliers_stay_in_range_and_leave_its_ends_at_once(optimizer: str) -> None:
    multiplier = lagrangian(optimizer, learning_rate=0.3, maximum=2.0)
    for _ in range(200):
        (price,) = moved(multiplier, 1.0)
    assert price == 2.0
    low = [moved(multiplier, -1.0)[0] for _ in range(200)]
    assert low[-1] == 0.0
    if optimizer == "sgd":
        assert low[0] == 1.7
        assert moved(multiplier, 1.0) == [0.3]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_several_constraints_do_not_touch_each_other(optimizer: str) -> None:
    excess = torch.randn(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    together, alone = lagrangian(optimizer, count=3), [lagrangian(optimizer) for _ in range(3)]
    for row in excess:
        assert moved(together, *row.tolist()) == [
            moved(one, value)[0] for one, value in zip(alone, row.tolist(), strict=True)
        ]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adagrad"])
def test_multipliers_continue_bit_for_bit_from_their_state(optimizer: str) -> None:
    excess = torch.randn(60, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    one, other = (lagrangian(optimizer, count=2, initial=0.5) for _ in range(2))
    for row in excess[:30]:
        moved(one, *row.tolist())
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    for row in excess[30:40]:
        moved(one, *row.tolist())
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    assert saved["level"].dtype == torch.float64
    other.load_state_dict(saved)
    again = [moved(other, *row.tolist()) for row in excess[30:40]]
    one.load_state_dict(saved)
    assert again == [moved(one, *row.tolist()) for row in excess[30:40]]


def test_a_fresh_one_goes_the_same_way_as_one_that_was_never_saved() -> None:
    excess = torch.randn(40, generator=torch.Generator().manual_seed(3), dtype=torch.float64).tolist()
    whole, before, after = (lagrangian("adam") for _ in range(3))
    expected = [moved(whole, value) for value in excess]
    path = [moved(before, value) for value in excess[:20]]
    after.load_state_dict(before.state_dict())
    assert path + [moved(after, value) for value in excess[20:]] == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "adm"}, "multiplier.optimizer=adm is unknown: did you mean 'adam'"),
        ({"learning_rate": -0.1}, "multiplier.learning_rate=-0.1"),
        ({"learning_rate": math.nan}, "multiplier.learning_rate=nan"),
        ({"initial": -1.0}, "multiplier.initial=-1.0 has to lie between 0"),
        ({"initial": 3.0, "maximum": 2.0}, "multiplier.maximum=2.0"),
        ({"maximum": math.inf}, "multiplier.maximum=inf"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        lagrangian(**change)  # type: ignore[arg-type]
