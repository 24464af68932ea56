"""Maps of mazes: which cells are walls, where episodes may begin and end, and how far it is from cell to cell."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from pgrobot.errors import PgrobotError, nearest, shown

Cell = tuple[int, int]  # row, counted from above, and column

# The layouts of D4RL (Fu et al. 2020, arXiv 2004.07219), as Gymnasium-Robotics has them.
SHIPPED: Mapping[str, tuple[str, ...]] = {
    "u": (
        "#####",
        "#...#",
        "###.#",
        "#...#",
        "#####",
    ),
    "medium": (
        "########",
        "#..##..#",
        "#..#...#",
        "##...###",
        "#..#...#",
        "#.#..#.#",
        "#...#..#",
        "########",
    ),
    "large": (
        "############",
        "#....#.....#",
        "#.##.#.#.#.#",
        "#......#...#",
        "#.####.###.#",
        "#..#.#.....#",
        "##.#.#.#.###",
        "#..#...#...#",
        "############",
    ),
}


@dataclass(frozen=True)
class MazeMap:
    """Square cells of 1 m around the origin, rows from above (+y) to below, columns from −x to +x.

    Attributes:
        rows: texts of one length: ``#`` is a wall, ``.`` free, ``S`` free and where episodes begin, ``G`` free and
            where goals lie. Without an ``S`` they begin in any free cell; without a ``G`` goals lie in any.
    """

    rows: tuple[str, ...]

    @classmethod
    def of(cls, maze: str | Sequence[str]) -> Self:
        """The map of a shipped maze, by its name, or of rows of text.

        Raises:
            PgrobotError: there is no such maze, or the rows are no map of one.
        """
        if isinstance(maze, str):
            if maze not in SHIPPED:
                raise PgrobotError(f"task.maze={maze} does not exist: {nearest(maze, SHIPPED)}")
            return cls(SHIPPED[maze])
        _check_rows(maze)
        made = cls(tuple(maze))
        made.check()
        return made

    @cached_property
    def free(self) -> tuple[Cell, ...]:
        """Every cell that is no wall, row by row."""
        return self._of(".SG")

    @property
    def starts(self) -> tuple[Cell, ...]:
        """Cells in which episodes begin."""
        return self._of("S") or self.free

    @property
    def goals(self) -> tuple[Cell, ...]:
        """Cells in which goals lie."""
        return self._of("G") or self.free

    @cached_property
    def pairs(self) -> tuple[tuple[Cell, Cell], ...]:
        """Every start with every goal in another cell."""
        return tuple((start, goal) for start in self.starts for goal in self.goals if start != goal)

    @cached_property
    def longest(self) -> int:
        """Cells to go from that start to that goal between which there are most."""
        steps = {goal: self.steps(goal) for goal in self.goals}
        return max(steps[goal][start] for start, goal in self.pairs)

    def centre(self, cell: Cell) -> np.ndarray:
        """Where the middle of a cell lies, m ``[2]``."""
        row, column = cell
        return np.array([column + 0.5 - len(self.rows[0]) / 2, len(self.rows) / 2 - row - 0.5])

    def cells(self, places: np.ndarray) -> np.ndarray:
        """In which cells places ``[N, 2]`` lie, by row and column ``[N, 2]``."""
        rows, columns = len(self.rows) / 2 - places[:, 1], places[:, 0] + len(self.rows[0]) / 2
        return np.floor(np.stack((rows, columns), axis=1)).astype(np.int64)

    def neighbours(self, cell: Cell) -> tuple[Cell, ...]:
        """The free cells beside a cell."""
        row, column = cell
        beside = ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column))
        return tuple(one for one in beside if one in self._free)

    def steps(self, goal: Cell) -> dict[Cell, int]:
        """Cells to go to a goal from each from which a way leads there, the fewest (breadth-first search)."""
        found, queue = {goal: 0}, deque([goal])
        while queue:
            cell = queue.popleft()
            for one in self.neighbours(cell):
                if one not in found:
                    found[one] = found[cell] + 1
                    queue.append(one)
        return found

    def walls(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Walls side by side in a row as one: middle and half of the size, m ``[2]`` each."""
        found = []
        for row, text in enumerate(self.rows):
            for run in re.finditer("#+", text):
                ends = self.centre((row, run.start())), self.centre((row, run.end() - 1))
                found.append(((ends[0] + ends[1]) / 2, np.array([(run.end() - run.start()) / 2, 0.5])))
        return tuple(found)

    def check(self) -> None:
        """Refuse a map that is open, or in which some goal cannot be reached.

        Raises:
            PgrobotError: names the row and column, counted from 0.
        """
        for row, column in self.free:
            if row in (0, len(self.rows) - 1) or column in (0, len(self.rows[0]) - 1):
                raise PgrobotError(
                    f"task.maze is open at row {row}, column {column}: there has to be a wall (#) all around."
                )
        if not self.pairs:
            raise PgrobotError(
                f"task.maze has {len(self.starts)} free cells to begin in and {len(self.goals)} for a goal: there has "
                "to be one of each, and not the same."
            )
        for goal in self.goals:
            reached = self.steps(goal)
            for start in self.starts:
                if start not in reached:
                    raise PgrobotError(
                        f"task.maze has no way from row {start[0]}, column {start[1]} to row {goal[0]}, "
                        f"column {goal[1]}: mark starts with S and goals with G, or open a wall."
                    )

    @cached_property
    def _free(self) -> frozenset[Cell]:
        return frozenset(self.free)

    def _of(self, signs: str) -> tuple[Cell, ...]:
        return tuple(
            (row, column)
            for row, text in enumerate(self.rows)
            for column, sign in enumerate(text)
            if sign in signs
        )


def _check_rows(rows: Any) -> None:
    """Refuse what is no list of texts of one length."""
    if not isinstance(rows, Sequence) or not rows or not all(isinstance(row, str) for row in rows):
        raise PgrobotError(
            f"task.maze has to be {', '.join(SHIPPED)} or a list of rows of text, such as ['#####','#S.G#','#####'], "
            f"not {shown(rows)}."
        )
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise PgrobotError(
                f"task.maze has rows of different lengths: row {number} has {len(row)} cells, row 0 has {len(rows[0])}."
            )
        unknown = set(row) - set("#.SG")
        if unknown:
            raise PgrobotError(
                f"task.maze has {min(unknown)!r} in row {number}: a cell is a wall (#), free (.), "
                "a start (S) or a goal (G)."
            )
