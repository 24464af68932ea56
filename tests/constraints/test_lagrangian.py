from __future__ import annotations

import io
import math

import pytest
import torch

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
