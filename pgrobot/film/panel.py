"""What stands beside the picture, drawn with Pillow: readable in print, on a phone, and without colour vision."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pgrobot.film.moment import Effort, Moment, Spending

PAPER, INK, FAINT, RULE = (252, 252, 250), (28, 30, 34), (110, 114, 120), (222, 222, 218)
WITHIN, ABOVE, TRACK = (0, 114, 178), (213, 94, 0), (232, 232, 228)  # blue and vermilion of Okabe and Ito
MARGIN, GAP = 16, 10
LINE, BUDGET_LINE, EFFORT_LINE = 21, 40, 15  # pixels
LEAST_EFFORTS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle in which a block is drawn."""

    left: int
    top: int
    width: int
    height: int


def panel(moment: Moment, width: int, height: int) -> np.ndarray:
    """A page of all that there is to tell, ``[height, width, 3]`` uint8; in two columns where it is wide."""
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    if width > 1.5 * height:
        column = (width - 3 * MARGIN) // 2
        left = Place(MARGIN, MARGIN, column, height - 2 * MARGIN)
        right = Place(2 * MARGIN + column, MARGIN, column, height - 2 * MARGIN)
        _budgets(draw, moment, _below(left, _heading(draw, moment, left)), left.height)
        _efforts(draw, moment, right)
    else:
        place = Place(MARGIN, MARGIN, width - 2 * MARGIN, height - 2 * MARGIN)
        rest = _below(place, _heading(draw, moment, place))
        wanted = LINE + EFFORT_LINE * min(len(moment.efforts), LEAST_EFFORTS) + GAP
        used = _budgets(draw, moment, rest, rest.height - wanted)
        _efforts(draw, moment, _below(rest, used))
    return np.asarray(image)


