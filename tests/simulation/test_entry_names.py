"""What an entry of an observation is called is what it is, of every robot; and what a unit of a control is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import mujoco
import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

import pgrobot.conf
from pgrobot.envs.hopper import Hopper
from pgrobot.simulation import Robot, Simulation
from pgrobot.simulation.names import COORDINATES, FREEDOMS, POINT, TURN, entry_names
from pgrobot.simulation.units import control_units
from pgrobot.types import Observation

TASKS = Path(pgrobot.conf.__path__[0]) / "task"
ROBOTS = (
    "ant", "halfcheetah", "hopper", "humanoid", "humanoidstandup", "inverteddoublependulum", "invertedpendulum",
    "pusher", "reacher", "swimmer", "walker2d",
)  # fmt: skip
SEE_POSITION = {"exclude_current_positions_from_observation": False}
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {"version": "v5"}) for name in ROBOTS),
    *((name, {"version": "v4"}) for name in ("humanoid", "inverteddoublependulum", "reacher")),
    *((name, SEE_POSITION) for name in ("ant", "humanoid", "swimmer")),
    ("ant", {"version": "v4", "use_contact_forces": True}),
    ("ant", {"include_cfrc_ext_in_observation": False}),
    ("humanoid", {"include_cinert_in_observation": False, "include_qfrc_actuator_in_observation": False}),
    ("hopper", {"xml_file": "walker2d.xml"}),
]
CLIPPED = {
    "ant": {"cfrc_ext": (-1, 1)},
    "hopper": {"qvel": (-10, 10)},
    "walker2d": {"qvel": (-10, 10)},
    "inverteddoublependulum": {"qvel": (-10, 10), "qfrc_constraint": (-10, 10)},
}


def robot(name: str, **options: Any) -> Robot:
    node: Any = OmegaConf.merge(OmegaConf.load(TASKS / f"{name}.yaml"), options)
    node.pop("defaults", None)
    return instantiate(node, _convert_="all")


def value(simulation: Simulation, name: str) -> float:
    """What the name of an entry says, by the addresses that MuJoCo's model has for its parts."""
    model, (field, part, *component) = simulation.model, name.split("/")
    if field == "fingertip_from_target":
        xpos = simulation.field("xpos")[0]
        return float((xpos[model.body("fingertip").id] - xpos[model.body("target").id])["xyz".index(part)])
    function = {"sin": np.sin, "cos": np.cos}.get(field.partition("_")[0], lambda x: x)
    field = field.removeprefix("sin_").removeprefix("cos_")
    if field.startswith("q"):
        joint = model.joint(part)
        start, kinds = (joint.qposadr, COORDINATES) if field == "qpos" else (joint.dofadr, FREEDOMS)
        place = start[0] + kinds.get(int(joint.type[0]), ("",)).index("".join(component))
        return float(function(simulation.field(field)[0, place]))
    body = int(part.removeprefix("body")) if part.startswith("body") else model.body(part).id
    order = {"xpos": POINT, "cinert": tuple(map(str, range(10)))}.get(field, (*TURN, *POINT))
    return float(simulation.field(field)[0, body].ravel()[order.index(component[0])])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_every_entry_of_every_robot_is_what_it_is_called(name: str, options: dict[str, Any]) -> None:
    environment = robot(name, **options).make(1, {}, 0, 1)
    spec, random = environment.spec, np.random.default_rng(0)
    names = spec.observation["policy"].names
    environment.reset()
    for _ in range(12):  # goes on where an episode ended
        seen = environment.advance(random.uniform(spec.action_low, spec.action_high)[None]).next_obs[
            "policy"
        ][0]
    fields = np.array([entry.partition("/")[0] for entry in names])
    told = np.array([value(environment.simulation, entry) for entry in names])
    for field, (low, high) in CLIPPED.get(name, {}).items():
        told = np.where(fields == field, np.clip(told, low, high), told)
    assert "policy" not in fields
    np.testing.assert_array_equal(seen, told)


