"""Running every combination of a sweep, and the table at the end."""

from __future__ import annotations

import fcntl
import math
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
from omegaconf import DictConfig
from rich.console import Console

from pgrobot.aliases import in_full
from pgrobot.configure import CONFIG_NAME, compose
from pgrobot.configure.composition import session
from pgrobot.errors import OccupiedError, PgrobotError
from pgrobot.files import make_anew, reason
from pgrobot.overrides import parse, quote
from pgrobot.run import FINISHED, SIGNALS, SharedStop, named_by_time, prepare
from pgrobot.sweep.expansion import expand
from pgrobot.sweep.job import get_ready, job, shared_stop
from pgrobot.sweep.models import unlike
from pgrobot.sweep.names import note_varying, register_resolvers
from pgrobot.sweep.summary import Job, read_jobs, summarise, warned, write
from pgrobot.sweep.table import print_table

FAILURE, INTERRUPTED = 1, 130


def run_sweep(overrides: Sequence[str]) -> int:
    """Run every job with Hydra's launcher, whatever becomes of some of them, and print the table.

    Jobs that finished in an earlier attempt at the same ``hydra.sweep.dir`` are not run again, and those that were
    interrupted go on.

    Returns:
        The exit status: 0 if every job finished.

    Raises:
        PgrobotError: a job's overrides are wrong, or the directory cannot be written; no job has started then.
    """
    register_resolvers()
    console = Console()
    if any(override.key_or_group == "resume" for override in parse(overrides)):
        raise PgrobotError(
            "resume takes up one run: leave out -m, or give the sweep's own hydra.sweep.dir again"
        )
    # What to sweep over may also stand in a config, as hydra.sweeper.params; Hydra puts it first.
    cfg = compose(expand(overrides)[0])
    params = [f"{key}={value}" for key, value in _params(cfg).items()]
    overrides = in_full(overrides, cfg)
    if in_full(params, cfg) != params:  # Hydra reads them as they stand
        overrides, params = [*in_full(params, cfg), *overrides, "hydra.sweeper.params=null"], []
    jobs = expand([*params, *overrides])
    for one in _unlike(jobs):
        prepare(one)
    directory = Path(cfg.hydra.sweep.dir)
    if named_by_time(cfg.hydra.sweep):
        directory = make_anew(directory)
    _make(directory)
    console.print(f"{len(jobs)} jobs in {directory}", soft_wrap=True, highlight=False, markup=False)
    added = [f"hydra.sweep.dir={quote(str(directory))}", *_jobs_at_once(cfg, len(jobs))]
    with _alone(directory), shared_stop(directory, SIGNALS) as stop:
        stop.forget()
        note_varying(directory, [*params, *overrides])
        _start_workers(compose([*jobs[0], *added]).hydra.launcher)
        exit_code = _launch([*overrides, *added], console, stop)
        exit_code = stop.exit_code if stop.signal else exit_code
        stop.forget()
    if not any(directory.glob("*/overrides.yaml")):
        console.print("No job has begun.")
        return exit_code or FAILURE
    finished = sum(one.status == FINISHED for one in report(directory, console))
    if exit_code or finished < len(jobs):
        console.print(
            f"{finished} of {len(jobs)} jobs finished. The same command with hydra.sweep.dir={directory} runs the rest",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
    return exit_code or (FAILURE if finished < len(jobs) else 0)


def report(directory: Path, console: Console) -> list[Job]:
    """Print a sweep's table and write its summaries, from the files of its runs.

    Raises:
        PgrobotError: there are no runs.
    """
    jobs = read_jobs(directory)
    rows = summarise(jobs)
    write(directory, rows, jobs)
    print_table(rows, console)
    for one in jobs:
        if one.status != FINISHED:
            words = f"{one.status}: {one.path.name}: {one.result.get('error', 'it has no result')}"
            console.print(words, soft_wrap=True, highlight=False, markup=False)
    for words in filter(None, (*unlike(jobs), warned(jobs))):
        console.print(words, style="yellow", soft_wrap=True, highlight=False, markup=False)
    console.print(f"\n{directory / 'summary.csv'}", soft_wrap=True, highlight=False, markup=False)
    return jobs


def _start_workers(launcher: DictConfig) -> None:
    """Start joblib's processes while Ctrl-C is ignored, as they will go on to do: this process will tell them.

    A terminal sends it to all of them, and one that dies while it starts takes the others down.
    """
    if launcher.get("n_jobs", 1) == 1:
        return
    settings = {str(key): value for key, value in launcher.items() if key != "_target_"}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        joblib.Parallel(**settings)(joblib.delayed(get_ready)() for _ in range(settings["n_jobs"]))
    finally:
        signal.signal(signal.SIGINT, before)


def _launch(overrides: list[str], console: Console, stop: SharedStop) -> int:
    """Hand the jobs to Hydra; 0 if none of them reported a failure."""
    try:
        with session() as opened:
            batches = opened.multirun(CONFIG_NAME, job, overrides, with_log_configuration=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a launcher or a worker died; what the jobs wrote is still to be told
        if stop.signal:
            return INTERRUPTED
        console.print(f"The launcher failed: {type(error).__name__}: {error}", markup=False, highlight=False)
        return FAILURE
    # Hydra's own sweeper hands on what the jobs returned; others may keep it to themselves.
    failed = [one for batch in batches or () for one in batch if math.isnan(one.return_value)]
    return FAILURE if failed else 0


def _unlike(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """One job for all that differ in their seed only, and one for every seed."""
    kept: dict[tuple[str, ...], list[str]] = {}
    seeds: dict[str, list[str]] = {}
    for one in jobs:
        seed = "".join(line for line in one if line.startswith("seed="))
        kept.setdefault(tuple(line for line in one if line != seed), list(one))
        seeds.setdefault(seed, list(one))
    return [*kept.values(), *seeds.values()]


def _params(cfg: DictConfig) -> dict[str, Any]:
    return cfg.hydra.sweeper.get("params") or {}


def _jobs_at_once(cfg: DictConfig, jobs: int) -> list[str]:
    """Let the joblib launcher start no more jobs than there are processors, so that they know how to share them."""
    if cfg.hydra.launcher.get("n_jobs", 1) != -1:
        return []
    return [f"hydra.launcher.n_jobs={min(joblib.cpu_count(), jobs)}"]


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep other sweeps out of a directory, whose table and request to stop they would share.

    The kernel lets go of the lock when the process ends, however it ends.

    Raises:
        OccupiedError: one is there.
    """
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OccupiedError(
                f"Another sweep is running in {directory}: wait for it to end, or choose another hydra.sweep.dir"
            ) from error
        yield


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PgrobotError(f"The directory {directory} cannot be made: {reason(error)}") from error
    if not os.access(directory, os.W_OK):
        raise PgrobotError(f"The directory {directory} cannot be written")
