"""The progress display: what it says, where it says it, and how it leaves the terminal."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from rich.console import Console

from pgrobot.tracking import Progress, open_console, working
from pgrobot.tracking.panel import duration, figure, line, panel, sparkline
from pgrobot.tracking.progress import Thinned
from pgrobot.types import Metrics


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def metrics(cost: float) -> Metrics:
    return {
        "cost/speed/mean": cost,
        "cost/speed/budget": 25.0,
        "cost/speed/whole": 0.1,
        "multiplier/speed": 0.5,
        "policy/kl": 0.0123,
        "guard/skipped_updates": 0.0,
    }


def shown(progress: Progress, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True)
    console.print(panel("Hopper-v5", "runs/here", progress))
    return console.export_text()


def test_the_price_of_a_step_that_keeps_to_budgets_by_itself_is_shown() -> None:
    """Its multiplier is 0, which is no price of anything."""
    progress = Progress(100)
    progress.add(10, metrics(10.0))
    assert "0.5" in shown(progress)
    progress.add(20, metrics(10.0) | {"multiplier/speed": 0.0, "step/dual/speed": 0.75})
    assert "0.75" in shown(progress)


# ---------------------------------------------------------------------------------------------------------- progress


def test_an_absent_metric_keeps_its_last_value() -> None:
    progress = Progress(100)
    progress.add(10, {"return/mean": 4.0})
    progress.add(20, {"policy/kl": 0.1})
    assert progress.latest("return/mean") == 4.0
    assert not progress.knows("episode_length/mean")


def test_what_an_iteration_tells_is_its_own_and_what_it_does_not_is_dated() -> None:
    progress = Progress(100)
    for value in range(25):
        progress.add(value, {"x": float(value)})
    assert (progress.latest("x"), progress.since("x")) == (24.0, 0)
    progress.add(30, {"y": 1.0})
    assert (progress.latest("x"), progress.since("x"), progress.since("y")) == (24.0, 24, 0)


def test_speed_and_time_left() -> None:
    clock = Clock()
    progress = Progress(1000, clock)
    assert progress.speed == 0.0
    assert progress.remaining == float("inf")
    clock.now += 5.0  # compiling
    progress.add(100, {})
    assert progress.speed == 0.0
    clock.now += 2.0
    progress.add(300, {})
    assert progress.speed == 100.0  # the first iteration's compilation does not count
    assert progress.remaining == 7.0
    clock.now += 3.0
    assert progress.remaining == 4.0  # counts down between iterations
    clock.now += 30.0
    assert progress.remaining == 0.0
    progress.add(1000, {})
    assert progress.remaining == 0.0
    assert progress.elapsed == 40.0


def test_speed_forgets_what_was_long_ago() -> None:
    clock = Clock()
    progress = Progress(10**9, clock)
    step = 0
    for rate in [1000] * 30 + [100] * 30:
        clock.now += 1.0
        step += rate
        progress.add(step, {})
    assert progress.speed == 100.0
    for _ in range(3):  # iterations longer than the memory
        clock.now += 60.0
        step += 600
        progress.add(step, {})
    assert progress.speed == 10.0


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, 1000])
def test_a_history_keeps_the_shape_of_everything(count: int) -> None:
    history = Thinned(4)
    for n in range(count):
        history.add(float(n))
    points = history.points
    assert 1 <= len(points) < 8
    merged = 2 * points[0] + 1  # values in a point: the first is the mean of 0 … merged - 1
    assert points == [merged * i + points[0] for i in range(len(points))]
    assert count - merged < merged * len(points) <= count


# ------------------------------------------------------------------------------------------------------------- panel


def test_before_the_first_iteration() -> None:
    text = shown(Progress(1000))
    assert "Hopper-v5" in text
    assert "runs/here" in text
    assert "first iteration" in text


def test_a_cost_against_its_budget() -> None:
    progress = Progress(1000, Clock())
    progress.add(250, metrics(20.0))
    text = shown(progress)
    assert "within 25" in text
    assert "20.00" in text
    assert "25 %" in text
    assert "no episode has ended yet" in text
    assert "KL 0.012" in text
    assert "skipped" not in text
    progress.add(
        500, {**metrics(60.0), "return/mean": 3.0, "episode_length/mean": 7.0, "guard/skipped_updates": 1.0}
    )
    text = shown(progress)
    assert "above 25" in text
    assert "60.00" in text  # its own, and no mean with the one before
    assert "skipped updates 1.00" in text
    assert "return" in text
    assert progress.costs == ["speed"]


@pytest.mark.parametrize("cost", [0.0, 12.4, 24.9, 25.0, 25.1, 30.0, 1e9])
@pytest.mark.parametrize("width", [50, 100])
def test_the_gauge_crosses_its_mark_only_with_the_cost(cost: float, width: int) -> None:
    progress = Progress(1000)
    progress.add(250, metrics(cost))
    row = next(text for text in shown(progress, width).splitlines() if "┃" in text)
    before, after = row.split("┃")
    assert ("━" in after) == (cost > 25.0)
    assert ("─" in before) == (cost < 25.0)


def test_a_budget_of_nothing() -> None:
    progress = Progress(1000)
    for cost, word in ((0.0, "within 0"), (1.0, "above 0")):
        progress.add(1, {"cost/fall/mean": cost, "cost/fall/budget": 0.0})
        assert word in shown(progress)


def test_without_constraints_there_is_no_table() -> None:
    progress = Progress(1000)
    progress.add(10, {"return/mean": 1.0, "episode_length/mean": 3.0})
    assert "budget" not in shown(progress)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    progress = Progress(1_000_000)
    progress.add(10, {**metrics(3.0), "return/mean": 1.0, "episode_length/mean": 3.0})
    assert max(map(len, shown(progress, width).splitlines())) <= width


def test_a_line_for_a_log() -> None:
    clock = Clock()
    progress = Progress(100_000, clock)
    progress.add(10_000, metrics(20.0))
    clock.now += 1.0
    progress.add(20_000, {**metrics(40.0), "return/mean": 1234.5, "episode_length/mean": 70.0})
    assert line(progress) == (
        "20,000/100,000 steps (20 %)  return 1,234  length 70.00  speed 40.00 > 25  10,000 steps/s  0:08 left"
    )
    assert line(progress).isascii()
    progress.add(30_000, metrics(20.0))
    assert "return 1,234 (of step 20,000)  length 70.00 (of step 20,000)  speed 20.00 <= 25" in line(progress)
    assert "of step 20,000: no episode has ended since" in shown(progress)


def test_figures() -> None:
    values = (3e8, 0.0, 12345.6, 999.96, 12.345, -1.5, 0.0123, 0.00001)
    assert [figure(v) for v in values] == [
        "3.0e+08",
        "0.000",
        "12,346",
        "1000.0",
        "12.35",
        "-1.50",
        "0.012",
        "1.0e-05",
    ]
    assert [duration(s) for s in (0.4, 59.6, 3661.0, float("inf"))] == ["0:00", "1:00", "1:01:01", "-:--"]
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([0.0, 3.5, 7.0]) == "▁▅█"


# ------------------------------------------------------------------------------------------------------------ screen


def terminal(file: io.StringIO) -> Console:
    return Console(file=file, force_terminal=True, width=80, _environ={"TERM": "xterm-256color"})


def test_a_log_gets_the_first_line_one_every_ten_seconds_and_the_last() -> None:
    clock, file = Clock(), io.StringIO()
    display = open_console("title", "where", Progress(1000, clock), Console(file=file))
    for second in range(1, 26):
        clock.now += 1.0
        display.write(second, {})
    display.close()
    assert [text.split("/")[0] for text in file.getvalue().splitlines()] == ["1", "11", "21", "25"]


def test_a_log_that_has_its_last_line_gets_no_other() -> None:
    file = io.StringIO()
    display = open_console("title", "where", Progress(1000), Console(file=file))
    display.write(1, {})
    display.close()
    display.close()
    assert len(file.getvalue().splitlines()) == 1


def test_a_terminal_that_cannot_show_it_gets_lines() -> None:
    file = io.StringIO()
    dumb = Console(file=file, force_terminal=True, _environ={"TERM": "dumb"})
    display = open_console("title", "where", Progress(1000), dumb)
    display.write(1, {})
    display.close()
    assert "\x1b" not in file.getvalue()


def test_a_terminal_is_left_as_it_was() -> None:
    file = io.StringIO()
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(handler)
    before = sys.stdout, sys.stderr, handler.stream
    try:
        display = open_console("Hopper-v5", "where", Progress(1000), terminal(file))
        display.write(100, metrics(20.0))
        logging.getLogger("pgrobot").warning("a joint broke")
        print("printed meanwhile")
        display.close()
    finally:
        logging.getLogger().removeHandler(handler)
    assert (sys.stdout, sys.stderr, handler.stream) == before
    text = file.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is hidden once and shown once
    assert "a joint broke" in text
    assert "printed meanwhile" in text
    assert text.rindex("within 25") > text.rindex("printed meanwhile")  # the display is redrawn below


def test_what_takes_long_is_a_line_in_a_log_and_a_sign_of_life_in_a_terminal() -> None:
    log, screen = io.StringIO(), io.StringIO()
    with working(Console(file=log), "Writing the report"):
        assert log.getvalue() == "Writing the report ...\n"
    with working(terminal(screen), "Writing the report"):
        pass
    assert "\x1b[?25l" in screen.getvalue()

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError("nobody reads")

    with working(Console(file=Closed()), "Writing the report"):
        pass


def test_a_closed_pipe_does_not_stop_training(caplog: pytest.LogCaptureFixture) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError("nobody reads")

    display = open_console("title", "where", Progress(1000), Console(file=Closed()))
    display.write(1, {})
    display.write(2, {})
    display.close()
    assert len(caplog.messages) == 1
    assert "The tracker console failed" in caplog.text
