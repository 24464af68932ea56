"""What a policy and its critic read of observations that have several groups, and single entries of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from omegaconf import DictConfig

import pgrobot
from pgrobot.assembly import Assembly
from pgrobot.configure import build, build_policy, compose, validated
from pgrobot.errors import PgrobotError
from pgrobot.groups import TIME, Selection, critic_widths, numbers_in, selected
from pgrobot.run import prepare
from pgrobot.types import EnvironmentSpec, ObservationGroup, Widths

from .conftest import Train, start

ID = "toys/Arm-v0"
BOX = {name: spaces.Box(-np.inf, np.inf, (width,)) for name, width in (("qpos", 3), ("qvel", 2), ("goal", 1))}


class Arm(gymnasium.Env[Any, Any]):
    """Moves at random towards a goal that it observes beside itself, nested."""

    metadata = {"render_modes": []}  # noqa: RUF012
    action_space: Any = spaces.Box(-1.0, 1.0, (2,))
    observation_space: Any = spaces.Dict(
        robot=spaces.Dict(qpos=BOX["qpos"], qvel=BOX["qvel"]), goal=BOX["goal"]
    )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self._seen(), {}

    def step(self, action: np.ndarray) -> Any:
        return self._seen(), float(action.sum()), False, False, {}

    def _seen(self) -> Any:
        return self._drawn(self.observation_space)

    def _drawn(self, space: Any) -> Any:
        if isinstance(space, spaces.Dict):
            return {key: self._drawn(child) for key, child in space.items()}
        return self.np_random.standard_normal(space.shape).astype(np.float32)


class Privileged(Arm):
    """Names its groups as those who learn from them."""

    observation_space = spaces.Dict(policy=BOX["qpos"], critic=BOX["qvel"])


class Twice(Arm):
    observation_space = spaces.Dict({"robot": spaces.Dict(arm=BOX["goal"]), "robot/arm": BOX["goal"]})


class Clock(Arm):
    observation_space = spaces.Dict(time=BOX["goal"], robot=BOX["goal"])


class Aims(Arm):
    observation_space = spaces.Dict(policy=spaces.Dict(goal=BOX["goal"]))


class Pictures(Arm):
    observation_space = spaces.Dict(left=spaces.Box(0, 255, (4, 4, 3), np.uint8))

    def _drawn(self, space: Any) -> Any:
        return {"left": np.zeros((4, 4, 3), np.uint8)}


NAMES = {kind.__name__: kind for kind in (Arm, Privileged, Twice, Clock, Aims, Pictures)}


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    for name, kind in NAMES.items():
        gymnasium.register(f"toys/{name}-v0", kind, max_episode_steps=8, disable_env_checker=True)
    yield
    for name in NAMES:
        del gymnasium.registry[f"toys/{name}-v0"]


def config(*typed: str, task: str = "Arm") -> DictConfig:
    small = [
        "debug=tiny",
        "num_envs=4",
        "horizon=16",
        "policy.hidden=[4]",
        "critic.hidden=[4]",
        "policy.log_std=-0.5",
    ]
    own = ["task=gymnasium", f"task.id=toys/{task}-v0", "algorithm.policy_solver.minibatch=32"]
    return validated(compose([*small, *own, *typed]))


def updated(assembly: Assembly) -> Any:
    for _ in range(2):
        rollout = assembly.collector.collect()["robot"]
        assert assembly.learners["robot"].update(rollout)["guard/skipped_updates"] == 0.0
    assembly.environment.close()
    return rollout


def observed(spec: EnvironmentSpec, rows: int = 5) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(rows, width, generator=generator) for name, width in spec.widths.items()}


def test_a_dict_keeps_its_keys_and_is_read_whole_where_nothing_is_chosen() -> None:
    """In the order in which it was flattened once: what an older run learnt of it still fits, to the last bit."""
    assembly = build(config("algorithm=ppo", "algorithm/baseline=linear", CONTROL), 1)
    spec = assembly.environment.spec
    assert dict(spec.widths) == {"robot/qpos": 3, "robot/qvel": 2, "goal": 1}
    policy: Any = assembly.policy
    assert policy.groups == ("robot/qpos", "robot/qvel", "goal")
    rollout = updated(assembly)
    assert rollout.obs.keys() == {*spec.observation, TIME}
    flat = {"policy": ObservationGroup.numbered("policy", (6,))}
    before: Any = build_policy(config(), replaced(spec, flat))
    before.load_state_dict(policy.state_dict())
    obs = observed(spec)
    arguments = (torch.zeros(5, 0), torch.zeros(5, dtype=torch.bool))
    with torch.no_grad():
        ours, _ = policy(obs, *arguments)
        theirs, _ = before({"policy": torch.cat(list(obs.values()), -1)}, *arguments)
    assert torch.equal(ours.mean, theirs.mean)
    assert torch.equal(numbers_in(obs | {TIME: obs["goal"]}), torch.cat(list(obs.values()), -1))


CONTROL = "+algorithm.objective.control={_target_:pgrobot.objectives.ControlVariate,weight:1.0}"


def replaced(spec: EnvironmentSpec, groups: dict[str, ObservationGroup]) -> EnvironmentSpec:
    return dataclasses.replace(spec, observation=groups)


def test_a_group_called_policy_is_all_that_is_read_by_default() -> None:
    assembly = build(config(task="Privileged"), 1)
    policy: Any = assembly.policy
    assert policy.groups == ("policy",)
    updated(assembly)


def test_a_critic_may_know_more_than_its_policy(tmp_path: Path, train: Train) -> None:
    """A run of a privileged critic; the policy acts on what it reads, and on nothing else."""
    typed = ["task=gymnasium", f"task.id={ID}", "constraint=[]", "policy.groups=[robot/qpos]"]
    run = train("run", *typed, "critic.groups=[robot/qpos,robot/qvel,goal/0,time]", "total_steps=128").path
    policy = pgrobot.load(run)
    network: Any = policy.policy
    assert policy.groups == ("robot/qpos",)
    assert network.normalizer.moments.mean.shape == (3,)
    acted = policy.act({"robot": {"qpos": np.ones(3)}})
    assert np.array_equal(
        policy.act({"robot": {"qpos": np.ones(3), "qvel": np.ones(2)}, "goal": [7.0]}), acted
    )
    assert pgrobot.evaluate(run, episodes=2)["return"]["episodes"] == 2
    assembly = build(config("policy.groups=[robot/qpos]", "critic.groups=[robot/qvel,time]"), 1)
    learner: Any = assembly.learners["robot"]
    critic = learner.learner.critic
    assert critic.normalizer.moments.mean.shape == (3,)
    updated(assembly)


def test_entries_are_read_by_name_in_the_order_they_are_named() -> None:
    """Of a robot of ours they are its joints; of another library's environment they are numbered."""
    hopper = [
        "task=hopper",
        "constraint=[]",
        "num_envs=4",
        "horizon=16",
        "algorithm.policy_solver.minibatch=32",
    ]
    typed = ["policy.groups=[policy/qvel/thigh_joint,policy/qpos/rootz]", "critic.groups=[policy,time]"]
    assembly = build(validated(compose(["debug=tiny", *hopper, *typed])), 1)
    names = assembly.environment.spec.observation["policy"].names
    at = [names.index("qvel/thigh_joint"), names.index("qpos/rootz")]
    rollout = assembly.collector.collect()["robot"]
    policy: Any = assembly.policy
    assert torch.equal(policy.reads(rollout.obs), rollout.obs["policy"][..., at])
    updated(assembly)
    spec = build_spec()
    reads = selected("policy.groups", ["robot/qvel/1", "goal", "robot/qpos/0"], spec.widths)
    obs = observed(spec)
    expected = torch.cat((obs["robot/qvel"][:, 1:], obs["goal"], obs["robot/qpos"][:, :1]), -1)
    assert torch.equal(reads(obs), expected)
    assert (reads.width, reads.groups) == (3, ("robot/qvel", "goal", "robot/qpos"))
    alone = selected("policy.groups", ["robot/qvel"], spec.widths)
    assert alone == Selection((("robot/qvel", -1),), 2)
    assert alone(obs) is obs["robot/qvel"], "not copied"


