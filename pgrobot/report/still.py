"""A picture of a film, for where nothing moves."""

from __future__ import annotations

import subprocess
from pathlib import Path

FRAMES = 100  # of which the most typical one is taken: a film begins with a robot that stands


def still(film: Path) -> bytes:
    """One frame as JPEG; nothing where there is no ffmpeg, or it cannot read the film."""
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        command = [program, "-v", "error", "-i", str(film), "-vf", f"thumbnail={FRAMES}", "-frames:v", "1"]
        done = subprocess.run(
            [*command, "-q:v", "4", "-f", "mjpeg", "-"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            process_group=0,  # a terminal's Ctrl-C is this process's to answer
        )
    except (OSError, RuntimeError):
        return b""
    return done.stdout if done.returncode == 0 else b""
