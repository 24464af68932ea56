"""The table of a sweep says everything at any width."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from pgrobot.sweep.statistics import OverRuns, over_runs
from pgrobot.sweep.summary import CostRow, Row
from pgrobot.sweep.table import CAPTION, print_table

WIDE = 300


def _over(centre: float, runs: int) -> OverRuns:
    return over_runs(centre * (1.0 + 0.01 * index) for index in range(runs))


def _row(task: str, budget: str, modules: str, runs: int, size: float) -> Row:
    return Row(
        settings={"task": task, "constraint.speed.budget": budget, "modules": modules, "same": "1"},
        runs=runs,
        finished=runs - 1,
        episode_return=_over(4321.0 * size, runs - 1),
        episode_length=_over(876.0, runs - 1),
        costs={
            "speed": CostRow(_over(0.0123, runs - 1), 0.01, "step", "violated", {"violated": 1}),
            "joint_velocity": CostRow(
                _over(23456.0 * size, runs - 1), 1e5, "episode", "undecided", {"satisfied": 2}
            ),
        },
    )


ROWS = [_row("hopper", "0.01", "[a,b]", 3, 1.0), _row("half_cheetah", "0.0275", "[c]", 12, 300.0)]


def _drawn(rows: list[Row], width: int) -> str:
    file = io.StringIO()
    print_table(rows, Console(file=file, width=width))
    return file.getvalue()


def _figures(drawn: str) -> set[str]:
    """Intervals, and what stands before them, verdicts included."""
    return set(re.findall(r"\[[\d,.]+, [\d,.]+\]|IQM [\d,.]+|[\d,.]+ / [\d,.]+ [a-z]+ \d+/\d+", drawn))


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_console_gets_all_that_a_wide_one_does(width: int) -> None:
    narrow, wide = _drawn(ROWS, width), _drawn(ROWS, WIDE)
    assert len(_figures(wide)) == 16
    assert _figures(wide) < _figures(narrow)  # and the intervals of steps
    first, second = narrow.split("\n\n")[:2]
    for block, told in (
        (first, ("task=hopper", "constraint.speed.budget=0.01", "modules=[a,b]", "n 2 of 3")),
        (second, ("task=half_cheetah", "constraint.speed.budget=0.0275", "modules=[c]", "n 11 of 12")),
    ):
        assert all(words in block for words in told)
        for words in (
            r"return +[\d,]+",
            r"steps +[\d,]+",
            "speed +0.01.* violated 0/",
            "joint_velocity .* undecided 2/",
        ):
            assert re.search(words, block)
    assert "same" not in narrow
    assert "…" not in narrow
    assert max(map(len, narrow.splitlines())) <= width
    assert " ".join(narrow.split()).endswith(CAPTION)


def test_a_table_that_just_fits_is_drawn_and_one_column_less_makes_blocks() -> None:
    wide = _drawn(ROWS, WIDE)
    needed = max(map(len, wide.splitlines()))
    drawn = _drawn(ROWS, needed)
    assert "task=" not in drawn
    assert drawn == wide
    assert "task=half_cheetah" in _drawn(ROWS, needed - 1)


def test_a_setting_wider_than_the_console_is_not_broken() -> None:
    rows = [_row(name * 50, "1", "[]", 2, 1.0) for name in "ab"]
    for name in "ab":
        assert f"task={name * 50}\n" in _drawn(rows, 40)