def flashed(picture: np.ndarray, moment: Moment) -> np.ndarray:
    """The picture, with a frame and a label as long as something is violated."""
    if not moment.violations:
        return picture
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=ABOVE, width=max(image.width // 100, 2))
    size = max(image.width // 40, 11)
    text = _cut(draw, "✗ " + "   ✗ ".join(moment.violations), image.width - 4 * size, size, bold=True)
    box = draw.textbbox((0, 0), text, font=_font(size, bold=True))
    draw.rectangle((size, size, box[2] + 2 * size, size + 2 * size), fill=ABOVE)
    draw.text((1.5 * size, 2 * size), text, fill=PAPER, font=_font(size, bold=True), anchor="lm")
    return np.asarray(image)


def _heading(draw: ImageDraw.ImageDraw, moment: Moment, place: Place) -> int:
    """Who it is, and how it does; returns the height."""
    top, right = place.top, place.left + place.width
    _text(draw, (place.left, top), moment.title, 19, INK, place.width, bold=True)
    _text(draw, (place.left, top + 25), moment.subtitle, 13, FAINT, place.width)
    top += 50
    rows = [("time", f"{moment.time:.2f} s   episode {moment.episode}"), ("return", _figure(moment.total))]
    if moment.speed_of:
        speed = "–" if math.isnan(moment.speed) else _signed(moment.speed) + " m/s"
        rows.append((moment.speed_of, speed))
    for label, value in rows:
        _text(draw, (place.left, top), label, 14, FAINT, place.width)
        draw.text((right, top), value, fill=INK, font=_font(14, bold=True), anchor="ra")
        top += LINE
    return top - place.top + GAP


def _budgets(draw: ImageDraw.ImageDraw, moment: Moment, place: Place, room: int) -> int:
    """Each cost against its budget; returns the height. What finds no room is counted."""
    if not moment.spendings:
        return 0
    top = _section(draw, place, "cost of this episode / budget")
    fits = max((min(room, place.height) - (top - place.top)) // BUDGET_LINE, 1)
    shown = moment.spendings if len(moment.spendings) <= fits else moment.spendings[: max(fits - 1, 0)]
    for spending in shown:
        _budget(draw, spending, Place(place.left, top, place.width, BUDGET_LINE))
        top += BUDGET_LINE
    if hidden := len(moment.spendings) - len(shown):
        _text(draw, (place.left, top), f"and {hidden} more", 12, FAINT, place.width)
        top += LINE
    return top - place.top + GAP // 2


def _budget(draw: ImageDraw.ImageDraw, spending: Spending, place: Place) -> None:
    """Name, symbol and figures over a bar, whose mark is the budget at two thirds."""
    colour, symbol = (WITHIN, "✓") if spending.within else (ABOVE, "✗")
    right = place.left + place.width
    figures = f"{_figure(spending.value)} / {_figure(spending.allowed)}"
    taken = draw.textlength(figures, font=_font(13, bold=True))
    draw.text((place.left, place.top), symbol, fill=colour, font=_font(14, bold=True))
    name = f"{spending.name} {spending.unit}"
    _text(draw, (place.left + 18, place.top), name, 13, INK, int(place.width - taken - 26))
    draw.text((right, place.top), figures, fill=colour, font=_font(13, bold=True), anchor="ra")
    top, mark = place.top + 20, place.width * 2 // 3
    share = spending.value / spending.allowed if spending.allowed > 0.0 else math.inf * (spending.value > 0.0)
    filled = min(place.width, round((0.0 if math.isnan(share) else max(min(share, 1.5), 0.0)) * mark))
    draw.rectangle((place.left, top, right, top + 8), fill=TRACK)
    if filled:
        draw.rectangle((place.left, top, place.left + filled, top + 8), fill=colour)
    draw.line((place.left + mark, top - 2, place.left + mark, top + 10), fill=INK, width=2)


def _efforts(draw: ImageDraw.ImageDraw, moment: Moment, place: Place) -> None:
    """A bar from the middle for every actuator: to the right where it is positive."""
    if not moment.actuators:
        _section(draw, place, "no actuators")
        return
    fits = max((place.height - LINE - 4) // EFFORT_LINE, 1)
    shown = moment.efforts
    if len(shown) > fits:
        largest = sorted(range(len(shown)), key=lambda a: -abs(shown[a].value))[:fits]
        shown = tuple(shown[a] for a in sorted(largest))
    some = f", largest {len(shown)} of {moment.actuators}" if len(shown) < moment.actuators else ""
    top = _section(draw, place, moment.effort + some)
    line = min((place.height - (top - place.top)) // max(len(shown), 1), 24)
    for effort in shown:
        _effort(draw, effort, Place(place.left, top, place.width, line))
        top += line


def _effort(draw: ImageDraw.ImageDraw, effort: Effort, place: Place) -> None:
    colour = ABOVE if effort.violates else WITHIN
    middle, figures = place.top + place.height // 2, 52
    names = place.width * 2 // 5
    name = f"✗ {effort.name}" if effort.violates else effort.name
    _text(draw, (place.left, middle), name, 12, ABOVE if effort.violates else INK, names - 6, anchor="lm")
    left, width = place.left + names, max(place.width - names - figures, 2)
    centre, half = left + width // 2, width // 2
    draw.rectangle((left, middle - 4, left + width, middle + 4), fill=TRACK)
    share = 0.0 if math.isnan(effort.value) else max(-1.0, min(1.0, effort.value / effort.limit))
    end = centre + round(share * half)
    if end != centre:
        draw.rectangle((min(centre, end), middle - 4, max(centre, end), middle + 4), fill=colour)
    draw.line((centre, middle - 6, centre, middle + 6), fill=INK)
    draw.text(
        (place.left + place.width, middle), _signed(effort.value), fill=INK, font=_font(12), anchor="rm"
    )


def _section(draw: ImageDraw.ImageDraw, place: Place, title: str) -> int:
    """A rule with a title; returns where what belongs to it begins."""
    draw.line((place.left, place.top, place.left + place.width, place.top), fill=RULE)
    _text(draw, (place.left, place.top + 5), title, 12, FAINT, place.width)
    return place.top + LINE + 4


def _below(place: Place, used: int) -> Place:
    return Place(place.left, place.top + used, place.width, place.height - used)


def _text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    width: int,
    *,
    bold: bool = False,
    anchor: str = "la",
) -> None:
    draw.text(
        at, _cut(draw, text, width, size, bold=bold), fill=colour, font=_font(size, bold=bold), anchor=anchor
    )


def _cut(draw: ImageDraw.ImageDraw, text: str, width: float, size: int, *, bold: bool) -> str:
    """The text, with an ellipsis in its middle where it is too wide."""
    font, kept = _font(size, bold=bold), text
    while draw.textlength(kept, font=font) > width and len(text) > 1:
        text = text[: len(text) // 2] + text[len(text) // 2 + 1 :]
        kept = f"{text[: len(text) // 2]}…{text[len(text) // 2 :]}"
    return kept


def _figure(value: float) -> str:
    """A number with the digits that an eye wants."""
    if not 0.001 <= abs(value) < 100_000.0:
        return f"{value:.2g}".replace("-", "−")
    digits = ".0f" if abs(value) >= 1000.0 else ".4g" if abs(value) >= 1.0 else ".3g"
    return f"{value:{digits}}".replace("-", "−")


def _signed(value: float) -> str:
    text = f"{value:+.{0 if abs(value) >= 100.0 else 1 if abs(value) >= 10.0 else 2}f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")


@cache
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and has every sign that is drawn here."""
    found = importlib.util.find_spec("matplotlib")
    assert found is not None
    assert found.submodule_search_locations is not None
    folder = Path(found.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(folder / f"DejaVuSans{'-Bold' if bold else ''}.ttf", size)
