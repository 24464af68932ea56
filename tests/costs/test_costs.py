from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from bench import ARM, ENVS, Bench, bound, stepped

from pgrobot.envs.costs import ActionRate, JointLimit, JointVelocity, Power, Speed, Torque
from pgrobot.envs.costs.choice import ALL
from pgrobot.envs.half_cheetah import HalfCheetah
from pgrobot.errors import PgrobotError
from pgrobot.simulation.costs import Cost


def counts(amounts: np.ndarray) -> np.ndarray:
    """Check that there is some violation of every part, and something that violates nothing."""
    assert ((amounts.mean(axis=0) > 0.0) & (amounts.mean(axis=0) < 1.0)).all(), amounts.mean(axis=0)
    return amounts


def test_speed_is_signed_and_strict() -> None:
    bench = Bench(envs=4, speed=np.array([0.74, 0.75, -3.0, 0.7402]))
    cost = bound(Speed(0.7402), bench)
    assert cost.parts == ("hand",)
    assert cost().tolist() == [[0.0], [1.0], [0.0], [0.0]]
    bench.forward_speed[:] = 1.0
    assert cost().tolist() == [[1.0]] * 4


def test_torque_is_the_sum_of_a_joints_actuators_against_all_they_can_give() -> None:
    bench = Bench()
    cost = bound(Torque(0.6, "worst", ALL), bench)
    assert cost.parts == ("lift", "shoulder", "wrist")
    greatest = {"lift": 50 * 2.0, "shoulder": 10 * 1.0 + 4 * 1.5, "wrist": 3.0}
    seen = []
    for _ in stepped(bench):
        force = np.array([data.actuator_force for data in bench.data]) * bench.gear
        torque = np.stack([force[:, 0], force[:, 1] + force[:, 2], force[:, 3]], axis=1)
        expected = np.abs(torque) > 0.6 * np.array(list(greatest.values()))
        assert np.array_equal(cost(), expected)
        seen.append(cost())
    counts(np.concatenate(seen))


def test_torque_knows_the_joints_own_force_limit() -> None:
    bench = Bench(
        ARM.replace('name="shoulder"', 'name="shoulder" actuatorfrcrange="-8 8" actuatorfrclimited="true"')
    )
    cost = bound(Torque(0.99, "worst", ALL), bench)
    bench.step(np.tile([0.0, 0.7, 0.2, 0.0], (ENVS, 1)))  # 7.8 N·m: below 0.99 of 8
    assert cost()[0].tolist() == [0.0, 0.0, 0.0]
    bench.step(np.tile([0.0, 1.0, 1.5, 0.0], (ENVS, 1)))  # 16 N·m, clamped to 8
    assert cost()[0].tolist() == [0.0, 1.0, 0.0]


def test_joint_velocity_counts_driven_joints_only() -> None:
    bench = Bench()
    cost = bound(JointVelocity(0.1, "worst", ALL), bench)
    assert cost.parts == ("lift", "shoulder", "wrist")
    seen = []
    for _ in stepped(bench):
        assert np.array_equal(cost(), np.abs(bench.qvel[:, [2, 3, 0]]) > 0.1)
        seen.append(cost())
    counts(np.concatenate(seen))


def test_power_is_torque_times_velocity_given_or_taken() -> None:
    bench = Bench()
    cost = bound(Power(0.5, "worst", ALL), bench)
    seen = []
    for _ in stepped(bench):
        expected = [
            [abs(data.qfrc_actuator[dof] * data.qvel[dof]) > 0.5 for dof in (2, 3, 0)] for data in bench.data
        ]
        assert np.array_equal(cost(), expected)
        seen.append(cost())
    counts(np.concatenate(seen))


def test_joint_limit_looks_at_limited_joints_within_a_margin_or_beyond() -> None:
    bench = Bench(envs=7)
    cost = bound(JointLimit(0.1, "worst", ALL), bench)
    assert cost.parts == ("wrist", "lift")
    low, high = np.deg2rad([-60, 90])
    margin = 0.1 * (high - low)
    inside, outside = 1e-9, -1e-9
    bench.qpos[:, 0] = [
        low + margin + inside,
        low + margin + outside,
        low - 1,
        high - margin - inside,
        high,
        9,
        0,
    ]
    bench.qpos[:, 2] = [0.25, 0.05 + inside, 0.05 + outside, 0.45 + inside, 0.45 - inside, -1, 2]
    bench.qpos[:, [1, 3]] = 1000.0
    assert cost()[:, 0].tolist() == [0, 1, 1, 0, 1, 1, 0]
    assert cost()[:, 1].tolist() == [0, 0, 1, 1, 0, 1, 1]


