"""What heat-maps, panels, bars, intervals and curves draw, and where: read of matplotlib, not of pixels."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from drawn import figures, names_of, plot_of, title_of
from matplotlib.container import BarContainer

from pgrobot.figures import Axis, Interval, Panel, bars, heatmap, intervals, panels
from pgrobot.figures.curves import MOST_POINTS, Curve, running_mean, thinned
from pgrobot.figures.palette import DIVERGING, LINES, SEQUENTIAL, line_style

VALUES = np.array([[1.0, 2.0, 3.0], [-4.0, np.nan, 0.5]])


@pytest.mark.parametrize("signed", [True, False])
def test_the_first_row_of_a_heat_map_is_at_the_top(*, signed: bool) -> None:
    with figures() as drawn:
        heatmap(VALUES, ["hip", "knee"], Axis("s", 2.0, 8.0), "share", "A map", signed=signed)
    plot = plot_of(drawn[0])
    (shown,) = plot.images
    np.testing.assert_array_equal(np.ma.filled(shown.get_array(), np.nan), VALUES)
    assert tuple(shown.get_extent()) == (2.0, 8.0, 1.5, -0.5)
    assert (shown.origin, names_of(plot), list(plot.get_yticks())) == ("upper", ["hip", "knee"], [0, 1])
    assert shown.get_clim() == (-4.0, 4.0)
    assert shown.get_cmap().name == (DIVERGING if signed else SEQUENTIAL)
    assert (plot.get_xlabel(), title_of(drawn[0])) == ("s", "A map")
    assert drawn[0].axes[1].get_ylabel() == "share"


def test_colours_of_what_has_no_sign_begin_at_zero_and_end_where_they_are_told() -> None:
    with figures() as drawn:
        heatmap(abs(VALUES), ["hip", "knee"], Axis("s", 0.0, 1.0), "share", "A map", signed=False, end=8.0)
        heatmap(abs(VALUES), ["hip", "knee"], Axis("s", 0.0, 1.0), "share", "A map", signed=True)
    assert [plot_of(figure).images[0].get_clim() for figure in drawn] == [(0.0, 8.0), (-4.0, 4.0)]


def test_panels_have_their_rows_and_columns_in_order() -> None:
    cells = Panel(VALUES, ["hip", "knee"], ["x", "y", "z"], "N·m", "Slope", signed=True)
    along = Panel(abs(VALUES), ["hip", "knee"], Axis("phase", 0.0, 1.0), "N·m", "Size", signed=False)
    with figures() as drawn:
        panels([cells], "of both", stacked=False)
        panels([along], "of both", stacked=True)
    (first, second) = (plot_of(figure) for figure in drawn)
    for plot, values, extent in (
        (first, VALUES, (-0.5, 2.5, 1.5, -0.5)),
        (second, abs(VALUES), (0.0, 1.0, 1.5, -0.5)),
    ):
        (shown,) = plot.images
        np.testing.assert_array_equal(np.ma.filled(shown.get_array(), np.nan), values)
        assert tuple(shown.get_extent()) == extent
        assert (shown.origin, names_of(plot)) == ("upper", ["hip", "knee"])
    assert [label.get_text() for label in first.get_xticklabels()] == ["x", "y", "z"]
    assert first.images[0].get_clim()[0] == -first.images[0].get_clim()[1]
    assert second.images[0].get_clim()[0] == 0.0
    assert title_of(drawn[0]) == "Slope (N·m)"


def test_more_is_purple_and_less_is_orange() -> None:
    """As captions say."""
    low, high = (mpl.colormaps[DIVERGING](end)[:3] for end in (0.05, 0.95))
    red, green, blue = range(3)
    assert high[blue] > high[red] > high[green]
    assert low[red] > low[green] > low[blue]


def test_bars_are_as_long_as_their_values_row_by_row() -> None:
    groups = {"before": [1.0, -2.0, 0.0], "after": [3.0, 4.0, float("nan")]}
    with figures() as drawn:
        bars(["forward", "ctrl", "alive"], groups, "reward", "Terms")
    plot = plot_of(drawn[0])
    told = {bar.get_label(): bar for bar in plot.containers if isinstance(bar, BarContainer)}
    for name, values in groups.items():
        assert [patch.get_width() for patch in told[name]] == list(np.nan_to_num(values))
        assert [round(patch.get_y() + patch.get_height() / 2) for patch in told[name]] == [0, 1, 2]
    assert told["before"][0].get_y() < told["after"][0].get_y()
    assert told["before"][0].get_hatch() != told["after"][0].get_hatch(), "no colour is needed"
    assert (names_of(plot), plot.yaxis_inverted()) == (["forward", "ctrl", "alive"], True)


def test_intervals_reach_from_low_to_high_and_what_is_beyond_the_line_is_shaded() -> None:
    rows = [Interval("speed", 0.2, 0.5, 0.9), Interval("torque", 0.8, 1.5, float("inf"))]
    with figures() as drawn:
        intervals(rows, 1.0, "times its budget", "Spent")
    plot = plot_of(drawn[0])
    lines = [(list(map(float, line.get_xdata())), list(line.get_ydata())) for line in plot.lines]
    end = 1.5 * 1.15
    assert ([0.2, 0.9], [0, 0]) in lines
    assert ([0.5], [0]) in lines
    assert ([0.8, end], [1, 1]) in lines, "to the end of the axis"
    assert ([1.0, 1.0], [0, 1]) in lines
    (shade,) = plot.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((1.0, end))
    assert (names_of(plot), plot.yaxis_inverted()) == (["speed", "torque"], True)


def test_a_running_mean_is_of_both_sides_alike() -> None:
    values = np.random.default_rng(1).normal(size=200)
    reach = 200 // 50
    expected = [values[max(i - reach, 0) : i + reach + 1].mean() for i in range(200)]
    np.testing.assert_allclose(running_mean(values), expected)
    np.testing.assert_array_equal(running_mean(values[:49]), values[:49])


def test_of_too_many_points_neighbours_are_averaged_to_the_end() -> None:
    x = np.arange(4 * MOST_POINTS, dtype=float)
    found = thinned(Curve("all", x, x**2))
    np.testing.assert_allclose(found.x, x.reshape(-1, 4).mean(1))
    np.testing.assert_allclose(found.y, (x**2).reshape(-1, 4).mean(1))


def test_lines_differ_in_more_than_colour() -> None:
    styles = [line_style(index) for index in range(12)]
    assert len(set(styles)) == 12
    assert len({dashes for _, dashes in LINES}) == len({colour for colour, _ in LINES}) == len(LINES)
    for one, other in itertools.pairwise(styles):
        assert one[0] != other[0]
        assert one[1] != other[1]
