"""Trackers: the run directory is the truth, everything else mirrors it and may fail without harm.

Every tracker takes ``write(step, metrics)`` and ``show(step, name, picture)``, with ``step`` in environment steps.
"""

from pgrobot.tracking.console import open_console, working
from pgrobot.tracking.gallery import Gallery, Kept, keep, kept, read_table
from pgrobot.tracking.metrics_file import MetricsFile
from pgrobot.tracking.mirrors import Background, Guarded, Mirror, RunInfo, open_mirrors
from pgrobot.tracking.progress import Progress
from pgrobot.tracking.tensorboard import TensorBoard
from pgrobot.tracking.weights_and_biases import Wandb

__all__ = [
    "Background",
    "Gallery",
    "Guarded",
    "Kept",
    "MetricsFile",
    "Mirror",
    "Progress",
    "RunInfo",
    "TensorBoard",
    "Wandb",
    "keep",
    "kept",
    "open_console",
    "open_mirrors",
    "read_table",
    "working",
]