def test_action_rate_compares_commands_as_applied_within_an_episode() -> None:
    bench = Bench(envs=2)
    cost = bound(ActionRate(0.25, ALL), bench)
    assert cost.parts == ("actuator0", "left", "right", "servo")

    def after(*ctrl: list[float]) -> list[list[float]]:
        bench.ctrl[:] = ctrl
        amounts: list[list[float]] = cost().tolist()
        return amounts

    zero = [0.0, 0.0, 0.0, 0.0]
    assert after([2.0, 1.0, 2.0, 1.0], zero) == [zero, zero]  # the first jumps from nowhere
    # ranges of 3, 2, 4, 2 allow jumps of 0.75, 0.5, 1, 0.5; commands beyond the range are clamped first
    assert after([1.2, 0.6, 1.1, 0.4], [0.8, 0.5, -1.1, -9.0]) == [[1, 0, 0, 1], [1, 0, 1, 1]]
    cost.reset(np.array([1]))
    assert after([1.2, 0.0, 1.1, 0.4], [2.0, -1.0, 2.0, 1.0]) == [[0, 1, 0, 0], zero]
    assert after([1.2, 5.0, 1.1, 0.4], [9.0, -9.0, 9.0, 9.0]) == [[0, 1, 0, 0], zero]


def test_action_rate_continues_from_its_state() -> None:
    bench = Bench()
    one, other = bound(ActionRate(0.5, ALL), bench), bound(ActionRate(0.5, ALL), bench)
    random = np.random.default_rng(1)
    bench.ctrl[:] = random.normal(size=bench.ctrl.shape)
    one()
    one.reset(np.array([3]))
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(3):
        bench.ctrl[:] = random.normal(size=bench.ctrl.shape)
        assert np.array_equal(one(), other())


@pytest.mark.parametrize(
    "cost",
    [
        Torque(0.5, "worst", ALL),
        JointVelocity(1.0, "worst", ALL),
        Power(1.0, "worst", ALL),
        JointLimit(0.1, "worst", ALL),
        Speed(1.0),
    ],
)
def test_costs_without_memory_have_no_state(cost: Cost) -> None:
    here = bound(cost, Bench(speed=np.zeros(ENVS)))
    before = here()
    here.reset(np.arange(ENVS))
    here.load_state_dict(here.state_dict())
    assert here.state_dict() == {}
    assert np.array_equal(here(), before)


def test_what_a_cost_returned_is_not_overwritten() -> None:
    bench = Bench()
    costs = [
        bound(cost, bench)
        for cost in (Torque(0.6, "worst", ALL), JointVelocity(0.3, "worst", ALL), ActionRate(0.1, ALL))
    ]
    steps = stepped(bench)
    next(steps)
    kept = [cost() for cost in costs]
    copies = [amounts.copy() for amounts in kept]
    for _ in steps:
        for cost in costs:
            cost()
    assert all(np.array_equal(amounts, copy) for amounts, copy in zip(kept, copies, strict=True))


TENDON = """
<mujoco>
  <worldbody><body name="b"><joint name="j"/><geom size="0.1"/></body></worldbody>
  <tendon><fixed name="t"><joint joint="j" coef="1"/></fixed></tendon>
  <actuator><motor name="pull" tendon="t" ctrlrange="-1 1" ctrllimited="true"/></actuator>
</mujoco>
"""
BALL = """
<mujoco>
  <worldbody><body name="b"><joint name="j" type="ball"/><geom size="0.1"/></body></worldbody>
  <actuator><motor name="turn" joint="j" gear="1 0 0" ctrlrange="-1 1" ctrllimited="true"/></actuator>
</mujoco>
"""
SERVO = """
<mujoco>
  <worldbody><body name="b"><joint name="j"/><geom size="0.1"/></body></worldbody>
  <actuator><position name="hold" joint="j" kp="10"/></actuator>
</mujoco>
"""
STILL = "<mujoco><worldbody><body><joint/><geom size='0.1'/></body></worldbody></mujoco>"


