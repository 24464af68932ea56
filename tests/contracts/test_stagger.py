"""Ages are spread: an episode of each environment is cut at a length of its own, and nothing else changes."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from toys import ABOVE, TargetWorld, make

from pgrobot.collectors import SimulationCollector, StaggeredEnvironment
from pgrobot.configure import build, build_environment, compose, validated
from pgrobot.constraints.measure import measure
from pgrobot.errors import PgrobotError
from pgrobot.schemes import LEARNER
from pgrobot.types import Environment, Observation, Step

CHEAP = ("tracker=none", "compile=false", "horizon=16", "num_envs=8")


class Ages(TargetWorld):
    """Episodes that last ``length`` steps; every step from age 100 on costs 1, whatever is done."""

    def restart(self, ids: np.ndarray) -> Observation:
        self._elapsed[ids] = 0
        self._target[ids] = self._random.uniform(-1, 1, len(ids))
        return self._observe()

    def step(self, action: np.ndarray) -> Step:
        old = self._elapsed >= 100
        step = super().step(action)
        step.cost[:, 0] = old
        return step


def collector(environment: Any, horizon: int) -> SimulationCollector:
    return make(environment, horizon=horizon)[0]


class Played:
    """Steps of an environment in which it is no matter what is done, from its first on."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._action = np.zeros((environment.spec.num_envs, 1))
        self._age = np.zeros(environment.spec.num_envs, dtype=np.int64)
        environment.reset()

    def __call__(self, steps: int) -> tuple[torch.Tensor, ...]:
        """Cost ``[T, N, 1]``, done, censored and age ``[T, N]`` of the next steps."""
        rows = []
        for _ in range(steps):
            step = self._environment.step(self._action)
            done = step.terminated | step.truncated
            rows.append((step.cost, done, step.censored, self._age))
            self._age = np.where(done, 0, self._age + 1)
        return tuple(torch.tensor(np.stack(column)) for column in zip(*rows, strict=True))


def spent(played: Played) -> float:
    """What an episode of 1,000 steps is measured to cost, from the next 32."""
    parts = played(32)
    never = torch.zeros(parts[0].shape, dtype=torch.bool)
    return measure(*parts, never, (ABOVE,), 0.99, 1000).cost.item()


def test_the_measured_cost_has_no_saw_tooth() -> None:
    """64 environments, 32 of 1,000 ages in a rollout: from lock-step 0 or 1,000 is measured where 900 is true."""
    lock_step = Played(Ages(64, 0, length=1000))
    spread = Played(StaggeredEnvironment(Ages(64, 0, length=1000), np.random.default_rng(0)))
    before, after = ([spent(each) for _ in range(66)] for each in (lock_step, spread))
    assert before[:3] == [0.0] * 3
    assert before[4:31] == [1000.0] * 27
    assert before[32:34] == [0.0] * 2
    assert after[:3] == [0.0] * 3, "nobody is 100 steps old"
    assert after[3] > 700.0
    assert np.abs(np.diff(after[4:])).max() < 20.0
    assert after[31:] == [900.0] * 35


class OwnLimit(Ages):
    """Truncates its episodes after 100 of the 1,000 steps that it was registered with; costs 1 from age 50 on."""

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs, 0, length=100)
        self._inner, self.spec = self.spec, replace(self.spec, max_episode_steps=1000)

    def step(self, action: np.ndarray) -> Step:
        old, outer = self._elapsed >= 50, self.spec
        self.spec = self._inner
        step = super().step(action)
        self.spec = outer
        step.cost[:, 0] = old
        return step


def test_a_limit_that_only_the_episodes_show_makes_no_saw_tooth_either() -> None:
    """In lock-step anything from 0 to 500 is measured where 50 is true."""
    spread = Played(StaggeredEnvironment(OwnLimit(64), np.random.default_rng(0)))
    measured = [spent(spread) for _ in range(30)]
    assert max(measured[:4]) > 400.0, "before the first limit is seen, nobody knows of it"
    np.testing.assert_allclose(measured[8:], 50.0, atol=2.0)


def test_limits_that_were_shown_are_part_of_the_state() -> None:
    whole, other = (StaggeredEnvironment(OwnLimit(8), np.random.default_rng(0)) for _ in range(2))
    Played(whole)(120)
    other.reset()
    other.load_state_dict(whole.state_dict())
    limits = whole.state_dict()["stagger_limit"]
    assert set(limits.tolist()) <= {100, 1000}, "who was cut before shows none"
    assert (limits == 100).sum() >= 6
    for key in ("stagger", "stagger_limit"):
        assert torch.equal(other.state_dict()[key], whole.state_dict()[key])


def lengths(count: int, limit: int, seed: int = 0) -> np.ndarray:
    """The age of every environment when it is cut, or the limit."""
    environment = StaggeredEnvironment(Ages(count, 0, length=limit), np.random.default_rng(seed))
    _, done, censored, _ = Played(environment)(limit)
    first = done.int().argmax(dim=0)
    assert torch.equal(censored.sum(dim=0), (first < limit - 1).long()), "one cut, if any"
    return first.numpy() + 1


