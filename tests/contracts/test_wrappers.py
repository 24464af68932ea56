"""A wrapper changes what it says and nothing else, goes on exactly, and is named where it is wrong."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toys import ABOVE, TargetWorld, make_policy

from pgrobot.collectors import SimulationCollector, StaggeredEnvironment
from pgrobot.constraints import CostColumns
from pgrobot.errors import PgrobotError
from pgrobot.randomness import stream
from pgrobot.simulation.wrappers import ArrayEnvironment, WrappedEnvironment, innermost, wrapped
from pgrobot.types import Environment, Observation, ObservationGroup, State, Step


class Recorded(TargetWorld):
    """Keeps what it was told."""

    def __init__(self, num_envs: int = 3) -> None:
        super().__init__(num_envs, 0, length=5)
        self.told: list[np.ndarray] = []

    def restart(self, ids: np.ndarray) -> Observation:
        self._elapsed[ids] = 0
        return self._observe()

    def step(self, action: np.ndarray) -> Step:
        self.told.append(action.copy())
        return super().step(action)


class Delayed(WrappedEnvironment):
    """Tells the environment the action before, and nothing in the first step of an episode."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._before = np.zeros((environment.spec.num_envs, 1))

    def step(self, action: np.ndarray) -> Step:
        step = self.environment.step(self._before)
        ended = step.terminated | step.truncated
        self._before = np.where(ended[:, None], 0.0, action)
        return step

    def own_state(self) -> State:
        return {"before": torch.from_numpy(self._before.copy())}

    def load_own_state(self, state: State) -> None:
        self._before = state["before"].numpy().copy()


class Negated(WrappedEnvironment):
    def step(self, action: np.ndarray) -> Step:
        return self.environment.step(1.0 - action)


