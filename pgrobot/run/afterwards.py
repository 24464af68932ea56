"""What a run makes when its result is safe: its films and its report, which cost nothing but themselves."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from pgrobot.assembly import TaskMaker
from pgrobot.errors import in_a_sentence
from pgrobot.pictures import Picture
from pgrobot.run.stop import AskedToStop, StopRequest
from pgrobot.run.training import Training
from pgrobot.tracking import working

_logger = logging.getLogger(__name__)


def look_back(
    cfg: DictConfig,
    run: Path,
    task: TaskMaker,
    training: Training,
    stop: StopRequest,
    console: Console,
) -> bool:
    """Film what the run has learnt and write its report, as far as the config asks; trackers show both.

    Whatever goes wrong costs the film or the report. Who asks to stop waits for neither: what is being made is given
    up.

    Args:
        cfg: of the run, with its own model.
        run: its directory, which holds its result.
        task: of its evaluations.
        training: of the run, for its trackers.
        stop: the request to stop.
        console: says what is being made.

    Returns:
        Whether it came to its end; False: it was asked to stop.
    """

    def film() -> Mapping[str, Picture]:
        from pgrobot.run.filming import film_story

        return film_story(cfg, run, task, cfg.film)

    def report() -> Mapping[str, Picture]:
        from pgrobot.report import PAGE, write_report

        written = write_report(run, run / PAGE, videos=True)
        if written.not_kept:
            _logger.warning("%s", written.not_kept)
        return written.figures

    wanted: tuple[tuple[bool, str, str, str, Callable[[], Mapping[str, Picture]]], ...] = (
        (bool(cfg.film), "Filming", "film", "play", film),
        (bool(cfg.report), "Writing the report", "report", "report", report),
    )
    for asked, words, what, command, make in wanted:
        if not asked:
            continue
        again = f"pgrobot {command} {shlex.quote(str(run))}"
        try:
            with stop.at_once(), working(console, words):
                stop.check()
                training.mirror(make())
                stop.check()
        except (KeyboardInterrupt, AskedToStop):
            _logger.warning(
                "Interrupted before the %s was whole; the run and its result are complete, and %s makes it.",
                what,
                again,
            )
            return False
        except Exception as error:  # noqa: BLE001 - a run that has its result is worth more
            _logger.warning(
                "The run has no %s: %s The rest of it is complete; %s tries again.",
                what,
                in_a_sentence(error),
                again,
            )
    return True
