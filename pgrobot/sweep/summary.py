"""The results of a sweep over seeds, rebuilt from the run directories at any time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pgrobot.errors import PgrobotError
from pgrobot.files import write_json
from pgrobot.run import STYLES
from pgrobot.sweep.statistics import OverRuns, over_runs, verdict_over_runs

UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a sweep, as its directory tells."""

    path: Path
    overrides: Sequence[str]
    settings: Mapping[str, str]  # every override but the seed
    seed: str
    status: str
    result: Mapping[str, Any]  # result.json, empty without one


@dataclass(frozen=True, slots=True)
class CostRow:
    """One budget over the seeds of a group."""

    figure: OverRuns
    budget: float
    unit: str
    verdict: str
    counts: Mapping[str, int]  # runs by their own verdict


@dataclass(frozen=True, slots=True)
class Row:
    """The runs that differ in nothing but their seed."""

    settings: Mapping[str, str]
    runs: int
    finished: int
    episode_return: OverRuns
    episode_length: OverRuns  # steps
    costs: Mapping[str, CostRow]


def read_jobs(directory: Path) -> list[Job]:
    """Read the runs below a sweep directory, whatever state they are in, by their settings and seeds.

    Raises:
        PgrobotError: there is none.
    """
    jobs = [_read_job(path.parent) for path in directory.glob("*/overrides.yaml")]
    if not jobs:
        raise PgrobotError(f"{directory} holds no runs: give the directory of a sweep")
    return sorted(jobs, key=_order)


def _order(job: Job) -> tuple[list[tuple[str, str]], int, str]:
    number = int(job.seed) if job.seed.isdecimal() else -1
    return sorted(job.settings.items()), number, job.path.name


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


def warned(jobs: Sequence[Job]) -> str:
    """How many runs have verdicts that are to be read with warnings, and where those stand; empty where none has."""
    with_warnings = [job for job in jobs if job.result.get("warnings")]
    if not with_warnings:
        return ""
    return (
        f"{len(with_warnings)} of {len(jobs)} runs have warnings beside their verdicts: they stand in seeds.csv and in "
        "<run>/result.json"
    )


def write(directory: Path, rows: Sequence[Row], jobs: Sequence[Job]) -> None:
    """Write ``summary.csv``, a line per row, ``seeds.csv``, a line per job, and ``summary.json``, which has both.

    Raises:
        PgrobotError: the files cannot be written.
    """
    records, seeds = ([dict(_record(row)) for row in rows], [dict(_seed_record(job)) for job in jobs])
    try:
        _write_table(directory / "summary.csv", records)
        _write_table(directory / "seeds.csv", seeds)
    except OSError as error:
        raise PgrobotError(f"Cannot write the summary into {directory}: {error.strerror}") from error
    listed = [
        {"path": job.path.name, "overrides": list(job.overrides), "status": job.status, "figures": figures}
        for job, figures in zip(jobs, seeds, strict=True)
    ]
    write_json(directory / "summary.json", {"rows": records, "jobs": listed})


def _write_table(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(key for record in records for key in record))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(records)


def _read_job(path: Path) -> Job:
    try:
        overrides = yaml.safe_load((path / "overrides.yaml").read_text(encoding="utf-8")) or []
        result, manifest = (_read(path / name) for name in ("result.json", "manifest.json"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PgrobotError(f"{path} is not a readable run: {' '.join(str(error).split())}") from error
    typed = {key.lstrip("+"): value for key, _, value in (line.partition("=") for line in overrides)}
    settings = {key: value for key, value in typed.items() if key != "seed"}
    status = str(result.get("status", UNFINISHED))
    seed = typed.get("seed", str(manifest.get("seed", "")))
    return Job(path, overrides, settings, seed, status, result)


def _read(file: Path) -> dict[str, Any]:
    content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if not isinstance(content, dict):
        raise ValueError(f"{file.name} is not an object")
    return content


def _row(jobs: Sequence[Job]) -> Row:
    results = [job.result for job in jobs if job.status == "finished"]
    names = dict.fromkeys(name for result in results for name in result["costs"])
    return Row(
        settings=jobs[0].settings,
        runs=len(jobs),
        finished=len(results),
        episode_return=over_runs(result["return"]["mean"] for result in results),
        episode_length=over_runs(
            result["episode_length"]["mean"] for result in results if "episode_length" in result
        ),
        costs={name: _cost([result["costs"][name] for result in results], len(jobs)) for name in names},
    )


def _cost(costs: Sequence[Mapping[str, Any]], runs: int) -> CostRow:
    verdict, counts = verdict_over_runs([cost["verdict"] for cost in costs], runs)
    figure = over_runs(cost["mean"] for cost in costs)
    return CostRow(figure, float(costs[0]["budget"]), str(costs[0]["unit"]), verdict, counts)


def _record(row: Row) -> Iterator[tuple[str, Any]]:
    yield from row.settings.items()
    yield from (("runs", row.runs), ("finished", row.finished))
    yield from _numbers("return", row.episode_return)
    yield from _numbers("episode_length", row.episode_length)
    for name, cost in row.costs.items():
        yield from _numbers(f"cost/{name}", cost.figure)
        yield from ((f"cost/{name}/budget", cost.budget), (f"cost/{name}/unit", cost.unit))
        yield f"cost/{name}/verdict", cost.verdict
        yield from ((f"cost/{name}/{verdict}", cost.counts.get(verdict, 0)) for verdict in STYLES)


def _numbers(prefix: str, figure: OverRuns) -> Iterator[tuple[str, float]]:
    for name, estimate in (("mean", figure.mean), ("iqm", figure.iqm)):
        yield f"{prefix}/{name}", estimate.centre
        yield f"{prefix}/{name}/low95", estimate.low
        yield f"{prefix}/{name}/high95", estimate.high


def _seed_record(job: Job) -> Iterator[tuple[str, Any]]:
    """A job as a flat record: what was chosen, and every number and word of its result."""
    yield from job.settings.items()
    yield from (("seed", job.seed), ("path", job.path.name), ("status", job.status))
    result = {key: value for key, value in job.result.items() if key not in ("status", "costs")}
    yield from _flat(result, "")
    yield from _flat(job.result.get("costs", {}), "cost/")


def _flat(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        elif isinstance(value, list):
            yield from ((f"{prefix}{key}/{index}", item) for index, item in enumerate(value))
        else:
            yield f"{prefix}{key}", value
