"""Every mark beside a film's picture: its sign, its colour and its side."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import ImageDraw

from pgrobot.film.moment import Effort, Moment, Spending
from pgrobot.film.panel import ABOVE, INK, TRACK, WITHIN, flashed, panel

QUIET = Moment(
    title="Hopper", subtitle="stochastic, step 128 of run", time=1.5, episode=2, total=12.5, speed=-0.75,
    speed_of="forward speed", effort="torque, N·m", efforts=(), actuators=0, spendings=(), violations=(),
)  # fmt: skip


@dataclass
class Marks:
    """What was drawn, in order."""

    texts: list[tuple[str, Any]] = field(default_factory=list)
    boxes: list[tuple[tuple[float, ...], Any]] = field(default_factory=list)
    lines: list[tuple[tuple[float, ...], Any]] = field(default_factory=list)

    def bars(self, *colours: tuple[int, int, int]) -> list[tuple[float, ...]]:
        return [box for box, fill in self.boxes if fill in colours]


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Marks:
    found = Marks()
    draw = ImageDraw.ImageDraw
    text, rectangle, line = draw.text, draw.rectangle, draw.line

    def write(self: Any, xy: Any, words: str, *rest: Any, **how: Any) -> None:
        found.texts.append((words, how.get("fill")))
        text(self, xy, words, *rest, **how)

    def box(self: Any, xy: Any, *rest: Any, **how: Any) -> None:
        found.boxes.append((tuple(xy), how.get("fill")))
        rectangle(self, xy, *rest, **how)

    def stroke(self: Any, xy: Any, *rest: Any, **how: Any) -> None:
        found.lines.append((tuple(xy), how.get("fill")))
        line(self, xy, *rest, **how)

    monkeypatch.setattr(draw, "text", write)
    monkeypatch.setattr(draw, "rectangle", box)
    monkeypatch.setattr(draw, "line", stroke)
    return found


def moment(**changes: Any) -> Moment:
    return Moment(**{name: getattr(QUIET, name) for name in Moment.__slots__} | changes)


@pytest.mark.parametrize(
    ("value", "symbol", "colour", "other"),
    [(0.5, "✓", WITHIN, ABOVE), (1.0, "✓", WITHIN, ABOVE), (1.01, "✗", ABOVE, WITHIN)],
)
def test_a_budget_that_is_kept_has_a_tick_and_one_that_is_not_a_cross(
    marks: Marks, value: float, symbol: str, colour: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    panel(moment(spendings=(Spending("speed", value, 1.0, "per step", violates=False),)), 320, 480)
    assert [(text, fill) for text, fill in marks.texts if text in "✓✗"] == [(symbol, colour)]
    assert marks.bars(colour)
    assert not marks.bars(other)


@pytest.mark.parametrize(("value", "share"), [(0.2, 0.5), (0.4, 1.0), (0.6, 1.5), (9.0, 1.5)])
def test_what_is_spent_ends_at_the_budgets_mark_when_all_of_it_is(
    marks: Marks, value: float, share: float
) -> None:
    panel(moment(spendings=(Spending("speed", value, 0.4, "per step", violates=False),)), 320, 480)
    ((left, _, right, _),) = marks.bars(TRACK)
    (mark,) = [x for (x, top, end, bottom), fill in marks.lines if fill == INK and x == end and bottom > top]
    assert mark - left == pytest.approx((right - left) * 2 / 3, abs=1.0)
    ((start, _, end, _),) = marks.bars(WITHIN, ABOVE)
    assert start == left
    assert end - left == pytest.approx(share * (mark - left), abs=1.0)


@pytest.mark.parametrize("value", [-5.0, 5.0, -20.0, 0.0])
def test_an_effort_points_to_the_right_where_it_is_positive(marks: Marks, value: float) -> None:
    panel(moment(efforts=(Effort("hip", value, 20.0, violates=False),), actuators=1), 320, 480)
    ((left, _, right, _),) = marks.bars(TRACK)
    middle = (left + right) / 2
    assert [x for (x, top, end, bottom), fill in marks.lines if fill == INK and x == end] == [
        pytest.approx(middle, abs=1.0)
    ]
    bars = marks.bars(WITHIN)
    assert len(bars) == (value != 0.0)
    for start, _, end, _ in bars:
        length = abs(value) / 20.0 * (right - left) / 2
        wanted = (middle, middle + length) if value > 0.0 else (middle - length, middle)
        assert (start, end) == pytest.approx(wanted, abs=1.5)
    words = {-5.0: "−5.00", 5.0: "+5.00", -20.0: "−20.0", 0.0: "0.00"}
    assert words[value] in [text for text, _ in marks.texts]


def test_a_joint_that_violates_has_a_cross_and_the_other_colour(marks: Marks) -> None:
    efforts = (Effort("hip", 5.0, 20.0, violates=False), Effort("knee", 5.0, 20.0, violates=True))
    panel(moment(efforts=efforts, actuators=2), 320, 480)
    assert {(text, fill) for text, fill in marks.texts if "hip" in text or "knee" in text} == {
        ("hip", INK),
        ("✗ knee", ABOVE),
    }
    assert len(marks.bars(WITHIN)) == len(marks.bars(ABOVE)) == 1


def test_the_heading_says_time_return_and_speed_with_its_sign(marks: Marks) -> None:
    panel(QUIET, 320, 480)
    panel(moment(speed=math.nan), 320, 480)
    told = [text for text, _ in marks.texts]
    for words in ("Hopper", "1.50 s   episode 2", "12.5", "forward speed", "−0.75 m/s", "–"):
        assert words in told


def test_the_picture_is_framed_as_long_as_something_is_violated(marks: Marks) -> None:
    picture = np.full((240, 320, 3), 40, np.uint8)
    assert flashed(picture, QUIET) is picture
    framed = flashed(picture, moment(violations=("torque: knee", "speed")))
    edges = framed[0, 160], framed[239, 160], framed[120, 0], framed[120, 319]
    assert {tuple(edge.tolist()) for edge in edges} == {ABOVE}
    assert framed[120, 160].tolist() == [40, 40, 40]
    assert [text for text, _ in marks.texts] == ["✗ torque: knee   ✗ speed"]
