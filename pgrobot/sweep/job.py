"""One job of a sweep: a run that, whatever happens to it, does not take the others down."""

from __future__ import annotations

import math
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from pgrobot.aliases import key_of
from pgrobot.cores import physical_cores
from pgrobot.errors import OccupiedError, in_a_sentence
from pgrobot.files import write_json
from pgrobot.numerals import numeral
from pgrobot.run import (
    FAILED,
    FINISHED,
    SIGNALS,
    Request,
    Result,
    SharedStop,
    Surroundings,
    choosing,
    nobody,
    prepare,
    read_result,
    run_until,
    saved_config,
    silent_console,
)
from pgrobot.sweep.names import short_name


def job(_: DictConfig) -> float:
    """Train; Hydra's task function.

    Returns:
        The mean return, which a sweeper may maximise; NaN if the run failed, and then its directory tells why, and NaN
        if the user asked to stop: this run has been saved then, or has not begun.
    """
    hydra = HydraConfig.get()
    directory = Path(hydra.runtime.output_dir)
    at_once = int(hydra.launcher.get("n_jobs", 1))
    overrides = [*hydra.overrides.hydra, *hydra.overrides.task]
    # A terminal sends Ctrl-C to all processes: of several the launching one hears it, and tells the others.
    heard = [number for number in SIGNALS if at_once == 1 or number != signal.SIGINT]
    stop = shared_stop(Path(hydra.sweep.dir), heard)
    if stop.signal:
        return math.nan
    try:
        request = _request(overrides, directory)
        before = read_result(directory)
        if before.get("status") == FINISHED:
            print(f"done already: {directory.name}", flush=True)
            return _mean(before)
        (directory / "traceback.txt").unlink(missing_ok=True)
        name = short_name(list(hydra.overrides.task), Path(hydra.sweep.dir))
        surroundings = _surroundings(at_once, "_".join(Path(hydra.sweep.dir).parts[-2:]), name)
        result = run_until(stop, request, surroundings)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other jobs go on
        if not isinstance(error, OccupiedError):
            _record_failure(directory, list(hydra.overrides.task), error)
        print(f"failed: {directory.name}: {in_a_sentence(error)}", flush=True)
        return math.nan
    return _told(result) if result.status == FINISHED else math.nan


def get_ready() -> None:
    """Import what a run needs: joblib takes a process whose first job makes it grow by this much for a leaking one."""
    import torch._dynamo  # noqa: F401 - pgrobot itself has been imported to find this function


def shared_stop(sweep: Path, signals: Sequence[signal.Signals]) -> SharedStop:
    """The request to stop that all jobs of a sweep share."""
    return SharedStop(sweep / ".stop", signals)


def _request(overrides: list[str], directory: Path) -> Request:
    """Start the run, or take it up where a previous attempt at this sweep left it.

    Raises:
        OccupiedError: the directory holds a run with another config.
    """
    request = replace(prepare(overrides), directory=directory, anew=False)
    if not any(key_of(line) == "report" for line in overrides):
        request.cfg.report = False  # a page for each takes seconds, and `pgrobot report` makes any later
    if not (directory / "config.yaml").exists():
        return request
    saved = saved_config(directory)
    saved.report = request.cfg.report  # earlier versions wrote one
    same = request if saved == request.cfg else choosing(request)
    if saved != same.cfg:
        raise OccupiedError(f"{directory} holds a run with another config: choose another hydra.sweep.dir")
    return replace(same, resume=True)


def _surroundings(at_once: int, group: str, name: str) -> Surroundings:
    """Share the cores among the jobs that run at once, whose displays would overwrite each other."""
    alone = at_once == 1
    console = Console() if alone else silent_console()
    threads = 0 if alone else max(1, physical_cores() // at_once)
    return Surroundings(tuple(sys.argv), group, name, threads, console, nobody)


def _mean(evaluation: Mapping[str, Any]) -> float:
    """The mean return; JSON holds one that is not a number as null."""
    mean = evaluation["return"]["mean"]
    return math.nan if mean is None else float(mean)


def _told(result: Result) -> float:
    mean = _mean(result.evaluation)
    verdicts = ", ".join(f"{name} {verdict}" for name, verdict in result.verdicts.items())
    print(f"done: {result.path.name}: return {numeral(mean)}{verdicts and ', ' + verdicts}", flush=True)
    return mean


def _record_failure(directory: Path, overrides: list[str], error: Exception) -> None:
    """Say in the job's directory what happened, in the form in which a run tells of itself."""
    (directory / "traceback.txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    if not (directory / "overrides.yaml").exists():
        (directory / "overrides.yaml").write_text(yaml.safe_dump(overrides), encoding="utf-8")
    write_json(directory / "result.json", {"status": FAILED, "error": in_a_sentence(error)})