@pytest.mark.parametrize(
    ("xml", "cost", "message"),
    [
        (
            TENDON,
            Torque(0.9, "worst", ALL),
            "'torque' needs actuators on hinges and slides: 'pull' drives something else",
        ),
        (
            BALL,
            Power(1.0, "worst", ALL),
            "'power' needs actuators on hinges and slides: 'turn' drives something else",
        ),
        (
            SERVO,
            Torque(0.9, "worst", ALL),
            "'torque' needs a greatest force: give actuator 'hold' a forcerange",
        ),
        (SERVO, ActionRate(0.1, ALL), "'action_rate' needs a ctrlrange: actuator 'hold' has none"),
        (STILL, Torque(0.9, "worst", ALL), "'torque' needs an actuator: this robot has none"),
        (STILL, JointVelocity(1.0, "worst", ALL), "'joint_velocity' needs an actuator"),
        (STILL, ActionRate(1.0, ALL), "'action_rate' needs an actuator"),
        (STILL, JointLimit(0.1, "worst", ALL), "'joint_limit' needs a limited hinge or slide"),
        (ARM, Speed(1.0), "Bench-v0 has no forward speed"),
    ],
)
def test_a_robot_that_cannot_provide_a_cost_is_refused(xml: str, cost: Cost, message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        bound(cost, Bench(xml, envs=1))


@pytest.mark.parametrize(
    "cost",
    [
        Speed(math.inf),
        Speed(math.nan),
        Torque(0.0, "worst", ALL),
        Torque(1.0, "worst", ALL),
        Torque(math.nan, "worst", ALL),
        JointVelocity(-1.0, "worst", ALL),
        Power(0.0, "worst", ALL),
        JointLimit(0.5, "worst", ALL),
        JointLimit(-0.1, "worst", ALL),
        ActionRate(math.inf, ALL),
    ],
)
def test_limits_out_of_range_are_refused(cost: Cost) -> None:
    with pytest.raises(PgrobotError, match=r"constraint\.\w+\.cost\.\w+="):
        bound(cost, Bench(speed=np.zeros(ENVS)))


def cheetah(costs: dict[str, Cost], envs: int) -> Any:
    return HalfCheetah(
        name="halfcheetah",
        version="v5",
        xml_file="default",
        frame_skip=5,
        max_episode_steps=20,
        speed_threshold=3.2096,
        forward_reward_weight=1.0,
        ctrl_cost_weight=0.1,
        reset_noise_scale=0.1,
        exclude_current_positions_from_observation=True,
    ).make(envs, costs, seed=0, threads=1)


def test_on_a_robot_costs_decompose_into_its_joints_and_agree_with_its_telemetry() -> None:
    costs: dict[str, Cost] = {
        "speed": Speed(0.2),
        "torque": Torque(0.8, "worst", ALL),
        "joint_velocity": JointVelocity(5.0, "worst", ALL),
        "joint_limit": JointLimit(0.1, "worst", ALL),
        "action_rate": ActionRate(0.3, ALL),
        "power": Power(100.0, "worst", ALL),
    }
    environment = cheetah(costs, 8)
    joints = ("bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot")
    assert environment.spec.violations == {"speed": ("torso",)} | dict.fromkeys(list(costs)[1:], joints)
    assert environment.spec.highest_cost == {"speed": 1.0} | dict.fromkeys(list(costs)[1:], 6.0)
    assert environment.spec.counted == tuple(costs), "none says how large a violation is"
    environment.reset()
    random = np.random.default_rng(0)
    greatest = np.array([120, 90, 60, 120, 60, 30])
    total = np.zeros(6)
    previous = np.full((8, 6), np.nan)
    for _ in range(60):  # three episodes, each of 20 steps
        action = random.uniform(-1, 1, (8, 6))
        step = environment.step(action)
        for k, name in enumerate(costs):
            assert np.array_equal(step.cost[:, k], step.telemetry[f"violation/{name}"].sum(axis=1))
            assert step.cost[:, k].max() <= environment.spec.highest_cost[name]
        torque = step.telemetry["torque"]
        assert np.array_equal(step.telemetry["violation/torque"], np.abs(torque) > 0.8 * greatest)
        jumped = np.abs(action - previous) > 0.6
        assert np.array_equal(step.telemetry["violation/action_rate"], jumped)
        previous = np.where(step.truncated[:, None], np.nan, action)
        total += step.cost.sum(axis=0)
    assert (total > 0).all()
