"""Gymnasium environments as tasks: equal to Gymnasium itself, costs from info, exact resume, helpful errors."""

from __future__ import annotations

import io
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit

from pgrobot.errors import FailureError, PgrobotError
from pgrobot.simulation.adapters import GymnasiumTask, InfoCost
from pgrobot.simulation.adapters.gymnasium import time_limit
from pgrobot.types import Environment, Observation, Step


class Counter(gymnasium.Env[Any, Any]):
    """Observes its start, drawn from the seed, and the sum of the actions, which is also its reward."""

    metadata = {"render_fps": 20, "render_modes": []}  # noqa: RUF012

    def __init__(self, info: dict[str, Any] | None = None, nan_at: int = -1, chaotic: bool = False) -> None:
        box = spaces.Box(-np.inf, np.inf, (1,), np.float64)
        self.observation_space = spaces.Dict(
            {"start": box, "rest": spaces.Tuple((box, box))}
        )  # Gymnasium sorts the keys
        self.action_space = spaces.Box(
            np.array([[-2.0, -np.inf]]), np.array([[4.0, np.inf]]), (1, 2), np.float64
        )
        self._info, self._nan_at, self._chaotic = info or {}, nan_at, chaotic

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.start = self.np_random.standard_normal()
        self.sum, self.steps = np.zeros(2), 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action.shape == (1, 2)
        self.steps += 1
        self.sum = self.sum + action[0] + self._chaotic * np.random.default_rng().standard_normal(2)
        reward = np.nan if self.steps == self._nan_at else self.sum.sum()
        return self._observe(), reward, bool(self.sum[0] > 100), False, dict(self._info)

    def _observe(self) -> Any:
        return {"start": np.array([self.start]), "rest": (self.sum[:1].copy(), self.sum[1:].copy())}


@pytest.fixture(autouse=True)
def toys() -> Any:
    gymnasium.register("toys/Counter-v0", Counter, max_episode_steps=5)
    gymnasium.register("toys/Endless-v0", Counter)
    yield
    for name in ("toys/Counter-v0", "toys/Endless-v0"):
        del gymnasium.registry[name]


def make(
    name: str, num_envs: int = 1, costs: tuple[str, ...] = (), seed: int = 3, **kwargs: Any
) -> Environment:
    return GymnasiumTask(id=name, kwargs=kwargs).make(num_envs, {name: InfoCost() for name in costs}, seed, 1)


def seen(obs: Observation) -> np.ndarray:
    """All groups side by side, ``[N, D]``."""
    return np.concatenate(list(obs.values()), -1)


def ones(num_envs: int = 1) -> np.ndarray:
    return np.ones((num_envs, 2))


def test_what_a_learner_has_to_know_is_read_from_the_environment() -> None:
    spec = make("toys/Counter-v0", num_envs=3).spec
    assert (spec.name, spec.num_envs) == ("toys/Counter-v0", 3)
    assert dict(spec.widths) == {"rest/0": 1, "rest/1": 1, "start": 1}
    assert spec.observation["rest/1"].names == ("rest/1/0",)
    assert dict(make("Pendulum-v1").spec.widths) == {"policy": 3}
    np.testing.assert_array_equal(spec.action_low, [-2.0, -np.inf])
    np.testing.assert_array_equal(spec.action_high, [4.0, np.inf])
    assert (spec.max_episode_steps, spec.control_dt) == (5, 0.05)
    assert spec.actuators == ("action0", "action1")


def test_actuators_of_mujoco_environments_have_their_names() -> None:
    spec = make("Hopper-v5").spec
    assert spec.actuators == ("thigh_joint", "leg_joint", "foot_joint")
    assert spec.control_dt == pytest.approx(0.008)


def test_every_step_equals_gymnasium_s_own_with_same_step_reset_and_true_successor() -> None:
    environment, horizon = make("Pendulum-v1", num_envs=2), 450
    random = np.random.default_rng(0)
    actions = random.uniform(-2, 2, (horizon, 2, 1))
    ours = [seen(environment.reset()).copy()]
    steps: list[Step] = [environment.step(action) for action in actions]
    for i in range(2):
        theirs = gymnasium.make("Pendulum-v1")
        episode = 0

        def start() -> np.ndarray:
            seed = np.random.SeedSequence(3, spawn_key=(i, episode)).generate_state(1)[0]  # noqa: B023
            return theirs.reset(seed=int(seed))[0]  # noqa: B023

        np.testing.assert_array_equal(ours[0][i], start())
        for step, action in zip(steps, actions, strict=True):
            obs, reward, terminated, truncated, _ = theirs.step(action[i].astype(np.float32))
            np.testing.assert_array_equal(seen(step.next_obs)[i], obs)
            assert (step.reward[i], step.terms[i, 0]) == (reward, reward)
            assert (step.terminated[i], step.truncated[i]) == (terminated, truncated)
            if truncated:
                episode += 1
                obs = start()
            np.testing.assert_array_equal(seen(step.obs)[i], obs)
        assert episode == 2


