"""Who knows the maze: the fewest cells to the goal, and a controller that drives the ball along them."""

from __future__ import annotations

import numpy as np

from .maze_map import Cell, MazeMap
from .point_maze import PointMaze

STIFFNESS = 4.0  # shares of the full force per m
DAMPING = 0.5  # and per m/s


class Oracle:
    """Drives balls to their goals along shortest ways, by a PD controller towards the end of what lies straight ahead.

    Args:
        maze: the map.
    """

    def __init__(self, maze: MazeMap) -> None:
        self._map = maze
        shape = len(maze.rows), len(maze.rows[0])
        self._corner = np.zeros((*shape, *shape, 2))  # of every cell to every goal's
        self._ahead = np.ones((*shape, *shape), dtype=bool)  # whether the goal itself lies straight ahead
        for goal in maze.goals:
            for cell in maze.steps(goal):
                corner = _corner(way(maze, cell, goal))
                self._corner[cell + goal] = maze.centre(corner)
                self._ahead[cell + goal] = corner == goal

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Actions ``[N, 2]`` for what ``PointMaze`` shows as ``policy``, ``[N, 6]``."""
        ball, speed, goal = observation[:, :2], observation[:, 2:4], observation[:, 4:]
        where = (*self._map.cells(ball).T, *self._map.cells(goal).T)
        aim = np.where(self._ahead[where][:, None], goal, self._corner[where])
        return np.clip(STIFFNESS * (aim - ball) - DAMPING * speed, -1.0, 1.0)


def way(maze: MazeMap, start: Cell, goal: Cell) -> list[Cell]:
    """The cells of a shortest way, both ends included."""
    left, found = maze.steps(goal), [start]
    while found[-1] != goal:
        found.append(min(maze.neighbours(found[-1]), key=left.__getitem__))
    return found


def oracle_steps(task: PointMaze, starts: np.ndarray) -> np.ndarray:
    """Steps that the oracle takes to the goal.

    Args:
        task: the maze.
        starts: positions of ball and goal, m ``[N, 4]``.

    Returns:
        ``[N]``, infinite where it does not get there within the time limit.
    """
    environment = task.make(len(starts), {}, 0, 1)
    environment.reset()
    observed = environment.set_state(np.arange(len(starts)), starts, np.zeros_like(starts))
    found, oracle = np.full(len(starts), np.inf), Oracle(task.map)
    for step in range(1, task.max_episode_steps + 1):
        observed = environment.advance(oracle(observed["policy"])).next_obs
        found[np.isinf(found) & task.at_goal(environment.simulation)] = step
        if np.isfinite(found).all():
            break
    return found


def _corner(cells: list[Cell]) -> Cell:
    """The last of those cells that lie in one line with the first two."""
    steps = np.diff(cells, axis=0)
    bends = (steps != steps[:1]).any(axis=1)
    return cells[int(bends.argmax()) if bends.any() else -1]