def build_spec() -> EnvironmentSpec:
    assembly = build(config(), 1)
    assembly.environment.close()
    return assembly.environment.spec


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["robot/qpo"], "names 'robot/qpo', which this task does not observe; did you mean 'robot/qpos' or"),
        (["robot/qvel/2"], "names 'robot/qvel/2', which .*; did you mean 'robot/qvel/"),
        (["hand"], "names 'hand', which this task does not observe; valid: goal, robot/qpos, robot/qvel"),
        (["robot/qpos", "robot/qpos/1"], "names a group or an entry twice: robot/qpos, robot/qpos/1"),
        (["policy", "goal"], "names a group or an entry twice: policy, goal"),
        ([], "names no observation group; valid: robot/qpos, robot/qvel, goal"),
    ],
)
def test_groups_and_entries_that_are_not_there_are_refused(names: list[str], sentence: str) -> None:
    for owner in ("policy", "critic"):
        with pytest.raises(PgrobotError, match=rf"^{owner}\.groups {sentence}"):
            selected(f"{owner}.groups", names, build_spec().widths)


def test_entries_have_their_full_names() -> None:
    group = ObservationGroup(("qpos/rootz", "policy/2"), (2,), "float64")
    widths = Widths("Hopper", {"policy": group})
    assert selected("policy.groups", ["policy/2", "policy/qpos/rootz"], widths).parts == (
        ("policy", 1),
        ("policy", 0),
    )
    with pytest.raises(PgrobotError, match="did you mean 'policy/qpos/rootz'"):
        selected("policy.groups", ["policy/qpos/roots"], widths)
    assert selected("critic.groups", ["policy", "time"], critic_widths(build_spec(), {})).width == 7
    alone = selected("policy.groups", ["policy/qpos/rootz"], widths)
    rows = torch.arange(6.0).view(3, 2)
    assert torch.equal(alone({"policy": rows}), rows[:, :1]), "one entry of a group is not all of it"


