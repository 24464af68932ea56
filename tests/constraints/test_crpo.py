from __future__ import annotations

import io
import math

import pytest
import torch

from pgrobot.constraints import Constraint, Switching, Unconstrained
from pgrobot.errors import PgrobotError

COLUMNS = ("reward", "cost/a", "bonus/curiosity", "cost/b", "cost/c")
NAMES = ("a", "b", "c")
PER_STEP = tuple(Constraint(name, 1.0, "step", 1.0) for name in NAMES)


def switching(tolerance: float = 0.0, constraints: tuple[Constraint, ...] = PER_STEP) -> Switching:
    return Switching(constraints, COLUMNS, tolerance)


def decided(multiplier: Switching, *excess: float, length: float = 1000.0) -> dict[str, float]:
    rows = torch.ones(1, 1, len(COLUMNS))
    return multiplier.update(torch.tensor(excess, dtype=torch.float64), length, rows)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("tolerance", [0.0, 0.5])
def test_it_switches_as_brute_force_does(tolerance: float) -> None:
    advantage = noise(6, 4, len(COLUMNS), seed=1)
    cases = set()
    for excess in noise(60, 3).sub(0.4).tolist():
        multiplier = switching(tolerance)
        told = decided(multiplier, *excess)
        beyond = [(amount, name) for amount, name in zip(excess, NAMES, strict=True) if amount > tolerance]
        if beyond:
            _, name = max(beyond)
            cost = advantage[..., COLUMNS.index(f"cost/{name}")]
            expected = -(cost - cost.mean())
        else:
            name, expected = "", advantage[..., 0] + advantage[..., 2]
        cases.add(name)
        torch.testing.assert_close(multiplier.mix(advantage), expected, rtol=1e-13, atol=1e-13)
        assert told == {f"switch/{other}": float(other == name) for other in NAMES}
    assert cases == {"", *NAMES}


def test_violations_of_different_units_are_compared_as_rates() -> None:
    """An episode of 100 steps that exceeds its limit too often by 0.3 counts like one that costs 0.3 per step."""
    constraints = (
        Constraint("a", 25.0, "episode", 1.0),
        Constraint("b", 0.1, "probability", 1.0),
        Constraint("c", 0.1, "step", 1.0),
    )
    multiplier = switching(constraints=constraints)
    told = decided(multiplier, 20.0 / 100.0, 0.3 / 100.0, 0.25, length=100.0)
    assert told == {"switch/a": 0.0, "switch/b": 1.0, "switch/c": 0.0}


def test_with_budgets_kept_or_none_it_is_bit_for_bit_unconstrained() -> None:
    advantage = noise(32, 16, len(COLUMNS)).float()
    free = Unconstrained(PER_STEP, COLUMNS)
    multiplier = switching()
    assert torch.equal(multiplier.mix(advantage), free.mix(advantage))
    decided(multiplier, -0.1, 0.0, -0.3)
    assert torch.equal(multiplier.mix(advantage), free.mix(advantage))
    none = Switching((), ("reward",), 0.0)
    assert none.update(torch.zeros(0), 10.0, torch.ones(1, 1, 1)) == {}
    assert torch.equal(none.mix(advantage[..., :1]), advantage[..., 0])


def test_it_goes_on_from_its_state() -> None:
    one, other = switching(), switching()
    decided(one, -0.1, 0.4, 0.2)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    advantage = noise(5, 4, len(COLUMNS))
    assert torch.equal(one.mix(advantage), other.mix(advantage))
    assert not torch.equal(one.mix(advantage), switching().mix(advantage))


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_a_bad_tolerance_is_refused(tolerance: float) -> None:
    with pytest.raises(PgrobotError, match=r"multiplier\.tolerance="):
        switching(tolerance)
