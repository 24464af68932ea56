"""Ratios with their intervals, and the test for bias, on gradients whose distribution is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from pgrobot.randomness import stream
from pgrobot.variance.statistics import biases, holm, variance, variance_ratio


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_variance_is_the_trace_of_the_covariance() -> None:
    rows = drawn(0, 7, 3)
    assert variance(rows) == pytest.approx(float(np.trace(np.cov(rows.numpy(), rowvar=False))), rel=1e-12)
    assert variance(rows + 1000.0) == pytest.approx(variance(rows), rel=1e-9)


def test_a_ratio_is_that_of_the_variances_and_scales_with_them() -> None:
    one, other = drawn(0, 9, 4), drawn(1, 9, 4)
    ratio = variance_ratio(one, other, 0.9)
    assert ratio.estimate == pytest.approx(variance(one) / variance(other), rel=1e-12)
    doubled = variance_ratio(2.0 * one, other, 0.9)
    assert doubled.low == pytest.approx(4.0 * ratio.low, rel=1e-9)
    assert doubled.high == pytest.approx(4.0 * ratio.high, rel=1e-9)
    wider = variance_ratio(one, other, 0.99)
    assert wider.low < ratio.low < ratio.estimate < ratio.high < wider.high


def test_the_interval_is_the_jackknife_that_leaves_out_rollouts() -> None:
    one, other = drawn(2, 8, 3), drawn(3, 8, 3)

    def log_ratio(keep: list[int]) -> float:
        return math.log(variance(one[keep]) / variance(other[keep]))

    everything = list(range(8))
    left_out = np.array([log_ratio(everything[:k] + everything[k + 1 :]) for k in everything])
    error = math.sqrt(7.0 * left_out.var())
    reach = scipy.stats.t.ppf(0.975, 7) * error
    ratio = variance_ratio(one, other, 0.95)
    assert math.log(ratio.high) == pytest.approx(log_ratio(everything) + reach, rel=1e-9)
    assert math.log(ratio.low) == pytest.approx(log_ratio(everything) - reach, rel=1e-9)


@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_intervals_cover_the_true_ratio_as_often_as_they_say(tails: str) -> None:
    """Paired gradients of thirty-two rollouts; the heavier tails are Student's with seven degrees of freedom."""
    generator = np.random.default_rng(0)

    def noise(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape) if tails == "normal" else generator.standard_t(7, shape)

    scale, hits, repetitions = np.array([3.0, 1.0, 0.5, 0.2]), 0, 600
    for _ in range(repetitions):
        common, rest = noise(32, 4) * scale, noise(32, 4) * scale
        ratio = variance_ratio(torch.from_numpy(0.5 * common), torch.from_numpy(common + rest), 0.9)
        hits += ratio.low < 0.125 < ratio.high
    assert 0.86 < hits / repetitions < 0.95


def test_what_does_not_vary_has_no_ratio() -> None:
    still, moving = torch.zeros(6, 2), drawn(0, 6, 2)
    for pair in ((still, moving), (moving, still), (still, still)):
        assert math.isnan(variance_ratio(*pair, 0.95).estimate)


def test_holm_is_his_procedure() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]


def found(shift: float, seed: int, rollouts: int = 40) -> dict[str, Tensor]:
    """A gradient of length two, much noise without a baseline, less with one, and a third that may be short."""
    true = torch.nn.functional.normalize(drawn(100, 20), dim=0) * 2.0
    loud, low, own = (drawn(seed + i, rollouts, 20) for i in (1, 2, 3))
    return {
        "none": true + 10.0 * loud + low,
        "value": true + low,
        "third": true * (1.0 + shift) + low + 0.5 * own,
    }


def test_the_reference_with_less_noise_is_compared_with() -> None:
    tested = biases(found(0.0, 0), ("none", "value"), 0.95, stream(0, "directions"))
    assert tested.keys() == {"value", "third"}
    assert (tested["value"].against, tested["third"].against) == ("none", "value")


def test_a_gradient_that_falls_short_is_found_and_measured() -> None:
    tested = biases(found(-0.5, 0), ("none", "value"), 0.95, stream(0, "directions"))
    assert tested["third"].p_value < 1e-4
    assert tested["value"].p_value > 0.01
    shifts = [
        biases(found(-0.5, s), ("none", "value"), 0.9, stream(s, "d"))["third"].shift
        for s in range(0, 2000, 10)
    ]
    known = [shift for shift in shifts if math.isfinite(shift.estimate)]
    assert len(known) > 190
    assert 0.85 < sum(shift.low < -0.5 < shift.high for shift in known) / len(known) < 0.95


def test_false_alarms_are_as_rare_as_the_level() -> None:
    alarms = sum(
        min(b.p_value for b in biases(found(0.0, s), ("none", "value"), 0.95, stream(s, "d")).values()) < 0.1
        for s in range(0, 3000, 10)
    )
    assert 0.03 < alarms / 300 < 0.16


def test_a_difference_of_rounding_is_none() -> None:
    gradients = found(0.0, 0)
    gradients["third"] = gradients["value"] * (1.0 + 1e-8)
    tested = biases(gradients, ("none", "value"), 0.95, stream(0, "directions"))
    assert tested["third"].p_value == 1.0
    gradients["third"] = gradients["value"].clone()
    assert biases(gradients, ("none", "value"), 0.95, stream(0, "directions"))["third"].p_value == 1.0


def test_a_shift_of_a_gradient_that_is_lost_in_noise_is_not_a_number() -> None:
    lost = {name: rows - rows.mean(0) for name, rows in found(0.0, 0).items()}
    tested = biases(lost, ("none", "value"), 0.95, stream(0, "directions"))
    assert math.isnan(tested["third"].shift.estimate)
    assert math.isfinite(tested["third"].p_value)


@pytest.mark.parametrize(("length", "known"), [(2.9, False), (3.1, True)])
def test_a_shift_is_known_where_the_gradient_is_longer_than_three_of_its_errors(
    length: float, known: bool
) -> None:
    error_of_one = math.sqrt(19.0) * torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(10)
    along = torch.cat((torch.ones(20, dtype=torch.float64), length + error_of_one))
    quiet = torch.nn.functional.pad(along.unsqueeze(1), (0, 2))
    gradients = {"none": quiet + drawn(1, 40, 3), "value": quiet, "third": quiet + 0.1 * drawn(2, 40, 3)}
    tested = biases(gradients, ("none", "value"), 0.95, stream(0, "directions"))
    assert math.isfinite(tested["third"].shift.estimate) == known
