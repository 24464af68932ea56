"""A run directory, read for its health: what is missing, damaged or of an older version costs what it would tell."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from pgrobot.errors import PgrobotError
from pgrobot.files import reason
from pgrobot.health.examination import Examination, examined
from pgrobot.health.facts import Facts

METRICS = "metrics.jsonl"
TABLES = "tables/sensitivity"

Row = tuple[int, Mapping[str, object]]  # environment steps and metrics of an iteration


def examine_run(run: Path) -> Examination:
    """Examine a run that has ended, was killed or still trains, from its metrics; nothing is written.

    Raises:
        PgrobotError: its metrics cannot be read at all.
    """
    config, spec = _mapping(run / "config.yaml"), _mapping(run / "spec.json")
    examination = examined(rows(run), Facts.of(config, spec, {}))
    examination.facts = with_names(Facts.of(config, spec, _mapping(run / "result.json")), run)
    examination.conclude()
    return examination


def rows(run: Path) -> Iterator[Row]:
    """The iterations of a run; a line that is damaged or cut short is left out.

    Raises:
        PgrobotError: there are no metrics, or they cannot be read.
    """
    return (row for row in lines(run) if row is not None)


def lines(run: Path) -> Iterator[Row | None]:
    """Every line of a run's metrics; None for one that is damaged or cut short. Raises what ``rows`` raises."""
    try:
        with (run / METRICS).open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                    yield int(row["global_step"]), row
                except (ValueError, KeyError, TypeError, OverflowError):
                    yield None
    except OSError as error:
        raise PgrobotError(f"{run / METRICS} cannot be read: {reason(error)}.") from error


def with_names(facts: Facts, run: Path) -> Facts:
    """The facts with the sensors that the last closer look found unused, where the run has a table of them."""
    tables = [path for path in (run / TABLES).glob("entries_*.csv") if _step(path) >= 0]
    if not tables:
        return facts
    try:
        with max(tables, key=_step).open(encoding="utf-8", newline="") as file:
            unused = tuple(row["entry"] for row in csv.DictReader(file) if float(row["unused"]) > 0.0)
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return facts
    return replace(facts, unused=unused)


def _step(table: Path) -> int:
    step = table.stem.rpartition("_")[2]
    return int(step) if step.isdecimal() else -1


def _mapping(path: Path) -> Mapping[str, Any]:
    """What a YAML or JSON file holds; empty where it is missing, damaged or holds something else."""
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.load(text, yaml.CSafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
