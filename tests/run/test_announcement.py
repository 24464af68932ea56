"""What is printed at the end of a run or an evaluation."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from pgrobot.constraints import UNITS, Constraint
from pgrobot.episodes import Episodes, summary
from pgrobot.numerals import numeral
from pgrobot.run import print_evaluation


def told(cost: np.ndarray, constraints: tuple[Constraint, ...], failures: int = 0) -> dict[str, Any]:
    count = len(cost)
    costs = np.repeat(cost[:, None], len(constraints), axis=1)
    broken = tuple("a simulation broke" for _ in range(failures))
    steps, highest = np.full(count, 1000), np.full(len(constraints), np.inf)
    none = np.zeros(len(constraints))
    episodes = Episodes(
        np.arange(count) * 1e3, steps, costs, costs, broken, 1000, none, none, highest, 0.99, False
    )
    return summary(episodes, constraints, 0.95, "student-t")


def printed(evaluation: dict[str, Any], width: int) -> list[str]:
    file = io.StringIO()
    print_evaluation(Console(file=file, width=width), evaluation)
    return file.getvalue().splitlines()


NAMES = {"episode": "joint_velocity", "step": "speed", "discounted": "torque", "probability": "action_rate"}


@pytest.mark.parametrize("width", [60, 80])
def test_a_budget_is_one_line_where_there_is_room_for_it(width: int) -> None:
    cost = np.random.default_rng(0).uniform(1e4, 3e4, 20)
    limited = tuple(Constraint(NAMES[unit], 0.5, unit, 1.0) for unit in UNITS)
    lines = printed(told(cost, limited), width)
    assert max(map(len, lines)) <= width
    for constraint in limited:
        (line,) = (line for line in lines if line.startswith(f"{constraint.name} "))
        assert line.split(maxsplit=5)[1] == "violated"
        assert UNITS[constraint.unit] in line


def test_names_are_folded_and_figures_are_not() -> None:
    lines = printed(told(np.full(20, 12345.0), (Constraint("n" * 40, 20000.0, "episode", 1.0),)), 60)
    (line,) = (line for line in lines if "satisfied" in line)
    assert line.split()[1:5] == ["satisfied", "12,345", "12,345", "20,000"]
    table = lines[: next(i for i, line in enumerate(lines) if line.startswith("Each bound"))]
    assert sum(line.count("n") for line in table if line.startswith("nnn")) == 40


@pytest.mark.parametrize(("count", "share"), [(3, "63.2 %"), (100, "2.95 %")])
def test_a_cost_of_zero_says_how_much_it_leaves_open(count: int, share: str) -> None:
    lines = printed(told(np.zeros(count), (Constraint("speed", 25.0, "episode", 1.0),)), 240)
    end = f"At most {share} of all episodes cost more, or return less, than the worst of these {count}."
    assert any(line.endswith(end) for line in lines)
    assert any(line.startswith(f"speed: all {count} episodes cost the same") for line in lines)


def test_an_undecided_budget_says_what_would_decide_it() -> None:
    limited = (Constraint("speed", 2.1, "episode", 1.0),)
    lines = printed(told(np.array([1.0, 2.0, 3.0]), limited), 60)
    assert any(line.startswith("speed: some 2") and line.endswith("episodes would decide") for line in lines)
    assert not any("would decide" in line for line in printed(told(np.zeros(3), limited), 60))


def test_broken_simulations_are_told_and_nothing_is_satisfied() -> None:
    limited = (Constraint("speed", 25.0, "episode", 1.0),)
    words = " ".join(printed(told(np.zeros(9), limited, failures=2), 60))
    assert "2 simulations broke and cut episodes short" in words
    assert "undecided" in words
    assert " satisfied " not in words.partition("constraint")[2]
    assert "∞" in words
    assert "would decide" not in words


def test_without_budgets_nothing_was_limited() -> None:
    assert printed(told(np.zeros(9), ()), 60)[-1] == "nothing was limited"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"), (-0.00123456, "−0.00123"), (1.5, "1.5"), (12.0, "12"), (99.44, "99.4"), (99.96, "100"),
        (999.7, "1,000"), (-12345.6, "−12,346"), (2e7, "2e+07"), (math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_a_number_has_the_digits_that_matter(value: float, written: str) -> None:
    assert numeral(value) == written
