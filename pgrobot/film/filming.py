"""Films: one robot or several side by side, each beside what is to be told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pgrobot.film.length import FPS, frame_count
from pgrobot.film.moment import Moment
from pgrobot.film.mp4 import Mp4, ffmpeg
from pgrobot.film.panel import PAPER, flashed, panel
from pgrobot.film.scene import scene_of
from pgrobot.film.shot import Shot, Take, frames


@dataclass(frozen=True, slots=True)
class Format:
    """How large a film is.

    Attributes:
        width, height: of a picture, in pixels.
        panel: what is added for all that is told: on the right of one picture, below each of several.
    """

    width: int
    height: int
    panel: int


STANDARD = Format(640, 480, 320)  # MuJoCo's models have no larger buffer unless they ask for one


def film(shots: Sequence[Shot], path: Path, seconds: float, size: Format = STANDARD) -> int:
    """Film robots side by side, in time with each other.

    Args:
        shots: at least one. Their environments are begun anew, and stay open.
        path: of the mp4, which appears when it is whole.
        seconds: simulated, and of the film.
        size: of the film.

    Returns:
        How many frames it has.

    Raises:
        PgrobotError: the film would be of no length, or too long.
        FailureError: this machine or an environment cannot draw, there is no ffmpeg, or the disk is full.
    """
    count = frame_count(seconds)
    ffmpeg()
    with ExitStack() as stack:
        taken = []
        for shot in shots:
            take, scene = Take(shot), scene_of(shot.environment, size.width, size.height)
            stack.callback(scene.close)
            taken.append(frames(take, scene, FPS, count))
        pages = composed(taken, size)
        first = next(pages)
        mp4 = stack.enter_context(Mp4(path, first.shape[1], first.shape[0], FPS))
        mp4.add(first)
        for page in pages:
            mp4.add(page)
    return count


def composed(taken: Sequence[Iterator[tuple[np.ndarray, Moment]]], size: Format) -> Iterator[np.ndarray]:
    """Pages ``[H, W, 3]``, made of what all that are filmed show at one moment."""
    for shown in zip(*taken, strict=True):
        if len(shown) == 1:
            ((picture, moment),) = shown
            yield np.hstack((_framed(picture, moment, size), panel(moment, size.panel, size.height)))
        else:
            columns = [
                np.vstack((_framed(picture, moment, size), panel(moment, size.width, size.panel)))
                for picture, moment in shown
            ]
            yield np.hstack(columns)


def _framed(picture: np.ndarray, moment: Moment, size: Format) -> np.ndarray:
    """A picture of the size that is wanted, as it is or in the middle of a page."""
    height, width = picture.shape[:2]
    if (width, height) != (size.width, size.height):
        share = min(size.width / width, size.height / height)
        scaled = Image.fromarray(picture).resize(
            (max(round(width * share), 1), max(round(height * share), 1))
        )
        page = Image.new("RGB", (size.width, size.height), PAPER)
        page.paste(scaled, ((size.width - scaled.width) // 2, (size.height - scaled.height) // 2))
        picture = np.asarray(page)
    return flashed(picture, moment)
