"""Names, choices and images pass from an environment into a rollout and into spec.json as they are."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor
from toys import ABOVE, TargetWorld

from pgrobot.assembly import build_policy
from pgrobot.collectors import ActionMap, SimulationCollector, StaggeredEnvironment
from pgrobot.configure import compose
from pgrobot.constraints import CostColumns
from pgrobot.distributions import Distribution, Gaussian
from pgrobot.errors import PgrobotError
from pgrobot.policies import Policy
from pgrobot.randomness import stream
from pgrobot.run.evaluation import actor
from pgrobot.simulation.adapters import GymnasiumTask
from pgrobot.simulation.contract import check_environment
from pgrobot.spec_file import read_spec, write_spec
from pgrobot.types import Action, Environment, EnvironmentSpec, Observation, ObservationGroup, Step

IMAGE = (5, 4, 3)


class Camera(TargetWorld):
    """The target world with a picture of every step, told to choose one of three and to push."""

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs, 0, length=8)
        self.spec: EnvironmentSpec = replace(
            self.spec,
            observation={
                "policy": ObservationGroup(("target", "progress"), (2,), "float64"),
                "camera": ObservationGroup.numbered("camera", IMAGE, "uint8"),
            },
            action_low=np.array([0.0, -np.inf]),
            action_high=np.array([2.0, 5.0]),
            actions=(Action("gripper", "", 3), Action("push", "N", 0, (-math.inf, 4.0))),
        )
        self.told: list[np.ndarray] = []
        self.pictures: list[np.ndarray] = []

    def _observe(self) -> Observation:
        picture = np.random.default_rng(len(self.pictures)).integers(0, 256, (self.spec.num_envs, *IMAGE))
        self.pictures.append(picture.astype(np.uint8))
        return {**super()._observe(), "camera": self.pictures[-1]}

    def restart(self, ids: np.ndarray) -> Observation:
        self._elapsed[ids] = 0
        return self._observe()

    def step(self, action: np.ndarray) -> Step:
        self.told.append(action.copy())
        return super().step(action)


class Looks(Policy):
    """Reads numbers and pixels, and draws one of three and a force."""

    carry_size = 0
    action_size = 2

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__(widths)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        assert obs["camera"].dtype == torch.uint8
        brightness = obs["camera"].float().flatten(-3).mean(-1) / 255.0
        mean = torch.stack((1.0 + 0.0 * brightness, brightness), -1)
        return Gaussian(mean, torch.ones_like(mean)), carry

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        """Nothing is normalised."""


def test_bytes_stay_bytes_choices_arrive_whole_and_the_file_holds_it_all(tmp_path: Path) -> None:
    world = Camera(4)
    environment = StaggeredEnvironment(world, np.random.default_rng(0))
    check_environment("Camera", environment)
    policy = Looks(world.spec.widths)
    collector = SimulationCollector(
        environment, policy, CostColumns((ABOVE,), 4), 12, stream(0, "noise"), "robot"
    )
    rollout = collector.collect()["robot"]
    assert rollout.censored.any(), "some episode was cut, and began anew"
    assert rollout.obs["camera"].shape == (12, 4, *IMAGE)
    assert {name: value.dtype for name, value in rollout.next_obs.items()} == {
        "policy": torch.float32, "camera": torch.uint8, "time": torch.float32,
    }  # fmt: skip
    assert np.array_equal(rollout.obs["camera"][0].numpy(), world.pictures[0])
    assert np.array_equal(rollout.next_obs["camera"][0].numpy(), world.pictures[1])
    told = np.stack(world.told)
    assert np.array_equal(told[..., 0], np.clip(np.rint(rollout.action[..., 0].numpy()), 0, 2))
    assert set(np.unique(told[..., 0])) == {0.0, 1.0, 2.0}
    assert np.array_equal(told[..., 1], np.minimum(rollout.action[..., 1].double().numpy(), 5.0))
    state = collector.state_dict()
    assert state["obs"]["camera"].dtype == torch.uint8
    shown = actor(policy, world.spec, "deterministic", stream(0, "noise"))(world.reset(), np.ones(4, bool))
    assert np.array_equal(shown[:, 0], np.ones(4))

    write_spec(tmp_path, world.spec)
    assert_same(read_spec(tmp_path), world.spec)
    told = json.loads((tmp_path / "spec.json").read_text())
    assert told["observation"]["policy"]["names"] == ["target", "progress"]
    assert told["observation"]["camera"]["names"][59] == "camera/59"
    assert told["actions"] == [
        {"name": "gripper", "unit": "", "choices": 3, "low": 0.0, "high": 2.0, "gives": [None, None]},
        {"name": "push", "unit": "N", "choices": 0, "low": None, "high": 5.0, "gives": [None, 4.0]},
    ]
    assert told["highest_cost"] == {"above": None}


def assert_same(one: EnvironmentSpec, other: EnvironmentSpec) -> None:
    for field in fields(EnvironmentSpec):
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert np.array_equal(left, right) if isinstance(left, np.ndarray) else left == right, field.name


def test_images_and_choices_are_refused_where_a_network_of_numbers_would_be_built() -> None:
    spec = Camera(1).spec
    assert dict(spec.widths) == {"policy": 2}
    with pytest.raises(
        PgrobotError, match=r"Target observes an image, uint8 \(5, 4, 3\), .*60 inputs.*'camera'"
    ):
        assert "camera" in spec.widths
    blind = replace(spec, observation={"policy": spec.observation["camera"]})
    continuous = replace(blind, actions=Action.unitless("a", "b"))
    with pytest.raises(
        PgrobotError, match="60 inputs would not see as one: what sees 'policy' is policy/body=cnn"
    ):
        build_policy(compose([]), continuous)
    mixed = replace(spec, observation={"policy": spec.observation["policy"]})
    chosen = replace(mixed, actions=mixed.actions[:1])
    for head, seen, sentence in (
        (
            "gaussian",
            mixed,
            "draws real numbers, .* 'gripper' is one of 3 choices: no head draws numbers and",
        ),
        (
            "categorical",
            mixed,
            "draws choices, .* 'push' is a real number: no head draws numbers and choices",
        ),
        ("gaussian", chosen, "'gripper' is one of 3 choices: use policy/head=categorical"),
        ("categorical", replace(mixed, actions=mixed.actions[1:]), "real number: use policy/head=gaussian"),
    ):
        with pytest.raises(PgrobotError, match=sentence):
            build_policy(compose([f"policy/head={head}"]), seen)


def test_what_is_chosen_is_a_whole_number_within_the_choices() -> None:
    to_environment = ActionMap.of(Camera(1).spec)
    drawn = np.array([[-7.0, 0.0], [0.4, 0.0], [1.5, 0.0], [1.6, -3.0], [9.0, 9.0]], np.float32)
    expected = [[0, 0], [0, 0], [2, 0], [2, -3], [2, 5]]
    assert np.array_equal(to_environment(drawn), expected)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"observation": {"policy": 3}},
            r"'policy' by an ObservationGroup, not by 3: ObservationGroup\.numbered",
        ),
        (
            {"observation": {"policy": ObservationGroup(("a", "a"), (2,), "float64")}},
            "has 2 names for the 2 entries that it observes as 'policy': each needs one of its own",
        ),
        (
            {"observation": {"policy": ObservationGroup((), (0,), "float64")}},
            r"Target observes nothing as 'policy', which is \(0,\): leave it out",
        ),
        (
            {"observation": {"policy": ObservationGroup(("a",), (2,), "float64")}},
            "has 1 names for the 2 entries",
        ),
        (
            {"observation": {"policy": ObservationGroup(("a",), (1,), "int8")}},
            "Target observes 'policy' as int8: did you mean 'uint8'",
        ),
        (
            {"observation": {"time": ObservationGroup.numbered("time", (1,))}},
            "'time', which pgrobot adds itself",
        ),
        ({"actions": ()}, r"Target has 0 actions, and action_low \(1,\) and action_high \(1,\)"),
    ],
)
def test_a_spec_that_does_not_agree_with_itself_is_refused(changes: dict[str, Any], sentence: str) -> None:
    world = TargetWorld(1, 0)
    world.spec = replace(world.spec, **changes)
    with pytest.raises(PgrobotError, match=sentence):
        check_environment("Own", world)


def test_a_picture_of_numbers_that_are_no_bytes_is_refused() -> None:
    world = Camera(2)
    world._observe = lambda: {"policy": np.zeros((2, 2)), "camera": np.zeros((2, *IMAGE))}  # type: ignore[method-assign]
    with pytest.raises(
        PgrobotError, match=r"observation\['camera'\] of Target has to be uint8 \(2, 5, 4, 3\)"
    ):
        SimulationCollector(
            world, Looks(world.spec.widths), CostColumns((ABOVE,), 2), 4, stream(0, "noise"), "robot"
        )


def test_a_run_without_the_file_or_with_another_is_told(tmp_path: Path) -> None:
    with pytest.raises(PgrobotError, match=r"has no spec\.json: .* older version"):
        read_spec(tmp_path)
    for text in ("{", "{}", "[]"):
        (tmp_path / "spec.json").write_text(text)
        with pytest.raises(PgrobotError, match=r"spec\.json is not a spec of pgrobot"):
            read_spec(tmp_path)


class Arcade(gymnasium.Env[Any, Any]):
    """A picture and two numbers; what it was told is its first pixel and its reward."""

    metadata = {"render_modes": []}  # noqa: RUF012
    action_space: Any = spaces.Discrete(4, start=2)
    observation_space: Any = spaces.Dict(
        {"screen": spaces.Box(0, 255, IMAGE, np.uint8), "pad": spaces.Box(-1, 1, (2,), np.float32)}
    )

    def _seen(self) -> Any:
        return {"screen": self.screen, "pad": np.array([0.5, self.steps], np.float32)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.screen, self.steps = self.np_random.integers(0, 256, IMAGE).astype(np.uint8), 0
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        self.screen[0, 0, 0] = np.ravel(action)[0]  # in place, as emulators do
        self.steps += 1
        return self._seen(), float(np.ravel(action)[0]), False, False, {}


class Both(Arcade):
    action_space = spaces.MultiDiscrete([4, 2], start=[2, 0])


@pytest.fixture
def arcade() -> Any:
    for name, kind in (("toys/Arcade-v0", Arcade), ("toys/Both-v0", Both)):
        gymnasium.register(name, kind, max_episode_steps=3, disable_env_checker=True)
    yield lambda name: GymnasiumTask(id=name, kwargs={}).make(2, {}, 0, 1)
    for name in ("toys/Arcade-v0", "toys/Both-v0"):
        del gymnasium.registry[name]


def test_choices_and_pictures_of_gymnasium(arcade: Any) -> None:
    environment: Environment = arcade("toys/Arcade-v0")
    spec = environment.spec
    assert spec.actions == (Action("action0", "", 4),)
    assert (spec.action_low.tolist(), spec.action_high.tolist()) == ([0.0], [3.0])
    assert {name: (group.shape, group.dtype) for name, group in spec.observation.items()} == {
        "pad": ((2,), "float64"), "screen": (IMAGE, "uint8"),
    }  # fmt: skip
    check_environment("arcade", environment)
    first = environment.reset()
    start = first["screen"].copy()
    assert start.dtype == np.uint8
    steps = [environment.step(np.array([[k], [3.0 - k]])) for k in (0.0, 1.0, 2.0)]
    assert [step.reward.tolist() for step in steps] == [[2.0, 5.0], [3.0, 4.0], [4.0, 3.0]]
    assert [step.next_obs["screen"][:, 0, 0, 0].tolist() for step in steps] == [[2, 5], [3, 4], [4, 3]]
    assert np.array_equal(first["screen"], start), "what was shown is not painted over"
    assert np.array_equal(steps[0].next_obs["screen"][:, 1:], start[:, 1:])
    assert steps[2].truncated.all()
    assert not np.array_equal(steps[2].obs["screen"], steps[2].next_obs["screen"])
    again: Environment = arcade("toys/Arcade-v0")
    environment.step(np.ones((2, 1)))
    again.load_state_dict(environment.state_dict())
    one, other = environment.step(np.ones((2, 1))), again.step(np.ones((2, 1)))
    assert np.array_equal(one.obs["screen"], other.obs["screen"])


def test_several_choices_of_gymnasium_at_once(arcade: Any) -> None:
    environment: Environment = arcade("toys/Both-v0")
    assert [action.choices for action in environment.spec.actions] == [4, 2]
    environment.reset()
    assert environment.step(np.array([[3.0, 1.0], [0.0, 0.0]])).reward.tolist() == [5.0, 2.0]
