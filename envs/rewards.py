"""Terms of a reward that any robot can have by name: ``task/rewards=[forward,alive,effort]``.

Each is a small function of the simulation, whose weight stands beside its name in the config. They are pure: what they
need of the model is found once. ``base``, ``keyframe`` and ``direction`` say whose motion counts, in which pose the
robot stands, and which way is forward then; ``pgrobot.envs.base`` and ``pgrobot.envs.posture`` find what is left empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation import Simulation
from pgrobot.simulation.strength import force_ranges
from pgrobot.simulation.units import HINGE, SLIDE

from .base import FIXED, Base, base_of
from .posture import pose_of
from .sensing import touching

AHEAD = (1.0, 0.0)
LAST_COMMAND, IN_AIR = "last_command", "in_air/"  # what the robot remembers for its terms


def alive(simulation: Simulation) -> np.ndarray:
    """1 in every step."""
    return np.ones(simulation.num_envs)


def forward(
    simulation: Simulation, base: str = "", keyframe: str = "", direction: Sequence[float] = AHEAD
) -> np.ndarray:
    """Speed of the base in the direction in which it looks, m/s."""
    return moving(simulation, "forward", base, keyframe, direction).along(simulation)[:, 0]


def velocity(
    simulation: Simulation,
    target: Sequence[float],
    tolerance: float = 0.5,
    base: str = "",
    keyframe: str = "",
    direction: Sequence[float] = AHEAD,
) -> np.ndarray:
    """How close the base keeps to a commanded velocity, 1 at it: ``exp(−|v − target|²/tolerance²)``.

    ``target`` is forward and to the left of where the base looks, m/s, and its rate of turning to the left, rad/s.
    """
    if len(target) != 3:
        raise PgrobotError(
            f"the target of 'velocity' has to be three numbers, forward, to the left and turning, not {list(target)}."
        )
    found = moving(simulation, "velocity", base, keyframe, direction).along(simulation)
    return closeness(found - np.asarray(target), tolerance)


def upright(
    simulation: Simulation, base: str = "", keyframe: str = "", direction: Sequence[float] = AHEAD
) -> np.ndarray:
    """The cosine of the angle by which the base leans, against its pose: 1 as it stands, −1 upside down."""
    return base_of(simulation, base, keyframe, direction).uprightness(simulation)


def height(
    simulation: Simulation, target: float = 0.0, tolerance: float = 0.2, base: str = "", keyframe: str = ""
) -> np.ndarray:
    """How close the base is to a height (m), 1 at it; a ``target`` of 0 is that of its pose."""
    found = base_of(simulation, base, keyframe)
    wanted = target or found.height
    return closeness(found.position(simulation)[:, 2:] - wanted, tolerance)


def pose(
    simulation: Simulation,
    tolerance: float = 0.5,
    keyframe: str = "",
    joints: Sequence[str] = (),
    base: str = "",
) -> np.ndarray:
    """How close hinges (rad) and slides (m) are to the pose, 1 in it: by their root mean square, of ``joints``."""
    columns = posed(simulation, joints, base)
    off = simulation.qpos[:, columns] - pose_of(simulation.model, keyframe)[columns]
    return closeness(off / np.sqrt(len(columns)), tolerance)


def effort(simulation: Simulation) -> np.ndarray:
    """Mean over the actuators of the squared share of their greatest force that they give, from 0 to 1.

    Where nothing limits a force, the share is that of the command in its range.
    """
    least, most = np.moveaxis(force_ranges(simulation.model, simulation.model_field), -1, 0)
    strongest = np.maximum(np.abs(least), np.abs(most))
    known = np.isfinite(strongest) & (strongest > 0.0)
    force = simulation.actuator_force / np.where(known, strongest, 1.0)
    return np.square(np.where(known, force, commanded(simulation))).mean(axis=1)


def torque(simulation: Simulation) -> np.ndarray:
    """Sum of the squares of what the actuators give to the joints, (N·m)², of slides N²."""
    return np.square(simulation.field("qfrc_actuator")).sum(axis=1)


def work(simulation: Simulation) -> np.ndarray:
    """Mechanical power of all actuators, given and taken alike, W."""
    return np.abs(simulation.actuator_force * simulation.actuator_velocity).sum(axis=1)


def joint_speed(simulation: Simulation, base: str = "") -> np.ndarray:
    """Mean of the squared speeds of the hinges (rad/s) and slides (m/s), the base's own left out."""
    model, columns = simulation.model, posed(simulation, (), base)
    dofs = model.jnt_dofadr[np.isin(model.jnt_qposadr, columns)]
    return np.square(simulation.qvel[:, dofs]).mean(axis=1)


