from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize_scalar

from pgrobot.constraints import PID, AugmentedLagrangian, Constraint, Lagrangian
from pgrobot.errors import PgrobotError
from pgrobot.types import Multiplier


def per_step(count: int) -> tuple[tuple[Constraint, ...], tuple[str, ...]]:
    """Budgets per step, so that the rate is the excess."""
    names = [f"c{k}" for k in range(count)]
    return tuple(Constraint(n, 1.0, "step", 1.0) for n in names), ("reward", *(f"cost/{n}" for n in names))


def augmented(
    penalty: float = 0.5, every: int = 1, initial: float = 0.0, maximum: float = 100.0, count: int = 1
) -> AugmentedLagrangian:
    return AugmentedLagrangian(*per_step(count), penalty, every, initial, maximum)


def moved(multiplier: Multiplier, *excess: float) -> list[float]:
    """Prices at rewards of size one, so that λ is its level."""
    reward = torch.ones(1, 1, 1 + len(excess))
    told = multiplier.update(torch.tensor(excess, dtype=torch.float64), 1000.0, reward)
    return [value for name, value in told.items() if name.startswith("multiplier/")]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_steps_by_hand() -> None:
    """ρ = 0.5, λ every second iteration: 0.1 → 0.1, then 0.1 + 0.5·0.4."""
    multiplier = augmented(every=2, initial=0.1)
    assert moved(multiplier, 0.2) == pytest.approx([0.1 + 0.1])  # the price answers, λ waits
    assert moved(multiplier, 0.4) == pytest.approx([0.1 + 0.2 + 0.2])  # λ takes 0.2, the penalty adds as much
    assert moved(multiplier, -1.0) == [0.0]  # 0.3 − 0.5
    assert moved(multiplier, -0.2) == pytest.approx(
        [0.1]
    )  # λ is 0.3 still, takes −0.1, and so does the price


@pytest.mark.parametrize("penalty", [0.3, 1.5])
def test_the_price_that_acts_is_the_slope_of_the_augmented_penalty(penalty: float) -> None:
    """ψ(λ, g) = ([λ + ρ g]₊² − λ²) / 2ρ by finite differences in g, where λ waits."""
    held, width = 0.7, 1e-6

    def psi(excess: float) -> float:
        return (max(0.0, held + penalty * excess) ** 2 - held**2) / (2 * penalty)

    for excess in (-5.0, -1.0, -0.2, 0.0, 0.3, 2.0):
        slope = (psi(excess + width) - psi(excess - width)) / (2 * width)
        waits = augmented(penalty, every=2, initial=held)
        assert moved(waits, excess) == pytest.approx([slope], abs=1e-8)


def test_taken_over_at_once_it_is_a_controller_with_two_equal_gains() -> None:
    one = augmented(0.3, initial=0.4)
    other = PID(*per_step(1), 0.3, 0.3, 0.0, 0.0, 0.0, 1, 0.4, 100.0)
    path = [(moved(one, value), moved(other, value)) for value in noise(300).tolist()]
    for price, controlled in path:
        assert price == pytest.approx(controlled, rel=1e-12, abs=1e-13)
    assert min(path)[0] == [0.0]
    assert max(path)[0] > [1.0]


def test_with_more_iterations_between_it_integrates_as_much_less() -> None:
    """Under a violation that lasts, λ gains ρ g per ``every`` iterations: a controller with k_i = ρ / every."""
    for every in (2, 5):
        one = augmented(0.5, every)
        other = PID(*per_step(1), 0.5, 0.5 / every, 0.0, 0.0, 0.0, 1, 0.0, 100.0)
        path = [(moved(one, 0.1), moved(other, 0.1)) for _ in range(4 * every)]
        assert path[every - 1 :: every] == [
            (pytest.approx(price), pytest.approx(price)) for _, price in path[every - 1 :: every]
        ]


def test_the_held_multiplier_alone_is_a_lagrangian() -> None:
    """What λ is after each step of its own: projected ascent with the rate ρ."""
    one, ascent = augmented(0.3, count=2, maximum=1.5), Lagrangian(*per_step(2), "sgd", 0.3, 0.0, 1.5)
    for row in noise(200, 2, seed=4).tolist():
        moved(one, *row)
        assert one.state_dict()["held"].tolist() == pytest.approx(moved(ascent, *row), rel=1e-12, abs=1e-15)


