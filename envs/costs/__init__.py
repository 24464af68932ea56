"""Costs that any robot can be constrained by.

Most count what violates its limit in a step: they are indicators per part (a joint, an actuator, a body), so a step's
cost is the number of parts in violation and decomposes exactly into them. Costs with the option ``substeps`` look at
the robot after every substep of the step, and a part violates its limit if it does so after any of them (``worst``), or
after the ``last``.
"""

from .commands import ActionRate
from .contact import Contact
from .energy import Energy
from .joints import JointLimit, JointVelocity, Power, Torque
from .posture import Fall, Speed
from .violations import Violations

__all__ = [
    "ActionRate",
    "Contact",
    "Energy",
    "Fall",
    "JointLimit",
    "JointVelocity",
    "Power",
    "Speed",
    "Torque",
    "Violations",
]
