"""Every reward term and termination that can be named, against its definition."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from own_models import ARM, WALKER, moved, robot, world

from pgrobot.envs import rewards, terminations
from pgrobot.envs.costs import Contact
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment, Simulation
from pgrobot.simulation.functions import RewardTerm, Termination


@pytest.fixture(scope="module")
def walkers(tmp_path_factory: pytest.TempPathFactory) -> BatchEnvironment:
    return moved(world(tmp_path_factory.mktemp("walker"), WALKER, 5))


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> BatchEnvironment:
    paid = {"torque": RewardTerm(rewards.torque, 1.0)}
    environment = moved(world(tmp_path_factory.mktemp("arm"), ARM, 4, rewards=paid))
    environment.step(np.random.default_rng(1).uniform(-3.0, 5.0, (4, 2)))
    return environment


def test_alive_is_one(walkers: BatchEnvironment) -> None:
    assert rewards.alive(walkers.simulation).tolist() == [1.0] * 5


def test_height_is_measured_from_the_world(walkers: BatchEnvironment) -> None:
    off = walkers.simulation.qpos[:, 9] - 0.44
    np.testing.assert_allclose(rewards.height(walkers.simulation), np.exp(-np.square(off / 0.2)))
    off = walkers.simulation.qpos[:, 9] - 0.1
    found = rewards.height(walkers.simulation, target=0.1, tolerance=1.0)
    np.testing.assert_allclose(found, np.exp(-np.square(off)))


def test_pose_is_the_distance_of_the_joints_from_the_keyframe(walkers: BatchEnvironment) -> None:
    off = walkers.simulation.qpos[:, 14:] - [0.3, -0.6, 0.2]
    np.testing.assert_allclose(
        rewards.pose(walkers.simulation), np.exp(-np.square(off).mean(axis=1) / 0.25), rtol=1e-12
    )
    found = rewards.pose(walkers.simulation, tolerance=2.0, keyframe="qpos0", joints=["left_knee"])
    np.testing.assert_allclose(found, np.exp(-np.square(walkers.simulation.qpos[:, 15]) / 4.0), rtol=1e-12)


def test_effort_is_a_share_of_the_greatest_force(walkers: BatchEnvironment) -> None:
    """Of a motor by its command, of a servo by its force: all of it is 1."""
    walkers.step(np.array([[1.0, 0.0, -9.0]] * 5))
    force = walkers.simulation.actuator_force
    expected = np.square(force / [1.0, 5.0, 0.5]).mean(axis=1)
    found = rewards.effort(walkers.simulation)
    np.testing.assert_allclose(found, expected)
    assert np.abs(force[:, 1]).max() == 5.0
    assert found.max() == pytest.approx(1.0)


def test_effort_without_a_greatest_force_is_that_of_the_command(tmp_path: Path) -> None:
    servo = '<position joint="shoulder" kp="9" ctrlrange="-1 3"/><motor joint="elbow" ctrlrange="0 4"/>'
    environment = world(tmp_path, ARM.replace(ARM[ARM.index("<motor") : ARM.index("</actuator>")], servo))
    environment.reset()
    environment.step(np.array([[-1.0, 0.0], [1.0, 4.0], [2.0, 2.0]]))
    expected = [(1.0 + 0.0) / 2, (0.0 + 1.0) / 2, (0.25 + 0.25) / 2]
    np.testing.assert_allclose(rewards.effort(environment.simulation), expected)


def test_torque_and_work_are_sums_over_the_joints(arms: BatchEnvironment) -> None:
    force = np.clip(arms.simulation.ctrl, [-2.0, 0.0], [2.0, 4.0])
    np.testing.assert_allclose(rewards.torque(arms.simulation), np.square(force).sum(axis=1))
    power = force * arms.simulation.actuator_velocity
    np.testing.assert_allclose(rewards.work(arms.simulation), np.abs(power).sum(axis=1))


def test_joint_speed_leaves_out_the_base(walkers: BatchEnvironment, arms: BatchEnvironment) -> None:
    found = rewards.joint_speed(walkers.simulation)
    np.testing.assert_allclose(found, np.square(walkers.simulation.qvel[:, 12:]).mean(axis=1))
    found = rewards.joint_speed(arms.simulation)
    np.testing.assert_allclose(found, np.square(arms.simulation.qvel).mean(axis=1))


def test_terminations_compare_with_limits(walkers: BatchEnvironment) -> None:
    simulation = walkers.simulation
    height, upright = simulation.qpos[:, 9], rewards.upright(simulation)
    for limit in height:
        assert np.array_equal(terminations.low(simulation, limit=limit), height < limit)
        assert np.array_equal(terminations.high(simulation, limit=limit), height > limit)
    assert np.array_equal(terminations.low(simulation, share=0.3), height < 0.3 * 0.44)
    leaning = np.arccos(np.clip(upright, -1.0, 1.0))
    for angle in (0.5, 1.0, 2.5):
        assert np.array_equal(terminations.tilted(simulation, angle=angle), leaning > angle)


def test_what_is_no_number_has_not_fallen(walkers: BatchEnvironment) -> None:
    other = copy.copy(walkers.simulation)
    other.qpos = np.full_like(walkers.simulation.qpos, np.nan)
    for function in (terminations.low, terminations.tilted, partial(terminations.high, limit=1.0)):
        assert not function(other).any()


def test_contact_is_what_mujoco_finds(tmp_path: Path) -> None:
    parts = ["left_foot", "right", "left_sole", "ball"]
    ends = {name: Termination(partial(terminations.contact, parts=[name])) for name in parts}
    environment = world(
        tmp_path, WALKER, 8, terminations=ends, rewards={"alive": RewardTerm(rewards.alive, 1.0)}
    )
    environment.reset()
    random, seen = np.random.default_rng(0), set()
    for _ in range(25):
        before = environment.simulation.batch.state.copy()
        environment.advance(random.uniform(-1.5, 0.5, (8, 3)))
        for i in range(8):
            touched = touching(environment, before[i], environment.simulation.ctrl[i])
            for name in ("left_foot", "right", "ball"):
                expected = touched & named(environment.model, name)
                felt = bool(ends[name].function(environment.simulation)[i])
                assert felt == bool(expected), name
                seen.add((name, felt))
    assert {(name, felt) for name in ("left_foot", "right") for felt in (True, False)} <= seen


def touching(environment: BatchEnvironment, state: np.ndarray, ctrl: np.ndarray) -> set[int]:
    """The geoms that touch in the last substep of a step from a state."""
    model, data = copy.copy(environment.model), mujoco.MjData(environment.model)
    mujoco.mj_setState(model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    data.ctrl[:] = ctrl
    for _ in range(environment.robot.frame_skip):
        mujoco.mj_step(model, data)
    return {int(g) for c in data.contact if c.exclude == 0 for g in c.geom}


def named(model: mujoco.MjModel, name: str) -> set[int]:
    """The geoms that a name of a geom or of a body means."""
    geom = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, name)
    body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, name)
    return {geom} if geom >= 0 else {g for g in range(model.ngeom) if model.geom_bodyid[g] == body}


def test_sensors_of_contact_change_no_motion(tmp_path: Path) -> None:
    ends = {"contact": Termination(partial(terminations.contact, parts=["left_foot"]))}
    felt = world(tmp_path / "a.xml", WALKER, terminations=ends)
    plain = world(tmp_path / "b.xml", WALKER)
    felt.reset(), plain.reset()
    for _ in range(20):
        for environment in (felt, plain):
            environment.advance(np.full((3, 3), 0.3))
        assert np.array_equal(felt.simulation.qpos, plain.simulation.qpos)


@pytest.mark.parametrize(
    ("function", "given", "sentence"),
    [
        (rewards.velocity, {"target": [1.0]}, "the target of 'velocity' has to be three numbers"),
        (rewards.height, {"tolerance": 0.0}, "a tolerance of 0.0 has to be above 0."),
        (rewards.pose, {"joints": ["left_nee"]}, "no hinge or slide 'left_nee': did you mean 'left_knee'"),
        (rewards.pose, {"joints": ["float"]}, "there is no hinge or slide 'float': valid: "),
        (terminations.tilted, {"angle": 4.0}, "the angle of 'tilted' has to lie between 0 and π, not 4.0."),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    walkers: BatchEnvironment, function: Any, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PgrobotError) as refusal:
        function(walkers.simulation, **given)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("term", ["forward", "velocity"])
def test_a_fixed_robot_does_not_go_forward(arms: BatchEnvironment, term: str) -> None:
    given = {"target": [0.0, 0.0, 0.0]} if term == "velocity" else {}
    with pytest.raises(PgrobotError, match=rf"'{term}' needs a robot that moves about.*'stand' is fixed"):
        getattr(rewards, term)(arms.simulation, **given)


def test_contacts_of_names_that_are_not_there_are_refused(tmp_path: Path, arms: BatchEnvironment) -> None:
    for parts, words in (
        (["left_foto"], "the model has no geom, body or site 'left_foto': did you mean 'left_foot'"),
        ([], "'parts' names nothing: give it geoms, bodies or sites, such as [foot]."),
        ("left_foot", "'parts' has to be a list of names, such as [foot], not 'left_foot'."),
    ):
        ends = {"contact": Termination(partial(terminations.contact, parts=parts))}
        with pytest.raises(PgrobotError) as refusal:
            robot(tmp_path, WALKER, terminations=ends).make(1, {}, 0, 1)
        assert words in str(refusal.value)
    with pytest.raises(PgrobotError, match="nobody feels what 'stand' touches"):
        terminations.contact(arms.simulation, parts=["stand"])


def test_a_fall_is_what_lies_or_leans_or_touches_what_it_must_not() -> None:
    falls = (terminations.low, partial(terminations.tilted, angle=1.0), terminations.contact)
    assert all(map(terminations.is_fall, falls))
    assert not any(
        map(terminations.is_fall, (terminations.high, partial(terminations.high, limit=1.0), other))
    )


def other(simulation: Simulation) -> np.ndarray:
    return np.ones(simulation.num_envs, dtype=bool)


def test_a_constraint_may_feel_contacts_beside_a_termination(tmp_path: Path) -> None:
    """Each has sensors of its own, and commands have the ranges that they have without."""
    ends = {"contact": Termination(partial(terminations.contact, parts=["right_foot"]))}
    own = robot(tmp_path, WALKER, terminations=ends)
    cost = Contact(parts=["left_foot", "right_foot"], against="all", force=0.0, substeps="last")
    environment = own.make(4, {"contact": cost}, 0, 1)
    assert np.array_equal(environment.simulation.ctrl_range, own.make(1, {}, 0, 1).simulation.ctrl_range)
    environment.reset()
    seen = set()
    for _ in range(20):
        step = environment.advance(np.zeros((4, 3)))
        assert np.array_equal(step.telemetry["violation/contact"][:, 1] > 0, step.terminated)
        seen |= set(step.terminated.tolist())
    assert seen == {True, False}
