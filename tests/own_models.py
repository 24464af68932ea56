"""Small models as users write them, and robots that are made of them by their paths alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pgrobot.envs.any_robot import AnyRobot
from pgrobot.simulation import BatchEnvironment

# Stands on two feet; its root is turned, as in models whose y axis is up. Something else flies free as well.
WALKER = """<mujoco model="walker">
  <option timestep="0.005"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 1"/>
    <body name="ball" pos="0 2 0.1"><freejoint name="ball"/><geom name="ball" size="0.1"/></body>
    <body name="trunk" pos="0 0 0.42" euler="90 0 0">
      <freejoint name="float"/>
      <geom name="trunk" type="box" size="0.15 0.05 0.1" mass="2"/>
      <body name="left" pos="0.1 -0.05 0">
        <joint name="left_hip" axis="0 0 1" range="-60 60" limited="true"/>
        <geom name="left_leg" type="capsule" fromto="0 0 0 0 -0.15 0" size="0.02"/>
        <body name="left_shin" pos="0 -0.15 0">
          <joint name="left_knee" axis="0 0 1" range="-90 0" limited="true" ref="0"/>
          <geom name="left_foot" type="capsule" fromto="0 0 0 0 -0.15 0" size="0.03"/>
          <site name="left_sole" pos="0 -0.15 0" size="0.05"/>
        </body>
      </body>
      <body name="right" pos="-0.1 -0.05 0">
        <joint name="right_hip" axis="0 0 1" range="-60 60" limited="true"/>
        <geom name="right_foot" type="capsule" fromto="0 0 0 0 -0.35 0" size="0.03"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor name="left_hip" joint="left_hip" gear="10" ctrlrange="-1 1"/>
    <position name="left_knee" joint="left_knee" kp="20" forcerange="-5 5" ctrlrange="-1.5 0"/>
    <motor name="right_hip" joint="right_hip" gear="10" forcerange="-0.5 0.5"/>
  </actuator>
  <keyframe>
    <key qpos="0 0 9 1 0 0 0  0 0 9 1 0 0 0  0 0 0"/>
    <key name="crouch" qpos="0 2 0.1 1 0 0 0  0 0 0.44 0.7071067811865476 0.7071067811865476 0 0  0.3 -0.6 0.2"/>
  </keyframe>
</mujoco>"""

ARM = """<mujoco model="arm">
  <worldbody>
    <body name="stand" pos="0 0 0.5">
      <geom size="0.05"/>
      <body name="upper">
        <joint name="shoulder" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.02"/>
        <body name="lower" pos="0.3 0 0">
          <joint name="elbow" axis="0 1 0"/>
          <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.02"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="shoulder" ctrlrange="-2 2"/><motor joint="elbow" ctrlrange="0 4"/></actuator>
</mujoco>"""

SLIDER = """<mujoco model="slider">
  <worldbody>
    <body name="box" pos="0 0 0.4">
      <joint name="x" type="slide" axis="1 0 0"/>
      <joint name="z" type="slide" axis="0 0 1"/>
      <joint name="pitch" axis="0 1 0"/>
      <geom type="box" size="0.1 0.1 0.1"/>
      <body name="leg"><joint name="hip" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.02"/></body>
    </body>
    <geom type="plane" size="5 5 1"/>
  </worldbody>
  <actuator><motor joint="hip" ctrlrange="-1 1"/></actuator>
</mujoco>"""


def robot(path: Path, xml: str, **options: Any) -> AnyRobot:
    """One of the model ``xml``, written to ``path``, with the options of ``conf/task/robot.yaml`` but for some."""
    file = path / "model.xml" if path.is_dir() else path
    file.write_text(xml, encoding="utf-8")
    given: dict[str, Any] = {
        "name": "robot", "version": "v1", "xml_file": str(file), "frame_skip": 0, "control_period": 0.02,
        "max_episode_steps": 1000, "speed_threshold": np.inf, "keyframe": "", "base": "", "direction": [1.0, 0.0],
        "reset_noise_scale": 0.05,
    }  # fmt: skip
    return AnyRobot(**(given | options))


def world(path: Path, xml: str, num_envs: int = 3, **options: Any) -> BatchEnvironment:
    """Environments of such a robot."""
    return robot(path, xml, **options).make(num_envs, {}, 1, 1)


def moved(environment: BatchEnvironment, seed: int = 0) -> BatchEnvironment:
    """The environments in states in which everything is somewhere else, and turned, and moves."""
    random, model = np.random.default_rng(seed), environment.model
    environment.reset()
    everywhere = np.arange(environment.spec.num_envs)
    qpos = random.normal(size=(len(everywhere), model.nq))
    for q in model.jnt_qposadr[model.jnt_type == 0]:
        qpos[:, q + 3 : q + 7] /= np.linalg.norm(qpos[:, q + 3 : q + 7], axis=1, keepdims=True)
    environment.set_state(everywhere, qpos, random.normal(size=(len(everywhere), model.nv)))
    return environment
