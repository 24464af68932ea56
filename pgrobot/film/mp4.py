"""An mp4 file, written frame by frame by the ffmpeg that imageio brings; it is there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pgrobot.errors import FailureError, PgrobotError
from pgrobot.files import reason, why_not_written

FULL = "No space left on device"


class Mp4:
    """Takes frames ``[height, width, 3]`` uint8 of one size, even in both directions.

    ::

        with Mp4(path, 960, 480, fps=30) as film:
            film.add(frame)

    Args:
        path: where it will lie; replaced only by a whole film. Its directory is made.
        width, height: pixels.
        fps: frames per second.

    Raises:
        FailureError: there is no ffmpeg, or the film cannot be written; nothing is left of it then.
    """

    def __init__(self, path: Path, width: int, height: int, fps: int) -> None:
        self._path, self._size = path, (height, width, 3)
        self._temporary = path.with_name(f"{path.name}.tmp")
        program = ffmpeg()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FailureError(f"The directory {path.parent} cannot be made: {reason(error)}.") from error
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the film
        self._process = self._started(
            [
                *(program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"),
                *("-s", f"{width}x{height}", "-r", str(fps), "-i", "-", "-an", "-c:v", "libx264"),
                *("-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart"),
                *("-f", "mp4", str(self._temporary)),
            ]
        )

    def add(self, frame: np.ndarray) -> None:
        """Append a frame; raises FailureError where it cannot be written."""
        assert frame.shape == self._size, (frame.shape, self._size)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(frame).data)
        except OSError as error:
            raise self._failed() from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._end()
            self._temporary.unlink(missing_ok=True)

    def _started(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                process_group=0,  # a terminal's Ctrl-C is ours to answer: ffmpeg would end with a film of a sort
            )
        except OSError as error:
            self._words.close()
            raise FailureError(
                f"{command[0]}, which writes films, cannot be run: {reason(error)}."
            ) from error

    def _finish(self) -> None:
        """Let ffmpeg write the end, and give the film its name."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            if self._process.wait():
                raise self._failed()
            self._temporary.replace(self._path)
        except OSError as error:
            raise self._failed() from error

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):  # what is still on its way to a program that has ended
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._words.close()

    def _failed(self) -> FailureError:
        """Why ffmpeg gave up, in a sentence."""
        self._process.wait()
        self._words.seek(0)
        words = " ".join(self._words.read().decode(errors="replace").split())
        if FULL in words:
            size = self._temporary.stat().st_size if self._temporary.exists() else 0
            return FailureError(why_not_written(OSError(errno.ENOSPC, FULL), self._path, size))
        return FailureError(
            f"{self._path} cannot be written: ffmpeg ended with status {self._process.returncode} ({words[-200:]})."
        )


def ffmpeg() -> str:
    """The ffmpeg that there is: imageio's, or that which ``IMAGEIO_FFMPEG_EXE`` or the search path names.

    Raises:
        FailureError: there is none.
    """
    import imageio_ffmpeg

    try:
        program = str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise FailureError(
            "There is no ffmpeg, which writes films: pip install 'imageio[ffmpeg]' brings one."
        ) from error
    if shutil.which(program) is None:  # the variable is believed unseen
        raise FailureError(
            f"{program}, which IMAGEIO_FFMPEG_EXE names, is no program: without that variable imageio's own is taken."
        )
    return program


def check_target(path: Path) -> None:
    """Refuse a path that cannot be that of a film, before one is made.

    Raises:
        PgrobotError: it is a directory, or its name says that it is something else.
    """
    if path.is_dir():
        raise PgrobotError(f"{path} is a directory: name the film in it, as {path / 'film.mp4'}")
    if path.suffix.lower() != ".mp4":
        raise PgrobotError(f"a film is an mp4: {path.with_suffix('.mp4')}, not {path}")