def test_lengths_lie_evenly_and_do_not_depend_on_how_many_there_are() -> None:
    many = lengths(64, 300)
    for count in (2, 7, 32):
        assert np.array_equal(lengths(count, 300), many[:count])
        gaps = np.diff(np.sort(many[:count]), prepend=0, append=300)
        assert gaps.max() < 2.7 * 300 / count
    assert np.diff(np.sort(many)).max() <= 10
    assert not np.array_equal(lengths(64, 300, seed=1), many)


def test_a_length_is_uniform_and_the_limit_is_one_of_them() -> None:
    drawn = np.stack([lengths(3, 5, seed=seed) for seed in range(400)])
    for column in drawn.T:
        counts = np.bincount(column, minlength=6)
        assert counts[0] == 0
        assert (np.abs(counts[1:] - 80) < 4 * np.sqrt(80)).all()


def test_a_cut_is_a_truncation_with_the_true_successor_and_counts_in_no_statistic() -> None:
    environment = StaggeredEnvironment(Ages(5, 0, length=40), np.random.default_rng(2))
    each, learner = make(environment, horizon=40, minibatch=40)
    rollout = each.collect()["robot"]
    cut = rollout.censored
    assert cut.any()
    assert torch.equal(cut & rollout.truncated & ~rollout.terminated, cut)
    assert each.ended == int((rollout.done & ~cut).sum()), (
        "a cut is no end beside which a broken one is one of two"
    )
    progress = rollout.next_obs["policy"][..., 1] * 40
    torch.testing.assert_close(progress[cut], (rollout.age[cut] + 1).float())
    time, env = cut.nonzero()[0].tolist()
    if time + 1 < 40:
        assert rollout.age[time + 1, env] == 0
        assert rollout.obs["policy"][time + 1, env, 1] == 0.0
    assert np.isfinite(learner.update(rollout)["cost/above/mean"])


class Falls(Ages):
    """Ends by itself whatever is shown, with probability one half."""

    def __init__(self, num_envs: int, seed: int) -> None:
        super().__init__(num_envs, seed, length=40, fatal=0.0)


def test_of_episodes_that_end_by_themselves_the_first_that_lives_so_long_is_cut() -> None:
    plain = collector(Falls(64, 3), 40).collect()["robot"]
    rollout = collector(StaggeredEnvironment(Falls(64, 3), np.random.default_rng(3)), 40).collect()["robot"]
    length = lengths(64, 40, seed=3)
    ages = rollout.age.numpy() + 1
    for env, column in enumerate(rollout.censored.numpy().T):
        assert column.sum() <= 1
        cuts = np.flatnonzero(column)
        until = cuts[0] if len(cuts) else len(column)
        assert (ages[:until, env] < length[env]).all()
        assert (ages[cuts, env] == length[env]).all()
    assert 0 < int(rollout.censored.any(dim=0).sum()) < 48
    both = rollout.censored & rollout.terminated
    assert both.any(), "an end in the very step of the cut is an end for learning, and tells nothing"
    assert not plain.censored.any()


class Learns(Ages):
    """Falls at age 3 in its first 100 steps, and never again."""

    def __init__(self, num_envs: int, seed: int) -> None:
        super().__init__(num_envs, seed, length=1000)
        self._steps = 0

    def step(self, action: np.ndarray) -> Step:
        self._steps += 1
        self._fatal = np.where((self._steps <= 100) & (self._elapsed == 3), -2.0, 2.0)
        return super().step(action)


def test_robots_that_learn_to_stand_all_at_once_do_not_go_in_lock_step() -> None:
    played = Played(StaggeredEnvironment(Learns(64, 0), np.random.default_rng(0)))
    played(1100)
    *_, age = played(1)
    assert len(age.unique()) >= 60
    assert np.diff(np.sort(age[0].numpy())).max() < 2.7 * 1000 / 64


def test_without_a_way_to_restart_it_is_refused_in_a_sentence() -> None:
    with pytest.raises(PgrobotError, match=r"Target has no method restart\(ids\), by which training"):
        StaggeredEnvironment(TargetWorld(4, 0), np.random.default_rng(0))  # type: ignore[arg-type]


class Partial(Ages):
    """Observes only what began anew, where all are asked for."""

    def restart(self, ids: np.ndarray) -> Observation:
        return {"policy": super().restart(ids)["policy"][ids]}


def test_a_restart_that_does_not_observe_all_is_refused_in_a_sentence() -> None:
    """Of one environment that is cut alone, the row would be taken for everybody's."""
    each = collector(StaggeredEnvironment(Partial(3, 0, length=100), np.random.default_rng(0)), 99)
    sentence = (
        r"what restart\(ids\) returned\['policy'\] of Target has to be numbers \(3, 2\), not float64 \(1, 2\)"
    )
    with pytest.raises(PgrobotError, match=sentence):
        each.collect()


