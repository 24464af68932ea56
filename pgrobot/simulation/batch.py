"""The physics of N simulations of one model, on native threads. Uses ``mujoco.batch``, as ``models`` does."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable

import mujoco
import numpy as np
from mujoco.batch import DATA_FIELDS, Batch, SimulationError

from pgrobot.cores import physical_cores
from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.model import actuator_names, joint_names
from pgrobot.simulation.models import Models
from pgrobot.simulation.read_only import ReadOnlyModel
from pgrobot.simulation.stopwatches import stopped

ON_REQUEST = frozenset(("cfrc_ext", "cfrc_int", "cacc"))  # what no step of MuJoCo's computes by itself
# of the state of a simulation, what an episode may start with beside positions and velocities
STATE = (
    "act",
    "ctrl",
    "eq_active",
    "mocap_pos",
    "mocap_quat",
    "qfrc_applied",
    "time",
    "userdata",
    "xfrc_applied",
)
NO_STAGE = mujoco.mjtStage.mjSTAGE_NONE.value
BAD_QPOS = mujoco.mjtWarning.mjWARN_BADQPOS.value
BAD_QVEL = mujoco.mjtWarning.mjWARN_BADQVEL.value
BAD_QACC = mujoco.mjtWarning.mjWARN_BADQACC.value
BAD_CTRL = mujoco.mjtWarning.mjWARN_BADCTRL.value
QUANTITY = {BAD_QPOS: "position", BAD_QVEL: "velocity", BAD_QACC: "acceleration"}

# MuJoCo otherwise writes MUJOCO_LOG.TXT into the working directory; `Physics.step` reports what matters.
if mujoco.get_mju_user_warning() is None:
    mujoco.set_mju_user_warning(logging.getLogger("mujoco").info)


class Physics:
    """N simulations of ``model``, each one row of ``state``; no row depends on another or on the threads.

    Args:
        model: the compiled model, shared by all simulations.
        num_envs: N.
        frame_skip: MuJoCo steps per ``step``.
        threads: native threads, the caller's included; 0 takes one per physical core.
        contact_forces: whether fields of ``ON_REQUEST`` are wanted, such as ``cfrc_ext``: one ``mj_rnePostConstraint``
            per simulation and step.

    Attributes:
        state: ``[N, S]`` float64, all that a bit-exact continuation of the physics needs beside the models.
        models: those of the simulations, one and the same unless some of its fields vary.
        asked_in_vain: whether such a field was read although they are not computed.
    """

    def __init__(
        self, model: mujoco.MjModel, num_envs: int, frame_skip: int, threads: int, contact_forces: bool
    ) -> None:
        _check_features(model)
        self.model = model = ReadOnlyModel.of(model)
        self.frame_skip = frame_skip
        threads = min(threads or physical_cores(), num_envs)
        # only a persistent batch keeps the MjData from which mj_rnePostConstraint computes contact forces
        self._batch = Batch(model, num_envs, threads, persistent=contact_forces)
        self.state = self._batch.state
        self.models = Models(self._batch, model)
        self._warnings = self._batch.warning[:, :, 1]  # [N, W] counts since the last reset
        self._alarm = self._warnings[:, BAD_QPOS : BAD_CTRL + 1]  # [N, 4]
        self._data, self._model = mujoco.MjData(model), copy.copy(model)  # of one simulation at a time
        self._fields: dict[str, np.ndarray] = {}
        self._recorded: dict[str | int | mujoco.mjtState, np.ndarray] = {}  # by field, [N, frame_skip, ...]
        self._computed = False
        self._computes_contact_forces = contact_forces
        self._on_request: dict[str, np.ndarray] = {}
        self.asked_in_vain = False

    def field(self, name: str) -> np.ndarray:
        """Live array ``[N, ...]`` of a MuJoCo data field; derived fields lag one substep, as in MuJoCo.

        Raises:
            PgrobotError: no such field, or it is asked for only after the first reset or step.
        """
        if name in ON_REQUEST and not self._computes_contact_forces:
            self.asked_in_vain = True
        if name not in self._fields:
            if self._computed:  # MuJoCo would hand out zeros until the next call
                raise PgrobotError(f"the MuJoCo field '{name}' has to be asked for before the first reset.")
            try:
                self._fields[name] = self._batch.bind(name)
            except ValueError as error:
                known = nearest(name, DATA_FIELDS)
                raise PgrobotError(f"there is no MuJoCo field '{name}': {known}") from error
            if name in ON_REQUEST and self._computes_contact_forces:
                self._fields[name] = self._on_request[name] = np.zeros_like(self._fields[name])
        return self._fields[name]

    def by_substep(self, name: str) -> np.ndarray:
        """Live array ``[N, frame_skip, ...]``: a MuJoCo data field after each substep of the last ``step``.

        Raises:
            PgrobotError: as of ``field``, or it is computed after the last substep only.
        """
        if name in ON_REQUEST:
            raise PgrobotError(
                f"the MuJoCo field '{name}' is computed after a step, not after each substep: read field('{name}')."
            )
        if name not in self._recorded:
            one = self.field(name)
            self._recorded[name] = np.zeros((len(one), self.frame_skip, *one.shape[1:]), one.dtype)
        return self._recorded[name]

    def get_data(self, simulation: int) -> mujoco.MjData:
        """A copy of one simulation's state, to render it or to pass it to any MuJoCo function."""
        return self._batch.get_data(simulation)

    def step(self) -> dict[int, str]:
        """Advance every simulation by ``frame_skip`` steps.

        Returns:
            The simulations that broke, each with what happened in words; empty nearly always. The row of a
            broken one is not to be used before ``reset``; all others are as they would have been without it.
        """
        self._computed = True
        with stopped():
            errors = self._advance()
        if errors or self._alarm.any() or not np.isfinite(self.state).all():
            rows = np.flatnonzero(self._alarm.any(axis=1) | ~np.isfinite(self.state).all(axis=1))
            errors |= {int(i): self._diagnose(int(i)) for i in rows if int(i) not in errors}
        if self._on_request:
            self._compute_on_request()
        return dict(sorted(errors.items()))

    def _advance(self) -> dict[int, str]:
        """Run the substeps, recorded where somebody asked for it: the states are the same to the last bit.

        Returns:
            The simulations that MuJoCo stopped, each with its words.
        """
        if not self._recorded:
            return self._attempt(lambda: self._batch.step(nstep=self.frame_skip))
        state, warnings = self.state.copy(), self._warnings.copy()
        errors = self._attempt(
            lambda: self._batch.rollout(self.frame_skip, record=tuple(self._recorded), out=self._recorded)
        )
        # A rollout leaves a simulation at any warning, also at one that a step goes on after, such as a full arena.
        left = (self._warnings != warnings).any(axis=1) & ~self._alarm.any(axis=1)
        left[list(errors)] = False
        if left.any():
            rows = np.flatnonzero(left)
            self.state[rows] = state[rows]
            for substep in range(self.frame_skip):
                errors |= self._attempt(lambda: self._batch.step(rows))
                for name, record in self._recorded.items():
                    record[rows, substep] = self._fields[str(name)][rows]
        return errors

    def _attempt(self, call: Callable[[], object]) -> dict[int, str]:
        """Make a call of the batch; returns the simulations that it stopped, each with MuJoCo's words."""
        try:
            call()
        except SimulationError as error:
            return {int(i): f"MuJoCo stopped with '{self._batch.error(int(i))}'" for i in error.ids}
        return {}

    def reset(self, ids: np.ndarray) -> None:
        """Put simulations ``ids`` (sorted) to the model's defaults; ``forward`` has to follow."""
        self._batch.reset(ids, stage=NO_STAGE)

    def forward(self, ids: np.ndarray) -> None:
        """Compute the derived fields of simulations ``ids`` (sorted) from their state, as after a reset.

        Raises:
            PgrobotError: MuJoCo refuses the state.
        """
        self._computed = True
        try:
            self._batch.forward(ids)
        except SimulationError as error:
            raise PgrobotError(f"the robot cannot start from its initial state: {error}") from error
        for values in self._on_request.values():
            values[ids] = 0.0  # mj_forward leaves them at zero

    def _compute_on_request(self) -> None:
        for i in range(len(self.state)):
            self._batch.get_data(i, self._data)
            self.models.write(i, self._model)
            mujoco.mj_rnePostConstraint(self._model, self._data)
            for name, values in self._on_request.items():
                values[i] = getattr(self._data, name)

    def _diagnose(self, row: int) -> str:
        """Say what broke in a simulation, naming the joint or actuator."""
        model, warning = self.model, self._batch.warning[row]
        if warning[BAD_CTRL, 1]:
            actuator = actuator_names(model)[int(warning[BAD_CTRL, 0])]
            return f"actuator '{actuator}' was given a control that is not finite"
        for kind, quantity in QUANTITY.items():
            if warning[kind, 1]:
                index = int(warning[kind, 0])
                joint = _joint_of_qpos(model, index) if kind == BAD_QPOS else int(model.dof_jntid[index])
                return f"the {quantity} of joint '{joint_names(model)[joint]}' is not finite or beyond 1e10"
        for name, quantity in (("qpos", "position"), ("qvel", "velocity")):
            bad = np.flatnonzero(~np.isfinite(self._batch.bind(name)[row]))
            if bad.size:
                joint = _joint_of_qpos(model, bad[0]) if name == "qpos" else int(model.dof_jntid[bad[0]])
                return f"the {quantity} of joint '{joint_names(model)[joint]}' is not finite"
        return "its state is not finite"