XML = """<mujoco><worldbody>
<body name="base"><freejoint name="float"/><geom size="0.1" mass="1"/>
  <body name="arm" pos="1 0 0"><joint name="ball" type="ball"/><geom size="0.1" mass="1"/>
    <body><joint name="slide" type="slide" axis="1 0 0"/><geom size="0.1" mass="1"/>
      <body name="hand"><joint name="hinge" axis="0 1 0"/><geom size="0.1" mass="1"/>
        <body name="tip"><joint axis="0 0 1"/><geom size="0.1" mass="1"/></body></body></body></body></body>
</worldbody><tendon><fixed name="wire"><joint joint="hinge" coef="1"/></fixed></tendon><actuator>
<motor name="motor" joint="hinge" gear="3"/><motor name="direct" joint="hinge"/>
<motor name="push" joint="slide" gear="-2"/>
<position name="servo" joint="hinge" kp="7"/><velocity name="speed" joint="slide" kv="2"/>
<intvelocity name="steady" joint="hinge" kp="5" actrange="-1 1"/><motor name="pull" tendon="wire"/>
<motor name="spin" joint="ball"/>
<general name="odd" joint="hinge" gainprm="2" biastype="affine" biasprm="1 0 0"/>
</actuator></mujoco>"""


def test_joints_of_every_kind_and_parts_without_names() -> None:
    simulation = _Fields(mujoco.MjModel.from_xml_string(XML))
    assert simulation.names("qpos") == [
        *(f"qpos/float/{c}" for c in ("x", "y", "z", "qw", "qx", "qy", "qz")),
        *(f"qpos/ball/{c}" for c in ("qw", "qx", "qy", "qz")),
        "qpos/slide", "qpos/hinge", "qpos/tip",
    ]  # fmt: skip
    assert simulation.names("qfrc_actuator") == [
        *(f"qfrc_actuator/float/{c}" for c in ("x", "y", "z", "rx", "ry", "rz")),
        *(f"qfrc_actuator/ball/{c}" for c in ("rx", "ry", "rz")),
        "qfrc_actuator/slide", "qfrc_actuator/hinge", "qfrc_actuator/tip",
    ]  # fmt: skip
    assert simulation.names("xpos")[3:7] == ["xpos/base/x", "xpos/base/y", "xpos/base/z", "xpos/arm/x"]
    assert simulation.names("cvel")[24:26] == ["cvel/hand/rx", "cvel/hand/ry"]
    assert simulation.names("xmat")[9:11] == ["xmat/base/0", "xmat/base/1"]
    assert simulation.names("ctrl")[:2] == ["ctrl/motor", "ctrl/direct"]
    assert simulation.names("geom_xpos")[:2] == ["geom_xpos/0", "geom_xpos/1"]


class _Fields:
    """The fields of one simulation of a model."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model, self._data = model, mujoco.MjData(model)

    def names(self, field: str) -> list[str]:
        return entry_names(self._model, field, getattr(self._data, field).shape).ravel().tolist()


def test_a_unit_of_a_control_is_what_its_actuator_makes_of_it() -> None:
    units = ("3 N·m", "N·m", "-2 N", "rad", "m/s", "rad/s", "", "", "")
    assert control_units(mujoco.MjModel.from_xml_string(XML)) == units


@dataclass(frozen=True, kw_only=True)
class Another(Hopper):
    """Sees other things than the robot whose names it inherits."""

    models: ClassVar = Hopper.models

    def observation(self, simulation: Simulation) -> Observation:
        return {"policy": simulation.qvel[:, ::-1], "critic": simulation.qpos}


def test_a_robot_that_names_nothing_has_numbers_and_no_names_of_others() -> None:
    node: Any = OmegaConf.load(TASKS / "hopper.yaml")
    options = {key: value for key, value in node.items() if key not in ("_target_", "defaults")}
    groups = Another(**options).make(1, {}, 0, 1).spec.observation
    assert groups["policy"].names == tuple(f"policy/{i}" for i in range(6))
    assert groups["critic"].names == tuple(f"critic/{i}" for i in range(6))
