"""Where and when the episodes of an evaluation violate: parts × time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pgrobot.figures import Axis, heatmap
from pgrobot.pictures import Image, Table
from pgrobot.types import EnvironmentSpec, Step

MOST_BINS = 50
COLUMNS = ("constraint", "part", "time", "share", "size", "steps")


class ViolationMap:
    """Watches whole episodes and adds up violations by part and by time in the episode.

    Args:
        spec: of the environment that is watched.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        self._limit = spec.max_episode_steps
        self._width = -(-self._limit // MOST_BINS)  # steps in a bin
        self._dt = spec.control_dt
        bins = -(-self._limit // self._width)
        self._steps = np.zeros(bins)
        self._parts = spec.violations
        self._counted = spec.counted
        self._violated = {cost: np.zeros((bins, len(parts))) for cost, parts in spec.violations.items()}
        self._amount: Mapping[str, np.ndarray] = {
            cost: np.zeros_like(sums) for cost, sums in self._violated.items()
        }

    def __call__(self, step: Step, counted: np.ndarray, age: np.ndarray) -> None:
        """Watch one step.

        Args:
            step: of all ``N`` environments.
            counted: which of them run an episode that counts, ``[N]`` bool.
            age: steps that those had taken in it before, ``[M]``.
        """
        bins = age // self._width
        np.add.at(self._steps, bins, 1.0)
        for cost, violated in self._violated.items():
            amount = step.telemetry[f"violation/{cost}"][counted]
            found = amount > 0.0
            np.add.at(violated, bins, found)
            np.add.at(self._amount[cost], bins, np.where(found, amount, 0.0))

    @property
    def violated(self) -> bool:
        """Whether any part did."""
        return any(sums.any() for sums in self._violated.values())

    def table(self) -> Table:
        """A row for every part and time.

        ``time`` is where a bin begins, in seconds; ``share`` that of its steps in which the part violated and ``size``
        the mean of what it added to the cost in those; ``steps`` is how many the bin has, of all episodes. NaN where
        there are none, and the size of a cost whose parts add 1 or nothing.
        """
        return Table(
            COLUMNS,
            tuple(
                (cost, part, float(time), float(share), float(size), float(steps))
                for cost, parts in self._parts.items()
                for j, part in enumerate(parts)
                for time, share, size, steps in zip(
                    np.arange(len(self._steps)) * self._width * self._dt,
                    _ratio(self._violated[cost][:, j], self._steps),
                    self._size(cost)[:, j],
                    self._steps,
                    strict=True,
                )
            ),
        )

    def _size(self, cost: str) -> np.ndarray:
        known = self._violated[cost] * (cost not in self._counted)
        return _ratio(self._amount[cost], known)

    def image(self) -> Image:
        """The shares; a time that no episode lived to see is grey."""
        rows = [f"{cost} · {part}" for cost, parts in self._parts.items() for part in parts]
        shares = [_ratio(sums, self._steps[:, None]) for sums in self._violated.values()]
        return heatmap(
            np.concatenate(shares, axis=1).T,
            rows,
            Axis("time in the episode (s)", 0.0, len(self._steps) * self._width * self._dt),
            "share of steps",
            "Violations of the judged policy, by part and time",
            signed=False,
        )


def _ratio(amount: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.divide(amount, by, out=np.full(amount.shape, np.nan), where=by > 0.0)
