"""A quadrotor flown by who knows its equations: motor thrusts from forces and torques, and an LQR that hovers."""

from __future__ import annotations

import mujoco
import numpy as np
from scipy.linalg import solve_discrete_are

FARTHEST = 0.5  # m, at which the LQR takes a goal that is farther away


def mixer(model: mujoco.MjModel) -> np.ndarray:
    """What motors do together, ``[4, 4]``: upward force (N) and torques about x, y and z (N·m), by thrust (N)."""
    columns = []
    for motor in range(model.nu):
        site, gear = model.actuator_trnid[motor, 0], model.actuator_gear[motor]
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, model.site_quat[site])
        force, torque = (turn.reshape(3, 3) @ part for part in (gear[:3], gear[3:]))
        columns.append([force[2], *(torque + np.cross(model.site_pos[site], force))])
    return np.array(columns).T


def linearised(model: mujoco.MjModel, frame_skip: int) -> tuple[np.ndarray, np.ndarray]:
    """The dynamics about hover over a step of the task, by finite differences.

    Returns:
        ``A [16, 16]`` and ``B [16, 4]`` of position, rotation, velocity, spin (3 each) and motors (4).
    """
    data = mujoco.MjData(model)
    one, command = np.zeros((16, 16)), np.zeros((16, 4))
    mujoco.mjd_transitionFD(model, data, 1e-6, flg_centered=True, A=one, B=command, C=None, D=None)
    steps = [np.linalg.matrix_power(one, k) for k in range(frame_skip + 1)]
    return steps[-1], sum(steps[:-1]) @ command


def hover_gain(model: mujoco.MjModel, frame_skip: int) -> np.ndarray:
    """An LQR as a linear function of what ``DroneHover`` observes: the action is its product with that, ``[4, 16]``.

    It does not see its heading and leaves it alone; a turn about z is damped only.
    """
    a, b = linearised(model, frame_skip)
    kept = np.delete(np.arange(16), 5)  # all but the heading
    a, b = a[np.ix_(kept, kept)], b[kept]
    price = np.diag([10.0] * 3 + [1.0] * 2 + [1.0] * 3 + [0.05] * 3 + [0.1] * 4)
    value = solve_discrete_are(a, b, price, np.eye(4))
    gain = -np.linalg.solve(np.eye(4) + b.T @ value @ b, b.T @ value @ a)
    # position = -goal, rotation about x and y = up y and -up x
    place, rotation, velocity, spin, motors = np.split(gain, (3, 5, 8, 11), axis=1)
    up = np.column_stack((-rotation[:, 1], rotation[:, 0], np.zeros(4)))
    return np.concatenate((-place, velocity, up, spin, motors), axis=1)


def hover(gain: np.ndarray, observation: np.ndarray) -> np.ndarray:
    """The LQR's actions ``[N, 4]`` on observations ``[N, 16]`` of ``DroneHover``, within their range."""
    near = np.concatenate((np.clip(observation[:, :3], -FARTHEST, FARTHEST), observation[:, 3:]), axis=1)
    return np.clip(near @ gain.T, -1.0, 1.0)
