"""The picture of a map of violations: which row is whose, and when a column is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pgrobot.diagnostics import violation_map
from pgrobot.figures import Axis

from .test_violations import episode_steps


def test_rows_are_parts_from_the_top_and_columns_are_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(violation_map, "heatmap", lambda *given, **words: drawn.append((given, words)))
    _, watch = episode_steps(120)  # 40 bins of three steps of 0.01 s
    watch.image()
    (((values, rows, axis, scale, _), words),) = drawn
    assert rows == ["speed · speed", "torque · hip", "torque · knee"]
    assert axis == Axis("time in the episode (s)", 0.0, pytest.approx(1.2))
    assert (scale, words) == ("share of steps", {"signed": False})
    expected = np.zeros((3, 40))
    expected[1, 39] = 1 / 3  # of the one that lives to the end
    expected[2, 0] = 1 / 5  # of two that live two steps, and one the third
    np.testing.assert_allclose(values, expected)
