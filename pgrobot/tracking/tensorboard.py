"""TensorBoard: event files in ``<run>/tensorboard/``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pgrobot.errors import PgrobotError
from pgrobot.tracking.mirrors import RunInfo
from pgrobot.types import Metrics

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FLUSH_SECONDS = 10


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
    """Event files whose steps are environment steps. What a resumed run writes anew replaces what it had written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writers: list[
            SummaryWriter
        ] = []  # opened by the first write: only it tells where a resumed run goes on

    def write(self, step: int, metrics: Metrics) -> None:
        if not self._writers:
            from torch.utils.tensorboard import SummaryWriter

            self._writers.append(SummaryWriter(self._directory, purge_step=step, flush_secs=FLUSH_SECONDS))
        for name, value in metrics.items():
            self._writers[0].add_scalar(name, value, step)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
