"""Parts of a model are told apart in what is logged, whatever they are called, and if they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

import pgrobot.conf
from pgrobot.simulation.adapters.actions import entries
from pgrobot.simulation.model import actuator_names, body_names, compiled, distinct, joint_names

XML = """<mujoco><worldbody>
<body name="arm"><joint axis="0 1 0"/><joint type="slide" axis="1 0 0"/><geom size="0.1" mass="1"/>
  <body><joint axis="0 1 0"/><geom size="0.1" mass="1"/>
    <body><joint name="arm_1" axis="0 1 0"/><geom size="0.1" mass="1"/>
      <body name="mean"><joint axis="1 0 0"/><geom size="0.1" mass="1"/></body></body></body></body>
</worldbody><actuator>
<motor joint="arm_1" ctrlrange="-1 1" ctrllimited="true"/>
<motor joint="arm_1" gear="2" ctrlrange="-1 1" ctrllimited="true"/>
<motor name="arm_1_2" joint="arm_1" ctrlrange="-1 1" ctrllimited="true"/>
<motor name="mean" joint="arm_1" ctrlrange="-1 1" ctrllimited="true"/>
</actuator></mujoco>"""


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    (tmp_path / "arm.xml").write_text(XML)
    return tmp_path / "arm.xml"


def test_every_part_has_a_name_of_its_own(model_file: Path) -> None:
    model = compiled(model_file)
    assert body_names(model) == ("world", "arm", "body2", "body3", "mean")
    assert joint_names(model) == ("arm_2", "arm_3", "body2", "arm_1", "mean")
    assert actuator_names(model) == ("arm_1_1", "arm_1_3", "arm_1_2", "mean")
    actions = entries(model, np.full(4, -1.0), np.ones(4), np.zeros(4, int))
    assert tuple(action.name for action in actions) == actuator_names(model)


@pytest.mark.parametrize(
    ("names", "taken", "expected"),
    [
        (["a", "b"], [], ("a", "b")),
        (["a", "a", "b"], [], ("a_1", "a_2", "b")),
        (["a", "a_1", "a"], [], ("a_2", "a_1", "a_3")),
        (["a"], ["a", "a_1"], ("a_2",)),
        ([], ["a"], ()),
    ],
)
def test_shared_names_are_numbered(names: list[str], taken: list[str], expected: tuple[str, ...]) -> None:
    assert distinct(names, taken) == expected


def test_costs_and_actions_of_such_a_robot_are_told_apart(model_file: Path) -> None:
    """The part ``mean`` does not stand where the mean of the cost stands."""
    folder = Path(pgrobot.conf.__path__[0])
    node: Any = OmegaConf.to_container(OmegaConf.load(folder / "task/swimmer.yaml"))
    node.pop("defaults", None)
    velocity = get_class("pgrobot.envs.costs.JointVelocity")(limit=1.0, substeps="last", joints="all")
    limits = get_class("pgrobot.envs.costs.ActionRate")(limit=0.5, actuators="all")
    robot = get_class(node.pop("_target_"))(**(node | {"xml_file": str(model_file)}))
    spec = robot.make(2, {"velocity": velocity, "rate": limits}, 0, 1).spec
    assert spec.actuators == ("arm_1_1", "arm_1_3", "arm_1_2", "mean")
    assert spec.violations == {"velocity": ("arm_1",), "rate": (*spec.actuators[:3], "mean_1")}
