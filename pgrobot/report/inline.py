"""An SVG file as a part of a page: in the page's colours, by day and by night, with names that no other drawing has."""

from __future__ import annotations

import re

from pgrobot.figures.palette import GRID, INK, LINES, PAPER, UNKNOWN

# The page says what each is (page.css); as written it stays what it was, where the page says nothing.
VARIABLES = {
    INK: "--ink",
    GRID: "--grid",
    PAPER: "--paper",
    UNKNOWN: "--unknown",
    **{colour: f"--line-{index}" for index, (colour, _) in enumerate(LINES, start=1)},
}
_COLOURS = re.compile("|".join(VARIABLES))
_IDENTITY = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(href="|url\()#([^")]+)')
_PREAMBLE = re.compile(r"^.*?(?=<svg)|<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
_SIZE = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', re.DOTALL)


def is_ours(svg: bytes) -> bool:
    """Whether matplotlib drew it, with a title: only such a one can be a part of the page."""
    return b"<dc:title>" in svg and b"viewBox" in svg and b"<script" not in svg


def inlined(svg: bytes, name: str, label: str) -> str:
    """The element of a page for a drawing of matplotlib's.

    Args:
        svg: the file.
        name: stands before every name in it.
        label: what it says to whoever cannot see it; already escaped.
    """
    text = _PREAMBLE.sub("", svg.decode())
    referred = {found[1] for found in _REFERENCE.findall(text)}
    text = _IDENTITY.sub(lambda m: f' id="{name}-{m[1]}"' if m[1] in referred else "", text)
    text = _REFERENCE.sub(lambda m: f"{m[1]}#{name}-{m[2]}", text)
    text = _COLOURS.sub(lambda m: f"var({VARIABLES[m[0]]}, {m[0]})", text)
    text = _SIZE.sub(
        lambda m: (
            f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{m[1]}" role="img" aria-label="{label}">'
        ),
        text,
        count=1,
    )
    return re.sub(r"\n\s*", "\n", text)
