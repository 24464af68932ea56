"""The maze of the ball is that of its map, its walls hold, and who knows the way gets to every goal."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgrobot.configure import build, compose, validated
from pgrobot.envs.maze_map import SHIPPED, MazeMap
from pgrobot.envs.maze_oracle import Oracle, oracle_steps, way
from pgrobot.envs.point_maze import PointMaze
from pgrobot.errors import PgrobotError
from pgrobot.schemes import LEARNER
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.functions import Termination

OPTIONS: dict[str, Any] = {
    "name": "point_maze",
    "version": "v1",
    "xml_file": "default",
    "frame_skip": 1,
    "max_episode_steps": 0,
    "speed_threshold": np.inf,
    "maze": "u",
    "reward": "sparse",
    "distance": 0.45,
}
OWN = ["#######", "#S.S..#", "#.#.#.#", "#..G#G#", "#######"]


def task(**changes: Any) -> PointMaze:
    return PointMaze(**OPTIONS | changes)


def make(num_envs: int, seed: int = 0, **changes: Any) -> BatchEnvironment:
    environment = task(**changes).make(num_envs, {}, seed, 1)
    environment.reset()
    return environment


def places(maze: MazeMap, *cells: tuple[int, int]) -> np.ndarray:
    return np.concatenate([maze.centre(cell) for cell in cells])


@pytest.mark.parametrize("maze", [*SHIPPED, OWN])
def test_there_are_walls_where_the_map_has_them(maze: Any) -> None:
    """At every place of a grid, from the compiled model; ``centre`` and ``cells`` are each other's inverse."""
    environment = make(1, maze=maze)
    model, rows = environment.model, SHIPPED[maze] if isinstance(maze, str) else maze
    boxes = np.flatnonzero(model.geom_type == 6)
    height, width = len(rows), len(rows[0])
    found = task(maze=maze).map
    for row, column, dx, dy in itertools.product(
        range(height), range(width), (-0.49, 0.0, 0.49), (-0.49, 0.49)
    ):
        place = np.array([column + 0.5 + dx - width / 2, height / 2 - row - 0.5 + dy])
        inside = (np.abs(model.geom_pos[boxes, :2] - place) < model.geom_size[boxes, :2]).all(axis=1)
        assert inside.sum() == (rows[row][column] == "#") == ((row, column) not in found.free)
        assert found.cells(place[None]).tolist() == [[row, column]]
        assert np.abs(found.centre((row, column)) - place).max() < 0.5


@pytest.mark.parametrize(("maze", "cells", "longest"), [("u", 7, 6), ("medium", 26, 11), ("large", 46, 19)])
def test_ways_are_shortest(maze: str, cells: int, longest: int) -> None:
    """Against Floyd and Warshall over the cells that touch."""
    found = MazeMap.of(maze)
    at = np.array(found.free)
    apart = np.abs(at[:, None] - at[None]).sum(axis=-1).astype(float)
    apart[apart > 1.0] = np.inf
    for k in range(len(at)):
        apart = np.minimum(apart, apart[:, k, None] + apart[None, k])
    assert (len(at), apart.max(), found.longest) == (cells, longest, longest)
    for i, start in enumerate(found.free):
        for j, goal in enumerate(found.free):
            cells_between = way(found, start, goal)
            assert len(cells_between) - 1 == apart[i, j] == found.steps(goal)[start]
            assert (np.abs(np.diff(cells_between, axis=0)).sum(axis=1) == 1).all()


@pytest.mark.parametrize("maze", ["u", "large"])
def test_walls_hold_the_ball_in(maze: str) -> None:
    """Pushed with all force for three seconds from anywhere, in every direction, and against corners."""
    environment = make(200, maze=maze, reward="dense")
    random = np.random.default_rng(0)
    middles, halves = map(np.stack, zip(*task(maze=maze).map.walls(), strict=True))
    for _ in range(3):
        angle = random.uniform(0.0, 2 * np.pi, 200)
        push = 1.5 * np.stack((np.cos(angle), np.sin(angle)), axis=1)
        for _ in range(100):
            ball = environment.step(push).next_obs["policy"][:, :2]
            outside = np.maximum(np.abs(ball[:, None] - middles) - halves, 0.0)
            assert np.linalg.norm(outside, axis=-1).min() > 0.04, "the ball has a radius of 0.1"
    assert np.abs(environment.simulation.qvel[:, :2]).max() < 5.2