def test_an_environment_s_randomness_does_not_depend_on_how_many_there_are() -> None:
    alone, together = make("toys/Counter-v0"), make("toys/Counter-v0", num_envs=3)
    first = [seen(alone.reset())[0, 2], *(seen(alone.step(ones()).obs)[0, 2] for _ in range(12))]
    second = [
        seen(together.reset())[0, 2],
        *(seen(together.step(ones(3)).obs)[0, 2] for _ in range(12)),
    ]
    assert first == second
    assert len(set(first)) == 3  # a new start after every fifth step
    assert len(set(seen(together.reset())[:, 2])) == 3


@pytest.mark.parametrize(
    ("constraints", "info", "cost"),
    [
        (("speed",), {"cost/speed": 3.0, "cost_speed": 1.0, "cost": 2.0}, [3.0]),
        (("speed",), {"cost_speed": 1.0, "cost": 2.0}, [1.0]),
        (("cost",), {"cost": 2}, [2.0]),
        (("cost", "speed"), {"cost": np.array([2.0]), "cost_speed": np.array([[1.0]])}, [2.0, 1.0]),
        (("a", "b"), {"cost/b": 1.0, "cost_a": True}, [1.0, 1.0]),
        ((), {}, []),
    ],
)
def test_costs_come_from_info(constraints: tuple[str, ...], info: dict[str, Any], cost: list[float]) -> None:
    environment = make("toys/Counter-v0", num_envs=2, costs=constraints, info=info)
    environment.reset()
    np.testing.assert_array_equal(environment.step(ones(2)).cost, np.reshape([cost, cost], (2, -1)))


def test_the_highest_that_a_cost_can_be_is_what_its_option_says() -> None:
    costs = {"a": InfoCost(highest=2.0), "b": InfoCost()}
    environment = GymnasiumTask(id="toys/Counter-v0", kwargs={}).make(1, costs, 0, 1)
    assert environment.spec.highest_cost == {"a": 2.0, "b": np.inf}
    with pytest.raises(PgrobotError, match=r"the highest that a cost can charge in a step is 0\.0"):
        InfoCost(highest=0.0)


@pytest.mark.parametrize(
    ("constraints", "sentence"),
    [
        (
            ("a", "b"),
            r"'a' .* neither 'cost/a' nor 'cost_a'; it has cost, height; only the constraint called 'cost'",
        ),
        (
            ("speed",),
            r"'speed' .* neither 'cost/speed' nor 'cost_speed'; it has cost, height; only the constraint",
        ),
        (
            ("weight", "cost"),
            r"'weight' .* neither 'cost/weight' nor 'cost_weight'; it has cost, height; only",
        ),
    ],
)
def test_a_cost_that_is_not_reported_is_refused_with_what_is(
    constraints: tuple[str, ...], sentence: str
) -> None:
    """A misnamed constraint is not the plain cost, although nothing else is limited."""
    environment = make("toys/Counter-v0", costs=constraints, info={"cost": 1.0, "height": 2.0})
    environment.reset()
    with pytest.raises(PgrobotError, match=sentence):
        environment.step(ones())


