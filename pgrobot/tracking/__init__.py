"""Trackers: ``metrics.jsonl`` is the truth, everything else mirrors it and may fail without harm.

Every tracker takes ``write(step, metrics)`` with ``step`` in environment steps.
"""

from pgrobot.tracking.console import open_console
from pgrobot.tracking.metrics_file import MetricsFile
from pgrobot.tracking.mirrors import Background, Guarded, Mirror, RunInfo, open_mirrors
from pgrobot.tracking.progress import Progress
from pgrobot.tracking.tensorboard import TensorBoard
from pgrobot.tracking.weights_and_biases import Wandb

__all__ = [
    "Background",
    "Guarded",
    "MetricsFile",
    "Mirror",
    "Progress",
    "RunInfo",
    "TensorBoard",
    "Wandb",
    "open_console",
    "open_mirrors",
]
