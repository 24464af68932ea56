"""What a drone sees of a corridor by rays, and which way it looks when it starts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from flying import drone, made, turned

from pgrobot import past
from pgrobot.envs.drone.corridor import DroneCorridor
from pgrobot.envs.drone.frames import rotation
from pgrobot.envs.drone.quadrotor import RADIUS
from pgrobot.envs.drone.rays import to_circles, to_walls
from pgrobot.errors import PgrobotError
from pgrobot.simulation import Starts

EAST = np.array([[[1.0, 0.0]]])


def test_rays_end_where_the_drone_would_touch() -> None:
    """Against points along each, 2 mm apart, and many copies of each pillar; at any heading, leaning, anywhere."""
    environment, robot = made("drone_corridor", 20, start_heading=math.pi), drone("drone_corridor")
    random, ids = np.random.default_rng(0), np.arange(20)
    starts = environment.draw(ids)
    qpos = starts.qpos.copy()
    qpos[:, 0], qpos[:, 1] = random.uniform(-20.0, 40.0, 20), random.uniform(-1.4, 1.4, 20)
    qvel = random.normal(0.0, 2.0, (20, 6))
    environment.start(ids, Starts(qpos, qvel, starts.state))
    places, found = environment.simulation.field("mocap_pos")[..., :2], robot.free(environment.simulation)
    steps = np.arange(0.0, 4.0, 0.002)[:, None]
    ended = 0
    for i, (k, degrees) in itertools.product(range(20), enumerate(robot.angles)):
        angle = math.atan2(qvel[i, 1], qvel[i, 0]) + math.radians(degrees)
        points = qpos[i, :2] + steps * (math.cos(angle), math.sin(angle))
        copies = (places[i] + np.outer(12.0 * np.arange(-4, 6), (1.0, 0.0))[:, None]).reshape(-1, 2)
        near = copies[np.linalg.norm(copies - qpos[i, :2], axis=1) < 5.0]
        gaps = np.linalg.norm(points[:, None] - near, axis=-1).min(axis=1, initial=9.0) - 0.15 - RADIUS
        if gaps[0] < 0.0:
            continue  # no drone that flies is inside a pillar
        over = (gaps < 0.0) | (np.abs(points[:, 1]) > 1.5)
        expected = steps[np.argmax(over), 0] if over.any() else 4.0
        ended += bool(over.any())
        assert found[i, k] <= expected + 1e-9
        grazed = (np.abs(gaps) < 2e-3).any()  # it may touch between two points
        assert found[i, k] > expected - 0.0021 or grazed
    assert 150 < ended < 300


def test_the_way_to_a_circle_is_closed_form() -> None:
    """Straight at it, past it by a hair, away from it, from within it, and with none."""
    for middle, expected in (
        ((3.0, 0.0), 2.0),
        ((3.0, 0.6), 3.0 - 0.8),
        ((3.0, 1.001), math.inf),
        ((-3.0, 0.0), math.inf),
        ((0.2, 0.1), 0.0),
    ):
        assert to_circles(EAST, np.array([[middle]]), 1.0)[0, 0] == pytest.approx(expected, abs=1e-12)
    both = np.array([[[5.0, 0.0], [3.0, 0.0]]])
    assert to_circles(EAST, both, 1.0)[0, 0] == pytest.approx(2.0)
    assert to_circles(EAST, np.zeros((1, 0, 2)), 1.0)[0, 0] == math.inf
    ways = np.array([[[0.6, 0.8], [0.6, -0.8], [1.0, 0.0], [-1.0, 0.0]]])
    np.testing.assert_allclose(to_walls(ways, np.array([0.5]), 1.5)[0], [1.25, 2.5, np.inf, np.inf])
    assert to_walls(ways, np.array([1.7]), 1.5)[0, 0] == 0.0


def test_rays_are_level_and_about_the_flight() -> None:
    """Wherever the drone looks and however it leans and climbs; of one that stands still, about the course."""
    environment = made("drone_corridor", 1, rays=3, pillars=[[9, 0], [10, 0], [11, 0]])
    names = environment.spec.observation["policy"].names
    assert [name for name in names if name.startswith("free/")] == ["free/60", "free/0", "free/-60"]
    state = environment.draw(np.array([0])).state
    lean = np.array([math.cos(0.2), 0.0, math.sin(0.2), 0.0])
    about = np.array([math.cos(0.5), 0.0, 0.0, math.sin(0.5)])
    for quaternion, velocity, expected in (
        (lean, (2.0 * math.cos(math.pi / 6), 1.0, 3.0), (1.0, 2.0, 4.0)),  # to the wall on the left, 1 m away
        (turned(lean, about), (2.0 * math.cos(math.pi / 6), 1.0, 0.0), (1.0, 2.0, 4.0)),
        (
            turned(lean, about),
            (0.0, 0.0, 1.0),
            (1.0 / math.cos(math.pi / 6), 4.0, 2.0 / math.cos(math.pi / 6)),
        ),
    ):
        qpos, qvel = np.concatenate(([2.0, 0.5, 1.0], quaternion)), np.array([*velocity, 0.0, 0.0, 0.0])
        seen = environment.start(np.array([0]), Starts(qpos[None], qvel[None], state))["policy"][0]
        told = dict(zip(names, seen, strict=True))
        np.testing.assert_allclose([told[f"free/{angle}"] for angle in (60, 0, -60)], expected, atol=1e-12)


def test_rays_reach_half_a_round_at_most() -> None:
    environment = made("drone_corridor", 50, pillars=3, length=3.0)
    robot = drone("drone_corridor", pillars=3, length=3.0)
    assert robot.free(environment.simulation).max() <= 1.5 - robot.clearance


def test_without_rays_the_rest_is_seen_as_it_was() -> None:
    with_rays, without = made("drone_corridor", 5), made("drone_corridor", 5, rays=0)
    names = with_rays.spec.observation["policy"].names
    rest = [k for k, name in enumerate(names) if not name.startswith("free/")]
    assert tuple(names[k] for k in rest) == without.spec.observation["policy"].names
    np.testing.assert_array_equal(with_rays.reset()["policy"][:, rest], without.reset()["policy"])
    with pytest.raises(PgrobotError, match=r"task\.rays must be a whole number of at least 0, not -1"):
        drone("drone_corridor", rays=-1)


def test_foresight_adds_up_to_the_difference_of_its_ends() -> None:
    """So no way of flying raises its sum, and it moves no optimum; whoever has crashed has nothing ahead."""
    environment, robot = made("drone_corridor", 30, start_speed=4.0), drone("drone_corridor")
    simulation, total, ended = environment.simulation, np.zeros(30), np.zeros(30, dtype=bool)
    begin = robot.ahead_free(simulation)
    assert np.ptp(begin) > 1.0
    last = begin.copy()
    for action in np.random.default_rng(0).uniform(-0.1, 0.1, (25, 30, 4)):
        step = environment.advance(action)
        total += np.where(ended, 0.0, step.terms[:, 1])
        now = np.where(step.terminated, 0.0, robot.ahead_free(simulation))
        last = np.where(ended, last, now)
        ended |= step.terminated
    assert ended.any()
    assert not ended.all()
    np.testing.assert_allclose(total, 0.3 * (last - begin), atol=1e-12)
    np.testing.assert_allclose(step.reward, step.terms.sum(axis=1), atol=1e-15)


def test_what_lies_ahead_is_seen_along_the_flight() -> None:
    """Which is what the ray in the middle tells."""
    environment = made("drone_corridor", 1, pillars=[[2, 0], [4, 1], [6, -1]])
    robot = environment.robot
    assert isinstance(robot, DroneCorridor)
    state = environment.draw(np.array([0])).state
    for velocity, expected in (
        ((3.0, 0.0), 2.0 - 0.15 - RADIUS),
        ((0.0, -2.0), 1.5),
        ((2.0, 2.0), 1.5 * math.sqrt(2.0)),
    ):
        qpos = np.concatenate(([0.0, 0.0, 1.0], turned(np.array([1.0, 0, 0, 0]), np.array([0.8, 0, 0, 0.6]))))
        environment.start(np.array([0]), Starts(qpos[None], np.array([[*velocity, 1.0, 0, 0, 0]]), state))
        assert robot.ahead_free(environment.simulation)[0] == pytest.approx(expected)
        assert robot.free(environment.simulation)[0, 8] == pytest.approx(expected)


def test_without_foresight_the_rest_is_paid_as_it_was() -> None:
    one, other = made("drone_corridor", 6), made("drone_corridor", 6, foresight_weight=0.0)
    assert other.simulation.after.shape == (6, 3)
    for action in np.random.default_rng(0).uniform(-0.3, 0.3, (40, 6, 4)):
        first, second = one.step(action), other.step(action)
        assert not second.terms[:, 1].any()
        np.testing.assert_array_equal(first.terms[:, [0, 2, 3]], second.terms[:, [0, 2, 3]])
        np.testing.assert_array_equal(one.simulation.forward_speed, other.simulation.forward_speed)
    with pytest.raises(PgrobotError, match=r"task\.foresight_weight must be a number of at least 0, not -1"):
        drone("drone_corridor", foresight_weight=-1.0)


@pytest.mark.parametrize("task", ["drone_corridor", "drone_gates"])
@pytest.mark.parametrize("most", [0.0, 0.3, math.pi])
def test_a_start_looks_along_the_course(task: str, most: float) -> None:
    environment = made(task, 300, start_heading=most, start_tilt=0.0)
    looks = rotation(environment.simulation.qpos[:, 3:7])[:, :2, 0]
    angles = np.arctan2(looks[:, 1], looks[:, 0])
    assert np.abs(angles).max() <= most + 1e-12
    if most:
        assert angles.max() > 0.95 * most
        assert angles.min() < -0.95 * most
        assert abs(angles.mean()) < 0.2 * most


def test_headings_beyond_a_half_turn_are_refused() -> None:
    for most in (-0.1, 3.2):
        with pytest.raises(PgrobotError, match=rf"task\.start_heading={most} has to lie between 0 and π rad"):
            drone("drone_gates", start_heading=most)


def test_an_older_corridor_has_no_rays_and_starts_at_any_heading() -> None:
    for course, added in (
        ("corridor.DroneCorridor", {"rays": 0, "foresight_weight": 0.0}),
        ("gates.DroneGates", {}),
    ):
        config = {"task": {"_target_": f"pgrobot.envs.drone.{course}"}, "total_steps": 1}
        past.completed(config, past.CONFIG)
        assert config["task"] == {
            "_target_": f"pgrobot.envs.drone.{course}",
            "start_heading": math.pi,
            "paid_speed": math.inf,
            **added,
        }
