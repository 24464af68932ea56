"""``health.json`` of a run, and what keeps it while the run trains.

::

    {"schema": 1, "step": 204800,
     "findings": [{"name": "critic_useless", "severity": "warning", "learner": "", "subject": "",
                   "sentence": "The critic explains 2% of …", "evidence": {"critic/explained_variance/reward": 0.02, …},
                   "remedy": "Raise algorithm.critic_solver.rate.initial, …", "since_step": 61440}],
     "past": [{…, "since_step": 20480, "until_step": 40960}]}

``findings`` stand at ``step``, the worst first: ``severity`` is ``error``, ``warning`` or ``note``; ``subject`` is the
constraint, actuator or reward term that has it, empty where there is only one, as is ``learner``. ``past`` were found
and are gone, in the order of ``until_step``. A number that is not finite is null. A run that has begun has the file;
runs of older versions do not, and ``pgrobot.health.examine_run`` finds the same from their metrics.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pgrobot.errors import PgrobotError
from pgrobot.files import write_json
from pgrobot.health.examination import Examination
from pgrobot.health.facts import Facts
from pgrobot.health.finding import Finding
from pgrobot.health.reading import with_names
from pgrobot.pictures import Picture
from pgrobot.types import Metrics

FILE = "health.json"
SCHEMA = 1

log = logging.getLogger(__name__)


class Health:
    """A tracker that examines the run as it goes and keeps ``health.json``, written when another finding stands.

    It reads metrics and nothing else: training is the same to the last bit. A file that finds no room is told once, and
    costs nothing else; nor does a fault of a check, which ends the examination.

    Args:
        run: the run directory.
        config: of the run.
        spec: of its environment, or at least ``max_episode_steps``.
    """

    def __init__(self, run: Path, config: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        self._run = run
        self._config, self._spec = config, spec
        self._examination = Examination(Facts.of(config, spec, {}))
        self._full = False
        self._works = False  # until it begins: a run whose resume is refused stays as it is

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those that stand, the worst first; any thread may ask."""
        return self._examination.standing

    def begin(self, rows: Iterable[tuple[int, Mapping[str, object]]]) -> None:
        """Take in the past of the run, none of a new one, and write the file."""
        self._works = True
        with self._guarded():
            for step, metrics in rows:
                self._examination.add(step, metrics)
            self._save()

    def write(self, step: int, metrics: Metrics) -> None:
        """Take in an iteration."""
        with self._guarded():
            if self._works and self._examination.add(step, metrics):
                self._save()

    def show(self, step: int, name: str, picture: Picture) -> None:
        """Only numbers are examined."""

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Look once more, at the end: of the training, with no result yet, and of the run, with that."""
        with self._guarded():
            self._examination.facts = with_names(Facts.of(self._config, self._spec, result), self._run)
            if self._works:
                self._examination.conclude()
                self._save()

    def close(self) -> None:
        """What stands is written already."""

    def _save(self) -> None:
        try:
            write_json(self._run / FILE, as_json(self._examination))
        except PgrobotError as error:
            if not self._full:
                log.warning("%s The run goes on, without its findings.", error)
            self._full = True

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, training is worth more
            self._works = False
            log.warning(
                "The examination of the run's health failed and is off from here on; training goes on (%s: %s).",
                type(error).__name__,
                error,
            )


def as_json(examination: Examination) -> dict[str, Any]:
    """What ``health.json`` says of an examination."""
    return {
        "schema": SCHEMA,
        "step": examination.step,
        "findings": [asdict(finding) for finding in examination.standing],
        "past": [{**asdict(finding), "until_step": until} for finding, until in examination.past],
    }
