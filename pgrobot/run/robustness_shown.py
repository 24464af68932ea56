"""What a sweep over models looks like: lines of the console, a table, and curves or heat-maps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from pgrobot.constraints import UNITS
from pgrobot.figures import Axes, Axis, Curve, Limit, curves, heatmap
from pgrobot.numerals import numeral
from pgrobot.pictures import Image, Picture, Table
from pgrobot.run.announcement import STYLES
from pgrobot.run.robustness import SweptEntry


def robustness_pictures(told: Mapping[str, Any], axes: Sequence[SweptEntry]) -> dict[str, Picture]:
    """A table of all points, and one drawing of the return and of each cost.

    Args:
        told: what ``robustness`` returned.
        axes: of its grid.

    Returns:
        The pictures by name: ``robustness/mass_friction``, ``robustness/mass_friction/return``, ….
    """
    name = "robustness/" + "_".join(axis.name for axis in axes)
    pictures: dict[str, Picture] = {name: _table(told["cells"], axes)}
    for quantity, label, pick, budget in _quantities(told["cells"]):
        values = np.array([pick(cell) for cell in told["cells"]])
        title = f"{quantity} over {' and '.join(axis.name for axis in axes)}"
        draw = _curve if len(axes) == 1 else _map
        pictures[f"{name}/{quantity}"] = draw(values, axes, label, title, budget)
    return pictures


def print_robustness(console: Console, told: Mapping[str, Any], run: Path) -> None:
    """Print a line per point of a sweep over one entry; the mean, the worst point, and how many keep each budget."""
    cells, names = told["cells"], list(told["axes"])
    if len(names) == 1:
        table = RichTable(box=None, pad_edge=False, header_style="dim")
        for title in (names[0], "return", *cells[0]["costs"]):
            table.add_column(title, justify="right")
        for cell in cells:
            costs = [
                f"{numeral(cost['mean'])} [{STYLES[cost['verdict']]}]{cost['verdict']}[/]"
                for cost in cell["costs"].values()
            ]
            table.add_row(f"{cell[names[0]]:.4g}", numeral(cell["return"]["mean"]), *costs)
        console.print(table)
    returns = [cell["return"]["mean"] for cell in cells]
    worst = cells[int(np.argmin(returns))]
    where = ", ".join(f"{name} {worst[name]:.4g}" for name in names)
    console.print(
        f"over {len(cells)} models: return {numeral(float(np.mean(returns)))} on average, "
        f"{numeral(min(returns))} at worst ({where})"
    )
    for cost in cells[0]["costs"]:
        kept = sum(cell["costs"][cost]["verdict"] == "satisfied" for cell in cells)
        console.print(f"{escape(cost)}: satisfied on {kept} of {len(cells)} models")
    console.print(f"table and pictures: {run}/tables/robustness, {run}/figures/robustness", soft_wrap=True)


def _quantities(cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, Any, float]]:
    yield "return", "return", lambda cell: cell["return"]["mean"], float("nan")
    for cost, first in cells[0]["costs"].items():
        pick = lambda cell, cost=cost: cell["costs"][cost]["mean"]
        yield cost, f"{cost} {UNITS[first['unit']]}", pick, first["budget"]


def _curve(values: np.ndarray, axes: Sequence[SweptEntry], label: str, title: str, budget: float) -> Image:
    (axis,) = axes
    limits = [Limit("budget", budget)] if np.isfinite(budget) else []
    places = np.array(axis.values)
    free = (-math.inf, math.inf)
    along = Axes(axis.label, label, (float(places.min()), float(places.max())), free)
    return curves([Curve(label, places, values)], [], limits, [], along, title)


def _map(values: np.ndarray, axes: Sequence[SweptEntry], label: str, title: str, budget: float) -> Image:
    """The first entry from the left to the right, the second from the bottom to the top."""
    across, up = axes
    grid = values.reshape(len(across.values), len(up.values)).T[::-1]
    rows = [f"{up.label} {value:.4g}" for value in reversed(up.values)]
    low, high = across.values[0], across.values[-1]
    half = (high - low) / max(len(across.values) - 1, 1) / 2.0 or 0.5
    scale = f"{label}, budget {budget:g}" if np.isfinite(budget) else label
    return heatmap(grid, rows, Axis(across.label, low - half, high + half), scale, title, signed=False)


def _table(cells: Sequence[Mapping[str, Any]], axes: Sequence[SweptEntry]) -> Table:
    costs = tuple(cells[0]["costs"])
    columns = (*(axis.name for axis in axes), "return", "return_low", "return_high", "episode_length")
    more = tuple(f"{cost}_{word}" for cost in costs for word in ("mean", "upper", "verdict"))
    rows = tuple(
        (
            *(cell[axis.name] for axis in axes),
            cell["return"]["mean"],
            *cell["return"]["ci95"],
            cell["episode_length"],
            *(cell["costs"][cost][word] for cost in costs for word in ("mean", "upper", "verdict")),
        )
        for cell in cells
    )
    return Table((*columns, *more), rows)
