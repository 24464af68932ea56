"""Train a robot that no class describes: a MJCF file, and rewards and terminations by name.

python examples/robot_by_path.py --steps 300000
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pgrobot

LEG = """<body name="leg{i}" pos="{x} {y} 0">
  <joint name="hip{i}" axis="{y} {z} 0" range="-40 40"/>
  <geom type="capsule" fromto="0 0 0 {x} {y} 0" size="0.03"/>
  <body name="shin{i}" pos="{x} {y} 0">
    <joint name="knee{i}" axis="{y} {z} 0" range="-40 40"/>
    <geom name="foot{i}" type="capsule" fromto="0 0 0 0 0 -0.25" size="0.03"/>
  </body>
</body>"""
CORNERS = [(0.15, 0.15), (0.15, -0.15), (-0.15, 0.15), (-0.15, -0.15)]
LEGS = "".join(LEG.format(i=i, x=x, y=y, z=-x) for i, (x, y) in enumerate(CORNERS))
MOTORS = "".join(
    f'<motor joint="{part}{i}" gear="15" ctrlrange="-1 1"/>' for i in range(4) for part in ("hip", "knee")
)
MODEL = f"""<mujoco model="spider">
  <option timestep="0.005"/>
  <default><joint damping="0.5" armature="0.01"/></default>
  <worldbody>
    <geom type="plane" size="20 20 1"/>
    <body name="trunk" pos="0 0 0.29">
      <freejoint/><geom name="trunk" type="box" size="0.15 0.15 0.04" mass="3"/>{LEGS}
    </body>
  </worldbody>
  <actuator>{MOTORS}</actuator>
</mujoco>"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    steps = parser.parse_args().steps
    chosen: dict[str, Any] = {
        "task/rewards": ["velocity", "upright", "effort"],
        "task.rewards.velocity.target": [0.4, 0.0, 0.0],  # forward, to the left, turning
        "task/terminations": ["tilted", "contact"],
        "task.terminations.contact.parts": ["trunk"],
        "constraint.torque.budget": 0.5,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spider.xml"
        path.write_text(MODEL, encoding="utf-8")
        robot: dict[str, Any] = {
            "task": "robot",
            "task.xml_file": str(path),
            "constraint": ["torque", "fall"],
        }
        result = pgrobot.train(**robot, **chosen, total_steps=steps, quiet=True)
    print(f"return {result.evaluation['return']['mean']:.0f}; {result.verdicts}")
