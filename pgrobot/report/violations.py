"""Who breaks which budget and when: over the training, and over the time of an episode of the judged policy."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pgrobot.figures import Axis, heatmap
from pgrobot.numerals import numeral
from pgrobot.pictures import Table
from pgrobot.report.drawing import Drawing, Sentence, map_over_time
from pgrobot.report.reading import Story

TABLE = "violation/by_time"
COLUMNS = ("constraint", "part", "time", "share", "size")
TIME = "time in the episode (s)"


def violations(story: Story) -> Iterator[Drawing | Sentence]:
    """Parts over training time, and over the time in an episode."""
    learners = story.history.learners
    for learner in learners:
        history = story.history.of(learner) if len(learners) > 1 else story.history
        parts = history.between("violation/", "/environments")
        yield from map_over_time(
            history,
            f"{learner}/violations_training".removeprefix("/"),
            {f"violation/{part}/environments": part.replace("/", " · ", 1) for part in parts},
            "share of environments",
            "Who violates, over the training",
            "Share of the environments in which a part violated the constraint in an iteration.",
            signed=False,
            end=1.0,
        )
    table = story.tables.get(TABLE)
    if table and set(COLUMNS) <= set(table.columns) and table.rows:
        yield from _in_the_episode(table)


def _in_the_episode(table: Table) -> Iterator[Drawing]:
    at = {name: table.columns.index(name) for name in COLUMNS}
    times = sorted({float(row[at["time"]]) for row in table.rows})
    rows = list(dict.fromkeys((row[at["constraint"]], row[at["part"]]) for row in table.rows))
    named = [f"{constraint} · {part}" for constraint, part in rows]
    line = {row: index for index, row in enumerate(rows)}
    place = {time: index for index, time in enumerate(times)}
    width = times[1] - times[0] if len(times) > 1 else 1.0
    axis = Axis(TIME, times[0], times[-1] + width)
    for word, scale, title in (
        ("share", "share of steps", "When the judged policy violates"),
        ("size", "cost per violating step", "How large its violations are"),
    ):
        values = np.full((len(rows), len(times)), math.nan)
        for row in table.rows:
            at_row, at_time = line[row[at["constraint"]], row[at["part"]]], place[float(row[at["time"]])]
            values[at_row, at_time] = row[at[word]]
        if not np.isfinite(values).any() or (word == "size" and np.all(values[np.isfinite(values)] == 1.0)):
            continue  # of costs that count, every violation is of size 1
        seen = np.isfinite(values).any(1) if word == "size" else np.ones(len(rows), dtype=bool)
        values, lines = values[seen], [name for name, known in zip(named, seen, strict=True) if known]
        first, second = np.unravel_index(np.nanargmax(values), values.shape)
        words = f"{title}: most, {numeral(values[first, second])}, of {lines[first]} at {numeral(times[second])} s."
        yield Drawing(
            f"violations_{word}",
            heatmap(values, lines, axis, scale, title, signed=False),
            "Of all episodes of the final evaluation; grey: not seen.",
            words,
            wide=True,
            drawn=True,
        )
