"""A run: a directory, training in it until the end or a signal, and the verdict."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from pgrobot.assembly import Assembly, assemble, introduction, model_files, training_environment
from pgrobot.blame import blaming
from pgrobot.concurrency import one_torch_thread
from pgrobot.constraints import unattainable
from pgrobot.errors import FailureError, PgrobotError, in_a_sentence
from pgrobot.files import make_anew, write_atomically
from pgrobot.health import Health, rows
from pgrobot.run.afterwards import look_back
from pgrobot.run.announcement import print_introduction
from pgrobot.run.callback import Callback, Told
from pgrobot.run.choices import suited
from pgrobot.run.memory import within_memory
from pgrobot.run.own_model import with_own_model
from pgrobot.run.request import Request
from pgrobot.run.result import FAILED, FINISHED, STOPPED, Result
from pgrobot.run.stop import AskedToStop, StopRequest
from pgrobot.run.training import Training
from pgrobot.run_directory import RunDirectory
from pgrobot.schemes import build_constraints
from pgrobot.simulation import NO_MODEL, ModelFiles
from pgrobot.spec_file import write_spec
from pgrobot.targets import construct
from pgrobot.tracking import Mirror, Progress, RunInfo, open_console, open_mirrors, working
from pgrobot.types import EnvironmentSpec

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a run takes place; none of it changes what comes out.

    Attributes:
        command: noted in the manifest.
        group: the sweep that the run belongs to, or empty.
        name: what trackers call it; empty: as its directory.
        threads: physics threads where the config leaves them open; 0: one per physical core.
        console: shows the progress.
        callback: told every iteration; it may ask to stop.
    """

    command: tuple[str, ...]
    group: str
    name: str
    threads: int
    console: Console
    callback: Callback


def run(request: Request, surroundings: Surroundings) -> Result:
    """Train, evaluate and write the result.

    A first SIGINT, SIGTERM or SIGHUP ends the run after the iteration, or in the midst of the last evaluation, saved
    and ready to be resumed; and so does the callback. What it raises is raised again when all is saved.

    Raises:
        PgrobotError: the directory is in use, holds another run or cannot be written; a part of the config cannot be
            built; the past cannot be read. Nothing was created then.
        FailureError: it began and could not go on, for instance because code in one of ``cfg.modules`` raised.
    """
    return run_until(StopRequest(), request, surroundings)


def run_until(stop: StopRequest, request: Request, surroundings: Surroundings) -> Result:
    """``run`` that ends at a request which others may make too."""
    result, told = _run_until(stop, request, surroundings)
    told.raise_again()  # where nobody takes it for an error of the run's own
    return result


def _run_until(stop: StopRequest, request: Request, surroundings: Surroundings) -> tuple[Result, Told]:
    """The run, and what its callback was told."""
    cfg = request.cfg
    threads = cfg.threads or surroundings.threads
    with ExitStack() as stack:
        stack.enter_context(blaming(cfg.modules))
        stack.enter_context(one_torch_thread())
        mirrors: dict[str, Mirror] = construct(cfg, "tracker")
        model = NO_MODEL if request.resume else model_files(cfg)
        own = with_own_model(cfg, request.directory) if request.resume else cfg
        with within_memory():
            environment = training_environment(own, threads, request.source.training)
            stack.callback(environment.close)
            spec = environment.spec
            request = suited(request, spec.actions)
            cfg, own = request.cfg, own if request.resume else request.cfg
            assembly = assemble(own, environment, threads, anew=not request.resume)
        told_first = () if request.resume else (*introduction(cfg), *assembly.beginning.told)
        print_introduction(surroundings.console, told_first)
        notes = assembly.beginning.note
        directory = stack.enter_context(_directory(request, surroundings.command, model, spec, notes))
        own = own if request.resume else with_own_model(cfg, directory.path)
        stack.enter_context(_log_file(directory.path / "run.log"))
        stack.enter_context(stop)
        for sentence in filter(None, map(unattainable, build_constraints(cfg))):
            _logger.warning("%s", sentence)
        ending = _Ending(FAILED)
        health = Health(directory.path, as_dict(cfg), {"max_episode_steps": spec.max_episode_steps})
        trackers = open_mirrors(mirrors, _info(cfg, directory, surroundings, ending, health))
        for tracker in trackers:
            stack.callback(tracker.close)
        shown = f"{assembly.acting}/" if len(assembly.learners) > 1 else ""
        steps = assembly.iterations * assembly.steps_per_iteration
        progress = Progress(steps, learner=shown, findings=lambda: health.findings)
        told = Told(surroundings.callback, steps, directory.path, stop)
        display = open_console(_title(cfg, assembly), str(directory.path), progress, surroundings.console)
        training = Training(
            own,
            assembly,
            directory,
            (health, display, *trackers, told),
            request.source.evaluation,
            threads,
        )
        try:
            if request.resume:
                training.restore()
                directory.resume(surroundings.command, request.source.note)
                write_spec(directory.path, spec)  # which runs of older versions do not have
                write_atomically(directory.path / "config.yaml", OmegaConf.to_yaml(cfg).encode())
            else:
                training.start()
            health.begin(rows(directory.path))
            with failing(), within_memory():
                training.run(stop)
        finally:
            health.conclude({})
            display.close()
        try:
            stop.check()
            with failing(), within_memory(), working(surroundings.console, "Evaluating the best policy"):
                judged = training.judge(stop)
        except AskedToStop:
            ending.status = FAILED if told.raised else STOPPED
            result = Result(directory.path.absolute(), STOPPED, training.metrics, {}, stop.exit_code, stop.by)
            return result, told
        content = {
            "status": FINISHED,
            **judged,
            "training": training.spent,
            "env_steps": training.step,
            "env_steps_per_s": training.step / training.training_s,
            "wall_s": training.wall_s,
        }
        with failing():
            health.conclude(content)
            directory.finish(content)
        ending.status = FINISHED
        looked = look_back(
            own, directory.path, request.source.evaluation, training, stop, surroundings.console
        )
        code, by = (0, "") if looked else (stop.exit_code, stop.by)
        return Result(directory.path.absolute(), FINISHED, training.metrics, content, code, by), told


