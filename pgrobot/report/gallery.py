"""What diagnostics drew as the run went on: sensors against actuators, a cycle of the gait, and pictures of others."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from pgrobot.pictures import Image
from pgrobot.report.drawing import Drawing
from pgrobot.report.reading import Story
from pgrobot.tracking import Kept

SENSITIVITY = "sensitivity/"
DRAWN_ANEW = "violation/map"  # from its table
MOST = 2_000_000  # bytes of one picture
_TITLE = re.compile(r"<dc:title>(.*?)</dc:title>", re.DOTALL)


def sensitivity(story: Story) -> Iterator[Drawing]:
    """What each sensor does to each actuator, and when in a gait."""
    for file in story.pictures:
        if _ends(file, SENSITIVITY):
            yield from _as_it_is(file)


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