class Bounded(gymnasium.Env):
    """Shows its step; ends never."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._state = np.array([0.0, self.np_random.random()])
        return self._state.copy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._state += [1.0, 0.1 * float(action[0])]
        return self._state.copy(), 1.0, False, False, {"cost": 1.0}


@pytest.fixture(autouse=True, scope="module")
def _registered() -> Any:
    gymnasium.register("toys/Bounded-v0", Bounded, max_episode_steps=30)
    yield
    del gymnasium.registry["toys/Bounded-v0"]


TASKS = {
    "batch": ("task=hopper", "constraint=[speed,action_rate]", "task.max_episode_steps=30"),
    "world": ("task=lqr", "constraint=[]", "task.max_episode_steps=30"),
    "serial": ("task=gymnasium", "task.id=toys/Bounded-v0", "constraint=cost"),
}


def config(task: str, *overrides: str) -> Any:
    return validated(compose([*CHEAP, *TASKS[task], *overrides]))


def actions(environment: Environment, steps: int) -> np.ndarray:
    random = np.random.default_rng(5)
    return random.uniform(-0.1, 0.1, (steps, environment.spec.num_envs, environment.spec.action_low.size))


@pytest.mark.parametrize("task", TASKS)
def test_a_restart_touches_no_other_environment_and_nothing_of_the_last_step(task: str) -> None:
    cfg = config(task)
    left_alone, other = (build_environment(cfg, 8, 0, 1) for _ in range(2))
    played = actions(other, 12)
    others = [0, 2, 3, 5, 6, 7]
    for environment in (left_alone, other):
        environment.reset()
    for t, action in enumerate(played):
        expected, step = left_alone.step(action), other.step(action)
        for name in ("reward", "cost", "terminated", "truncated"):
            assert np.array_equal(getattr(step, name)[others], getattr(expected, name)[others])
        for obs in ("obs", "next_obs"):
            assert np.array_equal(
                getattr(step, obs)["policy"][others], getattr(expected, obs)["policy"][others]
            )
        if t == 4:
            kept = {name: getattr(step, name).copy() for name in ("reward", "cost", "terminated")}
            successor = step.next_obs["policy"].copy()
            seen = other.restart(np.array([1, 4]))["policy"]
            assert np.array_equal(step.next_obs["policy"], successor)
            assert all(np.array_equal(getattr(step, name), value) for name, value in kept.items())
            assert np.array_equal(seen[others], successor[others])
            assert (seen[[1, 4]] != successor[[1, 4]]).any(axis=1).all()
    for environment in (left_alone, other):
        environment.close()


@pytest.mark.parametrize("task", TASKS)
def test_training_is_staggered_and_continues_to_the_last_bit(task: str) -> None:
    whole, parts = (build(config(task), 1) for _ in range(2))
    expected = [whole.collector.collect()[LEARNER] for _ in range(3)]
    assert any(rollout.censored.any() for rollout in expected)
    parts.collector.collect()
    file = io.BytesIO()
    torch.save(parts.collector.state_dict(), file)
    file.seek(0)
    resumed = build(config(task), 1)
    resumed.collector.load_state_dict(torch.load(file, weights_only=True))
    for rollout in expected[1:]:
        found = resumed.collector.collect()[LEARNER]
        for name in ("action", "reward", "censored", "truncated", "age"):
            assert torch.equal(getattr(found, name), getattr(rollout, name)), name
    for assembly in (whole, parts, resumed):
        assembly.environment.close()


def test_until_the_first_cut_it_is_what_it_would_be_without() -> None:
    """No random stream hears of it: not the resets', not the action noise's."""
    cfg = config("batch")
    assembly = build(cfg, 1)
    rollout = assembly.collector.collect()[LEARNER]
    plain_program = build(cfg, 1)
    environment = plain_program.environment
    assert isinstance(environment, StaggeredEnvironment)
    environment._left[:] = 0  # nobody is to be cut
    plain = plain_program.collector.collect()[LEARNER]
    until = int(rollout.censored.any(dim=1).int().argmax())
    assert 0 < until < 16
    for name in ("action", "reward", "terminated"):
        assert torch.equal(getattr(rollout, name)[: until + 1], getattr(plain, name)[: until + 1])
    never = ~(rollout.censored | plain.done).any(dim=0)
    assert torch.equal(rollout.next_obs["policy"][:, never], plain.next_obs["policy"][:, never])


@pytest.mark.parametrize(
    "overrides", [("num_envs=1", "horizon=64", "task.max_episode_steps=100"), ("horizon=32",)]
)
def test_one_environment_or_rollouts_of_every_age_are_not_staggered(overrides: tuple[str, ...]) -> None:
    assembly = build(config("world", *overrides), 1)
    assert not isinstance(assembly.environment, StaggeredEnvironment)


def test_evaluation_is_not_staggered() -> None:
    cfg = config("batch")
    assert not isinstance(build_environment(cfg, 8, 0, 1), StaggeredEnvironment)
