"""Costs of some joints alone, and limits that each has for itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bench import Bench, bound, stepped

from pgrobot.configure import compose, validated
from pgrobot.envs.costs import ActionRate, JointLimit, JointVelocity, Power, Torque
from pgrobot.envs.costs.choice import ALL
from pgrobot.errors import PgrobotError
from pgrobot.simulation.costs import Cost


def spread() -> Bench:
    """Joints all over their ranges."""
    bench = Bench()
    for row, data in enumerate(bench.data):
        data.qpos[:] = np.random.default_rng(row).uniform(-1.0, 1.5, len(data.qpos))
    return bench


COSTS: dict[str, Any] = {
    "torque": lambda limit, of: Torque(limit, "worst", of),
    "joint_velocity": lambda limit, of: JointVelocity(limit, "worst", of),
    "power": lambda limit, of: Power(limit, "worst", of),
    "joint_limit": lambda limit, of: JointLimit(limit, "worst", of),
    "action_rate": ActionRate,
}
LIMIT = {"torque": 0.6, "joint_velocity": 0.1, "power": 0.5, "joint_limit": 0.3, "action_rate": 0.5}
TENDON = """
<mujoco>
  <worldbody>
    <body><joint name="knee"/><geom size="0.1"/><body><joint name="tail"/><geom size="0.1"/></body></body>
  </worldbody>
  <tendon><fixed name="t"><joint joint="tail" coef="1"/></fixed></tendon>
  <actuator>
    <motor name="bend" joint="knee" ctrlrange="-1 1" ctrllimited="true"/>
    <motor name="pull" tendon="t" ctrlrange="-1 1" ctrllimited="true"/>
  </actuator>