BUDGET, VARIANCE = 1.0, 0.09  # of a Gaussian bandit: max μ subject to μ² + σ² ≤ d
BEST = math.sqrt(BUDGET - VARIANCE)


def excess(mean: float) -> float:
    return mean**2 + VARIANCE - BUDGET


@pytest.mark.parametrize("penalty", [0.05, 0.5, 5.0])
def test_the_method_of_multipliers_solves_a_gaussian_bandit(penalty: float) -> None:
    """Under exact inner optima λ ← [λ + ρ g]₊ converges to λ* = 1/(2 μ*), faster the greater ρ is.

    The inner optimum at λ is where the price that acts is 1/(2 μ), a cubic's root; there λ's next value is that price.
    """
    multiplier, held = augmented(penalty, initial=0.2), 0.2
    for _ in range(400):
        at = held

        def slope(mean: float, at: float = at) -> float:
            return 1.0 - 2.0 * mean * max(0.0, at + penalty * excess(mean))

        mean = float(brentq(slope, 1e-9, 50.0, xtol=1e-15))
        moved(multiplier, excess(mean))
        held = multiplier.state_dict()["held"].item()
        assert held == pytest.approx(
            1.0 / (2.0 * mean), rel=1e-9
        )  # Rockafellar: λ's step is the price that acted
    assert mean == pytest.approx(BEST, rel=1e-6)
    assert held == pytest.approx(1.0 / (2.0 * BEST), rel=1e-6)


def test_a_mere_penalty_leaves_a_violation_and_a_multiplier_none() -> None:
    """Without λ the optimum of μ − ρ g₊²/2 lies beyond the budget; taken over, it does not."""
    penalty = 1.0
    found = minimize_scalar(
        lambda mean: -mean + penalty * max(0.0, excess(mean)) ** 2 / 2, bounds=(0, 3), method="bounded"
    )
    assert excess(found.x) > 0.3
    never = augmented(penalty, every=10**9)
    mean = 0.1
    for _ in range(1500):
        mean += 0.05 * (1.0 - 2.0 * mean * moved(never, excess(mean))[0])
    assert mean == pytest.approx(found.x, abs=1e-5)


def test_prices_stay_in_range_and_leave_its_ends_at_once() -> None:
    multiplier = augmented(0.3, maximum=2.0)
    assert [moved(multiplier, 1.0)[0] for _ in range(50)][-1] == 2.0
    assert moved(multiplier, -1.0) == pytest.approx([1.4])  # λ 2 − 0.3, and as much again
    for _ in range(50):
        moved(multiplier, -1.0)
    assert moved(multiplier, 1.0) == pytest.approx([0.6])


def test_several_constraints_do_not_touch_each_other() -> None:
    together, alone = augmented(0.3, 3, count=3), [augmented(0.3, 3) for _ in range(3)]
    for row in noise(60, 3, seed=2).tolist():
        assert moved(together, *row) == [moved(one, value)[0] for one, value in zip(alone, row, strict=True)]


def test_it_continues_bit_for_bit_from_its_state() -> None:
    one, other = augmented(0.3, 4, count=2), augmented(0.3, 4, count=2)
    rows = noise(50, 2, seed=3).tolist()
    for row in rows[:18]:
        moved(one, *row)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    advantage = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one.mix(advantage), other.mix(advantage))
    for row in rows[18:]:
        assert moved(one, *row) == moved(other, *row)
    assert np.ptp([moved(one, *row) for row in rows]) > 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"penalty": -1.0}, "multiplier.penalty=-1.0 has to be a finite number of at least 0"),
        ({"penalty": math.inf}, "multiplier.penalty=inf"),
        ({"initial": 101.0}, "multiplier.initial=101.0 has to lie between 0"),
        ({"maximum": math.nan}, "multiplier.maximum=nan"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        augmented(**change)  # type: ignore[arg-type]
