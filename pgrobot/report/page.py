"""The page: one HTML file that loads nothing and leads nowhere else."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pgrobot.files import reason
from pgrobot.numerals import numeral
from pgrobot.report.drawing import Drawing, Sentence
from pgrobot.report.gallery import walks
from pgrobot.report.inline import inlined, is_ours
from pgrobot.report.reading import Story, number
from pgrobot.report.sections import Section
from pgrobot.report.still import still
from pgrobot.report.verdicts import MEANINGS, interval, judged
from pgrobot.tracking import Kept

MOST_FILM = 20_000_000  # bytes of all films in a page


@dataclass(frozen=True, slots=True)
class Film:
    """A video in the page.

    Attributes:
        title: what it is called, and of which step.
        source: a data URL.
        still: one of its middle frame, for print; empty where ffmpeg makes none.
    """

    title: str
    source: str
    still: str


def render(
    story: Story, drawn: Sequence[tuple[Section, Sequence[Drawing | Sentence]]], *, videos: bool
) -> str:
    """Write the page.

    Args:
        story: the run.
        drawn: every section with its drawings and sentences.
        videos: whether films are part of it.
    """
    films, left_out = (
        embedded(story.videos) if videos else ((), tuple(file.path.name for file in story.videos))
    )
    environment = Environment(
        loader=PackageLoader("pgrobot.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": lambda value: numeral(number(value)), "inline": _inline}
    return environment.get_template("page.html").render(
        story=story,
        sections=[
            (
                section,
                [one for one in shown if isinstance(one, Drawing)],
                [one.text for one in shown if isinstance(one, Sentence)],
            )
            for section, shown in drawn
        ],
        title=_title(story),
        facts=_facts(story),
        command=command(story.overrides),
        judged=judged(story),
        interval=interval(story),
        unplayable=_unplayable(story),
        look=_look(story),
        meanings=MEANINGS,
        films=films,
        left_out=left_out,
    )


def command(overrides: Sequence[str]) -> str:
    """What to type to run it again."""
    return " ".join(["pgrobot train", *map(shlex.quote, overrides)])


def embedded(videos: Sequence[Kept]) -> tuple[tuple[Film, ...], tuple[str, ...]]:
    """Early, middle and final film of every name, the final ones first, and which found no room.

    Returns:
        The films by name and step, and the names of files that are left out: those beyond 20 MB.
    """
    names = dict.fromkeys(file.name for file in videos)
    chosen: list[Kept] = []
    for name in names:
        of_name = [file for file in videos if file.name == name]
        chosen += dict.fromkeys([of_name[-1], of_name[0], of_name[len(of_name) // 2]])
    last = max((file.step for file in chosen), default=0)
    taken: dict[Kept, bytes] = {}
    left_out = []
    for file in sorted(chosen, key=lambda file: file.step != last):
        try:
            content = file.path.read_bytes()
        except OSError as error:
            left_out.append(f"{file.path.name} ({reason(error)})")
            continue
        if sum(map(len, taken.values())) + len(content) > MOST_FILM:
            left_out.append(file.path.name)
        else:
            taken[file] = content
    films = tuple(
        Film(
            f"{file.name}, step {file.step:,}",
            "data:video/mp4;base64," + base64.b64encode(taken[file]).decode(),
            _data("image/jpeg", still(file.path)),
        )
        for file in sorted(taken, key=lambda file: (file.name, file.step))
    )
    return films, tuple(left_out)


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}" if content else ""


def _unplayable(story: Story) -> str:
    """Why no film can be made of a run; empty where one can."""
    if story.manifest.get("environment"):
        return "its environments were given from Python"
    return "" if any((story.run / "checkpoints").glob("*.pt")) else "it keeps no checkpoint"


def _inline(drawing: Drawing) -> Markup:
    words = escape(drawing.words)
    if is_ours(drawing.image.svg):
        return Markup(inlined(drawing.image.svg, re.sub(r"[^\w-]", "-", drawing.name), str(words)))
    source = base64.b64encode(drawing.image.png).decode()
    return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(source, words)


def _title(story: Story) -> str:
    task, algorithm = (story.config.get(key, {}).get("name", "") for key in ("task", "algorithm"))
    name = story.spec.get("name") or task or story.run.resolve().name
    return " · ".join(filter(None, map(str, (name, algorithm))))


LOOK = {
    "sensitivity/lipschitz/mean": "steepest slope, mean over states (half-ranges per deviation)",
    "sensitivity/lipschitz/max": "steepest slope of all states (half-ranges per deviation)",
    "sensitivity/unused": "share of sensors without effect",
    "units/dead": "share of dead units",
    "units/saturated": "share of saturated units",
    "gait/period": "period of the gait (s)",
    "gradient/policy/agreement": "cosine between gradients of minibatches",
    "fisher/eigenvalue/1": "largest Fisher eigenvalue (nats per squared unit of a parameter)",
}


def _look(story: Story) -> dict[str, str]:
    """What the last closer look at the policy found, by what it is."""
    history = story.history
    told = {name: called for name, called in LOOK.items() if name != "gait/period" or walks(story, "")}
    return {called: numeral(history.last(name)) for name, called in told.items() if history.tells(name)}


def _facts(story: Story) -> dict[str, str]:
    """What the run was, by a word each; what is not known is left out."""
    story_of = story.manifest
    wall = number(story.result.get("wall_s", story.history.last("time/wall_s")))
    limited = story.config.get("constraint", {})
    told: dict[str, Any] = {
        "status": story.result.get("status", "not finished"),
        "limited": ", ".join(map(str, limited)) or "nothing",
        "seed": story_of.get("seed", ""),
        "steps": f"{story.step:,}",
        "time": f"{wall / 60:.1f} min" if wall == wall else "",
        "began": str(story_of.get("start_time", ""))[:16].replace("T", " "),
        "made by": story.made_by,
        "directory": story.run.resolve().name,
    }
    return {word: str(value) for word, value in told.items() if value != ""}
