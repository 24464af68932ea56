from __future__ import annotations

import io
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from pgrobot.constraints import PID, Constraint, Lagrangian
from pgrobot.errors import PgrobotError

SETTINGS = {
    "kp": 0.0,
    "ki": 0.0,
    "kd": 0.0,
    "smoothing": 0.0,
    "derivative_smoothing": 0.0,
    "derivative_delay": 1,
    "initial": 0.0,
    "maximum": 100.0,
}


def per_step(count: int) -> tuple[tuple[Constraint, ...], tuple[str, ...]]:
    """Budgets per step, so that the rate is the excess."""
    names = [f"c{k}" for k in range(count)]
    return tuple(Constraint(n, 1.0, "step", 1.0) for n in names), ("reward", *(f"cost/{n}" for n in names))


def pid(count: int = 1, **settings: float) -> PID:
    return PID(*per_step(count), **(SETTINGS | settings))  # type: ignore[arg-type]


def moved(multiplier: PID | Lagrangian, *excess: float) -> list[float]:
    """Prices at rewards of size one, so that λ is its level."""
    reward = torch.ones(1, 1, 1 + len(excess))
    told = multiplier.update(torch.tensor(excess, dtype=torch.float64), 1000.0, reward)
    return [value for name, value in told.items() if name.startswith("multiplier/")]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_integral_alone_is_projected_ascent() -> None:
    controller = pid(2, ki=0.3, maximum=1.5, initial=0.2)
    ascent = Lagrangian(*per_step(2), "sgd", 0.3, 0.2, 1.5)
    path = [(moved(controller, *row), moved(ascent, *row)) for row in noise(300, 2).tolist()]
    for one, other in path:
        assert one == pytest.approx(other, rel=1e-12, abs=1e-15)
    assert {0.0, 1.5} < {price for one, _ in path for price in one}  # both ends were touched


def test_the_proportional_term_is_an_average_without_start_up_bias() -> None:
    controller = pid(kp=2.0, smoothing=0.8)
    excess = noise(20, seed=1).abs().tolist()
    for count in range(1, 21):
        weights = 0.8 ** np.arange(count)[::-1]
        expected = 2.0 * float((weights * excess[:count]).sum() / weights.sum())
        assert moved(controller, excess[count - 1]) == pytest.approx([expected], rel=1e-12)


def test_the_derivative_is_the_rise_over_its_delay() -> None:
    controller = pid(kd=10.0, derivative_delay=3)
    excess = [0.5, 0.1, 0.2, 0.9, 0.3, 0.1, 0.1]
    rises = [0.0, 0.0, 0.0, 0.9 - 0.5, 0.3 - 0.1, 0.0, 0.0]
    assert [moved(controller, value)[0] for value in excess] == pytest.approx([10.0 * rise for rise in rises])


def test_the_derivative_is_the_rise_of_an_average_of_its_own() -> None:
    controller = pid(kd=1.0, derivative_smoothing=0.8, derivative_delay=2)
    excess = noise(20, seed=4).numpy()
    weights = [0.8 ** np.arange(count)[::-1] for count in range(1, 21)]
    averages = [float((w * excess[: len(w)]).sum() / w.sum()) for w in weights]
    rises = [0.0, 0.0, *(max(0.0, new - old) for old, new in zip(averages, averages[2:], strict=False))]
    assert max(rises) > 0.1
    assert [moved(controller, value)[0] for value in excess] == pytest.approx(rises, rel=1e-12, abs=1e-15)


def test_nothing_kicks_at_the_first_step() -> None:
    controller = pid(kp=1.0, kd=50.0, smoothing=0.9, derivative_smoothing=0.95, derivative_delay=2)
    path = [moved(controller, 0.4)[0] for _ in range(30)]
    assert path == pytest.approx([0.4] * 30, rel=1e-12)


def test_the_integral_does_not_wind_up_while_the_multiplier_is_at_its_maximum() -> None:
    after = []
    for iterations in (50, 2000):
        controller = pid(kp=2.0, ki=0.1, maximum=5.0)
        top = [moved(controller, 1.0)[0] for _ in range(iterations)]
        assert top[-1] == pytest.approx(5.0)
        after.append([moved(controller, -0.2)[0] for _ in range(5)])
    assert after[0] == after[1]
    assert after[0] == pytest.approx([3.0 - 0.1 * 0.2 * t - 2.0 * 0.2 for t in range(1, 6)])


def test_a_proportional_term_that_saturates_alone_leaves_the_integral_as_it_was() -> None:
    controller = pid(kp=10.0, ki=1.0, initial=0.5, maximum=4.0)
    assert moved(controller, 1.0) == [4.0]
    assert moved(controller, 0.0) == [0.5]


def test_a_derivative_that_saturates_alone_leaves_the_integral_as_it_was() -> None:
    controller = pid(ki=1.0, kd=10.0, maximum=4.0)
    path = [moved(controller, value)[0] for value in (0.1, 1.0, 0.0)]
    assert path == pytest.approx([0.1, 4.0, 0.1])


