"""N simulations stepped together: physics, the environment on top, and what a robot and a cost state."""

from __future__ import annotations

import os

from pgrobot.simulation.rendering import select_renderer

select_renderer(os.environ)  # before MuJoCo is imported below

from pgrobot.simulation.costs import BoundCost, Cost  # noqa: E402
from pgrobot.simulation.environment import BatchEnvironment  # noqa: E402
from pgrobot.simulation.simulation import Simulation  # noqa: E402
from pgrobot.simulation.task import Robot, Task  # noqa: E402

__all__ = ["BatchEnvironment", "BoundCost", "Cost", "Robot", "Simulation", "Task"]