def test_a_force_is_what_pushes_and_the_speed_has_an_end() -> None:
    """Against the equation of motion, m v' = 100 u − v − 0.76 v³, by small steps."""
    environment = make(1, maze=["#" * 9, "#.......#", "#" * 9], reward="dense")
    environment.set_state(np.array([0]), np.array([[-3.0, 0.0, 3.0, 0.0]]), np.zeros((1, 4)))
    speed, mass = 0.0, 4 / 3 * np.pi * 0.1**3 * 1000
    for step in range(60):
        observed = environment.step(np.array([[0.9, 0.0]])).next_obs["policy"][0]
        for _ in range(100):
            speed += 1e-4 * (90.0 - speed - 0.76 * speed**3) / mass
        assert observed[2] == pytest.approx(speed, abs=0.15), step
    assert observed[3] == 0.0
    np.testing.assert_array_equal(observed[4:], [3.0, 0.0])


@pytest.mark.parametrize("maze", ["u", OWN])
def test_starts_and_goals_are_uniform_over_cells_that_differ(maze: Any) -> None:
    environment, found = make(1, maze=maze), MazeMap.of(maze)
    drawn = np.stack([environment.draw(np.array([0])).qpos[0] for _ in range(6000)])
    starts, goals = (found.cells(drawn[:, part]) for part in (slice(0, 2), slice(2, 4)))
    assert len(found.pairs) == (42 if maze == "u" else 4)
    counts = dict.fromkeys(found.pairs, 0)
    for start, goal in zip(starts.tolist(), goals.tolist(), strict=True):
        counts[tuple(start), tuple(goal)] += 1  # a KeyError is a pair that must not be
    expected = 6000 / len(counts)
    freedom = len(counts) - 1
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < freedom + 4 * np.sqrt(2 * freedom)
    middles = np.stack(
        [places(found, tuple(a), tuple(b)) for a, b in zip(starts.tolist(), goals.tolist(), strict=True)]
    )
    beside = drawn - middles
    assert np.abs(beside).max() <= 0.25
    np.testing.assert_allclose(beside.mean(axis=0), 0.0, atol=4 * 0.5 / np.sqrt(12 * 6000))
    np.testing.assert_allclose(beside.std(axis=0), 0.5 / np.sqrt(12), rtol=0.05)
    assert np.linalg.norm(drawn[:, :2] - drawn[:, 2:], axis=1).min() > 0.45, "no episode begins at its goal"


@pytest.mark.parametrize("reward", ["sparse", "dense"])
def test_the_reward_is_that_of_the_distance(reward: str) -> None:
    environment = make(64, reward=reward, max_episode_steps=40, distance=0.3)
    random, reached, cut = np.random.default_rng(0), 0, 0
    seen = environment.reset()["policy"]
    for _ in range(200):
        step = environment.step(random.uniform(-1, 1, (64, 2)) + 0.5 * (seen[:, 4:] - seen[:, :2]))
        seen = step.obs["policy"]
        for i, (x, y, _, _, *goal) in enumerate(step.next_obs["policy"].tolist()):
            distance = math.dist((x, y), goal)
            assert step.reward[i] == pytest.approx(
                np.exp(-distance) if reward == "dense" else float(distance <= 0.3)
            )
            assert step.terminated[i] == (reward == "sparse" and distance <= 0.3)
        if reward == "sparse":
            np.testing.assert_array_equal(step.telemetry["termination/goal"][:, 0], step.terminated)
        else:
            assert not any(name.startswith("termination/") for name in step.telemetry)
        reached, cut = reached + int(step.terminated.sum()), cut + int(step.truncated.sum())
    assert (reached > 10) == (reward == "sparse")
    assert cut > 10


