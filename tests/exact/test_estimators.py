"""Advantage estimators against their definitions."""

from __future__ import annotations

import pytest
import torch
from problems import given
from torch import Tensor

from pgrobot.estimators import gae, reverse_scan

DISCOUNT = torch.tensor([0.99, 0.9, 1.0], dtype=torch.float64)


def random_pattern(seed: int, steps: int, envs: int) -> dict[str, Tensor]:
    """Three columns with random terminated, truncated and batch-end boundaries."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    terminated = torch.rand(steps, envs, generator=generator) < 0.15
    truncated = (torch.rand(steps, envs, generator=generator) < 0.15) & ~terminated
    return {
        "reward": draw(steps, envs, 3),
        "value": draw(steps, envs, 3),
        "next_value": draw(steps, envs, 3),
        "terminated": terminated,
        "done": terminated | truncated,
        "log_ratio": torch.zeros(steps, envs, dtype=torch.float64),
    }


def brute_force(x: dict[str, Tensor], discount: Tensor, lam: float) -> Tensor:
    """The definition: every advantage as its own sum of discounted TD errors up to the first boundary."""
    steps, envs, columns = x["reward"].shape
    advantage = torch.zeros(steps, envs, columns, dtype=torch.float64)
    for t in range(steps):
        for n in range(envs):
            for c in range(columns):
                for k in range(t, steps):
                    future = 0.0 if x["terminated"][k, n] else float(x["next_value"][k, n, c])
                    delta = float(x["reward"][k, n, c] + discount[c] * future - x["value"][k, n, c])
                    advantage[t, n, c] += (float(discount[c]) * lam) ** (k - t) * delta
                    if x["done"][k, n]:
                        break
    return advantage


@pytest.mark.parametrize(("seed", "steps", "envs"), [(0, 1, 1), (1, 2, 3), (2, 17, 4), (3, 40, 2)])
@pytest.mark.parametrize("lam", [0.0, 0.5, 0.95, 1.0])
def test_gae_is_the_sum_of_discounted_td_errors(seed: int, steps: int, envs: int, lam: float) -> None:
    x = random_pattern(seed, steps, envs)
    advantage, target, _ = gae(given(**x, discount=DISCOUNT), lam=lam)
    torch.testing.assert_close(advantage, brute_force(x, DISCOUNT, lam), rtol=0, atol=1e-12)
    torch.testing.assert_close(target, advantage + x["value"], rtol=0, atol=0)


def test_monte_carlo_at_lambda_one() -> None:
    """λ = 1: the target is the discounted return, bootstrapped where the trace is cut but not terminated."""
    x = random_pattern(4, 30, 3)
    inside = ~x["done"][:-1].unsqueeze(-1)  # there the successor is the next row, so its value is that row's
    x["next_value"][:-1] = torch.where(inside, x["value"][1:], x["next_value"][:-1])
    _, target, _ = gae(given(**x, discount=DISCOUNT), lam=1.0)
    running = x["next_value"][-1]
    for t in reversed(range(30)):
        future = torch.where(x["done"][t][:, None], x["next_value"][t], running)
        future = torch.where(x["terminated"][t][:, None], 0.0, future)
        running = x["reward"][t] + DISCOUNT * future
        torch.testing.assert_close(target[t], running, rtol=0, atol=1e-11)


def test_episodes_in_one_trace_equal_episodes_apart() -> None:
    """Concatenating episodes changes nothing: no advantage leaks across a boundary."""
    first, second = random_pattern(5, 9, 2), random_pattern(6, 13, 2)
    first["terminated"][-1], first["done"][-1] = torch.tensor([True, False]), torch.tensor([True, True])
    joined = {name: torch.cat((first[name], second[name])) for name in first}
    apart = torch.cat([gae(given(**x, discount=DISCOUNT), lam=0.9)[0] for x in (first, second)])
    torch.testing.assert_close(gae(given(**joined, discount=DISCOUNT), lam=0.9)[0], apart, rtol=0, atol=1e-12)


def test_value_of_an_endless_loop_is_one_over_one_minus_gamma() -> None:
    """A constant reward that is only ever truncated is worth 1 / (1 − γ); terminated, it is worth what is left."""
    steps, gamma = 50, torch.tensor([0.9], dtype=torch.float64)
    value = torch.full((steps, 1, 1), 10.0, dtype=torch.float64)
    zeros = torch.zeros(steps, 1, dtype=torch.bool)
    last = zeros.clone()
    last[-1] = True
    arguments = {"reward": torch.ones_like(value), "value": value, "next_value": value, "discount": gamma}
    log_ratio = torch.zeros(steps, 1, dtype=torch.float64)
    truncated, _, _ = gae(given(**arguments, terminated=zeros, done=last, log_ratio=log_ratio), lam=0.95)
    torch.testing.assert_close(truncated, torch.zeros_like(truncated), rtol=0, atol=1e-12)
    _, target, _ = gae(given(**arguments, terminated=last, done=last, log_ratio=log_ratio), lam=1.0)
    left = torch.arange(steps, 0, -1, dtype=torch.float64).view(-1, 1, 1)
    torch.testing.assert_close(target, (1 - 0.9**left) / (1 - 0.9), rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 31, 64])
def test_reverse_scan_solves_its_recurrence(steps: int) -> None:
    generator = torch.Generator().manual_seed(steps)
    term = torch.randn(steps, 2, 3, generator=generator, dtype=torch.float64)
    decay = torch.rand(steps, 2, 1, generator=generator, dtype=torch.float64)
    expected = torch.zeros(2, 3, dtype=torch.float64)
    solved = reverse_scan(term, decay)
    for t in reversed(range(steps)):
        expected = term[t] + decay[t] * expected
        torch.testing.assert_close(solved[t], expected, rtol=0, atol=1e-13)
