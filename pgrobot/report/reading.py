"""A run directory, read for its report: whatever is missing or damaged costs what it would have told, and is named."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from pgrobot.errors import PgrobotError, in_a_sentence
from pgrobot.health import as_json, examine_run, lines
from pgrobot.pictures import Image, Table, Video
from pgrobot.report.history import History, as_history
from pgrobot.report.shapes import fitted
from pgrobot.run_directory import check_run, made_by
from pgrobot.tracking import Kept, kept, read_table

FOLDER = "report/"  # of a report's drawings, below those of the run


@dataclass(frozen=True, slots=True)
class Story:
    """All that a report is made of.

    Attributes:
        run: the run directory.
        history: what every iteration told.
        config: as resolved; empty where it cannot be read.
        config_text: the same, as it stands in the file.
        overrides: what was chosen.
        manifest: seed, versions, commit, command; empty where there is none.
        spec: of the environment; empty where there is none.
        result: the final evaluation; empty where the run has not finished.
        certificate: what ``pgrobot certify`` wrote; empty where nobody asked it.
        health: what ``pgrobot health`` finds, as it stands in ``health.json``; its ``summary``, and whether so much is
            known that this is good news, ``judged``.
        tables: of the gallery, the last one of each name.
        pictures: SVG files of the gallery, the last one of each name, without those of reports.
        videos: files of the gallery, by name and step.
        made_by: the pgrobot that wrote it.
        remarks: what could not be read, in a sentence each.
    """

    run: Path
    history: History
    config: Mapping[str, Any]
    config_text: str
    overrides: tuple[str, ...]
    manifest: Mapping[str, Any]
    spec: Mapping[str, Any]
    result: Mapping[str, Any]
    certificate: Mapping[str, Any]
    health: Mapping[str, Any]
    tables: Mapping[str, Table]
    pictures: tuple[Kept, ...]
    videos: tuple[Kept, ...]
    made_by: str
    remarks: tuple[str, ...]

    @property
    def step(self) -> int:
        """Environment steps done."""
        return int(self.history.steps[-1]) if len(self.history.steps) else 0

    def of(self, learner: str) -> Story:
        """The story of one learner of several."""
        return replace(self, history=self.history.of(learner))

    @property
    def actuators(self) -> tuple[str, ...]:
        """Names of all entries of an action that are no choices; none where nobody tells."""
        return tuple(str(a.get("name")) for a in self.spec.get("actions", ()) if not a.get("choices"))

    @property
    def units(self) -> dict[str, str]:
        """What a torque of each actuator is counted in, by its name; empty where nobody tells."""
        actions = self.spec.get("actions", ())
        return {a["name"]: a.get("unit", "").rpartition(" ")[2] for a in actions if "name" in a}


def read_story(run: Path) -> Story:
    """Read a run, finished or not.

    Raises:
        PgrobotError: it is no run directory, or its metrics cannot be read at all.
    """
    check_run(run)
    reader = _Reader(run)
    history, remarks = as_history(lines(run))
    reader.remarks.extend(remarks)
    if not len(history.steps):
        reader.remarks.append("The run has no metrics yet: no iteration has ended.")
    config_text = reader.text("config.yaml")
    overrides = reader.yaml(reader.text("overrides.yaml"), "overrides.yaml", list)
    result = reader.json("result.json", optional=True)
    if not result:
        reader.remarks.append(
            "The run has not finished, so nothing is judged; this shows how far it has come."
        )
    return Story(
        run=run,
        history=history,
        config=reader.fitted("config.yaml", reader.yaml(config_text, "config.yaml", dict)),
        config_text=config_text,
        overrides=tuple(map(str, overrides)),
        manifest=reader.json("manifest.json", optional=False),
        spec=reader.json("spec.json", optional=True),
        result=result,
        certificate=reader.json("certificate.json", optional=True),
        health=_health(run),
        tables=reader.tables(),
        pictures=_pictures(run),
        videos=tuple(kept(run, Video)),
        made_by=made_by(run),
        remarks=tuple(reader.remarks),
    )


class _Reader:
    """Reads the files of a run and notes which it could not."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self.remarks: list[str] = []

    def text(self, name: str) -> str:
        try:
            return (self._run / name).read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            self.remarks.append(f"{name} is missing or cannot be read.")
            return ""

    def yaml(self, text: str, name: str, kind: type) -> Any:
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError:
            content = None
        if isinstance(content, kind):
            return content
        if text:
            self.remarks.append(f"{name} is damaged.")
        return kind()

    def json(self, name: str, *, optional: bool) -> dict[str, Any]:
        if optional and not (self._run / name).exists():
            return {}
        try:
            content = json.loads((self._run / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = None
        if isinstance(content, dict):
            return self.fitted(name, content)
        self.remarks.append(f"{name} is missing or damaged.")
        return {}

    def fitted(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """What a report can read of a file."""
        left, remark = fitted(name, content)
        self.remarks.extend([remark] * bool(remark))
        return left

    def tables(self) -> dict[str, Table]:
        found: dict[str, Table] = {}
        for name, file in {file.name: file for file in kept(self._run, Table)}.items():
            try:
                found[name] = read_table(file.path)
            except PgrobotError as error:
                self.remarks.append(f"{error}.")
        return found


def _health(run: Path) -> dict[str, Any]:
    """Found anew, as by ``pgrobot health``: the file may be of an older version, or of an examination that failed."""
    try:
        examination = examine_run(run)
    except Exception as error:  # noqa: BLE001 - a check that fails costs itself, not the page
        why = f"The health of the run could not be examined ({in_a_sentence(error)})."
        return {"findings": [], "past": [], "summary": why, "judged": False}
    return {**as_json(examination), "summary": examination.summary, "judged": examination.judged}


def _pictures(run: Path) -> tuple[Kept, ...]:
    drawn = {file.name: file for file in kept(run, Image) if file.path.suffix == ".svg"}
    return tuple(file for name, file in drawn.items() if not name.startswith(FOLDER))


def number(value: Any) -> float:
    """A figure of a JSON file, in which null is one that is not known."""
    return float(value) if isinstance(value, int | float) else math.nan
