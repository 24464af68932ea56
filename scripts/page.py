"""The page of the learning study: its tables and pictures, made from the records of its cells."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from goals import GOALS
from measuring import CONSOLE

from pgrobot.sweep.statistics import QUARTER, Estimate, trimmed_mean

Record = Mapping[str, Any]

MODES = ("deterministic", "stochastic")

ROBOTS = {
    "halfcheetah": "HalfCheetah", "hopper": "Hopper", "walker2d": "Walker2d", "ant": "Ant", "swimmer": "Swimmer",
    "reacher": "Reacher", "inverteddoublependulum": "InvertedDoublePendulum", "humanoid": "Humanoid",
}  # fmt: skip
ALGORITHMS = {"ppo": "PPO", "trpo": "TRPO", "npg": "NPG", "a2c": "A2C", "reinforce": "REINFORCE"}
COLOURS = dict(zip(ALGORITHMS, ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7f7f7f"), strict=True))


def keep(record: Record, place: Path) -> None:
    """Keep a cell's record in ``place/records``, show its row, and write the page anew."""
    of_a_peer = "peer_" if "peer" in record else ""
    path = place / "records" / f"{of_a_peer}{record['algorithm']}_{record['robot']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    CONSOLE.print(ROBOTS[record["robot"]], row(record), markup=False, soft_wrap=True)
    write_page(place)


def write_page(place: Path) -> None:
    """Write ``README.md`` and a picture per robot with curves beside ``records/``."""
    records = read_records(place)
    for robot in dict.fromkeys(told["robot"] for told in records if "curve" in told):
        draw([told for told in records if told["robot"] == robot and "curve" in told], place / f"{robot}.png")
    (place / "README.md").write_text(page(records), encoding="utf-8")


def read_records(place: Path) -> list[Record]:
    """The records of a study, by robot and algorithm."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (place / "records").glob("*.json")]
    order = (list(ROBOTS), list(ALGORITHMS))
    return sorted(
        found,
        key=lambda told: (
            order[0].index(told["robot"]),
            order[1].index(told["algorithm"]),
            told.get("peer", ""),
        ),
    )


def page(records: Sequence[Record]) -> str:
    """The text of the page."""
    parts = [_HEAD]
    for robot in dict.fromkeys(told["robot"] for told in records):
        cells = [told for told in records if told["robot"] == robot]
        picture = ("", f"![curves]({robot}.png)") if any("curve" in told for told in cells) else ()
        parts.append("\n".join((f"## {ROBOTS[robot]}", "", *_COLUMNS, *map(row, cells), *picture)))
    parts.append("\n".join(("## How each was trained", "", *(provenance(told) for told in records))))
    return "\n\n".join(parts) + "\n"


_HEAD = """# The learning study

Written by `python scripts/benchmark.py learning --into docs/learning` from the records beside it.

Each number is the mean return of a *final* policy, after the last update and never the best moment of training, over
20 fresh episodes on Gymnasium's v5 robots. With the mean action: per seed, and as their interquartile mean (of five
seeds without the least and the greatest, of three the mean of all) with its 95 % trimmed-mean t interval, wide
because three or five seeds tell little. With noise: acting as in training, the mean over seeds. The goals are the
best published figures, several of them maxima over training on older versions of the robots; bold is what meets its
goal. Where one is missed the same algorithm of Stable-Baselines3 or sb3-contrib was trained and judged as well, with
its tuned settings; what was tried stands in [benchmarks](../benchmarks.md).

In the pictures: the return of the training episodes, which act with noise. A line is the mean over seeds, the band
reaches from the least to the greatest, a tick at the right is the goal."""
_COLUMNS = (
    "| algorithm | final policies, per seed | interquartile mean | 95 % interval | with noise | goal |",
    "|---|---|---|---|---|---|",
)


def row(told: Record) -> str:
    """A cell of the study as a line of its robot's table."""
    middle, goal = trimmed_mean(told["deterministic"], QUARTER), goal_of(told)
    shown = f"**{number(middle.centre)}**" if middle.centre >= goal else number(middle.centre)
    seeds = ", ".join(map(number, told["deterministic"]))
    noisy = number(float(np.mean(told["stochastic"])))
    return f"| {name(told)} | {seeds} | {shown} | {interval(middle)} | {noisy} | {number(goal)} |"


def goal_of(told: Record) -> float:
    """What the cell is to reach."""
    return GOALS[told["algorithm"]][told["robot"]]


def name(told: Record) -> str:
    """What the cell's policies were trained by."""
    algorithm = ALGORITHMS[told["algorithm"]]
    return f"{told['peer']}'s {algorithm}" if "peer" in told else algorithm


def provenance(told: Record) -> str:
    """Where a cell comes from, as a line of a list."""
    packages = ("torch", "mujoco", "gymnasium", *((told["peer"],) if "peer" in told else ()))
    versions = ", ".join(f"{package} {told['versions'][package]}" for package in packages)
    where = f"{told['date']}, {versions}"
    if "peer" in told:
        chosen = ", ".join(f"{key}={value}" for key, value in told["settings"].items())
        return f"- {name(told)} on {ROBOTS[told['robot']]}: `{chosen}`, {where}"
    commits = " and ".join(told["commits"])
    return f"- {name(told)} on {ROBOTS[told['robot']]}: `{told['command']}` at {commits}, {where}"


def interval(middle: Estimate) -> str:
    """The interval of an estimate, a dash where the seeds show no spread."""
    return "–" if math.isnan(middle.low) else f"{number(middle.low)} to {number(middle.high)}"


def number(value: float) -> str:
    """A return with as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def draw(records: Sequence[Record], path: Path) -> None:
    """Draw the curves of one robot."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for told in records:
        colour, curve = COLOURS[told["algorithm"]], told["curve"]
        steps = np.array(curve["steps"]) / 1e6
        axes.plot(steps, curve["mean"], color=colour, label=ALGORITHMS[told["algorithm"]])
        axes.fill_between(steps, curve["least"], curve["greatest"], color=colour, alpha=0.15, linewidth=0)
    reach = axes.get_xlim()[1]
    for told in records:
        axes.plot([0.98 * reach, reach], [goal_of(told)] * 2, color=COLOURS[told["algorithm"]], linewidth=2)
    axes.set(
        xlabel="million environment steps", ylabel="return while training", title=ROBOTS[records[0]["robot"]]
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
