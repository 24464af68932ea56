"""What ``K`` independent gradients say: their variance, ratios of variances, and whether two means differ.

The rollouts are the same for all baselines, so every comparison is a paired one: what the rollouts have in common
falls out of it. See docs/derivations.md#variance-of-a-gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from scipy.stats import t as student
from torch import Tensor

RANDOM_DIRECTIONS = 4
_ROUNDING = 1e-6  # a difference below this share of the gradient is single precision's


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between its bounds; not numbers where there is none."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bias:
    """How the mean gradient of a baseline differs from that of another.

    Attributes:
        against: the other: whichever reference leaves less noise in the difference.
        shift: of the mean along the gradient, as a share of its length, with its interval; not a number where the
            gradient itself cannot be told from zero.
        statistic: the largest ``|t|`` of the tests.
        p_value: the smallest of the tests, adjusted by Holm for all tests of all baselines.
    """

    against: str
    shift: Interval
    statistic: float
    p_value: float


def variance(gradient: Tensor) -> float:
    """Trace of the covariance of gradients ``[K, P]``: the mean squared distance of one from the mean."""
    return float(_squares(gradient).sum() / (len(gradient) - 1))


def variance_ratio(gradient: Tensor, reference: Tensor, confidence: float) -> Interval:
    """Ratio of two variances of paired gradients ``[K, P]``, with the interval of a jackknife over the rollouts.

    Leaving out each rollout in turn, with all that belongs to it, gives the standard error of the ratio's logarithm
    (Miller 1974), and Student's t with ``K − 1`` degrees of freedom the interval. A ratio is positive and skewed, its
    logarithm nearly symmetric; the jackknife is exact arithmetic, so it needs no random numbers, and it keeps the
    pairing and whatever tails the gradients have.
    """
    count = len(gradient)
    logs = []
    for rows in (gradient, reference):
        squares = _squares(rows)
        whole = squares.sum()
        without = (whole - squares * count / (count - 1)) / (count - 2)
        logs.append(torch.cat((whole.unsqueeze(0) / (count - 1), without)).log())
    log_ratio = logs[0] - logs[1]
    if not bool(log_ratio.isfinite().all()):
        return Interval(math.nan, math.nan, math.nan)
    centre, left_out = float(log_ratio[0]), log_ratio[1:]
    error = math.sqrt((count - 1) / count * float((left_out - left_out.mean()).square().sum()))
    reach = _quantile(confidence, count) * error
    return Interval(math.exp(centre), math.exp(centre - reach), math.exp(centre + reach))


def biases(
    gradients: Mapping[str, Tensor], references: Sequence[str], confidence: float, generator: torch.Generator
) -> dict[str, Bias]:
    """Test whether the mean gradient of each baseline differs from a reference's.

    Each rollout gives one difference of two gradients, and their mean is zero if both are unbiased. It is looked at
    along the gradient, where a baseline that has seen its own actions falls short, and along a few random directions;
    each is a paired t-test. The gradient's direction is the mean of the second reference over the first half of the
    rollouts and is tested on the other half, so that no test has chosen its direction.

    Args:
        gradients: ``[K, P]`` by name, with ``K`` at least 4.
        references: two names: of the plain gradient, and of one with less noise.
        confidence: of the shift's interval.
        generator: of the random directions.
    """
    plain = gradients[references[0]].double()
    quiet = gradients[references[1]].double()
    half = len(quiet) // 2
    along = torch.nn.functional.normalize(quiet[:half].mean(0), dim=0)
    length = quiet[half:] @ along
    random = torch.randn(plain.shape[1], RANDOM_DIRECTIONS, generator=generator, dtype=torch.float64)
    random = random / random.norm(dim=0)
    grain = _ROUNDING * plain.square().mean(0).sum().sqrt()
    against, shifts, tests = {}, {}, {}
    for name, gradient in gradients.items():
        if name == references[0]:
            continue
        others = [other for other in references if other != name]
        against[name] = min(others, key=lambda other: variance(gradient.double() - gradients[other].double()))
        difference = gradient.double() - gradients[against[name]].double()
        shifts[name] = _share(difference[half:] @ along, length, confidence)
        columns = [difference[half:] @ along, *(difference @ random).unbind(1)]
        tests[name] = [_t_test(column, float(grain)) for column in columns]
    adjusted = holm([p for own in tests.values() for _, p in own])
    found = {}
    for index, (name, own) in enumerate(tests.items()):
        part = adjusted[index * len(own) : (index + 1) * len(own)]
        found[name] = Bias(against[name], shifts[name], max(abs(t) for t, _ in own), min(part))
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that all of them together are wrong as rarely as one would be (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _t_test(sample: Tensor, grain: float) -> tuple[float, float]:
    """Student's t of a mean ``[n]`` against zero and its two-sided p-value; what is below the grain counts as zero."""
    mean = float(sample.mean())
    if abs(mean) <= grain:
        return 0.0, 1.0
    statistic = mean / max(_error(sample), 1e-300)
    return statistic, float(2.0 * student.sf(abs(statistic), len(sample) - 1))


def _share(difference: Tensor, length: Tensor, confidence: float) -> Interval:
    """The mean difference ``[n]`` as a share of the mean length ``[n]``, where that is above zero by three errors.

    The interval is the delta method's, so it knows that both means come from the same rollouts.
    """
    mean = float(length.mean())
    if not mean > 3.0 * _error(length):
        return Interval(math.nan, math.nan, math.nan)
    share = float(difference.mean()) / mean
    reach = _quantile(confidence, len(difference)) * _error(difference - share * length) / mean
    return Interval(share, share - reach, share + reach)


def _error(sample: Tensor) -> float:
    return float(sample.std()) / math.sqrt(len(sample))


def _quantile(confidence: float, count: int) -> float:
    return float(student.ppf(0.5 + 0.5 * confidence, count - 1))


def _squares(gradient: Tensor) -> Tensor:
    """Squared distance of every row from the mean, ``[K]``, float64."""
    rows = gradient.double()
    return (rows - rows.mean(0)).square().sum(1)
