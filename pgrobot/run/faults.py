"""Dumps of what an update choked on, for replay."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields

from pgrobot import checkpoint
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.guard import Fault, GuardedLearner
from pgrobot.run_directory import RunDirectory
from pgrobot.types import Rollout, State

MOST_DUMPS = 5  # of one process, for a dump is as large as a rollout
MOST_IN_A_ROW = 20

_logger = logging.getLogger(__name__)


class FaultRecorder:
    """Writes every skipped update into ``<run>/faults/``, and gives up on a run that only skips them.

    Attributes:
        skipped: iterations of the whole run, its past included, in which an update was skipped.
    """

    def __init__(self, directory: RunDirectory, config: str) -> None:
        self._directory = directory
        self._config = config
        self.skipped = 0
        self._last = ""
        self._dumps = 0
        self._in_a_row = 0

    def look(self, step: int, learners: Mapping[str, GuardedLearner]) -> None:
        """Dump the faults since the last look and clear them.

        Raises:
            FailureError: no update of the last ``MOST_IN_A_ROW`` iterations could be done.
        """
        found = [(name, fault) for name, learner in learners.items() for fault in learner.faults]
        for learner in learners.values():
            learner.faults.clear()
        self._in_a_row = self._in_a_row + 1 if found else 0
        self.skipped += bool(found)
        for name, fault in found:
            self._record(step, name, fault)
            self._last = fault.message
        if self._in_a_row >= MOST_IN_A_ROW:
            raise self._failure(f"The last {MOST_IN_A_ROW} updates were skipped")

    def conclude(self, iterations: int) -> None:
        """Refuse to call a run of so many iterations finished if it has learnt nothing.

        Raises:
            FailureError: every one of its updates was skipped.
        """
        if iterations and self.skipped == iterations:
            raise self._failure("Every update was skipped, so nothing was learnt")

    def _failure(self, what: str) -> FailureError:
        why = f", the last because {self._last}" if self._last else ""
        return FailureError(f"{what}{why}; {self._directory.path / 'faults'} holds the states for replay")

    def _record(self, step: int, name: str, fault: Fault) -> None:
        if self._dumps == MOST_DUMPS:
            _logger.warning("The update at step %d was skipped: %s.", step, fault.message)
            return
        self._dumps += 1
        path = self._directory.fault(f"step_{step}_{name}.pt")
        try:
            checkpoint.save(path, dump(fault, step, self._config))
        except PgrobotError as error:
            _logger.warning("The update at step %d was skipped: %s. No dump: %s", step, fault.message, error)
        else:
            _logger.warning(
                "The update at step %d was skipped: %s. The states lie in %s.", step, fault.message, path
            )


def dump(fault: Fault, step: int, config: str) -> State:
    """A fault as a plain state: the rollout by field, the learner before the update, and the config."""
    return {
        "message": fault.message,
        "global_step": step,
        "rollout": _by_field(fault.rollout),
        "learner": fault.learner,
        "config": config,
    }


def _by_field(rollout: Rollout) -> State:
    told = {field.name: getattr(rollout, field.name) for field in fields(rollout)}
    return {name: _by_field(part) if isinstance(part, Rollout) else part for name, part in told.items()}