def test_an_environment_depends_neither_on_its_neighbours_nor_on_their_number() -> None:
    five, two = make(5, max_episode_steps=30), make(2, max_episode_steps=30)
    actions = np.random.default_rng(0).uniform(-1, 1, (100, 5, 2))
    for action in actions:
        np.testing.assert_array_equal(five.step(action).obs["policy"][:2], two.step(action[:2]).obs["policy"])


def test_a_saved_maze_goes_on_bit_for_bit_with_its_goals() -> None:
    one, other = make(6, max_episode_steps=30), make(6, seed=9, max_episode_steps=30)
    actions = np.random.default_rng(0).uniform(-1, 1, (100, 6, 2))
    for action in actions[:45]:
        one.step(action)
    other.load_state_dict(one.state_dict())
    for action in actions[45:]:
        first, second = one.step(action), other.step(action)
        np.testing.assert_array_equal(first.obs["policy"], second.obs["policy"])
        np.testing.assert_array_equal(first.reward, second.reward)


@pytest.mark.parametrize("maze", ["u", "medium", pytest.param("large", marks=pytest.mark.slow), OWN])
def test_who_knows_the_way_gets_from_every_start_to_every_goal(maze: Any) -> None:
    """Within the time limit, no faster than the top speed allows, and at most a second longer."""
    one = task(maze=maze)
    starts = np.stack([places(one.map, *pair) for pair in one.map.pairs])
    steps = oracle_steps(one, starts)
    cells = np.array([one.map.steps(goal)[start] for start, goal in one.map.pairs])
    assert (steps >= (cells * np.sqrt(0.5) - 0.45) / (5.0 * 0.01)).all()
    assert (steps < cells / (5.0 * 0.01) + 100 + 10 * cells).all()
    assert steps.max() < one.max_episode_steps


def test_the_oracle_is_infinitely_slow_where_there_is_no_time() -> None:
    one = task(max_episode_steps=30)
    corners, beside = places(one.map, (1, 1), (3, 1)), places(one.map, (1, 1), (1, 2))
    steps = oracle_steps(one, np.stack((corners, beside)))
    assert np.isinf(steps[0])
    assert steps[1] < 30
    environment, oracle = make(1), Oracle(one.map)
    obs = environment.set_state(np.array([0]), beside[None], np.zeros((1, 4)))
    ends = []
    for _ in range(int(steps[1])):
        step = environment.step(oracle(obs["policy"]))
        obs = step.obs
        ends.append(bool(step.terminated[0]))
    assert ends == [False] * (len(ends) - 1) + [True]


