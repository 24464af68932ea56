"""Train a robot of your own, from its MJCF file: a crane that has to put its load where it is wanted, gently.

python examples/own_mjcf.py --steps 200000
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import pgrobot
from pgrobot.simulation import Robot

HERE = Path(__file__).stem  # the module by which a config names the class below
MODEL = """<mujoco model="crane">
  <option timestep="0.01"/>
  <worldbody>
    <body name="trolley" pos="0 0 2">
      <joint name="rail" type="slide" axis="1 0 0" damping="2"/>
      <geom type="box" size="0.2 0.1 0.05" mass="2"/>
      <body name="load">
        <joint name="swing" type="hinge" axis="0 1 0" damping="0.05"/>
        <geom type="capsule" fromto="0 0 0 0 0 -1" size="0.03" mass="1"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="rail" gear="20" ctrlrange="-1 1" ctrllimited="true"/></actuator>
</mujoco>"""


@dataclass(frozen=True, kw_only=True)
class Crane(Robot):
    """A trolley on a rail with a swinging load; paid for holding still in the middle."""

    models: ClassVar = {"v1": str(Path("crane.xml").resolve())}
    reward_terms: ClassVar = ("near", "calm")

    def observation(self, simulation):
        return {"policy": np.concatenate((simulation.qpos, simulation.qvel), axis=1)}

    def terms(self, simulation, action):
        return np.exp(-np.square(simulation.qpos[:, 0])), -0.1 * np.square(simulation.qvel[:, 1])

    def initial_state(self, simulation, random):
        return np.array([random.uniform(-2.0, 2.0), 0.0]), np.zeros(2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200_000)
    steps = parser.parse_args().steps
    Path("crane.xml").write_text(MODEL, encoding="utf-8")
    crane: Any = {"task._target_": f"{HERE}.Crane", "task.frame_skip": 2, "task.max_episode_steps": 200}
    result = pgrobot.train(task="robot", **crane, modules=[HERE], total_steps=steps, quiet=True)
    print(
        f"return {result.evaluation['return']['mean']:.1f} of at most 200; torque {result.verdicts['torque']}"
    )