@dataclass(slots=True)
class _Ending:
    """How a run ended, or would if it ended now."""

    status: str


def silent_console() -> Console:
    """A console that nobody sees."""
    return Console(file=io.StringIO(), quiet=True)


@contextmanager
def _directory(
    request: Request,
    command: Sequence[str],
    model: ModelFiles,
    spec: EnvironmentSpec,
    notes: Mapping[str, Any],
) -> Iterator[RunDirectory]:
    if request.resume:
        directory = RunDirectory.open(request.directory)
    else:
        config = OmegaConf.to_yaml(request.cfg)
        path = make_anew(request.directory) if request.anew else request.directory
        directory = RunDirectory.create(
            path,
            config,
            request.overrides,
            request.cfg.seed,
            command,
            model,
            spec,
            request.source.note,
            notes,
        )
    with directory:
        yield directory


@contextmanager
def failing() -> Iterator[None]:
    """Tell what goes wrong once a run has begun from bad input, which it had not."""
    try:
        yield
    except FailureError:
        raise
    except PgrobotError as error:
        raise FailureError(str(error)) from error


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Keep what pgrobot logs in the run directory too, and the traceback of what ends the run."""
    logger = logging.getLogger("pgrobot")
    handler = _RunLog(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    except Exception as error:
        handler.handle(_last_record(error))
        if not isinstance(error, PgrobotError):
            error.add_note(f"the traceback is in {path}")
        raise
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


def _last_record(error: Exception) -> logging.LogRecord:
    """The end of the log: a sentence as it is, anything else with its traceback."""
    trace = None if isinstance(error, PgrobotError) else (type(error), error, error.__traceback__)
    return logging.LogRecord("pgrobot.run", logging.ERROR, __file__, 0, "%s", (in_a_sentence(error),), trace)


class _RunLog(logging.FileHandler):
    """A file that finds no room loses its line, which the terminal has too, and costs nothing else."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing: logging would print a traceback for every line."""


def as_dict(cfg: DictConfig) -> dict[str, Any]:
    """A config in plain values."""
    config = OmegaConf.to_container(cfg)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def _info(
    cfg: DictConfig, directory: RunDirectory, surroundings: Surroundings, ending: _Ending, health: Health
) -> RunInfo:
    # of Gymnasium's tasks `id` says which, of dm_control's domain and name together
    task = "-".join(str(cfg.task[key]) for key in ("domain", "name", "id") if cfg.task.get(key)) or "task"
    return RunInfo(
        directory=directory.path,
        id=directory.id,
        name=surroundings.name or directory.path.name,
        group=surroundings.group,
        tags=(task, cfg.algorithm.name, *map(str, cfg.constraint)),
        config=as_dict(cfg),
        ending=lambda: ending.status,
        findings=lambda: health.findings,
    )


def _title(cfg: DictConfig, assembly: Assembly) -> str:
    limited = ", ".join(map(str, cfg.constraint)) or "nothing limited"
    return f"{assembly.environment.spec.name} · {cfg.algorithm.name} · {limited} · seed {cfg.seed}"
