"""The values at rest in conf/ build what they name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from hydra.utils import instantiate

import pgrobot.conf
from pgrobot.constraints import Constraint
from pgrobot.constraints.bounds import clopper_pearson

CONF = Path(pgrobot.conf.__path__[0])
CONSTRAINTS = ("action_rate", "fall", "joint_limit", "joint_velocity", "power", "speed", "torque")
MULTIPLIERS = ("augmented", "lagrangian", "none", "pid")


def read(group: str, name: str) -> dict:
    return yaml.safe_load((CONF / group / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_node_holds_a_cost_and_a_budget(name: str) -> None:
    node = read("constraint", name)
    assert node.keys() == {name}
    cost = node[name].pop("cost")
    assert node[name].pop("schedule") == {"initial": None, "until": 0.5}
    assert Constraint(name=name, **node[name]).unit == ("probability" if name == "fall" else "step")
    if name == "speed":
        assert cost.pop("threshold") == "${task.speed_threshold}"
        cost["threshold"] = 1.0
    assert callable(instantiate(cost).bind)


def test_the_evaluations_that_choose_a_policy_can_find_that_it_keeps_the_budget_for_falls() -> None:
    evaluation = yaml.safe_load((CONF / "train.yaml").read_text())["evaluation"]
    _, most = clopper_pearson(0, evaluation["episodes"], evaluation["confidence"])
    assert most <= read("constraint", "fall")["fall"]["budget"]


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_a_multiplier_node_makes_a_multiplier(name: str) -> None:
    constraints = (Constraint("speed", 25.0, "episode", 25.0),)
    make = instantiate(read("multiplier", name))
    multiplier = make(constraints=constraints, columns=("reward", "cost/speed"))
    told = multiplier.update(torch.tensor([0.5]), 1000.0, torch.ones(2, 3, 2))
    assert told["multiplier/speed"] == told["multiplier_level/speed"]  # for the reward's size is 1
    assert (told["multiplier/speed"] > 0.0) is (name != "none")
