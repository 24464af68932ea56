"""The quadruped has the lengths, masses and limits that are said of it, stands still, and is told how fast to go."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest

from pgrobot.assembly import build_environment
from pgrobot.configure import build, compose, validated
from pgrobot.envs.legs import gravity, in_frame
from pgrobot.envs.quadruped import SWING, TERMS, QuadrupedVelocity
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment

TASK = ["task=quadruped_velocity", "tracker=[]"]


def made(*overrides: str, num_envs: int = 4, constraint: str = "constraint=[]") -> Any:
    environment = build_environment(validated(compose([*TASK, constraint, *overrides])), num_envs, 0, 1)
    assert isinstance(environment, BatchEnvironment)
    environment.reset()
    return environment


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(QuadrupedVelocity.models["v1"])


def test_masses_lengths_and_limits_are_as_said(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert model.body_mass.sum() == pytest.approx(12.744)
    assert (model.nq, model.nv, model.nu) == (19, 18, 12)
    for leg, x, y in (("FR", 1, -1), ("FL", 1, 1), ("RR", -1, -1), ("RL", -1, 1)):
        hip, thigh, calf = (data.body(f"{leg}_{part}").xpos for part in ("hip", "thigh", "calf"))
        assert np.sign(hip[:2]).tolist() == [x, y]
        assert np.linalg.norm(calf - thigh) == pytest.approx(0.213)
        assert np.linalg.norm(data.geom(f"{leg}_foot").xpos - calf) == pytest.approx(0.213)
        assert abs(thigh[1] - hip[1]) == pytest.approx(0.08)
        limits = [model.actuator(f"{leg}_{part}").forcerange[1] for part in ("hip", "thigh", "calf")]
        assert limits == [23.7, 23.7, 35.5]
    assert np.array_equal(model.actuator_gainprm[:, 0], -model.actuator_biasprm[:, 1])
    assert set(model.actuator_gainprm[:, 0]) == {40.0}
    assert set(model.dof_damping[6:]) == {1.0}
    colliding = [model.geom(g).name for g in range(model.ngeom) if model.geom_conaffinity[g]]
    assert sorted(colliding) == ["FL_foot", "FR_foot", "RL_foot", "RR_foot", "trunk"]
    np.testing.assert_allclose(model.body("trunk").inertia, [0.0094, 0.067, 0.065], rtol=0.01)


def test_it_stands_still_where_the_policy_says_nothing() -> None:
    """For four seconds, from joints beside the stance, level and at one place; what it stands in is the offset."""
    environment = made("task.standing=1", num_envs=6)
    still = np.tile(environment.robot.stance(environment.simulation), (6, 1))
    cfg = validated(compose(TASK))
    assert still[0].tolist() == list(cfg.task.actions.offset)
    assert [action.mapped for action in environment.spec.actions] == [(place, 0.25) for place in still[0]]
    for _ in range(200):
        step = environment.step(still)
        assert not step.terminated.any()
    qpos, qvel = environment.simulation.qpos, environment.simulation.qvel
    assert np.abs(qvel).max() < 0.02
    assert ((qpos[:, 2] > 0.22) & (qpos[:, 2] < 0.28)).all()
    assert (gravity(qpos[:, 3:7])[:, 2] < -0.99).all()
    assert np.abs(qpos[:, :2]).max() < 0.1
    assert (environment.robot.contacts(environment.simulation)).all()
    errors = environment.robot.measured(environment.simulation)
    assert max(error.max() for error in errors.values()) < 0.02
    assert step.terms[:, TERMS.index("velocity")].min() > 0.99 * environment.robot.weights["velocity"]


def test_frames_are_mujocos() -> None:
    random = np.random.default_rng(0)
    quaternion = random.normal(size=(20, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    vector = random.normal(size=(20, 3))
    matrix, inverse = np.zeros(9), np.zeros(4)
    for q, v, found, down in zip(
        quaternion, vector, in_frame(quaternion, vector), gravity(quaternion), strict=True
    ):
        mujoco.mju_quat2Mat(matrix, q)
        np.testing.assert_allclose(found, matrix.reshape(3, 3).T @ v, atol=1e-14)
        mujoco.mju_negQuat(inverse, q)
        np.testing.assert_allclose(down, matrix.reshape(3, 3).T @ [0.0, 0.0, -1.0], atol=1e-14)


def test_what_is_seen_and_earned_is_of_the_command_that_was_told() -> None:
    """Row by row against MuJoCo's own data; the successor shows the next command and what was just done."""
    environment = made("task.command_steps=[2,3]", num_envs=3)
    robot, simulation = environment.robot, environment.simulation
    everyone, random = np.arange(3), np.random.default_rng(0)
    starts = environment.draw(everyone)
    starts.qpos[:, 2] += 0.2  # so that feet come down after more than a tenth of a second
    seen = environment.start(everyone, starts)["policy"].copy()
    stance, names = robot.stance(simulation), environment.spec.observation["policy"].names
    command, last = names.index("command/forward"), names.index("last/FR_hip")
    air = np.zeros((3, 4))
    changed, paid = 0, 0.0
    for _ in range(14):
        told = stance + random.uniform(-0.4, 0.4, (3, 12))
        step = environment.step(told)
        qpos, qvel = simulation.qpos, simulation.qvel
        touching = simulation.field("sensordata") > 0.0
        for i in range(3):
            matrix = np.zeros(9)
            mujoco.mju_quat2Mat(matrix, qpos[i, 3:7])
            velocity = matrix.reshape(3, 3).T @ qvel[i, :3]
            ordered = seen[i, command : command + 3]
            terms = {
                name: term / robot.weights[name] for name, term in zip(TERMS, step.terms[i], strict=True)
            }
            error = np.hypot(*(velocity[:2] - ordered[:2]))
            assert terms["velocity"] == pytest.approx(np.exp(-(error**2) / 0.25))
            assert step.telemetry["measured/velocity_error"][i, 0] == pytest.approx(error)
            assert terms["turn"] == pytest.approx(np.exp(-((qvel[i, 5] - ordered[2]) ** 2) / 0.25))
            before = seen[i, last : last + 12]
            assert terms["action_rate"] == pytest.approx(-np.sum((told[i] - stance - before) ** 2))
            moves = float(np.linalg.norm(ordered) > 0.1)
            landed = touching[i] & (air[i] > 0.0)
            assert terms["air_time"] == pytest.approx(moves * np.sum(np.maximum(air[i] - SWING, 0.0)[landed]))
            following = step.next_obs["policy"][i]
            np.testing.assert_allclose(following[:3], velocity, atol=1e-12)
            np.testing.assert_allclose(following[last:], told[i] - stance, atol=1e-15)
            changed += not np.array_equal(following[command : command + 3], ordered)
        paid += step.terms[:, TERMS.index("air_time")].sum()
        air = np.where(touching, 0.0, air + 0.02)
        np.testing.assert_allclose(step.next_obs["privileged"][:, 1:], air, atol=1e-12)
        seen = step.obs["policy"].copy()
        assert not step.terminated.any()
    assert 12 <= changed <= 21
    assert paid > 0.1


