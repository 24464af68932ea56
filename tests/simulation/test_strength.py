"""What actuators can give is what MuJoCo lets them give, whatever limits it."""

from __future__ import annotations

from math import inf

import mujoco
import numpy as np
import pytest

from pgrobot.simulation.strength import actuator_torques, joint_torques, of_model

ROBOT = """
<mujoco>
  <worldbody>
    <body>
      <joint name="free" type="free"/>
      <geom size="0.1"/>
      <body><joint name="hip" axis="0 1 0"/><geom size="0.1"/>
        <body><joint name="knee" axis="0 1 0" actuatorfrcrange="-8 3" actuatorfrclimited="true"/><geom size="0.1"/>
          <body><joint name="rail" type="slide" axis="1 0 0"/><geom size="0.1"/></body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="hip" gear="-50" ctrlrange="-1 0.4" ctrllimited="true"/>
    <motor joint="hip" gear="4" ctrlrange="-2 2" ctrllimited="true" forcerange="-1 1.5" forcelimited="true"/>
    <motor joint="knee" gear="10" ctrlrange="-1 1" ctrllimited="true"/>
    <position joint="rail" kp="400" ctrlrange="-1 1" ctrllimited="true" forcerange="-3 7" forcelimited="true"/>
    <general joint="knee" gainprm="-2" ctrlrange="-1 3" ctrllimited="true" dyntype="filter" dynprm="0.001"/>
    <motor joint="hip" gear="0" ctrlrange="-1 1" ctrllimited="true"/>
  </actuator>
</mujoco>
"""


def test_ranges_are_those_that_the_simulation_reaches() -> None:
    model = mujoco.MjModel.from_xml_string(ROBOT)
    model.opt.timestep = 0.001
    data, random = mujoco.MjData(model), np.random.default_rng(0)
    alone, joint = [], []
    hip, knee, rail = (model.joint(name).id for name in ("hip", "knee", "rail"))
    for _ in range(300):
        mujoco.mj_resetData(model, data)
        data.ctrl[:] = np.where(random.random(model.nu) < 0.5, *model.actuator_ctrlrange.T)
        for _ in range(20):
            mujoco.mj_step(model, data)
        alone.append(data.actuator_force * model.actuator_gear[:, 0])
        joint.append(data.qfrc_actuator[model.jnt_dofadr[[hip, knee, rail]]])
    alone[:] = np.clip(alone, [-inf] * 2 + [-8, -inf, -8, -inf], [inf] * 2 + [3, inf, 3, inf])
    reached = np.stack((np.min(alone, axis=0), np.max(alone, axis=0)), axis=1)
    together = np.stack((np.min(joint, axis=0), np.max(joint, axis=0)), axis=1)
    (found,) = actuator_torques(model, of_model(model))
    assert found == pytest.approx(reached, rel=1e-6)
    assert joint_torques(model, of_model(model), np.array([hip, knee, rail]))[0] == pytest.approx(
        together, rel=1e-6
    )
    assert found[0].tolist() == [-20.0, 50.0]


def test_what_nothing_limits_is_not_known() -> None:
    free = mujoco.MjModel.from_xml_string(
        ROBOT.replace(' ctrlrange="-1 1" ctrllimited="true"/>', "/>").replace(
            ' forcelimited="true"', ' forcelimited="false"'
        )
    )
    (ranges,) = actuator_torques(free, of_model(free))
    assert ranges[2].tolist() == [-8.0, 3.0], "its joint limits it"
    assert ranges[3].tolist() == [-inf, inf]
    assert ranges[5].tolist() == [0.0, 0.0]
