"""Every estimator against its definition, summed step by step in O(T²), and against each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
from problems import given
from torch import Tensor

from pgrobot.estimators import gae, monte_carlo, n_step, td_lambda, vtrace, window_scan

Columns = dict[str, Tensor]
Estimator = Callable[..., tuple[Tensor, Tensor]]

DISCOUNT = torch.tensor([0.99, 0.9, 1.0], dtype=torch.float64)
SHAPES = [(1, 1, 1), (1, 3, 2), (2, 1, 1), (3, 2, 3), (9, 3, 2), (24, 4, 3)]
PATTERNS = [(seed, shape, share) for seed, shape in enumerate(SHAPES) for share in (0.0, 0.2, 1.0)]
on_patterns = pytest.mark.parametrize(("seed", "shape", "share"), PATTERNS)

# μ = π only where a test says so
VTRACE = partial(vtrace, lam=0.9, rho_bar=1.3, c_bar=1.1, pg_rho_bar=1.2, objective_has_ratio=False)
ESTIMATORS = {
    "monte_carlo": partial(monte_carlo, reward_to_go=True),
    "whole_return": partial(monte_carlo, reward_to_go=False),
    "n_step": partial(n_step, n=3),
    "td_lambda": partial(td_lambda, lam=0.3, target_lam=0.8),
    "gae": partial(gae, lam=0.9),
    "vtrace": VTRACE,
}
for_every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


def random_columns(seed: int, shape: tuple[int, int, int], share: float) -> Columns:
    """Random columns in which each step ends an episode with probability ``share``, in either way.

    Within a piece the next value is the next row's value; at its end it is one of its own.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    steps, envs, _ = shape
    done = torch.rand(steps, envs, generator=generator) < share
    terminated = done & (torch.rand(steps, envs, generator=generator) < 0.5)
    value, next_value = draw(*shape), draw(*shape)
    within = ~done[:-1].unsqueeze(-1)
    next_value[:-1] = torch.where(within, value[1:], next_value[:-1])
    return {
        "reward": draw(*shape),
        "value": value,
        "next_value": next_value,
        "terminated": terminated,
        "done": done,
        "log_ratio": 5.0 * torch.rand(steps, envs, generator=generator, dtype=torch.float64) - 2.5,
    }


