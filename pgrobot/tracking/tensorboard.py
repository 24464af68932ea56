"""TensorBoard: event files in ``<run>/tensorboard/``."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgrobot.errors import PgrobotError
from pgrobot.pictures import Image, Picture, Table, Video
from pgrobot.tracking.mirrors import RunInfo
from pgrobot.types import Metrics

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from torch.utils.tensorboard import SummaryWriter

FLUSH_SECONDS = 10
GIF_FRAMES_PER_SECOND = 10
GIF_WIDTH = 320  # pixels, at most


@dataclass(frozen=True, slots=True)
class TensorBoard:
    """Settings of the mirror; it has none. ``tensorboard --logdir <run>`` shows it.

    Raises:
        PgrobotError: TensorBoard is not installed.
    """

    def __post_init__(self) -> None:
        if find_spec("tensorboard") is None:
            raise PgrobotError("tracker=tensorboard needs the package tensorboard: pip install tensorboard")

    def open(self, run: RunInfo) -> TensorBoardRun:
        return TensorBoardRun(run.directory / "tensorboard")


class TensorBoardRun:
    """Event files whose steps are environment steps. What a resumed run writes anew replaces what it had written.

    Tables are shown as texts, and videos as moving images, smaller and of fewer frames, for it plays nothing else.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writers: list[SummaryWriter] = []

    def write(self, step: int, metrics: Metrics) -> None:
        writer = self._writer(step)  # only the first row tells where a resumed run goes on
        for name, value in metrics.items():
            writer.add_scalar(name, value, step)

    def show(self, step: int, name: str, picture: Picture) -> None:
        writer = self._writer(step + 1)  # a picture comes after the metrics of its step, which stay
        match picture:
            case Image(png):
                _events(writer).add_summary(_image(name, png), step)
            case Table():
                writer.add_text(name, _markdown(picture), step)
            case Video(path):
                _events(writer).add_summary(_image(name, _gif(path)), step)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()

    def _writer(self, first: int) -> SummaryWriter:
        if not self._writers:
            from torch.utils.tensorboard import SummaryWriter

            self._writers.append(SummaryWriter(self._directory, purge_step=first, flush_secs=FLUSH_SECONDS))
        return self._writers[0]


def _events(writer: SummaryWriter) -> Any:
    """The open file below a writer, which takes what is encoded already."""
    return writer.file_writer


def _image(name: str, encoded: bytes) -> Summary:
    """What `SummaryWriter.add_image` makes of pixels, of an image that is encoded already."""
    from PIL import Image as Pixels
    from tensorboard.compat.proto.summary_pb2 import Summary

    with Pixels.open(io.BytesIO(encoded)) as image:
        width, height = image.size
    shown = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
    return Summary(value=[Summary.Value(tag=name, image=shown)])


def _markdown(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join(
        f"| {' | '.join(c if isinstance(c, str) else f'{c:.4g}' for c in row)} |" for row in rows
    )


def _gif(path: Path) -> bytes:
    from imageio_ffmpeg import get_ffmpeg_exe

    smaller = f"fps={GIF_FRAMES_PER_SECOND},scale='min({GIF_WIDTH},iw)':-2"
    command = [get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-vf", smaller, "-f", "gif", "-"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise PgrobotError(f"The video {path} cannot be read: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
