"""What a report draws of a run whose every metric has a curve of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import figures, names_of, plot_of, title_of
from matplotlib.axes import Axes
from matplotlib.container import BarContainer, ErrorbarContainer

from pgrobot.pictures import Table
from pgrobot.report.drawing import Drawing
from pgrobot.report.learning import costs
from pgrobot.report.reading import read_story
from pgrobot.report.sections import SECTIONS
from pgrobot.report.verdicts import judged
from pgrobot.tracking import keep

from .conftest import RESULT, full, write_run

JOINTS = ("hip", "knee")
WORDS = (
    "gradient_reward",
    "gradient_speed",
    "cosine_speed",
    "push",
    "share",
    "snr",
    "rms",
    "saturation",
    "power",
)
PARTS = (("speed", "torso"), ("torque", "hip"), ("torque", "knee"))
COUNT = 30  # iterations


def of(joint: str, word: str) -> np.ndarray:
    """What a metric of an actuator says, iteration by iteration."""
    place = 1 + WORDS.index(word) + len(WORDS) * JOINTS.index(joint)
    values = np.sin(0.1 * place * np.arange(1, COUNT + 1)) * 0.05 * place
    return values + 1.5 if word == "snr" else values  # so large that no gradient is noise


def row(iteration: int) -> dict[str, Any]:
    late = iteration == COUNT - 1
    others = {name: value for name, value in full(iteration).items() if not name.startswith("torque/")}
    actuators = {f"torque/{j}/{w}": float(of(j, w)[iteration]) for j in JOINTS for w in WORDS}
    return {
        **others,
        **actuators,
        "multiplier/torque": 3.0 + iteration,
        "multiplier_level/speed": 70.0,
        "cost/torque/mean": 0.4,
        "cost/torque/budget": 0.1,
        "reward/survive/mean": 1.0 + iteration,
        "evaluation/return/mean": 100.0 if late else None,
        "evaluation/return/upper": 130.0 if late else None,
        "evaluation/cost/speed/mean": 0.02 if late else None,
        "evaluation/cost/speed/upper": 0.03 if late else None,
    }


def cell(part: int, time: int, word: str) -> float:
    return (0.01 if word == "share" else 10.0) * (1 + 7 * part + time)


@dataclass(frozen=True)
class Drawn:
    """Axes by title, and drawings by name."""

    plots: Mapping[str, Axes]
    drawings: Mapping[str, Drawing]

    def image(self, title: str) -> np.ndarray:
        """The values of a heat-map, row by row from the top; the left is the beginning."""
        (shown,) = self.plots[title].images
        assert shown.origin == "upper"
        return np.asarray(np.ma.filled(shown.get_array(), np.nan))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = write_run(tmp_path_factory.mktemp("drawings") / "run", [row(i) for i in range(COUNT)])
    actions = [{"name": joint, "unit": "200 N·m"} for joint in JOINTS]
    (run / "spec.json").write_text(json.dumps({"name": "Hopper-v5", "actions": actions}))
    cells = [(*part, 0.5 * t, cell(p, t, "share"), cell(p, t, "size"), 9.0)
             for p, part in enumerate(PARTS) for t in range(4)]  # fmt: skip
    columns = ("constraint", "part", "time", "share", "size", "steps")
    keep(run, 64 * COUNT, "violation/by_time", Table(columns, tuple(cells)))
    return read_story(run)


@pytest.fixture(scope="module")
def drawn(story: Any) -> Drawn:
    with figures() as found:
        told = [shown for section in SECTIONS for shown in section.draw(story)]
    drawings = {d.name: d for d in told if isinstance(d, Drawing) and d.drawn}
    return Drawn({title_of(figure): plot_of(figure) for figure in found}, drawings)


def curve(plot: Axes, values: np.ndarray) -> bool:
    """Whether a line goes through these values."""
    found = [np.asarray(line.get_ydata(), dtype=float) for line in plot.lines]
    return any(len(y) == len(values) and np.allclose(y, values, equal_nan=True) for y in found)


def test_a_cost_is_drawn_with_its_budget_and_what_lies_above_is_shaded(drawn: Drawn) -> None:
    for name, budget, values in (
        ("speed", 0.025, 0.5 / np.arange(1, COUNT + 1)),
        ("torque", 0.1, np.full(COUNT, 0.4)),
    ):
        plot = drawn.plots[f"Cost: {name}"]
        assert curve(plot, values)
        dashed = [line for line in plot.lines if list(line.get_ydata()) == [budget, budget]]
        assert [line.get_linestyle() for line in dashed] == ["--"]
        assert f"budget {budget}" in [text.get_text() for text in plot.texts]
        (shade,) = plot.patches
        low, high = plot.get_ylim()
        assert low < budget < high
        assert (shade.get_y(), shade.get_y() + shade.get_height()) == pytest.approx((budget, high))
    assert drawn.plots["Cost: speed"].get_ylabel() == "cost per step"


def test_a_budget_that_tightens_is_drawn_over_time_above_the_last_one(tmp_path: Path) -> None:
    """Of a run that was stopped on the way, the last one is that of its config."""
    budgets = 0.2 - 0.004 * np.arange(COUNT)
    run = write_run(tmp_path / "run", [row(i) | {"cost/torque/budget": budgets[i]} for i in range(COUNT)])
    (run / "config.yaml").write_text("constraint: {torque: {unit: step, budget: 0.05}}\n")
    with figures() as found:
        assert len(list(costs(read_story(run)))) == 3
    plots = {title_of(figure): plot_of(figure) for figure in found}
    assert curve(plots["Cost: torque"], budgets)
    assert any(list(line.get_ydata()) == [0.05, 0.05] for line in plots["Cost: torque"].lines)
    assert not curve(plots["Cost: speed"], np.full(COUNT, 0.025))


def test_a_bar_leads_from_an_evaluation_to_its_upper_bound(drawn: Drawn) -> None:
    for title, mean, upper in (("Cost: speed", 0.02, 0.03), ("Return", 100.0, 130.0)):
        (cloud,) = [c for c in drawn.plots[title].containers if isinstance(c, ErrorbarContainer)]
        point, _, (bar,) = cloud.lines
        assert (list(point.get_xdata()), list(point.get_ydata())) == ([64.0 * COUNT], [mean])
        np.testing.assert_allclose(bar.get_segments(), [[[64.0 * COUNT, mean], [64.0 * COUNT, upper]]])


def test_prices_are_drawn_and_not_their_levels_each_in_a_style_of_its_own(drawn: Drawn) -> None:
    plot = drawn.plots["Multipliers"]
    assert curve(plot, np.ones(COUNT))
    assert curve(plot, 3.0 + np.arange(COUNT))
    assert not curve(plot, np.full(COUNT, 70.0))
    named = {line.get_label(): line for line in plot.lines if line.get_label() in ("speed", "torque")}
    one, other = named["speed"], named["torque"]
    assert one.get_color() != other.get_color()
    assert one.get_linestyle() != other.get_linestyle()


def test_of_a_solver_that_keeps_budgets_the_duals_are_drawn_and_no_multipliers(tmp_path: Path) -> None:
    duals = 0.1 * np.arange(COUNT)
    kept = {"multiplier/speed": 0.0, "step/case/bound": 1.0, "step/case/recovery": 0.0}
    run = write_run(tmp_path / "run", [row(i) | kept | {"step/dual/speed": duals[i]} for i in range(COUNT)])
    with figures() as found:
        list(costs(read_story(run)))
    plots = {title_of(figure): plot_of(figure) for figure in found}
    assert "Multipliers" not in plots
    assert curve(plots["Duals"], duals)
    assert curve(plots["What steps were for"], np.ones(COUNT))


def test_reward_terms_are_compared_of_the_first_and_the_last_tenth(drawn: Drawn) -> None:
    plot = drawn.plots["What the reward is made of"]
    assert names_of(plot) == ["forward", "survive"]
    told = {
        c.get_label(): [bar.get_width() for bar in c] for c in plot.containers if isinstance(c, BarContainer)
    }
    wave = np.sin(np.arange(COUNT) / 3)
    assert told["first tenth"] == pytest.approx([wave[:3].mean(), 2.0])
    assert told["last tenth"] == pytest.approx([wave[-3:].mean(), 29.0])
    assert "survive 2, then 29" in drawn.drawings["reward_shares"].words


@pytest.mark.parametrize(
    ("title", "word", "factor"),
    [
        ("Gradient of the reward", "gradient_reward", 1.0),
        ("Gradient of the cost speed", "gradient_speed", 1.0),
        ("Reward against the cost speed", "cosine_speed", 1.0),
        ("Where the update pushes", "push", 1.0),
        ("Share of the whole gradient", "share", 1.0),
        ("Signal in the gradient", "snr", math.sqrt(4 * 16)),  # standard errors of so many steps
        ("Torque: root mean square", "rms", 1.0),
        ("Saturation", "saturation", 1.0),
        ("Power", "power", 1.0),
    ],
)
def test_every_map_shows_its_own_metric_a_row_for_each_actuator(
    drawn: Drawn, title: str, word: str, factor: float
) -> None:
    assert names_of(drawn.plots[title]) == list(JOINTS)
    expected = np.array([factor * of(joint, word) for joint in JOINTS])
    if word == "cosine_speed":  # noise is grey
        expected[[np.sqrt(4 * 16) * of(joint, "snr") < 2.0 for joint in JOINTS]] = np.nan
        assert np.isfinite(expected).any()
    np.testing.assert_allclose(drawn.image(title), expected)


def test_captions_name_the_colours_that_are_drawn(drawn: Drawn) -> None:
    """Of a signed map: purple is more, see test_artists."""
    for name, words in {
        "gradient_reward": "Purple: more torque, more reward; orange: less.",
        "gradient_speed": "Purple: more torque, more cost; orange: less.",
        "push": "purple: more torque; orange: less.",
        "agreement_speed": "Purple, towards 1: what earns reward costs too, so safety and task fight here; orange, "
        "towards −1: what earns reward also saves cost.",
    }.items():
        assert words in drawn.drawings[name].note
    for title in ("Gradient of the reward", "Where the update pushes", "Reward against the cost speed"):
        (shown,) = drawn.plots[title].images
        low, high = shown.get_clim()
        assert low == -high
        assert shown.get_cmap().name == "PuOr"


@pytest.mark.parametrize(
    ("title", "word"),
    [("When the judged policy violates", "share"), ("How large its violations are", "size")],
)
def test_violations_have_a_row_for_each_part_and_a_column_for_each_time(
    drawn: Drawn, title: str, word: str
) -> None:
    plot = drawn.plots[title]
    assert names_of(plot) == ["speed · torso", "torque · hip", "torque · knee"]
    expected = [[cell(p, t, word) for t in range(4)] for p in range(3)]
    np.testing.assert_allclose(drawn.image(title), expected)
    assert tuple(plot.images[0].get_extent()[:2]) == (0.0, 2.0)
    assert "of torque · knee at 1.5 s" in drawn.drawings[f"violations_{word}"].words


def test_verdicts_have_their_bounds_on_their_own_sides(story: Any, drawn: Drawn) -> None:
    told = {row.name: row for row in judged(story)}
    for name, cost in RESULT["costs"].items():  # type: ignore[attr-defined]
        lower, upper = (f"{cost[key]:.3g}" if cost[key] is not None else "–" for key in ("lower", "upper"))
        assert (told[name].lower, told[name].upper, told[name].mean) == (lower, upper, f"{cost['mean']:.3g}")
        assert (told[name].budget, told[name].verdict) == (f"{cost['budget']:.3g}", cost["verdict"])
    plot = drawn.plots["What is spent of each budget"]
    assert names_of(plot) == ["speed", "torque", "fall"]
    lines = [(list(map(float, line.get_xdata())), list(line.get_ydata())) for line in plot.lines]
    assert ([0.0, pytest.approx(0.8)], [0, 0]) in lines
    assert ([pytest.approx(0.4)], [0]) in lines
    assert ([0.0, pytest.approx(2.0)], [2, 2]) in lines
    (shade,) = plot.patches
    assert shade.get_x() == 1.0
    assert shade.get_width() > 0.0