def each(shape: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
    steps, envs, columns = shape
    return ((t, n, c) for t in range(steps) for n in range(envs) for c in range(columns))


def is_last(x: Columns, t: int, n: int) -> bool:
    return bool(x["done"][t, n]) or t == x["done"].shape[0] - 1


def future(x: Columns, t: int, n: int, c: int) -> float:
    return 0.0 if x["terminated"][t, n] else float(x["next_value"][t, n, c])


def summed(x: Columns, t: int, n: int, c: int, limit: int) -> float:
    """At most ``limit`` rewards of the piece from step ``t`` on, and the value of where they lead."""
    gamma, total = float(DISCOUNT[c]), 0.0
    for k in range(limit):
        total += gamma**k * float(x["reward"][t + k, n, c])
        if k == limit - 1 or is_last(x, t + k, n):
            return total + gamma ** (k + 1) * future(x, t + k, n, c)
    raise AssertionError


def first(x: Columns, t: int, n: int) -> int:
    while t > 0 and not x["done"][t - 1, n]:
        t -= 1
    return t


def td_error(x: Columns, t: int, n: int, c: int) -> float:
    return float(x["reward"][t, n, c] + DISCOUNT[c] * future(x, t, n, c) - x["value"][t, n, c])


def ratio(x: Columns, t: int, n: int) -> float:
    return math.exp(float(x["log_ratio"][t, n]))


def corrected(x: Columns, t: int, n: int, c: int, lam: float, rho_bar: float, c_bar: float) -> float:
    """V-trace's v − V: every discounted TD error of the piece with the product of the traces before it."""
    total, trace = 0.0, 1.0
    for k in range(t, x["done"].shape[0]):
        total += trace * min(rho_bar, ratio(x, k, n)) * td_error(x, k, n, c)
        if x["done"][k, n]:
            break
        trace *= float(DISCOUNT[c]) * lam * min(c_bar, ratio(x, k, n))
    return total


def filled(shape: tuple[int, int, int], entry: Callable[[int, int, int], float]) -> Tensor:
    table = torch.empty(shape, dtype=torch.float64)
    for t, n, c in each(shape):
        table[t, n, c] = entry(t, n, c)
    return table


def assert_near(actual: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@on_patterns
def test_monte_carlo_sums_what_is_left_of_its_piece(seed: int, shape: tuple, share: float) -> None:
    x = random_columns(seed, shape, share)
    advantage, target, _ = monte_carlo(given(**x, discount=DISCOUNT[: shape[2]]), reward_to_go=True)
    assert_near(target, filled(shape, lambda t, n, c: summed(x, t, n, c, shape[0])))
    assert_near(advantage, target - x["value"], 0)


@on_patterns
def test_without_reward_to_go_a_step_is_credited_with_its_whole_piece(
    seed: int, shape: tuple, share: float
) -> None:
    x = random_columns(seed, shape, share)
    advantage, target, _ = monte_carlo(given(**x, discount=DISCOUNT[: shape[2]]), reward_to_go=False)
    whole = filled(shape, lambda t, n, c: summed(x, first(x, t, n), n, c, shape[0]))
    assert_near(advantage, whole - x["value"])
    assert_near(target, filled(shape, lambda t, n, c: summed(x, t, n, c, shape[0])))


@on_patterns
@pytest.mark.parametrize("n", [1, 2, 3, 6, 1_000_000])
def test_n_step_sums_n_rewards_and_bootstraps(seed: int, shape: tuple, share: float, n: int) -> None:
    x = random_columns(seed, shape, share)
    advantage, target, _ = n_step(given(**x, discount=DISCOUNT[: shape[2]]), n=n)
    assert_near(target, filled(shape, lambda t, e, c: summed(x, t, e, c, n)))
    assert_near(advantage, target - x["value"], 0)


@on_patterns
def test_td_lambda_mixes_the_n_step_returns(seed: int, shape: tuple, share: float) -> None:
    """The forward view: weights (1 − λ) λ^(n − 1), what is left of them on the piece's whole return."""
    x, lam, steps = random_columns(seed, shape, share), 0.8, shape[0]
    discount = DISCOUNT[: shape[2]]
    mixed = lam ** (steps - 1) * n_step(given(**x, discount=discount), n=steps)[1]
    for n in range(1, steps):
        mixed = mixed + (1 - lam) * lam ** (n - 1) * n_step(given(**x, discount=discount), n=n)[1]
    advantage, target, _ = td_lambda(given(**x, discount=discount), lam=0.0, target_lam=lam)
    assert_near(target, mixed)
    assert_near(advantage, filled(shape, lambda t, n, c: td_error(x, t, n, c)))


@on_patterns
@pytest.mark.parametrize(
    ("lam", "rho_bar", "c_bar", "pg_rho_bar"),
    [(1.0, 1.0, 1.0, 1.0), (0.9, 3.7, 1.5, 2.2), (0.0, 1.0, 1.0, 0.5), (1.0, math.inf, math.inf, math.inf)],
)
def test_vtrace_is_the_sum_of_corrected_td_errors(
    seed: int, shape: tuple, share: float, lam: float, rho_bar: float, c_bar: float, pg_rho_bar: float
) -> None:
    """Log ratios in [−2.5, 2.5], random boundaries: target and policy gradient's advantage, in both of its uses."""
    x = random_columns(seed, shape, share)
    bars = {"lam": lam, "rho_bar": rho_bar, "c_bar": c_bar}
    value = filled(shape, lambda t, n, c: float(x["value"][t, n, c]) + corrected(x, t, n, c, **bars))

    def advantage(t: int, n: int, c: int) -> float:
        if is_last(x, t, n):
            q = future(x, t, n, c)
        else:
            q = lam * float(value[t + 1, n, c]) + (1 - lam) * float(x["value"][t + 1, n, c])
        return float(x["reward"][t, n, c] + DISCOUNT[c] * q - x["value"][t, n, c])

    def estimate(*, objective_has_ratio: bool) -> tuple[Tensor, Tensor, Tensor]:
        arguments = {**bars, "pg_rho_bar": pg_rho_bar, "objective_has_ratio": objective_has_ratio}
        return vtrace(given(**x, discount=DISCOUNT[: shape[2]]), **arguments)

    unweighted = filled(shape, advantage)
    full = x["log_ratio"].exp()
    for has_ratio, multiplied in ((False, torch.ones_like(full)), (True, full)):
        found, target, weight = estimate(objective_has_ratio=has_ratio)
        assert_near(target, value, 1e-11)
        assert_near(found, unweighted, 1e-11)
        assert_near(multiplied * weight, full.clamp(max=pg_rho_bar), 1e-11)


@on_patterns
@pytest.mark.parametrize("lam", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("objective_has_ratio", [False, True])
def test_vtrace_at_ratio_one_is_gae(
    seed: int, shape: tuple, share: float, lam: float, objective_has_ratio: bool
) -> None:
    """μ = π and ρ̄ = c̄ = ρ̄_pg = 1: both the advantage and the target minus V are GAE's advantage."""
    x = random_columns(seed, shape, share)
    x["log_ratio"] = torch.zeros_like(x["log_ratio"])
    discount = DISCOUNT[: shape[2]]
    bars = {"rho_bar": 1.0, "c_bar": 1.0, "pg_rho_bar": 1.0, "objective_has_ratio": objective_has_ratio}
    advantage, target, weight = vtrace(given(**x, discount=discount), lam=lam, **bars)
    expected, _, _ = gae(given(**x, discount=discount), lam=lam)
    assert_near(advantage, expected)
    assert_near(target - x["value"], expected)
    assert_near(weight, torch.ones_like(weight))


@on_patterns
def test_the_ends_of_every_scale_meet(seed: int, shape: tuple, share: float) -> None:
    """λ = 0 and n = 1 are the TD error, λ = 1 and n ≥ T Monte-Carlo minus V; equal λs make TD(λ) GAE."""
    x, discount = random_columns(seed, shape, share), DISCOUNT[: shape[2]]
    error = filled(shape, lambda t, n, c: td_error(x, t, n, c))
    assert_near(gae(given(**x, discount=discount), lam=0.0)[0], error)
    assert_near(n_step(given(**x, discount=discount), n=1)[0], error)
    returns = monte_carlo(given(**x, discount=discount), reward_to_go=True)[0]
    assert_near(gae(given(**x, discount=discount), lam=1.0)[0], returns)
    assert_near(n_step(given(**x, discount=discount), n=shape[0])[0], returns)
    for one, other in zip(
        td_lambda(given(**x, discount=discount), lam=0.6, target_lam=0.6),
        gae(given(**x, discount=discount), lam=0.6),
        strict=True,
    ):
        assert torch.equal(one, other)


@for_every_estimator
@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_episodes_in_one_trace_equal_episodes_apart(estimator: Estimator, ends: str) -> None:
    """Concatenating episodes changes nothing, so nothing leaks across a boundary."""
    one, other = random_columns(5, (9, 2, 3), 0.2), random_columns(6, (13, 2, 3), 0.2)
    one["done"][-1] = True
    one["terminated"][-1] = ends == "terminated"
    joined = {name: torch.cat((one[name], other[name])) for name in one}
    apart = [estimator(given(**x, discount=DISCOUNT)) for x in (one, other)]
    for index, result in enumerate(estimator(given(**joined, discount=DISCOUNT))):
        assert_near(result, torch.cat((apart[0][index], apart[1][index])))


@for_every_estimator
def test_environments_and_columns_do_not_see_each_other(estimator: Estimator) -> None:
    x = random_columns(7, (12, 3, 3), 0.2)
    together = estimator(given(**x, discount=DISCOUNT))
    one = {name: v[:, 1:2, 2:] if v.dim() == 3 else v[:, 1:2] for name, v in x.items()}
    for result, alone in zip(together, estimator(given(**one, discount=DISCOUNT[2:])), strict=True):
        assert torch.equal(result[:, 1:2, 2:] if result.dim() == 3 else result[:, 1:2], alone)


@for_every_estimator
def test_truncation_is_termination_with_the_value_of_its_successor_paid_out(estimator: Estimator) -> None:
    """Adding γ V(s') to the reward of a truncated step and calling it terminated gives the same estimates."""
    x = random_columns(8, (30, 3, 3), 0.3)
    truncated = (x["done"] & ~x["terminated"]).unsqueeze(-1)
    assert truncated.any()
    paid = {
        **x,
        "reward": x["reward"] + DISCOUNT * truncated * x["next_value"],
        "terminated": x["done"],
    }
    for result, other in zip(
        estimator(given(**x, discount=DISCOUNT)), estimator(given(**paid, discount=DISCOUNT)), strict=True
    ):
        assert_near(result, other)


@for_every_estimator
def test_the_value_after_a_terminated_step_counts_for_nothing(estimator: Estimator) -> None:
    x = random_columns(9, (30, 3, 3), 0.3)
    other = {**x, "next_value": x["next_value"] + 100.0 * x["terminated"].unsqueeze(-1)}
    for result, same in zip(
        estimator(given(**x, discount=DISCOUNT)), estimator(given(**other, discount=DISCOUNT)), strict=True
    ):
        assert torch.equal(result, same)


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"vtrace"}))
def test_on_policy_estimators_do_not_read_the_ratio(name: str) -> None:
    x = random_columns(10, (9, 3, 3), 0.2)
    other = {**x, "log_ratio": torch.full_like(x["log_ratio"], math.nan)}
    for result, same in zip(
        ESTIMATORS[name](given(**x, discount=DISCOUNT)),
        ESTIMATORS[name](given(**other, discount=DISCOUNT)),
        strict=True,
    ):
        assert torch.equal(result, same)