</mujoco>
"""


@pytest.mark.parametrize("name", COSTS)
def test_the_parts_that_are_chosen_are_counted_as_among_all(name: str) -> None:
    bench = spread()
    every = bound(COSTS[name](LIMIT[name], ALL), bench)
    wanted = {"joint_limit": ["w*"], "action_rate": ["lift", "servo"]}.get(name, ["shoulder", "wrist"])
    some = bound(COSTS[name](LIMIT[name], wanted), bench)
    kept = {"action_rate": ("actuator0", "servo"), "joint_limit": ("wrist",)}.get(name, ("shoulder", "wrist"))
    assert some.parts == kept
    assert some.highest == len(kept)
    at, seen = [every.parts.index(part) for part in kept], 0.0
    for _ in stepped(bench):
        mine = some()
        assert np.array_equal(mine, every()[:, at])
        seen += mine.sum()
    assert seen > 0.0


@pytest.mark.parametrize("name", COSTS)
def test_each_part_is_held_against_its_own_limit(name: str) -> None:
    """Against costs that have one limit each."""
    bench = spread()
    one, other = LIMIT[name], 0.5 * LIMIT[name]
    first = {"joint_limit": "lift", "action_rate": "left"}.get(name, "shoulder")
    mixed = bound(COSTS[name]({"*": other, first: one}, ALL), bench)
    plain = [bound(COSTS[name](limit, ALL), bench) for limit in (one, other)]
    own, differs = np.array([part == first for part in mixed.parts]), False
    for _ in stepped(bench):
        high, low = (cost() for cost in plain)
        assert np.array_equal(mixed(), np.where(own, high, low))
        differs |= bool((high != low)[:, own].any() and (high != low)[:, ~own].any())
    assert differs, "one limit for all would have passed"


def test_a_name_counts_before_a_pattern_and_that_before_all_others() -> None:
    given = {"shoulder": 0.1, "*": 0.3, "w*": 0.2, "sh*": 0.9}
    bench = Bench(envs=1)
    cost = bound(JointVelocity(given, "worst", ALL), bench)
    assert cost.parts == ("lift", "shoulder", "wrist")
    for limits, expected in (([0.3, 0.1, 0.2], 0), ([0.3001, 0.1001, 0.2001], 1)):
        bench.qvel[0, [2, 3, 0]] = limits
        assert cost().tolist() == [[expected] * 3]


def test_limits_of_joints_that_are_not_looked_at_count_for_nothing() -> None:
    """So that a constraint may be like another one, and of some of its joints."""
    bench = Bench(envs=1)
    cost = bound(JointVelocity({"wrist": 0.1, "shoulder": 0.2, "lift": 0.3}, "worst", ["shoulder"]), bench)
    bench.qvel[0, 3] = 0.2001
    assert (cost.parts, cost().tolist()) == (("shoulder",), [[1.0]])


def test_a_joint_may_be_looked_at_although_a_tendon_pulls_another() -> None:
    bench = Bench(TENDON, envs=1)
    for cost in (JointVelocity(1.0, "worst", ["knee"]), Power(1.0, "worst", ["kn*"])):
        assert bound(cost, bench).parts == ("knee",)
    with pytest.raises(PgrobotError, match="'torque' needs actuators on hinges and slides: 'pull'"):
        bound(Torque(0.5, "worst", ["knee"]), bench)
    with pytest.raises(PgrobotError, match="names 'tail', but no actuator drives joint 'tail' by itself"):
        bound(JointVelocity(1.0, "worst", ["tail"]), bench)


@pytest.mark.parametrize(
    ("cost", "sentence"),
    [
        (Torque(0.9, "worst", ["shulder"]), r"names 'shulder', and the model has no such joint: did you mean 'shou"),
        (Power(1.0, "worst", ["rail"]), r"power\.cost\.joints names 'rail', but no actuator drives joint 'rail'"),
        (JointLimit(0.1, "worst", ["rail"]), r"joint_limit\.cost\.joints names 'rail', but joint 'rail' has no range"),
        (ActionRate(0.1, ["lefd"]), r"action_rate\.cost\.actuators names 'lefd', and .*: did you mean 'left'"),
        (JointVelocity({"wrist": 1.0}, "worst", ALL), r"joint_velocity\.cost\.limit has no limit for joint 'lift'"),
        (JointVelocity({"rail": 1.0, "*": 2.0}, "worst", ["lift"]), r"limit names 'rail', which is no joint that coul"),
        (Torque({"wrist": 1.5, "*": 0.5}, "worst", ALL), r"torque\.cost\.fraction\.wrist=1\.5 has to lie between"),
        (JointLimit({"*": -0.1}, "worst", ALL), r"joint_limit\.cost\.margin\.\*=-0\.1 has to lie in"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_limited_is_named(cost: Cost, sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        bound(cost, Bench(envs=1))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "constraint.torque.cost.joints=3",
            r"constraint\.torque\.cost\.joints must be all, or a list of names",
        ),
        (
            "constraint.torque.cost.joints=[]",
            r"constraint\.torque\.cost\.joints must be all, or a list of names",
        ),
        (
            "constraint.torque.cost.fraction={knee:high}",
            r"constraint\.torque\.cost\.fraction must be a number, or",
        ),
        ("constraint.torque.cost.joint=[knee]", "did you mean 'joints'"),
    ],
)
def test_what_is_no_choice_of_parts_is_refused(line: str, sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        validated(compose(["task=hopper", "constraint=[torque]", line]))


def test_a_constraint_that_is_like_another_one_has_its_own_budget() -> None:
    lines = ["task=hopper", "constraint=[torque]", "constraint.torque.cost.fraction=0.7"]
    knee = "+constraint.knee={like:torque,budget:0.01,cost:{joints:[leg_joint]}}"
    ankle = "+constraint.ankle={like:power,cost:{limit:{foot_joint:80.0}}}"
    found = validated(compose([*lines, knee, ankle])).constraint
    assert list(found) == ["torque", "knee", "ankle"]
    assert found.torque.cost.joints == "all"
    assert (found.knee.budget, found.knee.unit) == (0.01, "step")
    assert (found.knee.cost.fraction, list(found.knee.cost.joints)) == (0.7, ["leg_joint"])
    assert found.ankle.cost._target_ == "pgrobot.envs.costs.Power"
    assert dict(found.ankle.cost.limit) == {"foot_joint": 80.0}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            ["+constraint.knee={like:torke}"],
            r"constraint\.knee\.like='torke' is no constraint: did you mean 'torque'",
        ),
        (
            ["+constraint.a={like:b}", "+constraint.b={like:a}"],
            r"constraint\.\w\.like='\w' leads back to itself",
        ),
        (["constraint.knee={like:torque}"], r"constraint has no key 'knee' yet: add it with a \+"),
    ],
)
def test_a_constraint_that_is_like_none_is_refused(lines: list[str], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        compose(["task=hopper", "constraint=[speed]", *lines])