def test_the_innermost_of_nested_groups_is_meant() -> None:
    widths = {"arm": 3, "arm/left": 2}
    assert selected("policy.groups", ["arm/left/1"], widths).parts == (("arm/left", 1),)
    assert selected("policy.groups", ["arm/2"], widths).parts == (("arm", 2),)
    both = {
        "arm": ObservationGroup(("left/0", "x"), (2,), "float64"),
        "arm/left": ObservationGroup.numbered("arm/left", (2,)),
    }
    assert selected("policy.groups", ["arm/left/0"], Widths("Arms", both)).parts == (("arm/left", 0),)


@pytest.mark.parametrize(
    ("task", "typed", "sentence"),
    [
        ("Arm", "policy.groups=[robot/qpo]", "policy.groups names 'robot/qpo', .* did you mean 'robot/qpos'"),
        ("Arm", "critic.groups=[goal,goal/1]", "critic.groups names 'goal/1', .* did you mean 'goal/0'"),
        ("Arm", "policy.groups=[time]", "policy.groups names 'time', which this task does not observe"),
        (
            "Arm",
            "critic.groups=[policy,policy/goal]",
            "critic.groups names 'policy/goal', which policy=hierarchical shows critics, and nobody here: leave it out",
        ),
        (
            "Aims",
            "policy=hierarchical policy.every=8",
            "the policy shows its critic a group 'policy/goal', and toys/Aims-v0 has one",
        ),
        ("Twice", "seed=1", "observes two arrays called 'robot/arm'"),
        ("Clock", "seed=1", "observes 'time', which pgrobot adds itself: choose another name"),
        ("Pictures", "seed=1", "observes an image, .* what sees 'left' is policy/body=cnn, and of a critic"),
        ("Pictures", "policy.groups=[left]", "observes an image, .* what sees 'left' is policy/body=cnn"),
    ],
)
def test_a_run_that_cannot_read_what_it_names_is_refused_before_anything_is_made(
    task: str, typed: str, sentence: str, tmp_path: Path
) -> None:
    request = prepare(
        [
            "debug=tiny",
            "task=gymnasium",
            f"task.id=toys/{task}-v0",
            *typed.split(),
            f"hydra.run.dir={tmp_path / 'run'}",
        ]
    )
    with pytest.raises(PgrobotError, match=sentence):
        start(request)
    assert not (tmp_path / "run").exists()


def test_what_a_policy_shows_is_no_part_of_what_is_observed() -> None:
    """``policy`` stays all that the environment shows; the goal and its time stand beside it, also by their entries."""
    levels = ["policy=hierarchical", "policy.every=4", "policy.goal.size=2"]
    assembly = build(config(*levels), 1)
    critic = assembly.learners["robot"].learner.critic  # type: ignore[attr-defined]
    assert critic.groups == ("robot/qpos", "robot/qvel", "goal", "policy/goal", "policy/time_left")
    assert updated(assembly).obs["policy/goal"].shape == (16, 4, 2)
    widths = critic_widths(assembly.environment.spec, {"policy/goal": 2})
    assert selected("critic.groups", ["policy"], widths).width == 6
    assert selected("critic.groups", ["policy/goal/1"], widths).parts == (("policy/goal", 1),)


def test_a_state_of_one_group_is_refused_by_the_name_of_what_it_lacks() -> None:
    assembly = build(config(), 1)
    state = assembly.environment.state_dict()
    older = {key: value for key, value in state.items() if not key.startswith("observation")}
    sentence = "show no 'robot/qpos', which toys/Arm-v0 observes: .* a Dict as one group"
    with pytest.raises(PgrobotError, match=sentence) as told:
        assembly.environment.load_state_dict({**older, "observation": torch.zeros(4, 6)})
    assert re.search(r"can be evaluated", str(told.value))
    assembly.environment.close()