def action_rate(simulation: Simulation) -> np.ndarray:
    """Mean over the actuators of the squared change of the command since the last step, in half ranges.

    An episode's first command changes nothing.
    """
    change = np.square(commanded(simulation) - simulation.memory(LAST_COMMAND)).mean(axis=1)
    return np.where(simulation.age > 1, change, 0.0)


def feet_air_time(simulation: Simulation, parts: Sequence[str], threshold: float = 0.1) -> np.ndarray:
    """Of each foot that comes down, how long it was in the air beyond a ``threshold``, s, added up.

    Short steps cost, long ones pay. ``parts`` are feet, geoms, bodies or sites by name.
    """
    aloft = np.concatenate([simulation.memory(IN_AIR + part) for part in parts], axis=1)
    landing = touching(simulation, parts) & (aloft > 0.0)
    return np.where(landing, aloft - threshold, 0.0).sum(axis=1)


def commanded(simulation: Simulation) -> np.ndarray:
    """Commands as shares of half their ranges, about the middle, ``[N, nu]``; as they are where there is no range."""
    low, high = simulation.ctrl_range.T
    bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
    middle = np.where(bounded, 0.5 * (low + high), 0.0)
    half = np.where(bounded, 0.5 * (high - low), 1.0)
    return (simulation.applied_ctrl - middle) / half


def moving(simulation: Simulation, term: str, base: str, keyframe: str, direction: Sequence[float]) -> Base:
    """The base of a robot that moves about; raises PgrobotError of one that is fixed."""
    found = base_of(simulation, base, keyframe, direction)
    if found.kind == FIXED:
        name = simulation.model.body(found.body).name
        raise PgrobotError(
            f"'{term}' needs a robot that moves about, with a free joint or with slides that nothing drives, and "
            f"'{name}' is fixed: leave the term out, or name another body, base=<body>."
        )
    return found


def posed(simulation: Simulation, joints: Sequence[str], base: str) -> np.ndarray:
    """Where in ``qpos`` some hinges and slides are; without names all, but for those that carry the base along.

    Raises:
        PgrobotError: there is no such joint, or none at all.
    """
    model, names = simulation.model, simulation.joints
    scalar = np.isin(model.jnt_type, (HINGE, SLIDE))
    choices = [name for name, fits in zip(names, scalar, strict=True) if fits]
    unknown = [name for name in joints if name not in choices]
    if unknown:
        raise PgrobotError(f"there is no hinge or slide '{unknown[0]}': {nearest(unknown[0], choices)}")
    carrying = base_of(simulation, base).slides
    chosen = [
        j
        for j, name in enumerate(names)
        if (name in joints if joints else scalar[j] and model.jnt_dofadr[j] not in carrying)
    ]
    if not chosen:
        raise PgrobotError("'pose' needs hinges or slides: this robot has none.")
    return np.asarray(model.jnt_qposadr[chosen], dtype=np.intp)


def closeness(off: np.ndarray, tolerance: float) -> np.ndarray:
    """``exp(−|off|²/tolerance²)`` of rows ``[N, D]``; raises PgrobotError of a tolerance that is not above 0."""
    if not tolerance > 0.0:
        raise PgrobotError(f"a tolerance of {tolerance} has to be above 0.")
    return np.exp(-np.square(off / tolerance).sum(axis=1))
