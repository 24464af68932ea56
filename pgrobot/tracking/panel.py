"""How a run looks in a terminal: pure functions from its progress to something rich can print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pgrobot.health import Finding
from pgrobot.tracking.progress import Progress

LEVELS = "▁▂▃▄▅▆▇█"
GAUGE = 18  # characters; the budget lies at two thirds of them
DETAILS = {
    "KL": "policy/kl",
    "clipped": "policy/clip_fraction",
    "std": "policy/std",
    "value loss": "loss/value",
    "skipped updates": "guard/skipped_updates",
    "broken simulations": "simulation/failures",
}
SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
MOST_FINDINGS = 3
SILENT_AT_ZERO = ("guard/skipped_updates", "simulation/failures")


def panel(title: str, where: str, progress: Progress) -> RenderableType:
    """The whole display: headline, bar, return, budgets, details, and what is wrong."""
    head = Table.grid(expand=True, padding=(0, 2))
    head.add_column(no_wrap=True)
    head.add_column(justify="right", style="dim", overflow="ellipsis", no_wrap=True)
    head.add_row(Text(title, style="bold"), where)
    parts: list[RenderableType] = [head, "", _bar(progress), _pace(progress)]
    if progress.step > 0:
        parts += ["", _returns(progress)]
        if progress.costs:
            parts += ["", _budgets(progress)]
        parts += ["", _details(progress)]
        if progress.findings:
            parts += ["", *_findings(progress.findings, where)]
    return Padding(Group(*parts), (1, 2))


def findings_table(findings: Sequence[Finding], *, remedies: bool) -> Table:
    """What is wrong, and if asked what to do, a row each."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    for finding in findings:
        remedy = f" {finding.remedy}" if remedies else ""
        words = Text.assemble(finding.sentence, (remedy, "dim"))
        table.add_row(Text(finding.severity, style=SEVERITY_STYLES[finding.severity]), words)
    return table


def line(progress: Progress) -> str:
    """The same in one line of ASCII, for a log."""
    words = [f"{progress.step:,}/{progress.total_steps:,} steps ({_percent(progress)})"]
    for word, name in (("return", "return/mean"), ("length", "episode_length/mean")):
        if progress.knows(name):
            words.append(f"{word} {_dated(progress, name)}")
    for cost in progress.costs:
        amount, budget = progress.latest(f"cost/{cost}/mean"), progress.latest(f"cost/{cost}/budget")
        told = _dated(progress, f"cost/{cost}/mean")
        words.append(f"{cost} {told} {'<=' if amount <= budget else '>'} {budget:,g}")
    if progress.speed > 0.0:
        words += [f"{progress.speed:,.0f} steps/s", f"{duration(progress.remaining)} left"]
    return "  ".join(words)


def _dated(progress: Progress, name: str) -> str:
    """What the last iteration told of a metric, or where it did not what was last known, and since when."""
    since = progress.since(name)
    return figure(progress.latest(name)) + (f" (of step {since:,})" if since else "")


def figure(value: float) -> str:
    """A measured number with the digits that an eye wants."""
    size = abs(value)
    if size >= 1e7 or 0.0 < size < 0.001:
        return f"{value:.1e}"
    if size >= 1000.0:
        return f"{value:,.0f}"
    return f"{value:.{1 if size >= 100.0 else 2 if size >= 1.0 else 3}f}"


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    if math.isinf(seconds):
        return "-:--"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def sparkline(points: list[float]) -> str:
    """The shape of a curve, from its lowest point to its highest."""
    low, high = min(points), max(points)
    scale = (len(LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(LEVELS[round((point - low) * scale)] for point in points)


def _bar(progress: Progress) -> Table:
    bar = Table.grid(expand=True, padding=(0, 2))
    bar.add_column(ratio=1)
    bar.add_column(justify="right", width=5)
    shape = ProgressBar(
        total=progress.total_steps,
        completed=progress.step,
        pulse=progress.step == 0,
        complete_style="cyan",
        finished_style="cyan",
    )
    bar.add_row(shape, _percent(progress))
    return bar


def _pace(progress: Progress) -> Text:
    if progress.step == 0:
        return Text(
            f"first iteration; compiling may take a while   {duration(progress.elapsed)}", style="dim"
        )
    words = [f"{progress.step:,} of {progress.total_steps:,} steps"]
    if progress.speed > 0.0:
        words.append(f"{progress.speed:,.0f} steps/s")
    words.append(f"{duration(progress.elapsed)} elapsed")
    pace = Text("   ".join(words), style="dim")
    if progress.step < progress.total_steps:
        pace = Text.assemble(pace, f"   {duration(progress.remaining)} left")
    return pace


def _returns(progress: Progress) -> RenderableType:
    if not progress.knows("return/mean"):
        return Text("no episode has ended yet", style="dim")
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="cyan")
    curve = Text(sparkline(progress.returns.points), no_wrap=True, overflow="crop")
    table.add_row("return", Text(figure(progress.latest("return/mean")), style="bold"), curve)
    length = "episode_length/mean"
    table.add_row("episode length", figure(progress.latest(length)) if progress.knows(length) else "")
    if since := progress.since("return/mean"):
        table.add_row("", "", Text(f"of step {since:,}: no episode has ended since", style="dim"))
    return table


def _budgets(progress: Progress) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True)
    table.add_column()  # the gauge: the one that gives way in a narrow terminal
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(word, style="dim") for word in ("budget", "", "cost", "", "multiplier")))
    for cost in progress.costs:
        amount, budget = progress.latest(f"cost/{cost}/mean"), progress.latest(f"cost/{cost}/budget")
        within = amount <= budget
        colour = "green" if within else "red"
        # a step that keeps to budgets by itself has a price of its own for each
        price = next(filter(progress.knows, (f"step/dual/{cost}", f"multiplier/{cost}")), "")
        table.add_row(
            cost,
            _Gauge(_share(amount, budget), colour),
            Text(figure(amount), style=f"bold {colour}"),
            Text(f"{'within' if within else 'above'} {budget:,g}", style=colour),
            figure(progress.latest(price)) if price else "",
        )
    return table


def _share(amount: float, budget: float) -> float:
    if budget > 0.0:
        return amount / budget
    return math.inf if amount > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class _Gauge:
    """A bar of ``share``, the cost over its budget, with a mark at 1; it gives way in a narrow terminal."""

    share: float
    colour: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(6, options.max_width), min(GAUGE, options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(GAUGE, options.max_width) - 1
        mark = width * 2 // 3
        round_ = math.ceil if self.share > 1.0 else math.floor  # a bar crosses the mark only with its cost
        filled = min(width, round_(min(self.share, 2.0) * mark))
        bar = [Segment("━", Style.parse(self.colour))] * filled + [Segment("─", Style(dim=True))] * (
            width - filled
        )
        yield from [*bar[:mark], Segment("┃"), *bar[mark:]]


def _details(progress: Progress) -> Text:
    words = [
        f"{label} {figure(progress.latest(name))}"
        for label, name in DETAILS.items()
        if progress.knows(name) and not (name in SILENT_AT_ZERO and progress.latest(name) == 0.0)
    ]
    return Text("   ".join(words), style="dim")


def _findings(findings: Sequence[Finding], where: str) -> list[RenderableType]:
    """The worst of them: a terminal has few lines."""
    more = len(findings) - MOST_FINDINGS
    words = f"what to do{f', and {more} more' if more > 0 else ''}: pgrobot health {where}"
    return [findings_table(findings[:MOST_FINDINGS], remedies=False), Text(words, style="dim")]


def _percent(progress: Progress) -> str:
    return f"{100 * progress.step // progress.total_steps} %"