def _check_features(model: mujoco.MjModel) -> None:
    """Refuse what keeps books outside a simulation's state, which could not be saved and continued exactly.

    Raises:
        PgrobotError: names the flag of the model that asks for it.
    """
    for flag, bit in (("sleep", mujoco.mjtEnableBit.mjENBL_SLEEP), ("ipc", mujoco.mjtEnableBit.mjENBL_IPC)):
        if model.opt.enableflags & bit:
            raise PgrobotError(
                f'the model has <flag {flag}="enable"/>, whose bookkeeping is not part of the state of a simulation, '
                "so that a resumed run would be another: leave it out of the MJCF file."
            )


def check_state(what: str, model: mujoco.MjModel, qpos: np.ndarray, qvel: np.ndarray) -> None:
    """Refuse states ``[n, nq]`` and ``[n, nv]`` that MuJoCo would silently replace by the model's default.

    Args:
        what: begins the sentence.
        model: names the joints.
        qpos: positions.
        qvel: velocities.

    Raises:
        PgrobotError: a number is not finite, or beyond MuJoCo's 1e10; names the joint.
    """
    for quantity, values in (("position", qpos), ("velocity", qvel)):
        fine = np.abs(values) <= mujoco.mjMAXVAL  # false of NaN
        if not fine.all():
            row, index = np.argwhere(~fine)[0]
            joint = _joint_of_qpos(model, index) if values is qpos else int(model.dof_jntid[index])
            raise PgrobotError(
                f"{what} with {values[row, index]} as the {quantity} of joint '{joint_names(model)[joint]}': MuJoCo "
                "takes finite numbers within ±1e10."
            )


def _joint_of_qpos(model: mujoco.MjModel, index: int) -> int:
    return int(np.searchsorted(model.jnt_qposadr, index, side="right")) - 1