@for_every_estimator
def test_single_precision_stays_single(estimator: Estimator) -> None:
    x = random_columns(11, (64, 3, 3), 0.05)
    single = {name: v.float() if v.is_floating_point() else v for name, v in x.items()}
    for result, exact in zip(
        estimator(given(**single, discount=DISCOUNT.float())),
        estimator(given(**x, discount=DISCOUNT)),
        strict=True,
    ):
        assert result.dtype == torch.float32
        torch.testing.assert_close(result.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("log_ratio", [-200.0, 200.0])
@pytest.mark.parametrize("objective_has_ratio", [False, True])
def test_a_vanishing_or_overflowing_ratio_is_clipped_not_nan(
    log_ratio: float, objective_has_ratio: bool
) -> None:
    x = random_columns(12, (6, 2, 3), 0.2)
    x["log_ratio"] = torch.full_like(x["log_ratio"], log_ratio).float()
    bars = {"rho_bar": 1.0, "c_bar": 1.0, "pg_rho_bar": 2.0, "objective_has_ratio": objective_has_ratio}
    advantage, target, weight = vtrace(given(**x, discount=DISCOUNT), lam=0.9, **bars)
    assert advantage.isfinite().all()
    assert target.isfinite().all()
    assert weight.isfinite().all()
    if log_ratio < 0:  # no weight, no correction
        assert_near(target, x["value"])


@pytest.mark.parametrize("steps", [1, 2, 5, 16])
@pytest.mark.parametrize("window", [1, 2, 3, 7, 16, 40])
def test_window_scan_composes_its_recurrence(steps: int, window: int) -> None:
    generator = torch.Generator().manual_seed(steps)
    term = torch.randn(steps, 2, 3, generator=generator, dtype=torch.float64)
    decay = torch.rand(steps, 2, 1, generator=generator, dtype=torch.float64)
    total, product = window_scan(term, decay, window)
    for t in range(steps):
        expected, gain = torch.zeros(2, 3, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
        for k in range(t, t + window):
            expected = expected + (gain * term[k] if k < steps else 0.0)
            gain = gain * (decay[k] if k < steps else 0.0)
        assert_near(total[t], expected)
        assert_near(product[t], gain.expand(2, 3))
