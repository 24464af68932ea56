"""The results of a sweep over seeds, rebuilt from the run directories at any time."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pgrobot.errors import PgrobotError
from pgrobot.files import write_json
from pgrobot.sweep.statistics import Estimate, interquartile_mean

UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a sweep, as its directory tells."""

    path: Path
    overrides: Sequence[str]
    settings: Mapping[str, str]  # every override but the seed
    status: str
    result: Mapping[str, Any]  # result.json, empty without one


@dataclass(frozen=True, slots=True)
class CostRow:
    """One budget over the seeds of a group."""

    estimate: Estimate
    budget: float
    unit: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Row:
    """The runs that differ in nothing but their seed."""

    settings: Mapping[str, str]
    runs: int
    finished: int
    episode_return: Estimate
    costs: Mapping[str, CostRow]


def read_jobs(directory: Path) -> list[Job]:
    """Read the runs below a sweep directory, whatever state they are in.

    Raises:
        PgrobotError: there is none.
    """
    jobs = [_read_job(path.parent) for path in sorted(directory.glob("*/overrides.yaml"))]
    if not jobs:
        raise PgrobotError(f"{directory} holds no runs: give the directory of a sweep")
    return jobs


def summarise(jobs: Iterable[Job]) -> list[Row]:
    """Group runs by everything but the seed, in the order in which the groups appear."""
    groups: dict[tuple[tuple[str, str], ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(tuple(sorted(job.settings.items())), []).append(job)
    return [_row(group) for group in groups.values()]


def varying(rows: Sequence[Row]) -> list[str]:
    """Name the settings in which the rows differ."""
    keys = dict.fromkeys(key for row in rows for key in row.settings)
    return [key for key in keys if len({row.settings.get(key, "") for row in rows}) > 1]


def write(directory: Path, rows: Sequence[Row], jobs: Sequence[Job]) -> None:
    """Write ``summary.csv``, a line per row, and ``summary.json``, which lists every job too.

    Raises:
        PgrobotError: the files cannot be written.
    """
    records = [dict(_record(row)) for row in rows]
    columns = list(dict.fromkeys(key for record in records for key in record))
    try:
        with (directory / "summary.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(records)
    except OSError as error:
        raise PgrobotError(f"Cannot write the summary into {directory}: {error.strerror}") from error
    listed = [{"path": job.path.name, "overrides": list(job.overrides), "status": job.status} for job in jobs]
    write_json(directory / "summary.json", {"rows": records, "jobs": listed})


def _read_job(path: Path) -> Job:
    try:
        overrides = yaml.safe_load((path / "overrides.yaml").read_text(encoding="utf-8")) or []
        file = path / "result.json"
        result = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PgrobotError(f"{path} is not a readable run: {' '.join(str(error).split())}") from error
    settings = dict(line.partition("=")[::2] for line in overrides if not line.startswith("seed="))
    return Job(path, overrides, settings, str(result.get("status", UNFINISHED)), result)


def _row(jobs: Sequence[Job]) -> Row:
    results = [job.result for job in jobs if job.status == "finished"]
    names = dict.fromkeys(name for result in results for name in result["costs"])
    broken = any(result.get("failures", 0) for result in results)
    return Row(
        settings=jobs[0].settings,
        runs=len(jobs),
        finished=len(results),
        episode_return=_estimate(result["return"]["mean"] for result in results),
        costs={name: _cost([result["costs"][name] for result in results], broken) for name in names},
    )


def _cost(costs: Sequence[Mapping[str, Any]], broken: bool) -> CostRow:
    estimate = _estimate(cost["mean"] for cost in costs)
    budget = float(costs[0]["budget"])
    verdict = costs[0]["verdict"] if len(costs) == 1 else verdict_over_runs(estimate, budget)
    if (
        broken and verdict == "satisfied"
    ):  # a simulation broke, and what its episode would have cost is not known
        verdict = "undecided"
    return CostRow(estimate, budget, str(costs[0]["unit"]), verdict)


def verdict_over_runs(estimate: Estimate, budget: float) -> str:
    """Judge a budget by the interval over seeds: it lies below, above, or the budget lies within."""
    if estimate.high <= budget:
        return "satisfied"
    return "violated" if estimate.low > budget else "undecided"


def _estimate(values: Iterable[float]) -> Estimate:
    sample = list(values)
    return interquartile_mean(sample) if sample else Estimate(math.nan, math.nan, math.nan)


def _record(row: Row) -> Iterator[tuple[str, Any]]:
    yield from row.settings.items()
    yield from (("runs", row.runs), ("finished", row.finished))
    yield from _numbers("return", row.episode_return)
    for name, cost in row.costs.items():
        yield from _numbers(f"cost/{name}", cost.estimate)
        yield from ((f"cost/{name}/budget", cost.budget), (f"cost/{name}/unit", cost.unit))
        yield f"cost/{name}/verdict", cost.verdict


def _numbers(prefix: str, estimate: Estimate) -> Iterator[tuple[str, float]]:
    yield f"{prefix}/iqm", estimate.mean
    yield f"{prefix}/low95", estimate.low
    yield f"{prefix}/high95", estimate.high