@pytest.mark.parametrize(
    ("maze", "typed", "limit"),
    [("u", 0, 300), ("medium", 0, 600), ("large", 0, 800), ("large", 70, 70), (OWN, 0, 50 * 6)],
)
def test_a_time_limit_is_the_mazes_own_unless_one_is_typed(maze: Any, typed: int, limit: int) -> None:
    assert make(1, maze=maze, max_episode_steps=typed).spec.max_episode_steps == limit
    slower = make(1, maze=maze, max_episode_steps=typed, frame_skip=7).spec
    assert slower.max_episode_steps == (typed or -(-limit // 7))
    assert slower.control_dt == pytest.approx(0.07)


def test_every_shipped_map_passes_the_checks_of_ones_own() -> None:
    for rows in SHIPPED.values():
        assert MazeMap.of(list(rows)) == MazeMap(rows)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"maze": "mediun"}, "task.maze=mediun does not exist: did you mean 'medium'"),
        ({"maze": []}, "task.maze has to be u, medium, large or a list of rows of text"),
        ({"maze": ["####", None, "####"]}, "list of rows of text"),
        ({"maze": 3}, "list of rows of text"),
        ({"maze": ["#####", "#..#", "#####"]}, "rows of different lengths: row 1 has 4 cells, row 0 has 5"),
        ({"maze": ["#####", "#.x.#", "#####"]}, r"'x' in row 1: a cell is a wall \(#\)"),
        ({"maze": ["#####", "#....", "#####"]}, "open at row 1, column 4"),
        ({"maze": ["###", "###"]}, "0 free cells to begin in"),
        ({"maze": ["###", "#.#", "###"]}, "1 free cells to begin in and 1 for a goal"),
        ({"maze": ["#####", "#.#.#", "#####"]}, "no way from row 1, column 3 to row 1, column 1"),
        ({"distance": 0.0}, "task.distance=0.0 has to lie above 0 and below 0.5 m"),
        ({"distance": -1.0}, "above 0"),
        ({"distance": 0.5}, "below 0.5 m"),
        ({"distance": "far"}, "task.distance has to be a finite number"),
        ({"reward": "spars"}, "task.reward=spars does not exist: did you mean 'sparse'"),
        ({"max_episode_steps": -1}, "task.max_episode_steps has to be a whole number"),
        ({"frame_skip": 0}, "task.frame_skip has to be a whole number of at least 1"),
        ({"frame_skip": "two"}, "task.frame_skip has to be a whole number of at least 1"),
        ({"version": "v5"}, "task.version=v5 does not exist"),
    ],
)
def test_what_is_no_maze_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        task(**changes)


def test_another_ball_has_to_have_the_joints(tmp_path: Path) -> None:
    text = Path(PointMaze.models["v1"]).read_text(encoding="utf-8")
    heavy, other = tmp_path / "heavy.xml", tmp_path / "other.xml"
    heavy.write_text(text.replace('density="1000"', 'density="3000"'), encoding="utf-8")
    other.write_text(text.replace('name="goal_y"', 'name="target_y"'), encoding="utf-8")
    assert make(1, xml_file=str(heavy)).model.body_mass[1] == pytest.approx(3 * make(1).model.body_mass[1])
    with pytest.raises(PgrobotError, match=r"has to have the slide joints x, y, goal_x, goal_y.*target_y"):
        make(1, xml_file=str(other))
    other.write_text(text.replace('type="slide"/>', 'type="hinge"/>'), encoding="utf-8")
    with pytest.raises(PgrobotError, match="has to have the slide joints"):
        make(1, xml_file=str(other))


def test_a_model_that_has_what_a_maze_adds_is_refused(tmp_path: Path) -> None:
    text = Path(PointMaze.models["v1"]).read_text(encoding="utf-8")
    twice = tmp_path / "twice.xml"
    twice.write_text(text.replace("<worldbody>", '<worldbody><camera name="track"/>'), encoding="utf-8")
    with pytest.raises(PgrobotError, match=r"MuJoCo cannot add a maze to .*twice\.xml"):
        make(1, xml_file=str(twice))


def test_the_end_at_the_goal_keeps_its_name() -> None:
    ending = {"goal": Termination(lambda simulation: simulation.qpos[:, 0] > 9.0)}
    with pytest.raises(PgrobotError, match="has a termination 'goal' of its own"):
        make(1, terminations=ending)
    step = make(1, terminations=ending, reward="dense").step(np.zeros((1, 2)))
    assert step.telemetry["termination/goal"].tolist() == [[False]]


def test_the_share_of_goals_reached_is_a_metric() -> None:
    overrides = ["task=point_maze", "task.max_episode_steps=16", "debug=tiny", "num_envs=32"]
    assembly = build(validated(compose(overrides)), 1)
    rollout = assembly.collector.collect()
    told = assembly.diagnostics["episodes"](0, {LEARNER: None}, rollout)
    done = rollout[LEARNER].done & ~rollout[LEARNER].censored
    assert told["termination/goal"] == pytest.approx(float(rollout[LEARNER].reward[..., 0][done].mean()))
    assert told["termination/goal"] == pytest.approx(told["return/mean"])
    assembly.environment.close()