def test_the_integral_adds_up_the_excess_itself_and_not_its_average() -> None:
    controller = pid(ki=0.3, smoothing=0.8, initial=0.2)
    ascent = Lagrangian(*per_step(1), "sgd", 0.3, 0.2, 100.0)
    for value in noise(50, seed=5).tolist():
        assert moved(controller, value) == pytest.approx(moved(ascent, value), rel=1e-12, abs=1e-15)


def test_under_an_average_that_saturates_the_integral_falls_with_the_excess() -> None:
    controller = pid(kp=10.0, ki=1.0, smoothing=0.8, initial=0.5, maximum=4.0)
    assert moved(controller, 1.0) == [4.0]
    moved(controller, -0.1)
    assert controller.state_dict()["integral"].tolist() == pytest.approx([0.4])


def test_the_integral_does_not_wind_up_below_zero() -> None:
    controller = pid(ki=0.1)
    for _ in range(500):
        assert moved(controller, -1.0) == [0.0]
    assert moved(controller, 1.0) == [pytest.approx(0.1)]


def plant(controller: PID, steps: int) -> np.ndarray:
    """Excess of a cost that follows its price with a lag: ``J ← a J + (1 − a)(J_0 − g λ)``, budget 1."""
    keep, free, gain = 0.9, 3.0, 1.0
    cost, price, path = free, 0.0, []
    for _ in range(steps):
        cost = keep * cost + (1 - keep) * (free - gain * price)
        path.append(cost - 1.0)
        (price,) = moved(controller, path[-1])
    return np.array(path)


def test_an_integral_alone_oscillates_as_the_eigenvalues_say_and_a_proportional_term_settles_it() -> None:
    """The loop's matrix on (J, λ) has determinant ``a`` and trace ``1 + a − k_i (1 − a) g``."""
    keep, ki = 0.9, 0.5
    trace = 1 + keep - ki * (1 - keep)
    turn = math.acos(trace / (2 * math.sqrt(keep)))  # radians per iteration
    oscillating = plant(pid(ki=ki, initial=0.0), 200)
    crossings = np.flatnonzero(np.diff(np.sign(oscillating)))
    assert np.diff(crossings).mean() == pytest.approx(math.pi / turn, rel=0.03)
    peaks = [np.abs(oscillating[a:b]).max() for a, b in pairwise(crossings)]
    decay = (np.array(peaks[1:5]) / peaks[:4]) ** (1 / np.diff(crossings)[:4])
    assert decay == pytest.approx([math.sqrt(keep)] * 4, rel=0.02)

    settled = plant(pid(kp=5.0, ki=ki), 200)
    assert np.abs(settled[60:]).max() < 1e-3 < np.abs(oscillating[60:]).max()
    assert abs(settled[-1]) < 1e-8  # no violation is left in steady state


def test_several_constraints_do_not_touch_each_other() -> None:
    settings = {"kp": 1.0, "ki": 0.1, "kd": 0.5, "smoothing": 0.5, "derivative_delay": 4}
    together, alone = pid(3, **settings), [pid(**settings) for _ in range(3)]
    for row in noise(60, 3, seed=2).tolist():
        assert moved(together, *row) == [moved(one, value)[0] for one, value in zip(alone, row, strict=True)]


def test_it_continues_bit_for_bit_from_its_state() -> None:
    settings = {
        "kp": 1.0,
        "ki": 0.1,
        "kd": 0.5,
        "smoothing": 0.5,
        "derivative_smoothing": 0.7,
        "derivative_delay": 4,
    }
    one, other = pid(2, **settings), pid(2, **settings)
    rising = torch.arange(50).unsqueeze(1) / 10  # the derivative looks at rises only
    excess = (noise(50, 2, seed=3) + rising).tolist()
    for row in excess[:17]:
        moved(one, *row)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    assert all(value.dtype == torch.float64 for value in saved.values() if isinstance(value, torch.Tensor))
    other.load_state_dict(saved)
    advantage = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one.mix(advantage), other.mix(advantage))
    for row in excess[17:]:
        assert moved(one, *row) == moved(other, *row)
    assert torch.equal(one.mix(advantage), other.mix(advantage))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kp": -1.0}, "multiplier.kp=-1.0"),
        ({"ki": math.nan}, "multiplier.ki=nan"),
        ({"kd": math.inf}, "multiplier.kd=inf"),
        ({"smoothing": 1.0}, "multiplier.smoothing=1.0 has to lie in"),
        ({"derivative_smoothing": -0.1}, "multiplier.derivative_smoothing=-0.1"),
        ({"derivative_delay": 0}, "multiplier.derivative_delay=0"),
        ({"initial": 101.0}, "multiplier.initial=101.0"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        pid(**change)