def test_commands_are_drawn_from_their_ranges_and_some_stand_still() -> None:
    environment = made(
        "task.command_steps=[1,1]", "task.forward=[0.2,0.6]", "task.standing=0.25", num_envs=64
    )
    commands = []
    for _ in range(40):
        environment.step(np.tile(environment.robot.stance(environment.simulation), (64, 1)))
        commands.append(environment.simulation.memory("command").copy())
    drawn = np.concatenate(commands)
    standing = (drawn == 0.0).all(axis=1)
    assert standing.mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / len(drawn)))
    low, high = np.array([0.2, -0.5, -1.0]), np.array([0.6, 0.5, 1.0])
    moving = drawn[~standing]
    assert (moving >= low).all()
    assert (moving <= high).all()
    spread = (high - low) / np.sqrt(12 * len(moving))
    assert (np.abs(moving.mean(axis=0) - (low + high) / 2) < 4 * spread).all()


def test_it_falls_by_height_and_by_tilt() -> None:
    environment = made(num_envs=3)
    qpos = np.tile(environment.model.key_qpos[0], (3, 1))
    qpos[1, 2] = 0.12
    qpos[2, 2], qpos[2, 3:5] = 1.0, (np.cos(0.55), np.sin(0.55))
    environment.set_state(np.arange(3), qpos, np.zeros((3, 18)))
    assert environment.robot.terminated(environment.simulation).tolist() == [False, True, True]
    assert environment.spec.can_fall


def test_a_short_training_tells_how_far_it_is_from_its_commands() -> None:
    small = ["num_envs=4", "horizon=16", "total_steps=64", "algorithm.policy_solver.minibatch=32"]
    sizes = ["policy.hidden=[8]", "critic.body.hidden=[8]"]
    cfg = validated(compose(["experiment=quadruped", "debug=tiny", "tracker=[]", *small, *sizes]))
    assembly = build(cfg, 1)
    assert set(validated(compose(TASK)).constraint) == {"torque", "joint_velocity", "fall"}
    rollout = assembly.collector.collect()["robot"]
    metrics = assembly.diagnostics["episodes"](0, assembly.learners, {"robot": rollout})
    errors = rollout.telemetry["measured/velocity_error"]
    assert metrics["measured/velocity_error/mean"] == pytest.approx(float(errors.double().mean()))
    assert 0.1 < metrics["measured/velocity_error/mean"] < 2.0


BAD = [
    ("task.forward=[-3,1]", "task.forward=[-3, 1] has to be two numbers within ±1.5 m/s, the lower first"),
    ("task.sideways=[0.5,-0.5]", "task.sideways=[0.5, -0.5] has to be two numbers within ±1 m/s, the lower first"),
    ("task.turn=[0,9]", "task.turn=[0, 9] has to be two numbers within ±2 rad/s"),
    ("task.turn=1", "task.turn has to be two numbers, the lower first, not 1."),
    ("task.command_steps=[0,5]", "task.command_steps=[0, 5] has to be two whole numbers of at least 1"),
    ("task.standing=2", "task.standing=2.0 has to be a share, from 0 to 1."),
    ("+task.weights.airtime=1", "task.weights has no term 'airtime': did you mean 'air_time'?"),
    ("~task.weights.tilt", "task.weights lacks tilt: 0 leaves a term out."),
    ("task.actions.offset=[0,0.9,-1.8]", "task.actions.offset has 3 numbers for the 12 actuators of Quadruped"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "sentence"), BAD)
def test_what_it_cannot_be_told_is_refused_in_a_sentence(override: str, sentence: str) -> None:
    with pytest.raises(PgrobotError) as caught:
        made(override)
    assert str(caught.value).startswith(sentence)
