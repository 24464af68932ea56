"""From a run directory to its report: the page, and every drawing of it as files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pgrobot.errors import PgrobotError
from pgrobot.files import reason, write_atomically
from pgrobot.pictures import Image
from pgrobot.report.drawing import Drawing, Sentence
from pgrobot.report.page import render
from pgrobot.report.reading import FOLDER, Story, read_story
from pgrobot.report.sections import SECTIONS, Section
from pgrobot.tracking import keep, kept


@dataclass(frozen=True, slots=True)
class Written:
    """A report that has been written.

    Attributes:
        page: the file.
        figures: the drawings by their names in the gallery, ``report/return``.
        step: environment steps after which the run was read.
        remarks: what could not be read, in a sentence each.
        not_kept: why the run's directory does not hold the drawings; empty where it does.
    """

    page: Path
    figures: Mapping[str, Image]
    step: int
    remarks: tuple[str, ...]
    not_kept: str


def write_report(run: Path, page: Path, *, videos: bool) -> Written:
    """Write the report of a run, finished or not; the drawings go into ``<run>/figures/report/``.

    Args:
        run: a run directory, which may be in use.
        page: the file to write, as a rule ``<run>/report.html``.
        videos: whether the page holds films, up to 20 MB of them.

    Raises:
        PgrobotError: it is no run directory, or its metrics cannot be read; or the page cannot be written, and is the
            old one then.
    """
    story = read_story(run)
    drawn = [(section, tuple(_drawn(section, story))) for section in SECTIONS]
    drawn = [
        (section, drawings) for section, drawings in drawn if drawings or section.part or section.nothing
    ]
    figures = {
        f"{FOLDER}{d.name}": d.image
        for _, drawings in drawn
        for d in drawings
        if isinstance(d, Drawing) and d.drawn
    }
    text = render(story, drawn, videos=videos)
    write_atomically(page, text.encode())  # first: it is whole by itself
    return Written(page, figures, story.step, story.remarks, _keep(run, story.step, figures))


def _keep(run: Path, step: int, figures: Mapping[str, Image]) -> str:
    """Write the drawings into the run; where it takes none, says why."""
    try:
        for name, image in figures.items():
            keep(run, step, name, image)
        _forget_others(run, step, figures)
    except PgrobotError as error:
        return f"{error} The page is whole; figures/report/ of the run is not."
    except OSError as error:
        return f"The drawings of an earlier report cannot be removed: {reason(error)}. The page is whole."
    return ""


def _drawn(section: Section, story: Story) -> Iterator[Drawing | Sentence]:
    learners = story.history.learners
    if len(learners) == 1 or not section.by_learner:
        yield from section.draw(story)
        return
    for learner in learners:
        for drawing in section.draw(story.of(learner)):
            if isinstance(drawing, Sentence):
                yield Sentence(f"Learner {learner}. {drawing.text}")
            else:
                yield replace(
                    drawing, name=f"{learner}/{drawing.name}", note=f"Learner {learner}. {drawing.note}"
                )


def _forget_others(run: Path, step: int, figures: Mapping[str, Image]) -> None:
    """Remove the drawings of earlier reports."""
    for file in kept(run, Image):
        if file.name.startswith(FOLDER) and (file.step != step or file.name not in figures):
            file.path.unlink(missing_ok=True)
