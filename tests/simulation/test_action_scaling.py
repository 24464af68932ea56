"""What a policy's numbers command: offset, scale and clipping, from the collector to an exported policy."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pgrobot
from pgrobot.action_map import ActionMap
from pgrobot.assembly import build_environment
from pgrobot.configure import build, compose, validated
from pgrobot.errors import PgrobotError
from pgrobot.same_spaces import first_difference
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.action_scaling import scaled
from pgrobot.simulation.wrappers import innermost, wrapped
from pgrobot.spec_file import as_json, from_json
from pgrobot.wrappers import ActionFilter, Delay

TINY = [
    "debug=tiny",
    "num_envs=4",
    "horizon=8",
    "tracker=[]",
    "threads=1",
    "algorithm.policy_solver.minibatch=32",
]


def made(*overrides: str, num_envs: int = 3) -> BatchEnvironment:
    cfg = validated(compose([*TINY, "constraint=[torque]", *overrides]))
    environment = innermost(build_environment(cfg, num_envs, 0, 1))
    assert isinstance(environment, BatchEnvironment)
    return environment


@pytest.mark.parametrize(
    ("given", "offset", "scale", "clip"),
    [
        ("scale:0.5", [0.0, 0.0, 0.0], [0.5, 0.5, 0.5], math.inf),
        ("offset:[0.1,-0.2,0.3]", [0.1, -0.2, 0.3], [1.0, 1.0, 1.0], math.inf),
        (
            "offset:{thigh*:0.2,foot*:0.3,leg*:-0.5,f*:0.2},scale:{foot_joint:2},clip:0.3",
            [0.2, -0.5, 0.2],
            [1.0, 1.0, 2.0],
            0.3,
        ),
        ("offset:0.9,scale:[0.1,0.2,0.3],clip:.inf", [0.9, 0.9, 0.9], [0.1, 0.2, 0.3], math.inf),
    ],
)
def test_an_action_is_offset_and_scale_within_its_clipping(
    given: str, offset: list[float], scale: list[float], clip: float
) -> None:
    """Of all that a collector did, and what torques and costs are of is what was given in the end."""
    cfg = validated(compose([*TINY, "constraint=[torque]", f"+task.actions={{{given}}}"]))
    assembly = build(cfg, 1)
    environment: Any = innermost(assembly.environment)
    told: list[np.ndarray] = []
    advance = environment.advance
    environment.advance = lambda action: told.append(action.copy()) or advance(action)
    rollout = assembly.collector.collect()["robot"]
    drawn = rollout.action.double().numpy()
    low, high = (np.clip(np.array(offset) + end, -1.0, 1.0) for end in (-clip, clip))
    wanted = np.clip(np.array(offset) + np.array(scale) * drawn, low, high)
    np.testing.assert_allclose(np.stack(told), wanted, rtol=0, atol=1e-15)
    gear = environment.simulation.gear
    np.testing.assert_allclose(rollout.telemetry["torque"], wanted * gear, rtol=1e-6)
    strong = (np.abs(wanted * gear) > 0.9 * np.abs(gear)).astype(float)
    np.testing.assert_array_equal(rollout.telemetry["violation/torque"], strong)


@pytest.mark.parametrize("given", ["{}", "{offset:0}", "{scale:1}", "{offset:{},scale:{}}", "{clip:.inf}"])
def test_what_says_what_is_so_anyway_changes_no_bit(given: str) -> None:
    plain, said = (build(validated(compose([*TINY, *more])), 1) for more in ([], [f"+task.actions={given}"]))
    for _ in range(2):
        one, other = (assembly.collector.collect()["robot"] for assembly in (plain, said))
        for name in ("action", "reward", "log_prob"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        assert np.array_equal(one.obs["policy"], other.obs["policy"])
    if given == "{}":
        assert plain.environment.spec.actions == said.environment.spec.actions


def test_a_middle_that_is_not_zero_stays_where_nothing_is_said() -> None:
    spec = replace(made().spec, action_low=np.array([0.0, -1.0, -3.0]), action_high=np.array([1.0, 1.0, 1.0]))
    found = ActionMap.of(scaled({"offset": {"leg_joint": 0.5}}, spec))
    assert found.centre.tolist() == [0.5, 0.5, -1.0]
    assert found.unit.tolist() == [0.5, 1.0, 2.0]
    assert found.rest.tolist() == [0.5, 0.5, -1.0]
    assert ActionMap.of(spec).rest.tolist() == [0.0, 0.0, 0.0]


def test_a_spec_says_it_and_tells_it_apart() -> None:
    plain, said = made().spec, made("+task.actions={offset:0.25,scale:0.5}").spec
    again = from_json(as_json(said))
    assert again.actions == said.actions
    assert np.array_equal(ActionMap.of(again)(np.full((1, 3), 0.5)), np.full((1, 3), 0.5))
    assert "mapped" not in as_json(plain)["actions"][0]
    assert from_json(as_json(plain)).actions == plain.actions
    assert first_difference(plain, plain) == ""
    assert first_difference(plain, said).startswith(
        "has offsets and scales of actions of [[], [], []], not [[0.25"
    )


@pytest.mark.parametrize("wrap", [
    partial(Delay, actions=1, observations=0), partial(ActionFilter, time_constant=0.1, rate=np.inf),
])  # fmt: skip
def test_an_episode_begins_at_the_offset(wrap: Any) -> None:
    """What is late or smooth does at first what a policy's 0 is."""
    environment = made("+task.actions={offset:0.25}", num_envs=2)
    outside = wrapped(environment, {"w": wrap}, 0)
    outside.reset()
    outside.step(np.full((2, 3), 0.25))
    np.testing.assert_allclose(environment.simulation.ctrl, 0.25, rtol=0, atol=1e-15)


