"""A function of the user's that is told every iteration, and may ask to stop."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from pgrobot.errors import FailureError, PgrobotError, in_a_sentence, shown
from pgrobot.pictures import Picture
from pgrobot.run.stop import StopRequest
from pgrobot.types import Metrics

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Iteration:
    """What a callback is told after an iteration.

    Attributes:
        step: environment steps done.
        total_steps: those that the run will take.
        metrics: of this iteration, as ``metrics.jsonl`` has them; they can only be read.
        path: the run directory, absolute.
    """

    step: int
    total_steps: int
    metrics: Mapping[str, float]
    path: Path


Callback = Callable[[Iteration], bool | None]


def nobody(_: Iteration) -> None:
    """The callback of a run that tells nobody."""


def check_callback(callback: object) -> None:
    """Refuse what cannot be called with an iteration.

    Raises:
        PgrobotError: it is no function, or one of another number of arguments.
    """
    wanted = "callback= takes a function of one argument, an Iteration"
    if not callable(callback):
        raise PgrobotError(f"{wanted}, not {shown(callback)}")
    try:
        inspect.signature(callback).bind(None)
    except TypeError as error:
        raise PgrobotError(f"{wanted}, and {shown(callback)} is called otherwise: {error}") from error
    except ValueError:  # built in, and does not say how it is called
        return


class Told:
    """A tracker that tells a callback, and asks the run to stop where it says so or raises.

    Args:
        callback: returns True to stop, and None or False to go on.
        total_steps: of the run.
        path: its directory.
        stop: asked to stop.

    Attributes:
        raised: what the callback raised, to be raised again once all is saved; else nothing.
    """

    def __init__(self, callback: Callback, total_steps: int, path: Path, stop: StopRequest) -> None:
        self.raised: BaseException | None = None
        self._callback = callback
        self._total_steps = total_steps
        self._path = path
        self._stop = stop

    def write(self, step: int, metrics: Metrics) -> None:
        """Tell the callback; whatever it raises, the iteration is saved first."""
        told = Iteration(step, self._total_steps, MappingProxyType(dict(metrics)), self._path.absolute())
        try:
            answer = self._callback(told)
            if answer is not None and not isinstance(answer, bool | np.bool_):
                raise FailureError(
                    f"callback= returned {shown(answer)} at step {step}: it returns True to stop, and None or False "
                    "to go on"
                )
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the user's own, and raised again by `raise_again`
            _logger.warning("callback= raised %s at step %d, which ends the run.", in_a_sentence(error), step)
            error.add_note(f"the run ended at step {step}, saved: resume={self._path} goes on from there")
            self.raised = error
            self._stop.ask()
            return
        if answer:
            _logger.warning("callback= asked to stop at step %d.", step)
            self._stop.ask()

    def show(self, step: int, name: str, picture: Picture) -> None:
        """A callback is told numbers."""

    def raise_again(self) -> None:
        """Raise what the callback raised, if it did."""
        if self.raised is not None:
            raise self.raised

    def close(self) -> None:
        """Nothing is held."""