class Shown(WrappedEnvironment):
    """Shows the critic the square of what the policy sees, and half the reward."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        groups = {
            **self.spec.observation,
            "critic": ObservationGroup(("target²", "progress²"), (2,), "float64"),
        }
        self.spec = replace(self.spec, observation=groups)

    def _with_squares(self, obs: Observation) -> Observation:
        return {**obs, "critic": obs["policy"] ** 2}

    def reset(self) -> Observation:
        return self._with_squares(super().reset())

    def restart(self, ids: np.ndarray) -> Observation:
        return self._with_squares(super().restart(ids))

    def step(self, action: np.ndarray) -> Step:
        step = super().step(action)
        obs, next_obs = self._with_squares(step.obs), self._with_squares(step.next_obs)
        return replace(step, obs=obs, next_obs=next_obs, reward=step.reward / 2)


def collector_of(environment: Environment) -> SimulationCollector:
    staggered = StaggeredEnvironment(environment, np.random.default_rng(0))
    costs = CostColumns((ABOVE,), environment.spec.num_envs)
    return SimulationCollector(staggered, make_policy(), costs, 7, stream(0, "noise"), "robot")


def test_wrappers_are_applied_in_order_from_within() -> None:
    for wrappers, expected in (
        ({"delayed": Delayed, "negated": Negated}, [0.0, 0.75, 0.75, 0.75, 0.75, 0.0]),
        ({"negated": Negated, "delayed": Delayed}, [1.0, 0.75, 0.75, 0.75, 0.75, 1.0]),
    ):
        world = Recorded()
        environment = wrapped(world, wrappers, 0)
        environment.reset()
        for _ in range(6):
            environment.step(np.full((3, 1), 0.25))
        assert [told[0, 0] for told in world.told] == expected
        assert innermost(environment) is world


def test_without_wrappers_there_is_nothing_but_the_environment() -> None:
    world = Recorded()
    assert wrapped(world, {}, 0) is world
    one, other = (
        collector_of(Recorded()),
        collector_of(wrapped(Recorded(), {"nothing": WrappedEnvironment}, 0)),
    )
    for _ in range(3):
        first, second = one.collect()["robot"], other.collect()["robot"]
        assert torch.equal(first.obs["policy"], second.obs["policy"])
        assert torch.equal(first.action, second.action)


def test_a_wrapper_goes_on_to_the_last_bit() -> None:
    wrappers = {"delayed": Delayed, "shown": Shown, "again": Delayed}
    whole, parts, resumed = (collector_of(wrapped(Recorded(), wrappers, 0)) for _ in range(3))
    expected = [whole.collect()["robot"] for _ in range(3)]
    assert expected[0].obs["critic"].shape == (7, 3, 2)
    torch.testing.assert_close(expected[0].obs["critic"], expected[0].obs["policy"] ** 2)
    parts.collect()
    file = io.BytesIO()
    torch.save(parts.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for rollout in expected[1:]:
        found = resumed.collect()["robot"]
        for name in ("action", "reward", "censored", "age"):
            assert torch.equal(getattr(found, name), getattr(rollout, name)), name


class Broken(WrappedEnvironment):
    """Changes a step in some way that it must not."""

    def __init__(self, environment: Environment, change: Callable[[Step], Any]) -> None:
        super().__init__(environment)
        self._change = change

    def step(self, action: np.ndarray) -> Step:
        return self._change(super().step(action))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda step: replace(step, reward=0.0), r"reward of {} has to be numbers \(3,\), not 0.0"),
        (
            lambda step: replace(step, obs={"policy": step.obs["policy"][:1]}),
            r"obs\['policy'\] of {} has to be numbers \(3, 2\), not float64 \(1, 2\)",
        ),
        (lambda step: step.obs, "{} has to step to a pgrobot.types.Step, not to a dict of policy"),
        (lambda step: replace(step, obs=step.next_obs), r"{} returns obs\['policy'\] and .* the same memory"),
    ],
)
def test_the_wrapper_that_broke_is_named(change: Callable[[Step], Any], sentence: str) -> None:
    broken = lambda environment: Broken(environment, change)
    layers = {"outer": Negated, "odd": broken, "inner": Delayed}
    for environment, name in (
        (wrapped(Recorded(), layers, 0), "wrapper.odd around Target"),
        (wrapped(broken(Recorded()), {"fine": Negated}, 0), "Target"),
    ):
        environment.reset()
        with pytest.raises(PgrobotError, match=f"^{sentence.format(name)}"):
            played(environment, 6)


def played(environment: Environment, steps: int) -> None:
    for _ in range(steps):
        environment.step(np.zeros((environment.spec.num_envs, 1)))


def test_the_wrapper_that_broke_as_an_episode_began_is_named() -> None:
    class Narrow(WrappedEnvironment):
        def reset(self) -> Observation:
            return {"policy": super().reset()["policy"][:, :1]}

        def restart(self, ids: np.ndarray) -> Observation:
            return {"policy": super().restart(ids)["policy"][:, :1]}

    environment = wrapped(Recorded(), {"narrow": Narrow, "around": WrappedEnvironment}, 0)
    for begin in (environment.reset, lambda: environment.restart(np.array([1]))):
        with pytest.raises(PgrobotError, match=r"wrapper.narrow .*\(3, 2\), not float64 \(3, 1\)"):
            begin()


def test_what_makes_no_environment_is_named() -> None:
    with pytest.raises(PgrobotError, match=r"^wrapper\.odd has to make an environment, .* but made None"):
        wrapped(Recorded(), {"fine": Negated, "odd": lambda _: None}, 0)


class InTensors:
    """The same world in tensors, as a simulator on another device would be."""

    def __init__(self, world: Recorded) -> None:
        self.spec, self._world = world.spec, world
        self.state_dict, self.load_state_dict, self.close = (
            world.state_dict,
            world.load_state_dict,
            world.close,
        )

    def reset(self) -> Mapping[str, Tensor]:
        return _tensors(self._world.reset())

    def restart(self, ids: Tensor) -> Mapping[str, Tensor]:
        return _tensors(self._world.restart(ids.numpy()))

    def step(self, action: Tensor) -> Step[Tensor]:
        step = self._world.step(action.numpy())
        told = {name: getattr(step, name) for name in ("reward", "terms", "cost")}
        ends = {name: getattr(step, name) for name in ("terminated", "truncated", "censored")}
        groups = {name: _tensors(getattr(step, name)) for name in ("obs", "next_obs", "telemetry")}
        return Step(**_tensors(told | ends), **groups, failures=step.failures)


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def test_a_simulator_may_hand_out_tensors() -> None:
    one, other = collector_of(Recorded()), collector_of(ArrayEnvironment(InTensors(Recorded())))
    for _ in range(3):
        first, second = one.collect()["robot"], other.collect()["robot"]
        for name in ("action", "reward", "truncated", "censored"):
            assert torch.equal(getattr(first, name), getattr(second, name)), name
        assert torch.equal(first.next_obs["policy"], second.next_obs["policy"])
        assert torch.equal(first.telemetry["torque"], second.telemetry["torque"])


def test_an_environment_that_cannot_restart_cannot_in_a_wrapper_either() -> None:
    environment = wrapped(TargetWorld(3, 0), {"negated": Negated}, 0)
    with pytest.raises(PgrobotError, match=r"Target has no method restart\(ids\)"):
        StaggeredEnvironment(environment, np.random.default_rng(0))


class Noisy(WrappedEnvironment):
    """Adds noise to what is observed, from the streams that it asks for."""

    def __init__(
        self, environment: Environment, randoms: Sequence[np.random.Generator], scale: float
    ) -> None:
        super().__init__(environment)
        self._randoms, self._scale = randoms, scale

    def _blurred(self, obs: Observation) -> Observation:
        noise = np.stack([random.normal(0.0, self._scale, 2) for random in self._randoms])
        return {"policy": obs["policy"] + noise}

    def reset(self) -> Observation:
        return self._blurred(super().reset())

    def restart(self, ids: np.ndarray) -> Observation:
        return self._blurred(super().restart(ids))

    def step(self, action: np.ndarray) -> Step:
        step = super().step(action)
        return replace(step, obs=self._blurred(step.obs))


def noisy(num_envs: int, seed: int, name: str = "noisy") -> Environment:
    return wrapped(Recorded(num_envs), {name: partial(Noisy, scale=0.1)}, seed)


def test_a_wrapper_that_asks_is_given_a_random_stream_for_each_environment() -> None:
    few, many = noisy(2, 7).reset()["policy"], noisy(5, 7).reset()["policy"]
    plain = Recorded(5).reset()["policy"]
    assert np.array_equal(few - plain[:2], many[:2] - plain[:2])
    assert len(np.unique(many - plain)) == 10
    for other in (noisy(5, 8), noisy(5, 7, "other")):
        assert not np.isin(other.reset()["policy"], many).any()


def test_the_random_streams_of_a_wrapper_go_on() -> None:
    one, other = noisy(3, 7), noisy(3, 8)
    one.reset()
    other.reset()
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    action = np.zeros((3, 1))
    for _ in range(3):
        assert np.array_equal(one.step(action).obs["policy"], other.step(action).obs["policy"])


class OwnAtAll:
    """A wrapper that hands on what it knows of, and does not know of ``restart``."""

    def __init__(self, environment: Environment) -> None:
        self.spec, self.reset, self.step = environment.spec, environment.reset, environment.step
        self.state_dict, self.load_state_dict = environment.state_dict, environment.load_state_dict
        self.close = environment.close


def test_a_wrapper_without_restart_is_refused_at_once() -> None:
    with pytest.raises(
        PgrobotError, match=r"^wrapper.odd makes an environment without restart\(ids\), by which"
    ):
        wrapped(Recorded(), {"fine": Negated, "odd": OwnAtAll}, 0)


def test_a_state_that_is_none_is_refused() -> None:
    class Forgot(Delayed):
        def own_state(self) -> State:
            self.saved = super().own_state()
            return None  # type: ignore[return-value]

    with pytest.raises(
        PgrobotError, match=r"Forgot.own_state has to return a dict .* but returned None: a resumed"
    ):
        wrapped(Recorded(), {"forgot": Forgot}, 0).state_dict()