def test_a_cost_that_needs_our_own_simulation_is_refused() -> None:
    with pytest.raises(PgrobotError, match="constraint 'speed' is measured in a pgrobot robot"):
        GymnasiumTask(id="toys/Counter-v0", kwargs={}).make(1, {"speed": object()}, 0, 1)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("name", "kwargs", "sentence"),
    [
        ("Pendulun-v1", {}, r"task.id=Pendulun-v1 .* did you mean 'Pendulum-v1'"),
        ("toys/Endless-v0", {}, r"toys/Endless-v0 has no time limit.*\+task.kwargs.max_episode_steps=1000"),
        (
            "Pendulum-v1",
            {"gravity": 9.0},
            r"cannot build Pendulum-v1 with task.kwargs=\{'gravity': 9.0\}.*gravity",
        ),
        ("nowhere:Pendulum-v1", {}, r"cannot build nowhere:Pendulum-v1"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_starts(
    name: str, kwargs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        make(name, **kwargs)


def test_no_environments_are_refused() -> None:
    with pytest.raises(PgrobotError, match="num_envs=0"):
        make("Pendulum-v1", num_envs=0)


def test_a_time_limit_can_be_given() -> None:
    environment = make("toys/Endless-v0", max_episode_steps=2)
    environment.reset()
    assert [bool(environment.step(ones()).truncated[0]) for _ in range(4)] == [False, True, False, True]


@pytest.mark.parametrize("limits", [(5, 3), (3, 5)])
def test_of_nested_time_limits_the_shortest_counts(limits: tuple[int, int]) -> None:
    inner, outer = limits
    nested = TimeLimit(gymnasium.make("toys/Endless-v0", max_episode_steps=inner), outer)
    assert time_limit(nested) == 3


def test_termination_is_not_truncation() -> None:
    environment = make("toys/Counter-v0")
    environment.reset()
    step = environment.step(np.array([[101.0, 0.0]]))
    assert (step.terminated[0], step.truncated[0]) == (True, False)
    assert seen(step.next_obs)[0, :2].tolist() == [101.0, 0.0]
    assert seen(step.obs)[0, :2].tolist() == [0.0, 0.0]


def test_a_number_that_is_not_finite_ends_the_episode_of_that_environment_alone() -> None:
    environment = make("toys/Counter-v0", num_envs=2, costs=("cost",), info={"cost": 1.0}, nan_at=2)
    environment.reset()
    before = seen(environment.step(ones(2)).obs).copy()
    environment.reset()
    environment.step(
        np.array([[1.0, 1.0], [101.0, 0.0]])
    )  # the second one starts anew, so only the first breaks
    step = environment.step(ones(2))
    np.testing.assert_array_equal(seen(step.next_obs)[0, :2], before[0, :2])
    assert (step.reward.tolist(), step.cost[:, 0].tolist()) == ([0.0, 2.0], [0.0, 1.0])
    assert (step.terminated.tolist(), step.truncated.tolist()) == ([False, False], [True, False])
    (sentence,) = step.failures.values()
    assert sentence.startswith(
        "environment 0 of toys/Counter-v0 broke in step 2 of its episode: its reward is not finite"
    )


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


@pytest.mark.parametrize("name", ["Pendulum-v1", "toys/Counter-v0", "HalfCheetah-v5"])
def test_resuming_is_exact(name: str) -> None:
    first, second = make(name, num_envs=2), make(name, num_envs=2)
    random = np.random.default_rng(1)
    first.reset()
    for _ in range(7):
        first.step(random.uniform(-1, 1, (2, first.spec.action_low.size)))
    second.reset()
    second.load_state_dict(through_a_file(first.state_dict()))
    for _ in range(7):
        action = random.uniform(-1, 1, (2, first.spec.action_low.size))
        one, two = first.step(action), second.step(action)
        np.testing.assert_array_equal(seen(one.obs), seen(two.obs))
        np.testing.assert_array_equal(seen(one.next_obs), seen(two.next_obs))
        np.testing.assert_array_equal(one.reward, two.reward)
        np.testing.assert_array_equal(one.truncated, two.truncated)
    assert torch.equal(first.state_dict()["episode"], second.state_dict()["episode"])


def test_an_environment_that_its_seed_does_not_determine_is_not_resumed_wrongly() -> None:
    environment = make("toys/Counter-v0", chaotic=True)
    environment.reset()
    environment.step(ones())
    environment.load_state_dict(environment.state_dict())
    with pytest.raises(
        FailureError,
        match=r"toys/Counter-v0 cannot be taken up .* another course.*resume_fresh=true begins new",
    ):
        environment.step(ones())


def test_new_episodes_instead_of_the_loaded_ones_replay_nothing_and_go_on_in_the_seeds() -> None:
    environment, other = make("toys/Counter-v0", num_envs=2), make("toys/Counter-v0", num_envs=2)
    environment.reset()
    for _ in range(3):
        environment.step(ones(2))
    other.reset()
    starts = seen(other.reset())
    environment.load_state_dict(through_a_file(environment.state_dict()))
    np.testing.assert_array_equal(seen(environment.reset()), starts)
    assert environment.step(ones(2)).reward.tolist() == [2.0, 2.0]


def test_a_closed_environment_is_taken_up_again_in_new_instances() -> None:
    closed, open_ = make("toys/Counter-v0", num_envs=2), make("toys/Counter-v0", num_envs=2)
    closed.reset()
    open_.reset()
    for environment in (closed, open_):
        for _ in range(3):
            environment.step(ones(2))
    state = closed.state_dict()
    closed.close()
    closed.close()
    closed.load_state_dict(state)
    for _ in range(8):
        one, two = closed.step(ones(2)), open_.step(ones(2))
        np.testing.assert_array_equal(seen(one.obs), seen(two.obs))
        np.testing.assert_array_equal(one.reward, two.reward)


def test_the_state_of_another_number_of_environments_is_refused() -> None:
    with pytest.raises(PgrobotError, match="do not fit Pendulum-v1 with num_envs=1"):
        make("Pendulum-v1").load_state_dict(make("Pendulum-v1", num_envs=2).state_dict())
