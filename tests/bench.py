"""A bench for costs: plain copies of a model, stepped one by one."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.costs import Cost

# Two motors on the shoulder, a servo on the wrist whose dof comes first, an unnamed motor on a slide, a free rail.
ARM = """
<mujoco>
  <worldbody>
    <body name="hand">
      <joint name="wrist" type="hinge" axis="0 0 1" range="-60 90" limited="true"/>
      <geom size="0.1"/>
      <body name="upper">
        <joint name="rail" type="slide" axis="1 0 0"/>
        <joint name="lift" type="slide" axis="0 0 1" range="0 0.5" limited="true"/>
        <geom size="0.1"/>
        <body name="arm">
          <joint name="shoulder" type="hinge" axis="0 1 0"/>
          <geom size="0.1"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="lift" gear="-50" ctrlrange="-1 2" ctrllimited="true"/>
    <motor name="left" joint="shoulder" gear="10" ctrlrange="-1 1" ctrllimited="true"/>
    <motor name="right" joint="shoulder" gear="4" ctrlrange="-2 2" ctrllimited="true" forcerange="-1 1.5"
           forcelimited="true"/>
    <position name="servo" joint="wrist" kp="30" ctrlrange="-1 1" ctrllimited="true" forcerange="-3 3"
              forcelimited="true"/>
  </actuator>
</mujoco>
"""
ENVS = 40


class Bench:
    """``N`` plain copies of a model, stepped one by one: what a cost reads of a simulation."""

    def __init__(self, xml: str = ARM, envs: int = ENVS, speed: np.ndarray | None = None) -> None:
        self.model = mujoco.MjModel.from_xml_string(xml)
        self.data = [mujoco.MjData(self.model) for _ in range(envs)]
        self.num_envs = envs
        self.dt = self.model.opt.timestep
        self.joints = tuple(self.model.joint(i).name or f"joint{i}" for i in range(self.model.njnt))
        self.actuators = tuple(self.model.actuator(i).name or f"actuator{i}" for i in range(self.model.nu))
        self.gear = self.model.actuator_gear[:, 0]
        limited = self.model.actuator_ctrllimited.astype(bool)[:, None]
        self.ctrl_range = np.where(limited, self.model.actuator_ctrlrange, (-np.inf, np.inf))
        self.ctrl = np.zeros((envs, self.model.nu))
        self._live = {
            name: np.array([getattr(d, name) for d in self.data])
            for name in ("qpos", "qvel", "qfrc_actuator")
        }
        self._speed = speed

    @property
    def forward_speed(self) -> np.ndarray:
        if self._speed is None:
            raise PgrobotError("Bench-v0 has no forward speed, so it cannot be constrained by speed.")
        return self._speed

    @property
    def applied_ctrl(self) -> np.ndarray:
        return np.clip(self.ctrl, *self.ctrl_range.T)

    @property
    def qpos(self) -> np.ndarray:
        return self._live["qpos"]

    @property
    def qvel(self) -> np.ndarray:
        return self._live["qvel"]

    def model_field(self, name: str) -> np.ndarray:
        return np.array(getattr(self.model, name))[None]

    def varies(self, *fields: str) -> bool:
        return False

    def field(self, name: str) -> np.ndarray:
        return self._live[name]

    def by_substep(self, name: str) -> np.ndarray:
        return self._live[name][:, None]

    def step(self, ctrl: np.ndarray) -> None:
        self.ctrl[:] = ctrl
        for row, data in enumerate(self.data):
            data.ctrl[:] = ctrl[row]
            mujoco.mj_step(self.model, data)
            for name, live in self._live.items():
                live[row] = getattr(data, name)


def bound(cost: Cost, bench: Any) -> Any:
    return cost.bind(bench)


def stepped(bench: Bench, steps: int = 30, seed: int = 0) -> Any:
    """Wild commands, well beyond their ranges."""
    random = np.random.default_rng(seed)
    for _ in range(steps):
        bench.step(random.normal(0.0, 2.0, bench.ctrl.shape))
        yield
