"""The quadrotor flies by the equations of motion, sees in its own frame, and can be hovered by who knows them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from flying import drone, made, turned

from pgrobot.configure import build, compose, validated
from pgrobot.envs.costs import Fall, Speed
from pgrobot.envs.drone.costs import Crash, OffGoal, OutOfBounds, Tilt
from pgrobot.envs.drone.frames import in_body, rotation, yawed
from pgrobot.envs.drone.pilot import hover, hover_gain, linearised, mixer
from pgrobot.envs.drone.quadrotor import RADIUS, Quadrotor
from pgrobot.envs.half_cheetah import HalfCheetah
from pgrobot.errors import PgrobotError
from pgrobot.film.gauges import Effortmeter
from pgrobot.schemes import LEARNER
from pgrobot.simulation import BatchEnvironment

GOAL = np.array([0.0, 0.0, 2.0])
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])
MASS, GRAVITY, LAG, STEP = 0.027, 9.81, 0.0375, 0.02
ALL = np.array([0])


def still(environment: BatchEnvironment, place: Any = GOAL, velocity: Any = (0.0,) * 6) -> np.ndarray:
    count = environment.spec.num_envs
    qpos = np.tile(np.concatenate((place, UPRIGHT)), (count, 1))
    return environment.set_state(np.arange(count), qpos, np.tile(velocity, (count, 1)))["policy"]


def test_hover_thrust_holds_it_still() -> None:
    """mg/4 each, for ten seconds."""
    environment = made("drone_hover", 1)
    still(environment)
    np.testing.assert_allclose(
        environment.model.body_mass[1] * GRAVITY / 4, environment.model.actuator_biasprm[:, 0]
    )
    for _ in range(500):
        step = environment.step(np.zeros((1, 4)))
    assert np.abs(environment.simulation.qpos[0] - [*GOAL, *UPRIGHT]).max() < 1e-9
    assert np.abs(environment.simulation.qvel).max() < 1e-9
    data = environment.simulation.batch.get_data(0)
    mujoco.mj_forward(environment.model, data)
    assert np.abs(data.qacc).max() < 1e-9
    np.testing.assert_allclose(step.telemetry["torque"], MASS * GRAVITY / 4, rtol=1e-12)
    effort = Effortmeter(environment)
    assert effort.title == "force, N"
    np.testing.assert_allclose(effort.ranges(), [[0.0, MASS * GRAVITY / 2]] * 4)
    assert step.reward[0] == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("density", [0.0, 1.2])
def test_without_thrust_it_falls_as_bodies_fall(density: float, tmp_path: Path) -> None:
    """In a vacuum by gt; in air by the closed form of quadratic drag. The motors stop a substep late."""
    text = Path(Quadrotor.models["v1"]).read_text(encoding="utf-8")
    still_air = tmp_path / "air.xml"
    still_air.write_text(
        text.replace('density="1.2"', f'density="{density}"').replace("0.0375", "1e-9"), encoding="utf-8"
    )
    environment = made("drone_hover", 1, xml_file=str(still_air))
    still(environment)
    for _ in range(20):
        environment.step(np.full((1, 4), -1.0))
    t, fallen = 20 * STEP - 0.005, environment.simulation.qvel[0, 2]
    side = math.sqrt(2.17e-5 / MASS * 6)  # m, of the box with the drone's inertia, across and along
    drag = 0.5 * density * side**2
    if not drag:
        assert fallen == pytest.approx(-GRAVITY * t, rel=1e-12)
    else:
        top = math.sqrt(MASS * GRAVITY / drag)
        assert fallen == pytest.approx(-top * math.tanh(GRAVITY * t / top), rel=2e-3)
        assert fallen > -GRAVITY * t


def test_motors_follow_with_their_lag() -> None:
    environment = made("drone_hover", 1)
    still(environment)
    command = np.array([[0.8, -0.5, 0.3, 0.0]])
    for step in range(1, 11):
        environment.step(command)
        expected = command * (1.0 - math.exp(-step * STEP / LAG))
        np.testing.assert_allclose(environment.simulation.field("act"), expected, atol=1e-14)


def test_the_mixer_is_what_the_motors_do_and_has_an_inverse() -> None:
    environment = made("drone_hover", 1)
    mixed = mixer(environment.model)
    np.testing.assert_allclose(mixed @ np.linalg.inv(mixed), np.eye(4), atol=1e-12)
    still(environment)
    for motor, lever in enumerate(((-1, -1, -1), (-1, 1, 1), (1, 1, -1), (1, -1, 1))):
        np.testing.assert_allclose(
            mixed[:, motor], [1.0, *(np.array(lever) * [0.028, 0.028, 0.0251266])], rtol=1e-12
        )
    for _ in range(3):
        environment.step(np.random.default_rng(0).uniform(-1, 1, (1, 4)))
    data = environment.simulation.batch.get_data(0)
    mujoco.mj_forward(environment.model, data)
    thrust = mixed @ data.actuator_force
    np.testing.assert_allclose(data.qfrc_actuator[3:6], thrust[1:], atol=1e-12)
    up = rotation(data.qpos[None, 3:7])[0, :, 2]
    np.testing.assert_allclose(data.qfrc_actuator[:3], thrust[0] * up, atol=1e-12)


def test_frames_are_mujoco_s() -> None:
    random = np.random.default_rng(0)
    quaternions, vectors = random.standard_normal((50, 4)), random.standard_normal((50, 2, 3))
    for quaternion, matrix, two, found in zip(
        quaternions, rotation(quaternions), vectors, in_body(quaternions, vectors), strict=True
    ):
        unit, expected = quaternion / np.linalg.norm(quaternion), np.zeros(9)
        mujoco.mju_quat2Mat(expected, unit)
        np.testing.assert_allclose(matrix.ravel(), expected, atol=1e-14)
        np.testing.assert_allclose(found, two @ expected.reshape(3, 3), atol=1e-14)
        turn = np.array([math.cos(0.35), 0.0, 0.0, math.sin(0.35)])
        np.testing.assert_allclose(yawed(unit, 0.7), turned(unit, turn), atol=1e-15)
    np.testing.assert_array_equal(in_body(quaternions, vectors[:, 0]), in_body(quaternions, vectors)[:, 0])


def test_it_does_not_see_which_way_it_heads() -> None:
    """A world turned about the vertical through the goal looks the same, and goes on looking the same."""
    one, other = made("drone_hover", 1), made("drone_hover", 1)
    drawn, angle = one.draw(ALL), 1.1
    qpos, qvel = drawn.qpos[0], drawn.qvel[0]
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    heading = np.array([math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)])
    elsewhere = np.concatenate((turn @ (qpos[:3] - GOAL) + GOAL, turned(qpos[3:], heading)))
    seen = [
        one.set_state(ALL, qpos[None], qvel[None])["policy"],
        other.set_state(ALL, elsewhere[None], np.concatenate((turn @ qvel[:3], qvel[3:]))[None])["policy"],
    ]
    np.testing.assert_allclose(*seen, atol=1e-12)
    for action in np.random.default_rng(0).uniform(-0.3, 0.3, (30, 1, 4)):
        steps = [one.step(action), other.step(action)]
        np.testing.assert_allclose(*(step.next_obs["policy"] for step in steps), atol=1e-9)
        np.testing.assert_allclose(*(step.reward for step in steps), atol=1e-9)


def test_an_observation_is_what_its_names_say() -> None:
    environment = made("drone_hover", 1)
    quaternion = turned(
        np.array([math.cos(0.2), math.sin(0.2), 0.0, 0.0]), np.array([math.sqrt(0.5), 0, 0, math.sqrt(0.5)])
    )
    qpos, qvel = np.array([0.3, 0.1, 1.0, *quaternion]), np.array([0.5, -0.2, 0.1, 1.0, 2.0, 3.0])
    seen = environment.set_state(ALL, qpos[None], qvel[None])["policy"][0]
    names = environment.spec.observation["policy"].names
    told = dict(zip(names, seen, strict=True))
    # heads along y, and leans by 0.4 to its right, about its own x axis
    right = np.array([math.cos(0.4), 0.0, -math.sin(0.4)])  # its -y axis in the world
    up = np.array([math.sin(0.4), 0.0, math.cos(0.4)])
    for what, vector in (
        ("goal", GOAL - qpos[:3]),
        ("velocity", qvel[:3]),
        ("up", np.array([0.0, 0.0, 1.0])),
    ):
        expected = [vector[1], -right @ vector, up @ vector]
        np.testing.assert_allclose([told[f"{what}/{axis}"] for axis in "xyz"], expected, atol=1e-12)
    assert [told[f"spin/{axis}"] for axis in "xyz"] == [1.0, 2.0, 3.0]
    assert [told[f"motor/{name}"] for name in environment.simulation.actuators] == [0.0] * 4


def test_an_lqr_stabilises_and_stays_at_the_goal() -> None:
    """Its closed loop is stable, and flown on the task it keeps every episode within 5 cm; the open loop is not."""
    environment = made("drone_hover", 32, {"off_goal": OffGoal(0.05, 5.0)})
    gain = hover_gain(environment.model, 4)
    a, b = linearised(environment.model, 4)
    to_observed = np.zeros((16, 16))
    for row, column, sign in ((0, 0, -1), (1, 1, -1), (2, 2, -1), (7, 3, 1), (6, 4, -1)):
        to_observed[row, column] = sign
    to_observed[[3, 4, 5], [6, 7, 8]] = to_observed[range(9, 16), range(9, 16)] = 1.0
    closed = np.abs(np.linalg.eigvals(a + b @ gain @ to_observed))
    assert np.sort(closed)[-2] < 1.0 - 1e-3
    assert np.sort(closed)[-1] == pytest.approx(1.0, abs=1e-6), "its heading stays as it is"
    assert np.abs(np.linalg.eigvals(a)).max() == pytest.approx(1.0, abs=1e-3)
    seen, costs = environment.reset()["policy"], np.zeros(32)
    for _ in range(749):
        step = environment.step(hover(gain, seen))
        seen, costs = step.obs["policy"], costs + step.cost[:, 0]
        assert not step.terminated.any()
    assert not costs.any()
    assert step.reward.min() > 0.95
    assert environment.step(hover(gain, seen)).truncated.all()


def test_starts_lie_about_the_goal_and_lean_and_move() -> None:
    environment = made("drone_hover", 2000, spread=1.0, start_tilt=0.5)
    qpos, qvel = environment.simulation.qpos, environment.simulation.qvel
    beside = qpos[:, :3] - GOAL
    assert np.abs(beside).max() <= 1.0
    np.testing.assert_allclose(beside.std(axis=0), 1.0 / math.sqrt(3.0), rtol=0.06)
    matrices = rotation(qpos[:, 3:7])
    lean = np.arccos(matrices[:, 2, 2])
    assert 0.48 < lean.max() <= 0.5
    heading = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    np.testing.assert_allclose(np.histogram(heading, 4, (-np.pi, np.pi))[0], 500, atol=100)
    speed = np.linalg.norm(qvel[:, :3], axis=1)
    assert 0.48 < speed.max() <= 0.5
    assert np.abs(qvel[:, 3:]).max() <= 1.0


def test_a_saved_drone_goes_on_bit_for_bit() -> None:
    costs = {"off_goal": OffGoal(0.05, 0.2), "crash": Crash()}
    one, other = (made("drone_hover", 6, costs, seed, max_episode_steps=30) for seed in (0, 9))
    actions = np.random.default_rng(0).uniform(-0.5, 0.5, (80, 6, 4))
    for action in actions[:45]:
        one.step(action)
    other.load_state_dict(one.state_dict())
    for action in actions[45:]:
        first, second = one.step(action), other.step(action)
        for name in ("reward", "cost", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        np.testing.assert_array_equal(first.obs["policy"], second.obs["policy"])


def test_costs_count_what_they_say() -> None:
    """Columns against the definitions, over episodes that end in every way."""
    costs = {
        "crash": Crash(), "out_of_bounds": OutOfBounds(), "tilt": Tilt(0.3), "off_goal": OffGoal(0.4, 0.5),
        "fall": Fall("", -math.inf, math.inf), "speed": Speed(0.6),
    }  # fmt: skip
    environment = made("drone_hover", 64, costs, max_episode_steps=120, spread=1.8)
    assert environment.spec.violations["out_of_bounds"] == ("x", "y", "z")
    random, age, totals = np.random.default_rng(0), np.zeros(64, int), np.zeros(6)
    for _ in range(250):
        before = environment.simulation.qpos[:, :3].copy()
        alike, apart = random.standard_normal((64, 1)), random.standard_normal((64, 4))
        step = environment.advance(np.clip(0.3 * alike - 0.05 + 0.05 * apart, -1, 1))
        age += 1
        place = environment.simulation.qpos[:, :3].copy()
        lean = np.arccos(rotation(environment.simulation.qpos[:, 3:7])[:, 2, 2])
        beside = np.abs(place - GOAL)
        out = (beside > 1.9).any(axis=1)
        ended = out | (place[:, 2] < RADIUS)
        expected = (
            ended & ~out, (beside > 1.9).sum(axis=1), lean > 0.3,
            ended | ((np.linalg.norm(place - GOAL, axis=1) > 0.4) & (age > 25)), ended,
            np.linalg.norm(place - before, axis=1) / STEP > 0.6,
        )  # fmt: skip
        np.testing.assert_array_equal(step.cost.T, np.array(expected))
        np.testing.assert_array_equal(step.terminated, ended)
        totals += step.cost.sum(axis=0)
        over = np.flatnonzero(step.terminated | step.truncated)
        if over.size:
            environment.restart(over)
        age[over] = 0
    assert (totals[1:] > 10).all(), totals
    assert totals[0] == 0, "bounds end above the floor"


def test_the_floor_is_a_crash() -> None:
    environment = made("drone_hover", 1, {"crash": Crash(), "out_of_bounds": OutOfBounds()}, reach=1.99)
    still(environment, (0.0, 0.0, RADIUS + 0.001), (0.0, 0.0, -0.2, 0.0, 0.0, 0.0))
    step = environment.step(np.zeros((1, 4)))
    assert step.terminated.tolist() == [True]
    assert step.cost.tolist() == [[1.0, 0.0]]
    assert step.telemetry["termination/crash"].tolist() == [[True]]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"spread": 1.9}, "have to be 0 ≤ spread < reach < 2.0 m"),
        ({"reach": 2.5}, "have to be 0 ≤ spread < reach < 2.0 m"),
        ({"spread": -0.1}, "have to be 0 ≤ spread"),
        ({"sharpness": 0.0}, "task.sharpness=0.0 has to be above 0"),
        ({"spin_weight": -1.0}, "task.spin_weight=-1.0 has to be at least 0"),
        ({"start_tilt": 2.0}, "task.start_tilt=2.0 has to be at most π/2"),
        ({"spread": "far"}, "task.spread has to be a finite number"),
    ],
)
def test_what_cannot_be_flown_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        drone("drone_hover", **changes)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            '<freejoint name="float"/>',
            '<joint name="float"/>',
            "has to have one free joint and the motors front_right",
        ),
        ('dyntype="filterexact" dynprm="0.0375"', "", "each with a lag"),
        ('<general class="motor" name="front_left"', '<general class="motor" name="left"', "back_left, left"),
        ("<worldbody>", '<worldbody><site name="goal"/>', "MuJoCo cannot add a world to"),
    ],
)
def test_another_model_has_to_be_a_quadrotor(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "other.xml"
    text = Path(Quadrotor.models["v1"]).read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PgrobotError, match=sentence):
        made("drone_hover", 1, xml_file=str(file))


@pytest.mark.parametrize(
    ("cost", "sentence"),
    [
        (Crash(), "constraint 'crash' needs a task with bounds to fly in, such as task=drone_hover"),
        (OutOfBounds(), "constraint 'out_of_bounds' needs a task with bounds"),
        (Tilt(0.5), "constraint 'tilt' needs a robot with a free joint"),
        (Tilt(4.0), "constraint.tilt.cost.limit=4.0 has to lie between 0 and π rad"),
        (OffGoal(0.05, 5.0), "constraint 'off_goal' needs a task with bounds"),
        (OffGoal(0.0, 5.0), "constraint.off_goal.cost.distance=0.0 has to be a positive number"),
        (OffGoal(0.05, -1.0), "constraint.off_goal.cost.settle=-1.0 has to be a positive number"),
    ],
)
def test_costs_refuse_what_does_not_fly(cost: Any, sentence: str) -> None:
    node = {
        "name": "halfcheetah", "version": "v5", "xml_file": "default", "frame_skip": 5, "max_episode_steps": 1000,
        "speed_threshold": 1.0, "forward_reward_weight": 1.0, "ctrl_cost_weight": 0.1, "reset_noise_scale": 0.1,
        "exclude_current_positions_from_observation": True,
    }  # fmt: skip
    with pytest.raises(PgrobotError, match=sentence):
        HalfCheetah(**node).make(1, {"cost": cost}, 0, 1)  # type: ignore[arg-type]


def test_the_recipe_measures_who_stays_and_prices_nothing() -> None:
    assembly = build(
        validated(compose(["experiment=drone_hover", "debug=tiny", "algorithm.policy_solver.minibatch=64"])),
        1,
    )
    assert assembly.environment.spec.costs == ("off_goal",)
    rollout = assembly.collector.collect()
    assert all(map(math.isfinite, assembly.learners[LEARNER].update(rollout[LEARNER]).values()))
    assembly.environment.close()
