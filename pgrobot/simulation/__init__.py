"""N simulations stepped together: physics, the environment on top, and what a robot and a cost state."""

from __future__ import annotations

import os

from pgrobot.simulation.rendering import import_mujoco

import_mujoco(os.environ)  # before it is imported below

from pgrobot.simulation.costs import BoundCost, Cost  # noqa: E402
from pgrobot.simulation.environment import BatchEnvironment  # noqa: E402
from pgrobot.simulation.model_files import NO_MODEL, ModelFiles  # noqa: E402
from pgrobot.simulation.simulation import Simulation  # noqa: E402
from pgrobot.simulation.starts import Starts, Streams  # noqa: E402
from pgrobot.simulation.task import Introduced, Modelled, Robot, Task, Variable  # noqa: E402

__all__ = [
    "NO_MODEL",
    "BatchEnvironment",
    "BoundCost",
    "Cost",
    "Introduced",
    "ModelFiles",
    "Modelled",
    "Robot",
    "Simulation",
    "Starts",
    "Streams",
    "Task",
    "Variable",
]
