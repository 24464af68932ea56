"""The film strip of a trained robot in the README: moments of one stride, side by side.

python scripts/film_strip.py RUN --output docs/pictures/film_strip.png
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from pgrobot.files import write_atomically
from pgrobot.film import STANDARD, Take, scene_of
from pgrobot.film.moment import Moment
from pgrobot.film.panel import flashed, panel
from pgrobot.playing import run_shot
from pgrobot.run.filming import find_policy

COLOURS = 256
GAP = 4


def strip(run: Path, begin: float, every: float, count: int, height: int) -> np.ndarray:
    """Pictures of ``count`` moments, and the panel of the last one: ``[height, W, 3]`` uint8.

    Args:
        run: a run directory; its best policy acts.
        begin: the first moment, in simulated seconds.
        every: seconds between two moments.
        count: of moments.
        height: of all in pixels.
    """
    with run_shot(run, find_policy(run, "best"), "", -1, ()) as shot:
        take, scene = Take(shot), scene_of(shot.environment, STANDARD.width, STANDARD.height)
        parts = []
        for k in range(count):
            take.until(begin + k * every)
            moment = take.look()
            picture = scene.picture(ended=take.ended)
            parts += [_narrow(picture, moment, height), np.full((height, GAP, 3), 255, np.uint8)]
        scene.close()
    return np.hstack([*parts, panel(moment, STANDARD.panel, height)])


def _narrow(picture: np.ndarray, moment: Moment, height: int) -> np.ndarray:
    """The middle of a picture, where the robot is, three quarters as wide as high."""
    middle, half = picture.shape[1] // 2, picture.shape[0] * 3 // 8
    cut = picture[:, middle - half : middle + half]
    small = Image.fromarray(cut).resize((round(height * 3 / 4), height), Image.Resampling.LANCZOS)
    return flashed(np.asarray(small), moment)


def main() -> None:
    """Write the strip."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs/pictures/film_strip.png"))
    parser.add_argument("--begin", type=float, default=8.35)
    parser.add_argument("--every", type=float, default=0.1)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--height", type=int, default=400)
    asked = parser.parse_args()
    page = Image.fromarray(strip(asked.run, asked.begin, asked.every, asked.count, asked.height))
    content = io.BytesIO()
    page.quantize(COLOURS, dither=Image.Dither.NONE).save(content, format="png", optimize=True)
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(asked.output, content.getvalue())
    print(f"{asked.output}: {page.width} x {page.height}, {len(content.getvalue()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
