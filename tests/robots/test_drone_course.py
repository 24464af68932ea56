"""Corridor and gates: what stands there, what is seen of it, what touches it, and what flying pays."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from flying import drone, made, turned

from pgrobot.configure import build, compose, validated
from pgrobot.envs.drone.costs import Crash, OutOfBounds
from pgrobot.envs.drone.frames import rotation
from pgrobot.envs.drone.quadrotor import RADIUS
from pgrobot.errors import PgrobotError
from pgrobot.schemes import LEARNER
from pgrobot.simulation import BatchEnvironment, Starts

COURSES = ("drone_corridor", "drone_gates")
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])
ALL = np.array([0])


def put(environment: BatchEnvironment, place: Any, velocity: Any, quaternion: np.ndarray = UPRIGHT) -> Any:
    """The first drone of one there, in a course as it was drawn; what it observes, by name."""
    starts = environment.draw(ALL)
    qvel = np.concatenate((velocity, np.zeros(3)))[None]
    there = Starts(np.concatenate((place, quaternion))[None], qvel, starts.state)
    seen = environment.start(ALL, there)["policy"][0]
    return dict(zip(environment.spec.observation["policy"].names, seen, strict=True))


def standing(environment: BatchEnvironment) -> np.ndarray:
    return environment.simulation.field("mocap_pos").copy()


@pytest.mark.parametrize("task", COURSES)
def test_every_episode_has_a_course_of_its_own_in_its_walls(task: str) -> None:
    environment = made(task, 400)
    places, robot = standing(environment), drone(task)
    assert len(np.unique(places[:, 0, 1])) == 400
    assert (np.diff(places[..., 0]) > 0.0).all()
    assert places[..., 0].min() > 0.0
    assert places[..., 0].max() < robot.period
    wide = (robot.radius if task == "drone_corridor" else robot.opening / 2) + np.abs(places[..., 1])
    assert 0.95 * 1.5 < wide.max() <= 1.5
    here = environment.simulation.qpos[:, :3]
    assert (here[:, 0] == 0.0).all()
    assert np.abs(here[:, 1]).max() <= 0.75
    assert np.abs(here[:, 2] - 1.25).max() <= 0.625
    assert not robot.touching(environment.simulation).any()
    again = environment.reset()
    assert (standing(environment) != places).any()
    assert again["policy"].shape == (400, 49 if task == "drone_corridor" else 26)


def test_distances_are_those_of_brute_force() -> None:
    """Over many points of each step and many copies of each pillar; what touches ends the episode."""
    environment, robot = made("drone_corridor", 200), drone("drone_corridor")
    random = np.random.default_rng(0)
    simulation, along = environment.simulation, np.linspace(0.0, 1.0, 401)[:, None]
    starts = environment.draw(np.arange(200))
    qpos = starts.qpos.copy()
    qpos[:, 0] = random.uniform(-20.0, 40.0, 200)
    qpos[:, 1] = random.uniform(-1.3, 1.3, 200)
    qvel = np.column_stack((random.uniform(-12, 12, (200, 2)), np.zeros((200, 4))))
    environment.start(np.arange(200), Starts(qpos, qvel, starts.state))
    places, begin = standing(environment), simulation.qpos[:, :2].copy()
    step = environment.advance(np.zeros((200, 4)))
    end, found = simulation.qpos[:, :2].copy(), robot.distances(simulation)
    assert np.linalg.norm(end - begin, axis=1).max() > 0.2
    for i, k in itertools.product(range(200), range(6)):
        points = begin[i] + along * (end[i] - begin[i])
        copies = places[i, k, :2] + np.outer(12.0 * np.arange(-4, 6), (1.0, 0.0))
        nearest = np.linalg.norm(points[:, None] - copies, axis=-1).min() - 0.15 - RADIUS
        if nearest < 5.0:  # or another round may be the nearest to the way, which touches neither
            assert nearest - 2e-3 < found[i, k] <= nearest + 1e-12
        else:
            assert found[i, k] > 4.9
    touched = (found < 0.0).any(axis=1)
    out = np.abs(end[:, 1]) > 1.5
    assert touched.sum() > 5
    np.testing.assert_array_equal(step.terminated, touched | out)


def test_the_pillars_that_come_next_are_seen() -> None:
    environment = made("drone_corridor", 1, pillars=[[2, 0.5], [4, -1], [9, 1.2]])
    told = put(environment, (11.0, 0.2, 1.0), (0.0, 0.0, 0.0))
    for k, (x, y) in enumerate(((14.0, 0.5), (16.0, -1.0), (21.0, 1.2))):
        expected = [x - 11.0, y - 0.2, 0.0]
        np.testing.assert_allclose([told[f"pillar_{k}/{axis}"] for axis in "xyz"], expected, atol=1e-12)
        assert told[f"pillar_{k}/distance"] == pytest.approx(math.hypot(*expected) - 0.15 - RADIUS)
    walls = [told[f"wall/{name}"] for name in ("left", "right", "floor", "ceiling")]
    np.testing.assert_allclose(walls, [1.3, 1.7, 1.0, 1.5])
    beside, passed = (put(environment, (x, 1.0, 1.0), (0.0, 0.0, 0.0)) for x in (2.2, 2.22))
    assert beside["pillar_0/x"] == pytest.approx(-0.2)
    assert passed["pillar_0/x"] == pytest.approx(1.78)


@pytest.mark.parametrize("task", COURSES)
def test_a_heading_turns_what_is_seen_and_nothing_else(task: str) -> None:
    environment, angle = made(task, 1), 0.8
    drawn = environment.draw(ALL)
    environment.draw = lambda ids: drawn  # type: ignore[method-assign]
    lean = np.array([math.cos(0.1), math.sin(0.1), 0.0, 0.0])
    heading = np.array([math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)])
    one = put(environment, (3.0, 0.3, 1.1), (1.0, 0.5, 0.2), lean)
    other = put(environment, (3.0, 0.3, 1.1), (1.0, 0.5, 0.2), turned(lean, heading))
    back, forth = rotation(turned(lean, heading)[None])[0], rotation(lean[None])[0]
    vectors = {name.rpartition("/")[0] for name in one if name.endswith("/x")}
    assert len(vectors) == (3 if task == "drone_corridor" else 2) + 4
    for what in vectors - {"spin"}:
        mine, theirs = (np.array([told[f"{what}/{axis}"] for axis in "xyz"]) for told in (one, other))
        np.testing.assert_allclose(forth @ mine, back @ theirs, atol=1e-12)
        assert np.abs(mine - theirs).max() > 0.01 or what == "up"
    for name in one:
        if name.rpartition("/")[0] not in vectors | {"free"}:  # rays turn with it, see test_drone_rays.py
            assert one[name] == pytest.approx(other[name], abs=1e-12)


def test_gates_are_flown_through_or_crashed_beside() -> None:
    """Against the place where the straight way of a step meets the plane of a gate."""
    environment, robot = made("drone_gates", 300), drone("drone_gates")
    random, ids = np.random.default_rng(0), np.arange(300)
    starts = environment.draw(ids)
    qpos, gate = starts.qpos.copy(), random.integers(-3, 9, 300)
    middle = starts.state["mocap_pos"][ids, gate % 5]
    plane = 3.0 * (gate + 0.5)
    way = np.where(random.random(300) < 0.5, 1.0, -1.0)
    qpos[:, 0] = plane - way * random.uniform(0.001, 0.15, 300)
    qpos[:, 1:3] = middle[:, 1:] + random.uniform(-0.45, 0.45, (300, 2))
    qpos[:, 3:7] = UPRIGHT
    qvel = np.zeros((300, 6))
    qvel[:, 0], qvel[:, 1] = 5.0 * way, random.uniform(-2, 2, 300)
    environment.start(ids, Starts(qpos, qvel, starts.state))
    begin = environment.simulation.qpos[:, :3].copy()
    step = environment.advance(np.zeros((300, 4)))
    end = environment.simulation.qpos[:, :3]
    part = (plane - begin[:, 0]) / (end[:, 0] - begin[:, 0])
    crossed = (part > 0.0) & (part <= 1.0)
    beside = np.abs(begin + part[:, None] * (end - begin) - middle)[:, 1:].max(axis=1)
    hit = crossed & (beside > 0.4 - RADIUS)
    assert 40 < hit.sum() < crossed.sum() - 40
    out = (np.abs(end[:, 1]) > 1.5) | (end[:, 2] < RADIUS) | (end[:, 2] > 2.5)
    np.testing.assert_array_equal(step.terminated, hit | out)
    ahead = np.where((way > 0)[:, None], np.column_stack((plane, middle[:, 1:])), 0.0)
    progress = np.linalg.norm(ahead - begin, axis=1) - np.linalg.norm(ahead - end, axis=1)
    np.testing.assert_allclose(step.terms[way > 0, 0], np.minimum(progress, 0.06)[way > 0], atol=1e-12)
    np.testing.assert_allclose(
        robot.next_gate(environment.simulation, begin)[way > 0], ahead[way > 0], atol=1e-12
    )


def test_gates_that_come_next_are_seen_and_progress_is_metres() -> None:
    environment = made("drone_gates", 1)
    told = put(environment, (4.0, 0.2, 1.0), (0.0, 0.0, 0.0))
    places = standing(environment)[0]
    for k in range(2):
        expected = places[k + 1] - [4.0, 0.2, 1.0]
        np.testing.assert_allclose([told[f"gate_{k}/{axis}"] for axis in "xyz"], expected, atol=1e-12)
    corridor = made("drone_corridor", 8)
    before = corridor.simulation.qpos[:, 0].copy()
    step = corridor.advance(np.zeros((8, 4)))
    np.testing.assert_allclose(step.terms[:, 0], corridor.simulation.qpos[:, 0] - before, atol=1e-15)


@pytest.mark.parametrize("task", COURSES)
def test_what_is_faster_than_the_paid_speed_is_not_paid(task: str) -> None:
    """Of each step by itself, and not of what is slower or goes back; without an end all is paid."""
    capped, free = (made(task, 60, paid_speed=speed) for speed in (1.5, math.inf))
    random, ids = np.random.default_rng(0), np.arange(60)
    starts = capped.draw(ids)
    qvel = np.column_stack((random.uniform(-3.0, 5.0, 60), np.zeros((60, 5))))
    for environment in (capped, free):
        environment.start(ids, Starts(starts.qpos, qvel, starts.state))
    paid, all_of_it = (environment.advance(np.zeros((60, 4))).terms[:, 0] for environment in (capped, free))
    np.testing.assert_array_equal(paid, np.minimum(all_of_it, 1.5 * 0.02))
    assert 15 < (paid < all_of_it).sum() < 45
    with pytest.raises(PgrobotError, match=r"task\.paid_speed must be a number above 0"):
        drone(task, paid_speed=0.0)


@pytest.mark.parametrize("task", COURSES)
def test_a_saved_course_goes_on_bit_for_bit(task: str) -> None:
    costs = {"crash": Crash(), "out_of_bounds": OutOfBounds()}
    one, other = (made(task, 6, costs, seed, max_episode_steps=30) for seed in (0, 9))
    actions = np.random.default_rng(0).uniform(-0.5, 0.5, (80, 6, 4))
    for action in actions[:45]:
        one.step(action)
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(standing(one), standing(other))
    for action in actions[45:]:
        first, second = one.step(action), other.step(action)
        for name in ("reward", "cost", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        np.testing.assert_array_equal(first.obs["policy"], second.obs["policy"])
    few = made(task, 2, costs, 0, max_episode_steps=30)
    np.testing.assert_array_equal(standing(made(task, 5, costs, 0, max_episode_steps=30))[:2], standing(few))


@pytest.mark.parametrize(
    ("task", "changes", "sentence"),
    [
        (
            "drone_corridor",
            {"pillars": [[0.1, 0], [4, 1], [6, 0]]},
            r"pillar at \(0.1, 0\) stands on the start",
        ),
        (
            "drone_corridor",
            {"pillars": [[11.9, 0.9], [4, 1], [6, 0]]},
            r"pillar at \(11.9, 0.9\) stands on the start",
        ),
        ("drone_corridor", {"pillars": [[3, 2], [4, 1], [6, 0]]}, r"\(3, 2\) stands outside of the corridor"),
        (
            "drone_corridor",
            {"pillars": [[12, 0], [4, 1], [6, 0]]},
            r"\(12, 0\) stands outside of the corridor",
        ),
        ("drone_corridor", {"pillars": 14}, "task.pillars=14 has to lie between 3 and 13"),
        ("drone_corridor", {"pillars": 2}, "between 3 and 13"),
        ("drone_corridor", {"pillars": [[2, 0]]}, "a number of pillars, or at least 3 pairs of x and y"),
        ("drone_corridor", {"pillars": [[2, 0], [3], [4, 5]]}, "at least 3 pairs of x and y"),
        ("drone_corridor", {"pillars": "many"}, "at least 3 pairs of x and y"),
        ("drone_corridor", {"pillars": [1, 2, 3]}, "at least 3 pairs of x and y"),
        ("drone_corridor", {"radius": 0.8}, "task.radius=0.8 has to lie above 0"),
        ("drone_corridor", {"width": 0.1}, "task.width=0.1 has to be at least 0.52 m"),
        (
            "drone_gates",
            {"opening": 0.1},
            "task.opening=0.1 has to lie between 0.26, as the drone is 0.13 m wide",
        ),
        ("drone_gates", {"opening": 1.5}, "task.opening=1.5 has to lie between"),
        ("drone_gates", {"gates": 1}, "task.gates=1 has to be at least 2"),
        ("drone_gates", {"spacing": 0.5}, "task.spacing=0.5 has to be at least 1 m"),
    ],
)
def test_what_cannot_be_flown_is_refused(task: str, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        drone(task, **changes)


def test_a_pillar_beside_the_start_is_none_on_it() -> None:
    environment = made("drone_corridor", 50, pillars=[[0.22, 0], [4, 1], [11.9, 1.0]])
    assert (
        not drone("drone_corridor", pillars=[[0.22, 0], [4, 1], [11.9, 1.0]])
        .touching(environment.simulation)
        .any()
    )
    assert (standing(environment)[:, :, :2] == [[0.22, 0], [4, 1], [11.9, 1.0]]).all()


@pytest.mark.parametrize(
    "overrides",
    [
        ["experiment=drone_corridor", "algorithm.policy_solver.minibatch=64"],
        ["task=drone_gates", "constraint=[crash,tilt,speed]"],
    ],
)
def test_a_course_is_learnt(overrides: list[str]) -> None:
    assembly = build(validated(compose([*overrides, "debug=tiny"])), 1)
    rollout = assembly.collector.collect()
    assert all(map(math.isfinite, assembly.learners[LEARNER].update(rollout[LEARNER]).values()))
    assembly.environment.close()
