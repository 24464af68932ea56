"""The joints that actuators drive, and the most that they can be driven with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.simulation import Simulation

HINGE, SLIDE = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)
JOINT_DRIVES = (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT))
STRENGTH = ("actuator_gear", "actuator_gainprm", "actuator_forcerange")  # what says how strong an actuator is
FIXED_GAIN, NO_BIAS = int(mujoco.mjtGain.mjGAIN_FIXED), int(mujoco.mjtBias.mjBIAS_NONE)


@dataclass(frozen=True)
class Drive:
    """The ``J`` hinges and slides that actuators drive, in the order of the actuators."""

    joints: tuple[str, ...]
    ids: np.ndarray  # [J]
    dofs: np.ndarray  # [J], into velocities and joint torques
    driven: np.ndarray  # [nu], the place in ``ids`` of the joint that each actuator drives

    @classmethod
    def of(cls, cost: str, simulation: Simulation) -> Self:
        """Find them, for the constraint ``cost``.

        Raises:
            PgrobotError: an actuator drives something else, or there is no actuator.
        """
        model = simulation.model
        targets = model.actuator_trnid[:, 0]
        for a, name in enumerate(simulation.actuators):
            drives_joint = int(model.actuator_trntype[a]) in JOINT_DRIVES
            if not drives_joint or int(model.jnt_type[targets[a]]) not in (HINGE, SLIDE):
                raise PgrobotError(
                    f"constraint {cost!r} needs actuators on hinges and slides: '{name}' drives something else"
                )
        if not model.nu:
            raise PgrobotError(f"constraint {cost!r} needs an actuator: this robot has none")
        ids = np.array(list(dict.fromkeys(targets.tolist())))
        driven = np.array([ids.tolist().index(target) for target in targets])
        return cls(tuple(simulation.joints[i] for i in ids), ids, model.jnt_dofadr[ids], driven)

    def columns(self, field: np.ndarray) -> Callable[[], np.ndarray]:
        """Read these joints' entries of a live ``[..., nv]`` field: ``[..., J]``."""
        return picked(field, self.dofs)

    def greatest_torque(self, simulation: Simulation) -> np.ndarray:
        """What the actuators of each joint can give together, N·m or N, ``[1, J]``; ``[N, J]`` where it varies.

        Raises:
            PgrobotError: an actuator without a greatest force.
        """
        model = simulation.model
        forces = np.stack(
            [_greatest_force(simulation, a, name) for a, name in enumerate(simulation.actuators)], axis=-1
        )
        given = np.abs(simulation.gear) * forces
        torque = np.zeros((len(given), len(self.ids)))
        for actuator, joint in enumerate(self.driven):
            torque[:, joint] += given[:, actuator]
        limited = model.jnt_actfrclimited[self.ids].astype(bool)
        at_joint = np.abs(model.jnt_actfrcrange[self.ids]).max(axis=1)
        return np.where(limited, np.minimum(torque, at_joint), torque)


def _greatest_force(simulation: Simulation, actuator: int, name: str) -> np.ndarray:
    """The force ``[N]`` or ``[1]`` that MuJoCo clamps an actuator to, or that a motor gives for its largest command."""
    model, bounds = simulation.model, []
    if model.actuator_forcelimited[actuator]:
        bounds.append(np.abs(simulation.model_field("actuator_forcerange")[:, actuator]).max(axis=1))
    is_motor = (
        int(model.actuator_gaintype[actuator]) == FIXED_GAIN
        and int(model.actuator_biastype[actuator]) == NO_BIAS
        and int(model.actuator_dyntype[actuator]) != int(mujoco.mjtDyn.mjDYN_INTEGRATOR)
    )
    if is_motor and model.actuator_ctrllimited[actuator]:
        gain = np.abs(simulation.model_field("actuator_gainprm")[:, actuator, 0])
        bounds.append(gain * np.abs(model.actuator_ctrlrange[actuator]).max())
    if not bounds:
        raise PgrobotError(
            f"constraint 'torque' needs a greatest force: give actuator '{name}' a forcerange in the MJCF file"
        )
    return np.minimum.reduce(bounds)


def picked(field: np.ndarray, columns: np.ndarray) -> Callable[[], np.ndarray]:
    """Read some columns of a live ``[..., *]`` array; a view where they are consecutive."""
    first, count = int(columns[0]), len(columns)
    if np.array_equal(columns, np.arange(first, first + count)):
        view = field[..., first : first + count]
        return lambda: view
    return lambda: field[..., columns]
