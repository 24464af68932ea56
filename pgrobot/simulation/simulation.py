"""What costs, rewards and observations read: live views of N simulations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.batch import Physics
from pgrobot.simulation.model import actuator_names, body_names, joint_names
from pgrobot.simulation.names import entry_names
from pgrobot.simulation.read_only import unwritten
from pgrobot.simulation.results import array_of, truths_of
from pgrobot.simulation.sensors import own_sensordata


class Simulation:
    """Views ``[N, ...]`` of the simulations' memory, in MuJoCo's units; they move with every step.

    None of them can be written: what looks at a simulation does not change it.

    Attributes:
        qpos, qvel: generalised positions ``[N, nq]`` and velocities ``[N, nv]``.
        ctrl: controls as commanded ``[N, nu]``; see ``applied_ctrl``.
        actuator_force: scalar actuator forces of the last substep ``[N, nu]``.
        actuator_velocity: what each actuator's force acts along, at the same instant ``[N, nu]``.
        before, after: the robot's ``reward_state`` before and after the last step ``[N, M]``.
        age: steps taken in the running episodes, the last one included ``[N]``.
        dt: seconds of simulated time per step.
        joints, actuators: names, by MuJoCo's indices.
        model: what all simulations have in common; see ``model_field`` and ``model_of`` for what varies.
        gear: joint torque per actuator force ``[nu]``; ``[N, nu]`` where it varies.
        ctrl_range: ``[nu, 2]``, infinite where MuJoCo does not limit the control.
    """

    def __init__(
        self,
        physics: Physics,
        forward_speed: Callable[[Simulation], np.ndarray],
        fallen: Callable[[Simulation], np.ndarray],
    ) -> None:
        model = physics.model
        self.batch = physics
        self.model: mujoco.MjModel = model
        self.num_envs: int = len(physics.state)
        self.dt: float = model.opt.timestep * physics.frame_skip
        self.qpos = self.field("qpos")
        self.qvel = self.field("qvel")
        self.ctrl = self.field("ctrl")
        self.actuator_force = self.field("actuator_force")
        self.actuator_velocity = self.field("actuator_velocity")
        self.before = self.after = unwritten(np.zeros((self.num_envs, 0)))
        self.age = unwritten(np.zeros(self.num_envs, dtype=np.int64))
        self._memory: dict[str, np.ndarray] = {}
        self.joints = joint_names(model)
        self.actuators = actuator_names(model)
        gear = self.model_field("actuator_gear")[..., 0]
        self.gear = gear if self.varies("actuator_gear") else gear[0].copy()
        limited = model.actuator_ctrllimited.astype(bool)[:, None]
        self.ctrl_range = np.where(limited, model.actuator_ctrlrange, (-np.inf, np.inf))
        self.gear.flags.writeable = self.ctrl_range.flags.writeable = False
        self._bodies = {name: b for b, name in enumerate(body_names(model))}
        self._sensordata = own_sensordata(model)
        self._forward_speed, self._fallen = forward_speed, fallen

    def field(self, name: str) -> np.ndarray:
        """Live array ``[N, ...]`` of any MuJoCo data field, e.g. ``"xpos"``, read-only.

        Raises:
            PgrobotError: no such field.
        """
        return unwritten(self._own(name, self.batch.field(name)))

    def memory(self, name: str) -> np.ndarray:
        """Live array ``[N, W]`` of what the robot remembers under a name, read-only.

        Raises:
            PgrobotError: it remembers nothing of that name.
        """
        if name not in self._memory:
            raise PgrobotError(f"the robot remembers no '{name}': {nearest(name, self._memory)}")
        return self._memory[name]

    def remember(self, kept: Mapping[str, np.ndarray]) -> None:
        """Show what a robot remembers, arrays ``[N, W]`` by name."""
        self._memory = {name: unwritten(array) for name, array in kept.items()}

    def model_field(self, name: str) -> np.ndarray:
        """Live array of a field of the model, such as ``"body_mass"`` or ``"opt.gravity"``, read-only.

        ``[N, ...]`` of each simulation's own values where the model varies, else ``[1, ...]``.

        Raises:
            PgrobotError: no such field.
        """
        return self.batch.models.field(name)

    def model_of(self, simulation: int) -> mujoco.MjModel:
        """The model of one simulation as it is now, for any function of MuJoCo, read-only."""
        return self.batch.models.of(simulation)

    def varies(self, *fields: str) -> bool:
        """Whether one of these fields of the model varies by simulation."""
        return any(field in self.batch.models.varied for field in fields)

    def names(self, field: str) -> np.ndarray:
        """Names of the entries of a field, ``[1, ...]``, to be cut and joined as the field is, ``[N, ...]``.

        ``qvel/thigh_joint`` of a hinge, ``qpos/float/qw`` of a free joint, ``cvel/torso/rx`` of a body; all others are
        numbered, ``light_xpos/0``.

        Raises:
            PgrobotError: no such field.
        """
        return entry_names(self.model, field, self.field(field).shape[1:])[None]

    def by_substep(self, name: str) -> np.ndarray:
        """Live array ``[N, frame_skip, ...]`` of a field after each substep of the last step; ``field`` is the last.

        Raises:
            PgrobotError: no such field, or it is asked for only after the first reset.
        """
        return unwritten(self._own(name, self.batch.by_substep(name)))

    def _own(self, name: str, values: np.ndarray) -> np.ndarray:
        """Without the sensors that costs have added, so that who reads them all reads the robot's."""
        return values[..., : self._sensordata] if name == "sensordata" else values

    def body(self, name: int | str) -> int:
        """Index of a body by its name; an index stays what it is.

        Raises:
            PgrobotError: no such body.
        """
        index = name if isinstance(name, int) else self._bodies.get(name, -1)
        if not 0 <= index < self.model.nbody:
            raise PgrobotError(f"the model has no body '{name}': {nearest(str(name), self._bodies)}")
        return index

    @property
    def applied_ctrl(self) -> np.ndarray:
        """Controls within their ranges, as MuJoCo applies them ``[N, nu]``."""
        return np.clip(self.ctrl, self.ctrl_range[:, 0], self.ctrl_range[:, 1])

    @property
    def forward_speed(self) -> np.ndarray:
        """Speed over the last step as the robot defines it, m/s ``[N]``.

        Raises:
            PgrobotError: the robot has no notion of speed, or returns something else.
        """
        return array_of(self._forward_speed, self._forward_speed(self), (self.num_envs,))

    @property
    def fallen(self) -> np.ndarray:
        """Which simulations fell in the last step, which ended their episode ``[N]`` bool.

        Raises:
            PgrobotError: no fall ends the robot's episodes.
        """
        return truths_of(self._fallen, self._fallen(self), self.num_envs)
