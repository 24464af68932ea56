"""What diagnostics drew as the run went on: sensors against actuators, a cycle of the gait, and pictures of others."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from pgrobot.pictures import Image
from pgrobot.report.drawing import Drawing, Sentence
from pgrobot.report.reading import Story
from pgrobot.tracking import Kept

SENSITIVITY = "sensitivity/"
GAIT = f"{SENSITIVITY}gait"
CLEARLY = 0.8  # of the steps: a robot that sways without walking goes forward in some three of four
DRAWN_ANEW = "violation/map"  # from its table
MOST = 2_000_000  # bytes of one picture
_TITLE = re.compile(r"<dc:title>(.*?)</dc:title>", re.DOTALL)


def sensitivity(story: Story) -> Iterator[Drawing | Sentence]:
    """What each sensor does to each actuator, and when in a gait, where there is one."""
    for file in story.pictures:
        if _ends(file, SENSITIVITY):
            learner = file.name.removesuffix(GAIT)
            if learner != file.name and not walks(story, learner):
                yield Sentence(_no_gait(story, learner))
            else:
                yield from _as_it_is(file)


def walks(story: Story, learner: str) -> bool:
    """Whether the phase of the gait clearly goes forward; where nobody tells, it is not doubted."""
    advance = story.history.last(f"{learner}gait/advance")
    return not advance < CLEARLY


def _no_gait(story: Story, learner: str) -> str:
    advance = story.history.last(f"{learner}gait/advance")
    whose = f"{learner.rstrip('/')}: " if learner else ""
    return (
        f"{whose}No gait: the phase of what is observed goes forward in {advance:.0%} of the steps, where half "
        f"are none and {CLEARLY:.0%} a clear one, so no cycle is drawn."
    )


def others(story: Story) -> Iterator[Drawing]:
    """Pictures of which this report knows nothing."""
    for file in story.pictures:
        if not _ends(file, SENSITIVITY) and file.name != DRAWN_ANEW:
            yield from _as_it_is(file)


def _ends(file: Kept, folder: str) -> bool:
    """Whether a picture lies in a folder, or in that of a learner."""
    return f"/{file.name}".find(f"/{folder}") >= 0


def _as_it_is(file: Kept) -> Iterator[Drawing]:
    try:
        svg = file.path.read_bytes()
        png = file.path.with_suffix(".png").read_bytes()
    except OSError:
        return
    if len(svg) + len(png) > MOST:
        return
    found = _TITLE.search(svg.decode(errors="replace"))
    caption = html.unescape(found[1]) if found else file.name
    note = f"{caption}, at step {file.step:,}."
    yield Drawing(f"{file.name}_kept", Image(png, svg, caption), note, note, wide=True, drawn=False)
