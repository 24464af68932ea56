"""Demonstrations: whole episodes of whoever showed how, from a file, checked before anything learns from them.

::

    demonstrations = read_demonstrations("runs/expert")  # a run, its demonstrations.pt, a .npz, or minari:<dataset>
    demonstrations.obs["policy"]       # [M, D] as the environment showed it; next_obs: its true successor
    demonstrations.action              # [M, A] float64, in the units of the action space
    demonstrations.reward, .cost       # [M], [M, K] float64; .costs are the K names
    demonstrations.terminated, .truncated, .episode_start, .done          # [M] bool
    demonstrations.episodes            # a slice of rows for each episode; .age counts the steps within it
    demonstrations.of([0, 3])          # those two episodes

    check_against(demonstrations, spec)                   # PgrobotError says what is another robot's, by name
    rows = as_learnt(demonstrations, spec, policy.origin) # as in a Rollout: obs, next_obs, action in policy units

``M`` rows, one episode after the other. A file that pgrobot writes is ``demonstrations.pt``: plain tensors, numbers and
strings, which load with ``weights_only=True``. ``pgrobot record <run> --episodes 20`` makes one.
"""

from pgrobot.demonstrations.arrays import read_arrays
from pgrobot.demonstrations.checking import check_against, check_demonstrations
from pgrobot.demonstrations.demonstrations import Demonstrations
from pgrobot.demonstrations.file import FILE, read_file, write_file
from pgrobot.demonstrations.learnt import LearntRows, as_learnt
from pgrobot.demonstrations.minari import read_minari
from pgrobot.demonstrations.reading import named, read_demonstrations
from pgrobot.demonstrations.recorder import Recorder

__all__ = [
    "FILE",
    "Demonstrations",
    "LearntRows",
    "Recorder",
    "as_learnt",
    "check_against",
    "check_demonstrations",
    "named",
    "read_arrays",
    "read_demonstrations",
    "read_file",
    "read_minari",
    "write_file",
]
