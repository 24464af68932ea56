from __future__ import annotations

import pytest
import torch

from pgrobot.constraints import PID, UNITS, AugmentedLagrangian, Constraint, Lagrangian, Unconstrained
from pgrobot.errors import PgrobotError
from pgrobot.types import Multiplier

COLUMNS = ("reward", "cost/speed", "cost/torque", "bonus/curiosity")
BOTH = (Constraint("speed", 25.0, "episode", 1.0), Constraint("torque", 0.1, "step", 1.0))
LENGTH = 1000.0


def fixed(
    *prices: float, constraints: tuple[Constraint, ...] = BOTH, columns: tuple[str, ...] = COLUMNS
) -> Lagrangian:
    """A Lagrangian brought to the given multipliers, at rewards of size one."""
    multiplier = Lagrangian(constraints, columns, "sgd", 0.0, 0.0, 100.0)
    multiplier.update(torch.zeros(len(constraints)), LENGTH, unit_rewards(columns))
    level = torch.tensor(prices, dtype=torch.float64)
    multiplier.load_state_dict(multiplier.state_dict() | {"level": level})
    return multiplier


def unit_rewards(columns: tuple[str, ...]) -> torch.Tensor:
    """A rollout in which every step earns 1."""
    return torch.tensor([float(column == "reward") for column in columns]).expand(2, 3, -1)


def pid(constraints: tuple[Constraint, ...]) -> PID:
    return PID(constraints, COLUMNS, 1.0, 0.1, 0.1, 0.5, 0.5, 2, 0.0, 100.0)


def augmented(constraints: tuple[Constraint, ...], penalty: float = 1.0) -> AugmentedLagrangian:
    return AugmentedLagrangian(constraints, COLUMNS, penalty, 2, 0.0, 100.0)


def sample(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_every_multiplier_keeps_the_protocol() -> None:
    for multiplier in (fixed(1.0, 2.0), pid(BOTH), augmented(BOTH), Unconstrained(BOTH, COLUMNS)):
        seam: Multiplier = multiplier
        told = seam.update(torch.tensor([1.0, 1.0]), LENGTH, unit_rewards(COLUMNS))
        words = ("multiplier", "multiplier_level")
        assert set(told) == {f"{word}/{name}" for word in words for name in ("speed", "torque")}
        assert seam.mix(sample(3, 4, 4)).shape == (3, 4)


def test_mix_is_its_formula() -> None:
    advantage = sample(16, 8, 4, dtype=torch.float64)
    reward, speed, torque, bonus = advantage.unbind(-1)
    expected = (reward + bonus - 0.5 * (speed - speed.mean()) - 2.0 * (torque - torque.mean())) / 3.5
    torch.testing.assert_close(fixed(0.5, 2.0).mix(advantage), expected, rtol=1e-13, atol=1e-13)


def test_columns_are_found_by_name() -> None:
    columns = ("bonus/curiosity", "cost/torque", "reward", "cost/speed")
    order = [COLUMNS.index(column) for column in columns]
    advantage = sample(9, 5, 4, dtype=torch.float64)
    moved = fixed(0.5, 2.0, columns=columns).mix(advantage[..., order])
    torch.testing.assert_close(moved, fixed(0.5, 2.0).mix(advantage), rtol=1e-13, atol=1e-13)


def test_zero_multipliers_are_bit_identical_to_unconstrained() -> None:
    advantage = sample(32, 64, 4)
    free = Unconstrained(BOTH, COLUMNS)
    free.update(torch.tensor([100.0, 1.0]), LENGTH, unit_rewards(COLUMNS))
    idle = augmented(BOTH, penalty=0.0)
    for _ in range(3):
        idle.update(torch.tensor([100.0, 1.0]), LENGTH, unit_rewards(COLUMNS))
    for multiplier in (fixed(0.0, 0.0), pid(BOTH), augmented(BOTH), idle):
        assert torch.equal(multiplier.mix(advantage), free.mix(advantage))
    plain = Unconstrained((), ("reward",))
    assert torch.equal(plain.mix(advantage[..., :1]), advantage[..., 0])
    assert torch.equal(fixed(constraints=(), columns=("reward",)).mix(advantage[..., :1]), advantage[..., 0])


def test_a_cost_counts_by_its_size_and_not_by_its_level() -> None:
    advantage = sample(16, 8, 4, dtype=torch.float64)
    level = torch.tensor([0.0, 50.0, -3.0, 0.0], dtype=torch.float64)
    size = torch.tensor([1.0, 4.0, 1.0, 1.0], dtype=torch.float64)
    mixed = fixed(2.0, 1.0).mix(advantage)
    torch.testing.assert_close(fixed(2.0, 1.0).mix(advantage + level), mixed, rtol=1e-11, atol=1e-11)
    scaled = fixed(0.5, 1.0).mix(advantage * size) * (1 + 0.5 + 1) / (1 + 2.0 + 1)
    torch.testing.assert_close(scaled, mixed, rtol=1e-12, atol=1e-12)


def test_an_episode_over_its_limit_is_priced_as_an_episode_of_violation() -> None:
    likely = (Constraint("speed", 0.05, "probability", 25.0),)
    columns = ("reward", "cost/speed")
    advantage = sample(16, 8, 2, dtype=torch.float64)
    cost = advantage[..., 1]
    expected = (advantage[..., 0] - 0.2 * LENGTH * (cost - cost.mean())) / (1 + 0.2 * LENGTH)
    mixed = fixed(0.2, constraints=likely, columns=columns).mix(advantage)
    torch.testing.assert_close(mixed, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["lagrangian", "pid"])
def test_one_set_of_gains_serves_every_unit(kind: str) -> None:
    """The same violation in every step moves λ alike, whatever the budget's unit and the episode's length."""
    rates = sample(30, dtype=torch.float64)
    paths = []
    for unit in UNITS:
        for length in (20.0, 1000.0):
            constraints = (Constraint("speed", 1.0, unit, 1.0),)
            if kind == "pid":
                multiplier: Multiplier = pid(constraints)
            else:
                multiplier = Lagrangian(constraints, COLUMNS, "sgd", 0.1, 0.0, 100.0)
            # an episode that exceeds its limit pays once in all its steps
            excess = rates / length if unit == "probability" else rates
            told = [multiplier.update(e.unsqueeze(0), length, unit_rewards(COLUMNS)) for e in excess]
            paths.append([metrics["multiplier/speed"] for metrics in told])
    for path in paths:
        assert path == pytest.approx(paths[0], rel=1e-9, abs=1e-12)
    assert max(paths[0]) > 0.0


def test_a_constraint_without_a_column_is_refused() -> None:
    with pytest.raises(PgrobotError, match="'torque' has no column among reward, cost/speed"):
        Unconstrained(BOTH, ("reward", "cost/speed"))
