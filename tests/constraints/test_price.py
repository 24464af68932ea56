"""Prices depend on the unit of neither the reward nor the budget, and say when they are of no avail."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable

import pytest
import torch

from pgrobot.constraints import PID, Constraint, Lagrangian
from pgrobot.types import Multiplier

COLUMNS = ("reward", "cost/speed", "bonus/curiosity")
SPEED = (Constraint("speed", 25.0, "episode", 25.0),)
KINDS: dict[str, Callable[..., Multiplier]] = {
    "sgd": lambda maximum=100.0: Lagrangian(SPEED, COLUMNS, "sgd", 1.0, 0.25, maximum),
    "adam": lambda maximum=100.0: Lagrangian(SPEED, COLUMNS, "adam", 0.05, 0.0, maximum),
    "pid": lambda maximum=100.0: PID(SPEED, COLUMNS, 10.0, 2.0, 1.0, 0.5, 0.5, 3, 0.0, maximum),
}


def rollouts(count: int, unit: float = 1.0) -> list[tuple[torch.Tensor, float, torch.Tensor]]:
    """Excess, length and columns of rollouts whose reward and bonus are in a unit."""
    generator = torch.Generator().manual_seed(0)
    told = []
    for _ in range(count):
        excess = 0.3 * torch.randn(1, generator=generator, dtype=torch.float64) + 0.1
        columns = torch.randn(7, 5, 3, generator=generator) * torch.tensor([unit, 1.0, unit])
        told.append((excess, 40.0, columns))
    return told


def price(multiplier: Multiplier, *rollout: object) -> float:
    return multiplier.update(*rollout)["multiplier/speed"]  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", [1024.0, 2.0**-20])
def test_rewards_in_another_unit_scale_prices_and_advantages_and_nothing_else(kind: str, unit: float) -> None:
    """By a power of two, which rounds nothing: the same bits."""
    one, other = KINDS[kind](), KINDS[kind]()
    for plain, scaled in zip(rollouts(30), rollouts(30, unit), strict=True):
        assert price(other, *scaled) == unit * price(one, *plain)
        assert torch.equal(other.mix(scaled[2]), unit * one.mix(plain[2]))
    assert price(one, *rollouts(1)[0]) > 0.0


def test_the_size_of_the_reward_is_the_root_mean_square_of_what_all_steps_earned() -> None:
    multiplier = KINDS["sgd"]()
    earned = []
    for _, length, columns in rollouts(5):
        told = price(multiplier, torch.zeros(1), length, columns)
        earned.append(columns[..., 0].double() + columns[..., 2].double())
        size = torch.stack(earned).square().mean().sqrt()
        assert told == pytest.approx(0.25 * float(size), rel=1e-6)


def test_while_nothing_is_earned_the_size_is_one() -> None:
    multiplier = KINDS["sgd"]()
    assert price(multiplier, torch.zeros(1), 40.0, torch.zeros(7, 5, 3)) == 0.25
    columns = torch.zeros(7, 5, 3)
    columns[..., 0] = -3.0
    assert price(multiplier, torch.zeros(1), 40.0, columns) == pytest.approx(0.25 * math.sqrt(4.5))


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_and_the_time_at_the_maximum_are_part_of_the_state(kind: str) -> None:
    whole, before, after = (KINDS[kind](1.0) for _ in range(3))
    expected = [price(whole, *rollout) for rollout in rollouts(40)]
    told = [price(before, *rollout) for rollout in rollouts(40)[:17]]
    file = io.BytesIO()
    torch.save(before.state_dict(), file)
    file.seek(0)
    after.load_state_dict(torch.load(file, weights_only=True))
    assert told + [price(after, *rollout) for rollout in rollouts(40)[17:]] == expected
    torch.testing.assert_close(after.state_dict(), whole.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_price_long_at_its_maximum_is_told_once(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    multiplier = KINDS[kind](0.5)
    above, columns = torch.ones(1, dtype=torch.float64), torch.ones(2, 3, 3)
    with caplog.at_level(logging.WARNING):
        for _ in range(30):
            price(multiplier, -above, 1000.0, columns)
        assert not caplog.records
        for _ in range(200):
            price(multiplier, above, 1000.0, columns)
    (record,) = caplog.records
    assert record.getMessage() == (
        "The price of 'speed' has been at multiplier.maximum=0.5 for 20 iterations, so that it cannot rise: if its "
        "cost stays above the budget of 25 and still falls, train longer (total_steps); if it stays above and does "
        "not fall, raise the maximum, or the budget (constraint.speed.budget), which may be out of reach."
    )


def test_a_price_at_its_maximum_now_and_then_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    multiplier = KINDS["sgd"](0.5)
    one, columns = torch.ones(1, dtype=torch.float64), torch.ones(2, 3, 3)
    with caplog.at_level(logging.WARNING):
        for count in range(200):
            price(multiplier, -one if count % 19 == 0 else one, 1000.0, columns)
    assert not caplog.records


@pytest.mark.parametrize("unit", [1.0, 100.0, 1e4])
def test_a_budget_is_met_in_any_unit_of_the_reward(unit: float) -> None:
    """Every step earns ``unit`` times ±1, and costs 1 where it is +1: of 100 steps 25 may.

    The policy is the share of +1, in logits, and follows the sign of what its choices are worth after the price.
    """
    pid = PID(SPEED, ("reward", "cost/speed"), 10.0, 2.0, 0.0, 0.5, 0.5, 10, 0.0, 100.0)
    logit, costs = 0.0, []
    for _ in range(120):
        share = 1.0 / (1.0 + math.exp(-logit))
        plus = (torch.arange(1000) < round(1000 * share)).double()
        columns = torch.stack([unit * (2.0 * plus - 1.0), plus], dim=-1)
        costs.append(100.0 * float(plus.mean()))
        pid.update(torch.tensor([(costs[-1] - 25.0) / 100.0], dtype=torch.float64), 100.0, columns)
        mixed = pid.mix(columns)
        better = (mixed * (plus - plus.mean())).mean() / (unit * max(float(plus.std()), 1e-3))
        logit += 0.3 * max(-1.0, min(1.0, float(better)))
    assert sum(costs[-20:]) / 20 == pytest.approx(25.0, abs=3.0)
