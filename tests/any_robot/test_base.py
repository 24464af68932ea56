"""Where a robot's base is, how it leans and how it moves, against MuJoCo's own functions."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
from own_models import ARM, SLIDER, WALKER, moved, world

from pgrobot.envs import rewards
from pgrobot.envs.base import FIXED, FREE, PLANAR, base_of, find_base, rotations
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment


@pytest.fixture(scope="module")
def walkers(tmp_path_factory: pytest.TempPathFactory) -> BatchEnvironment:
    return moved(world(tmp_path_factory.mktemp("walker"), WALKER, 5))


def test_the_base_is_the_body_on_the_world_with_the_most_joints(walkers: BatchEnvironment) -> None:
    base = base_of(walkers.simulation)
    assert (walkers.model.body(base.body).name, base.kind) == ("trunk", FREE)
    assert walkers.model.body(base_of(walkers.simulation, "ball").body).name == "ball"


@pytest.mark.parametrize(
    ("xml", "kind", "falls"), [(ARM, FIXED, False), (SLIDER, PLANAR, True), (WALKER, FREE, True)]
)
def test_what_carries_a_base_is_found(xml: str, kind: str, falls: bool) -> None:
    base = find_base(mujoco.MjModel.from_xml_string(xml), "", "", (1.0, 0.0))
    assert (base.kind, base.falls) == (kind, falls)


@pytest.mark.parametrize(
    ("joint", "actuator"),
    [('range="-1 1" limited="true"', "hip"), ("", "x")],
    ids=["limited", "driven"],
)
def test_a_rail_with_an_end_or_a_motor_carries_nothing_about(joint: str, actuator: str) -> None:
    xml = SLIDER.replace('type="slide" axis="1 0 0"', f'type="slide" axis="1 0 0" {joint}')
    model = mujoco.MjModel.from_xml_string(xml.replace('motor joint="hip"', f'motor joint="{actuator}"'))
    assert find_base(model, "", "", (1.0, 0.0)).kind == FIXED


def test_rotations_are_mujocos() -> None:
    random, matrix = np.random.default_rng(0), np.empty(9)
    for quaternion in random.normal(size=(20, 4)):
        mujoco.mju_quat2Mat(matrix, quaternion / np.linalg.norm(quaternion))
        np.testing.assert_allclose(rotations(quaternion[None])[0].ravel(), matrix, atol=1e-15)


def test_the_motion_that_is_observed_is_mujocos_in_the_bodys_frame(walkers: BatchEnvironment) -> None:
    simulation, names = walkers.simulation, list(walkers.spec.observation["policy"].names)
    seen = walkers.robot.observation(simulation)["policy"]
    body, velocity = base_of(simulation).body, np.empty(6)
    first = names.index("gravity/x")
    assert names[first:] == [
        f"{word}/{axis}" for word in ("gravity", "linear_velocity", "angular_velocity") for axis in "xyz"
    ]
    for i in range(5):
        data = simulation.batch.get_data(i)
        mujoco.mj_forward(walkers.simulation.model_of(i), data)
        mujoco.mj_objectVelocity(walkers.model, data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 1)
        down = data.xmat[body].reshape(3, 3).T @ [0.0, 0.0, -1.0]
        np.testing.assert_allclose(seen[i, first:], [*down, *velocity[3:], *velocity[:3]], atol=1e-12)


def test_joints_are_observed_by_name_and_places_on_the_floor_are_not(walkers: BatchEnvironment) -> None:
    names = walkers.spec.observation["policy"].names
    assert names[:9] == (
        "qpos/ball/z", "qpos/ball/qw", "qpos/ball/qx", "qpos/ball/qy", "qpos/ball/qz",
        "qpos/float/z", "qpos/left_hip", "qpos/left_knee", "qpos/right_hip",
    )  # fmt: skip
    assert names[9:18] == (
        "qvel/ball/x", "qvel/ball/y", "qvel/ball/z", "qvel/ball/rx", "qvel/ball/ry", "qvel/ball/rz",
        "qvel/left_hip", "qvel/left_knee", "qvel/right_hip",
    )  # fmt: skip
    seen, simulation = walkers.robot.observation(walkers.simulation)["policy"], walkers.simulation
    np.testing.assert_array_equal(seen[:, 5:9], simulation.qpos[:, [9, 14, 15, 16]])
    np.testing.assert_array_equal(seen[:, 15:18], simulation.qvel[:, 12:])


def test_nothing_that_is_observed_or_paid_knows_the_place_or_the_heading(walkers: BatchEnvironment) -> None:
    simulation, turn = walkers.simulation, 1.3
    before = walkers.robot.observation(simulation)["policy"], base_of(simulation).along(simulation)
    qpos, qvel = simulation.qpos.copy(), simulation.qvel.copy()
    half, c, s = np.array([np.cos(turn / 2), 0, 0, np.sin(turn / 2)]), np.cos(turn), np.sin(turn)
    about = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    for row in range(5):
        mujoco.mju_mulQuat(qpos[row, 10:14], half, qpos[row, 10:14].copy())
    qpos[:, 7:9] += 3.0
    qvel[:, 6:9] = qvel[:, 6:9] @ about.T
    walkers.set_state(np.arange(5), qpos, qvel)
    after = walkers.robot.observation(simulation)["policy"], base_of(simulation).along(simulation)
    np.testing.assert_allclose(after[0], before[0], atol=1e-12)
    np.testing.assert_allclose(after[1], before[1], atol=1e-12)


def standing(environment: BatchEnvironment, turn: float, axis: int, speed: tuple[float, ...]) -> None:
    """Put the walkers into their pose, turned about an axis of the world, at a speed of the root."""
    model, robot = environment.model, environment.robot
    qpos = np.tile(robot.initial_state(environment.simulation, np.random.default_rng(0))[0], (5, 1))
    about = np.zeros(4)
    about[0], about[1 + axis] = np.cos(turn / 2), np.sin(turn / 2)
    for row in range(5):
        mujoco.mju_mulQuat(qpos[row, 10:14], about, qpos[row, 10:14].copy())
    qvel = np.zeros((5, model.nv))
    qvel[:, 6 : 6 + len(speed)] = speed
    environment.set_state(np.arange(5), qpos, qvel)


def test_a_robot_leans_against_its_pose_whatever_its_axes_are(walkers: BatchEnvironment) -> None:
    for turn, axis, expected in ((0.0, 0, 1.0), (0.7, 0, np.cos(0.7)), (0.7, 1, np.cos(0.7)), (0.7, 2, 1.0)):
        standing(walkers, turn, axis, ())
        np.testing.assert_allclose(rewards.upright(walkers.simulation), expected, atol=1e-12)


def test_forward_is_where_it_looks_and_direction_says_which_way_that_is(walkers: BatchEnvironment) -> None:
    standing(walkers, 0.0, 2, (0.8, 0.3, 5.0))
    np.testing.assert_allclose(rewards.forward(walkers.simulation), 0.8, atol=1e-12)
    np.testing.assert_allclose(rewards.forward(walkers.simulation, direction=(0.0, -2.0)), -0.3, atol=1e-12)
    standing(walkers, np.pi / 2, 2, (0.8, 0.3, 5.0))  # it looks along y
    along = base_of(walkers.simulation).along(walkers.simulation)
    np.testing.assert_allclose(along[:, :2], np.tile([0.3, -0.8], (5, 1)), atol=1e-12)


def test_turning_is_about_the_vertical(walkers: BatchEnvironment) -> None:
    standing(walkers, 0.0, 2, (0.0, 0.0, 0.0, 0.0, 2.0, 0.0))  # about its own y, which is the world's z
    np.testing.assert_allclose(base_of(walkers.simulation).along(walkers.simulation)[:, 2], 2.0, atol=1e-12)
    exact = rewards.velocity(walkers.simulation, target=[0.0, 0.0, 1.0], tolerance=0.5)
    np.testing.assert_allclose(exact, np.exp(-4.0), atol=1e-12)


def test_a_base_in_a_plane_goes_by_its_slides(tmp_path: Path) -> None:
    environment = world(tmp_path, SLIDER)
    environment.reset()
    qvel = np.tile([0.7, 0.2, 3.0, 4.0], (3, 1))
    environment.set_state(np.arange(3), np.tile([5.0, 0.1, 0.6, 0.0], (3, 1)), qvel)
    np.testing.assert_allclose(rewards.forward(environment.simulation), 0.7)
    np.testing.assert_allclose(rewards.upright(environment.simulation), np.cos(0.6))
    np.testing.assert_allclose(base_of(environment.simulation).position(environment.simulation)[:, 2], 0.5)
    assert "qpos/x" not in environment.spec.observation["policy"].names


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"base": "trunc"},
            "task.base=trunc is no body that hangs on the world itself: did you mean 'trunk'?",
        ),
        ({"base": "left"}, "task.base=left is no body that hangs on the world itself: valid: ball, trunk"),
        (
            {"keyframe": "crouched"},
            "task.keyframe=crouched is no keyframe of the model: did you mean 'crouch'?",
        ),
        (
            {"direction": [0.0, 0.0]},
            "task.direction=[0.0, 0.0] has to be two numbers, x and y, that are not both 0.",
        ),
        (
            {"direction": [1.0]},
            "task.direction=[1.0] has to be two numbers, x and y, that are not both 0.",
        ),
    ],
)
def test_a_base_that_is_not_there_is_refused(
    options: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(PgrobotError) as refusal:
        world(tmp_path, WALKER, **options)
    assert str(refusal.value) == sentence