def test_a_policy_takes_it_along(tmp_path: Path) -> None:
    """Loaded and exported it does what it did in its evaluation; an export is refused where it does not."""
    run = tmp_path / "run"
    pgrobot.train(
        quiet=True, task="hopper", debug="tiny", num_envs=4,
        horizon=8, total_steps=64, threads=1, tracker=[], constraint=[], report=False,
        **{"algorithm.policy_solver.minibatch": 32, "hydra.run.dir": run, "wrapper": "action_filter",
           "+task.actions": {"offset": {"leg_joint": -0.5}, "scale": 0.25}},
    )  # fmt: skip
    policy = pgrobot.load(run, "last")
    assert policy.spec.actions[1].mapped == (-0.5, 0.25)
    observation = np.random.default_rng(0).normal(size=(5, 11))
    action = policy.act(observation)
    assert np.abs(action[:, 1] + 0.5).max() < 0.5 * 0.25 < 0.4
    assert np.abs(action[:, 0]).max() < 0.2
    pgrobot.export(run, checkpoint="last")


BAD = [
    ("{offset:[0,0]}",
     "task.actions.offset has 2 numbers for the 3 actuators of Hopper-v5, thigh_joint, leg_joint, foot_joint: it"),
    ("{scale:[1,1,1,1]}", "task.actions.scale has 4 numbers for the 3 actuators of Hopper-v5"),
    ("{offset:1.5}", "task.actions.offset of the actuator 'thigh_joint' is 1.5, outside of its range, -1 to 1."),
    ("{offset:{knee:1}}", "task.actions.offset names 'knee', which is no actuator of Hopper-v5: valid: foot_joint, "),
    ("{ofset:1}", "task.actions has no key 'ofset': did you mean 'offset'?"),
    ("{scale:0}", "task.actions.scale must be a number above 0, not 0"),
    ("{scale:{leg_joint:-1}}", "task.actions.scale.leg_joint must be a number above 0, not -1"),
    ("{offset:[0,x,0]}", "task.actions.offset.1 must be a finite number, not 'x'"),
    ("{clip:0}", "task.actions.clip must be a number above 0, not 0"),
    ("0.5", "task.actions consists of keys, such as task.actions.scale, so it cannot be 0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "sentence"), BAD)
def test_what_does_not_fit_is_refused_in_a_sentence(given: str, sentence: str) -> None:
    with pytest.raises(PgrobotError) as caught:
        made(f"+task.actions={given}")
    assert str(caught.value).startswith(sentence)
