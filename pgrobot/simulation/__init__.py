"""N simulations stepped together: physics, the environment on top, and what a robot and a cost state."""

from __future__ import annotations

import ctypes.util
import os
import sys

# Read when MuJoCo is first imported: a machine without a display renders through EGL, where it has it.
if sys.platform == "linux" and not os.environ.get("DISPLAY") and ctypes.util.find_library("EGL"):
    os.environ.setdefault("MUJOCO_GL", "egl")

from pgrobot.simulation.costs import BoundCost, Cost
from pgrobot.simulation.environment import BatchEnvironment
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.task import Robot, Task

__all__ = ["BatchEnvironment", "BoundCost", "Cost", "Robot", "Simulation", "Task"]
