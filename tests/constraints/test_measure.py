from __future__ import annotations

import numpy as np
import pytest
import torch

from pgrobot.constraints import Constraint, CostColumns
from pgrobot.constraints.measure import Measurement, measure

UNITS = ("episode", "discounted", "probability", "step")
GAMMA = 0.97


def constraints(limit: float) -> tuple[Constraint, ...]:
    return tuple(Constraint(unit, 0.5, unit, limit) for unit in UNITS)


def whole_episodes(
    seed: int, envs: int, steps: int, longest: int
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Cost ``[T, N]`` and ends ``[T, N]`` of environments whose episodes fill the rollout, and the episodes."""
    random = np.random.default_rng(seed)
    cost = random.integers(0, 3, (steps, envs)) * random.random((steps, envs))
    done = random.random((steps, envs)) < 0.15
    done[-1] = True
    episodes = []
    for n in range(envs):
        start = 0
        for t in range(steps):
            done[t, n] |= t - start == longest - 1
            if done[t, n]:
                episodes.append(cost[start : t + 1, n])
                start = t + 1
    return cost, done, episodes


def pieces(
    cost: torch.Tensor,
    done: torch.Tensor,
    age_at_start: torch.Tensor,
    paid_at_start: torch.Tensor,
    limited: tuple[Constraint, ...],
    longest: int,
) -> Measurement:
    """Measure a rollout of pieces that begin at given ages, nothing of it censored."""
    age, paid = [age_at_start], [paid_at_start]
    for pay, over in zip(cost, done, strict=True):
        age.append(torch.where(over, 0, age[-1] + 1))
        paid.append((paid[-1] | (pay > 0)) & ~over.unsqueeze(-1))
    none = torch.zeros_like(done)
    return measure(cost, done, none, torch.stack(age[:-1]), torch.stack(paid[:-1]), limited, GAMMA, longest)


def columns_of(cost: np.ndarray, done: np.ndarray, limited: tuple[Constraint, ...]) -> torch.Tensor:
    columns = CostColumns(limited, cost.shape[1])
    return torch.tensor(
        np.stack(
            [
                columns(np.repeat(c[:, None], len(limited), 1), d).copy()
                for c, d in zip(cost, done, strict=True)
            ]
        )
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("longest", [8, 12, 40])
def test_whole_episodes_are_averaged_plainly(seed: int, longest: int) -> None:
    limit = 2.0
    limited = constraints(limit)
    cost, done, episodes = whole_episodes(seed, envs=6, steps=40, longest=longest)
    measured = pieces(
        columns_of(cost, done, limited),
        torch.tensor(done),
        torch.zeros(6, dtype=torch.long),
        torch.zeros(6, 4, dtype=torch.bool),
        limited,
        longest,
    )
    sums = [episode.sum() for episode in episodes]
    discounted = [(episode * GAMMA ** np.arange(len(episode))).sum() for episode in episodes]
    expected = [np.mean(sums), np.mean(discounted), np.mean(np.array(sums) > limit), cost.mean()]
    assert measured.cost.tolist() == pytest.approx(expected, rel=1e-12)
    lengths = np.array([len(episode) for episode in episodes])
    discounted = np.mean((1 - GAMMA**lengths) / (1 - GAMMA))
    assert measured.length == pytest.approx(lengths.mean(), rel=1e-12)
    steps = [lengths.mean(), discounted, lengths.mean(), 1.0]
    assert measured.steps.tolist() == pytest.approx(steps, rel=1e-12)


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_a_constant_rate_costs_rate_times_length_at_any_ages(steps: int) -> None:
    length, envs, rate = 50, 9, 0.3
    age = torch.randint(0, length, (envs,), generator=torch.Generator().manual_seed(0))
    ends = (age + torch.arange(1, steps + 1).unsqueeze(1)) % length == 0
    cost = torch.full((steps, envs, 4), rate, dtype=torch.float64)
    never = torch.zeros(envs, 4, dtype=torch.bool)
    kinds = (*constraints(1.0)[:2], *constraints(1.0)[3:])
    measured = pieces(cost[..., :3], ends, age, never[:, :3], kinds, length)
    episode, discounted, step = measured.cost.tolist()
    assert measured.length == pytest.approx(length, rel=1e-12)
    assert episode == pytest.approx(rate * length, rel=1e-12)
    assert discounted == pytest.approx(rate * (1 - GAMMA**length) / (1 - GAMMA), rel=1e-12)
    assert step == pytest.approx(rate, rel=1e-12)


def test_no_finished_episode_is_no_special_case() -> None:
    cost = torch.tensor([[1.0, 0.0], [1.0, 1.0]]).unsqueeze(-1)
    going = torch.zeros(2, 2, dtype=torch.bool)
    one = Constraint("c", 1.0, "episode", 1.0)
    start, never = torch.tensor([0, 10]), torch.zeros(2, 1, dtype=torch.bool)
    measured = pieces(cost, going, start, never, (one,), 1000).cost
    # ages 0, 1 cost 1; 10, 11 cost 0, 1; the 50 ages around take the mean of what is near, all others of all
    known = {0: 1.0, 1: 1.0, 10: 0.0, 11: 1.0}
    expected = 0.0
    for age in range(1000):
        near = [c for a, c in known.items() if abs(a - age) <= 50] or list(known.values())
        expected += known[age] if age in known else float(np.mean(near))
    assert measured.item() == pytest.approx(expected, rel=1e-12)


def test_no_constraints_measure_nothing() -> None:
    empty = torch.zeros(3, 2, 0)
    going = torch.zeros(3, 2, dtype=torch.bool)
    start = torch.zeros(2, dtype=torch.long)
    measured = pieces(empty, going, start, torch.zeros(2, 0, dtype=torch.bool), (), 10)
    assert measured.cost.shape == measured.steps.shape == (0,)
    assert measured.length == 10.0


def test_a_probability_is_one_when_every_running_episode_has_exceeded() -> None:
    cost, going = torch.zeros(4, 3, 1), torch.zeros(4, 3, dtype=torch.bool)
    likely = (Constraint("p", 0.1, "probability", 1.0),)
    age = torch.full((3,), 20)
    for before in (True, False):
        paid = torch.full((3, 1), before)
        assert pieces(cost, going, age, paid, likely, 100).cost.item() == float(before)


def test_who_has_exceeded_does_not_count_as_able_to() -> None:
    # two of four exceeded before the rollout; of the others one exceeds at its last step, with 4 ages to be seen
    cost = torch.zeros(2, 4, 1)
    cost[1, 3] = 1.0
    before = torch.tensor([[True], [True], [False], [False]])
    age = torch.tensor([2, 2, 0, 2])
    likely = (Constraint("p", 0.1, "probability", 1.0),)
    measured = pieces(cost, torch.zeros(2, 4, dtype=torch.bool), age, before, likely, 4)
    assert measured.cost.item() == 1.0  # at age 3 everybody who still could has exceeded


def exact(hazard: np.ndarray, cost: np.ndarray) -> tuple[float, float]:
    """Episode sum and discounted sum for a hazard and a mean cost by age ``[L]``."""
    survival = np.concatenate([[1.0], np.cumprod(1.0 - hazard[:-1])])
    return float((survival * cost).sum()), float((survival * cost * GAMMA ** np.arange(len(cost))).sum())


def rollouts(
    hazard: np.ndarray,
    cost: np.ndarray,
    kinds: np.ndarray,
    envs: int,
    steps: int,
    count: int,
    seed: int,
    broken: float = 0.0,
) -> np.ndarray:
    """Measured costs in all four units, and the length, ``[count, 5]`` in steady state.

    ``hazard`` and ``cost`` are ``[kinds, L]``; every episode is of a kind drawn with probabilities ``kinds``. A step
    breaks its simulation with probability ``broken`` and then costs nothing.
    """
    random = np.random.default_rng(seed)
    longest = hazard.shape[1]
    limited = constraints(4.0)
    columns = CostColumns(limited, envs)
    age = np.zeros(envs, dtype=np.int64)
    kind = random.choice(len(kinds), envs, p=kinds)
    measured = []
    burn_in = -(-4 * longest // steps)
    for rollout in range(burn_in + count):
        rows = []
        for _ in range(steps):
            pay = (random.random(envs) < cost[kind, age]).astype(float)
            done = (random.random(envs) < hazard[kind, age]) | (age == longest - 1)
            if broken:
                breaks = random.random(envs) < broken
                pay, done = pay * ~breaks, done | breaks
            else:
                breaks = np.zeros_like(done)
            paid = columns.paid.copy()
            rows.append((columns(np.repeat(pay[:, None], 4, 1), done).copy(), done, breaks, age, paid))
            age = np.where(done, 0, age + 1)
            kind = np.where(done, random.choice(len(kinds), envs, p=kinds), kind)
        if rollout >= burn_in:
            stacked = (torch.tensor(np.stack(column)) for column in zip(*rows, strict=True))
            found = measure(*stacked, limited, GAMMA, longest)
            measured.append([*found.cost.tolist(), found.length])
    return np.array(measured)


def assert_unbiased(sample: np.ndarray, truth: float, slack: float) -> None:
    """The mean of ``sample`` lies within four standard errors, and a relative bias of ``slack``, of the truth."""
    error = sample.std() / np.sqrt(len(sample))
    assert abs(sample.mean() - truth) < 4 * error + slack * truth, (sample.mean(), error, truth)


@pytest.mark.parametrize(("envs", "steps"), [(400, 3), (100, 16)])
def test_unbiased_where_every_age_is_visited(envs: int, steps: int) -> None:
    age = np.arange(20)
    hazard, cost = np.where(age == 5, 0.4, 0.03)[None], (0.1 + 0.04 * age)[None]
    measured = rollouts(hazard, cost, np.ones(1), envs, steps, 150, seed=0)
    episode, discounted = exact(hazard[0], cost[0])
    assert_unbiased(measured[:, 0], episode, 0.0)
    assert_unbiased(measured[:, 1], discounted, 0.0)
    assert_unbiased(measured[:, 4], exact(hazard[0], np.ones(20))[0], 0.0)


def test_unbiased_for_a_mixture_of_kinds_of_episode() -> None:
    hazard = np.stack([np.full(30, 0.3), np.full(30, 0.01)])
    cost = np.stack([np.full(30, 0.9), np.full(30, 0.1)])
    measured = rollouts(hazard, cost, np.array([0.7, 0.3]), 200, 4, 200, seed=1)
    truths = [exact(h, c) for h, c in zip(hazard, cost, strict=True)]
    assert_unbiased(measured[:, 0], 0.7 * truths[0][0] + 0.3 * truths[1][0], 0.0)
    assert_unbiased(measured[:, 1], 0.7 * truths[0][1] + 0.3 * truths[1][1], 0.0)


@pytest.mark.parametrize("broken", [0.0, 0.05])
def test_a_probability_is_unbiased(broken: float) -> None:
    hazard, cost = np.full((1, 30), 0.05), np.full((1, 30), 0.2)
    measured = rollouts(hazard, cost, np.ones(1), 300, 5, 200, seed=2, broken=broken)
    # exact: a walk over (age, payments so far), absorbed above 4 payments
    alive, exceeded = np.array([1.0, 0, 0, 0, 0]), 0.0
    for _ in range(30):
        exceeded += alive[4] * 0.2
        alive = 0.95 * (0.8 * alive + 0.2 * np.concatenate([[0.0], alive[:4]]))
    assert_unbiased(measured[:, 2], exceeded, 0.01)


@pytest.mark.parametrize(("envs", "steps"), [(64, 32), (8, 256)])
def test_nearly_unbiased_where_most_ages_are_visited_seldom(envs: int, steps: int) -> None:
    hazard, cost = np.full((1, 1000), 0.01), np.full((1, 1000), 0.2)
    measured = rollouts(hazard, cost, np.ones(1), envs, steps, 150, seed=3)
    episode, discounted = exact(hazard[0], cost[0])
    assert_unbiased(measured[:, 0], episode, 0.05)
    assert_unbiased(measured[:, 1], discounted, 0.02)


def test_early_ends_do_not_hide_what_the_long_episodes_spend() -> None:
    """Two of three episodes end early and cost nothing; of the long ones few end within a rollout."""
    age = np.arange(200)
    hazard, cost = np.where(age < 10, 0.1, 0.0)[None], np.where(age < 10, 0.0, 0.5)[None]
    episode, _ = exact(hazard[0], cost[0])
    measured = rollouts(hazard, cost, np.ones(1), 64, 16, 300, seed=4)
    assert_unbiased(measured[:, 0], episode, 0.05)


def test_a_rollout_of_first_steps_sees_more_than_the_episodes_it_finishes() -> None:
    """Fresh environments: the episodes that finish are the short, cheap ones, and their average would be 0."""
    random = np.random.default_rng(6)
    length = np.where(random.random(200) < 0.6, random.integers(1, 10, 200), 1000)
    age = np.zeros(200, dtype=np.int64)
    cost, done = np.zeros((60, 200)), np.zeros((60, 200), dtype=bool)
    for t in range(60):
        cost[t], done[t] = age >= 10, age + 1 == length
        length = np.where(
            done[t], np.where(random.random(200) < 0.6, random.integers(1, 10, 200), 1000), length
        )
        age = np.where(done[t], 0, age + 1)
    measured = pieces(
        torch.tensor(cost).unsqueeze(-1),
        torch.tensor(done),
        torch.zeros(200, dtype=torch.long),
        torch.zeros(200, 1, dtype=torch.bool),
        (Constraint("c", 1.0, "episode", 1.0),),
        60,
    )
    assert measured.cost.item() == pytest.approx(0.4 * 50, rel=0.15)


def test_ages_beyond_the_stated_limit_are_measured_too() -> None:
    cost, going = torch.ones(5, 1, 1), torch.zeros(5, 1, dtype=torch.bool)
    one = (Constraint("c", 1.0, "episode", 1.0),)
    start, never = torch.tensor([8]), torch.zeros(1, 1, dtype=torch.bool)
    measured = pieces(cost, going, start, never, one, 10)
    assert measured.cost.item() == measured.length == pytest.approx(13.0)


def test_a_broken_simulation_is_no_end_and_its_step_costs_what_is_not_known() -> None:
    """1 % of the steps break and cost nothing; every other one costs 1, so an episode costs its whole length."""
    limited = constraints(999.5)
    columns, random = CostColumns(limited, 64), np.random.default_rng(0)
    age, rows = np.arange(64) * 15, []
    for _ in range(320):
        broken = random.random(64) < 0.01
        done, paid = broken | (age == 999), columns.paid.copy()
        pay = columns(np.repeat(~broken[:, None], 4, 1).astype(float), done).copy()
        rows.append((pay, done, broken, age, paid))
        age = np.where(done, 0, age + 1)
    assert sum(broken.sum() for _, _, broken, _, _ in rows) > 150
    stacked = [torch.tensor(np.stack(column)) for column in zip(*rows, strict=True)]
    measured = measure(*stacked, limited, GAMMA, 1000)
    episode, discounted, _, step = measured.cost.tolist()
    assert (episode, step, measured.length) == pytest.approx((1000.0, 1.0, 1000.0), rel=1e-12)
    assert discounted == pytest.approx((1 - GAMMA**1000) / (1 - GAMMA), rel=1e-12)


def test_unbiased_though_simulations_break() -> None:
    age = np.arange(20)
    hazard, cost = np.where(age == 5, 0.4, 0.03)[None], (0.1 + 0.04 * age)[None]
    measured = rollouts(hazard, cost, np.ones(1), 400, 3, 150, seed=5, broken=0.05)
    episode, discounted = exact(hazard[0], cost[0])
    assert_unbiased(measured[:, 0], episode, 0.0)
    assert_unbiased(measured[:, 1], discounted, 0.0)
    assert_unbiased(measured[:, 4], exact(hazard[0], np.ones(20))[0], 0.0)


def test_a_rollout_of_which_nothing_is_known_is_no_number() -> None:
    everything, cost = torch.ones(3, 2, dtype=torch.bool), torch.zeros(3, 2, 2)
    limited = (Constraint("a", 1.0, "step", 1.0), Constraint("b", 1.0, "episode", 1.0))
    age, paid = torch.zeros(3, 2, dtype=torch.long), torch.zeros(3, 2, 2, dtype=torch.bool)
    measured = measure(cost, everything, everything, age, paid, limited, GAMMA, 10)
    assert measured.cost.isnan().all()
