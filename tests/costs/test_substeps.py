"""Which of a step's substeps a cost counts, against simulations stepped one substep at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import mujoco
import numpy as np
import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

import pgrobot.conf
from pgrobot.envs.costs import JointLimit, JointVelocity, Power, Torque
from pgrobot.envs.costs.choice import ALL
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment, Cost, Robot, Simulation
from pgrobot.types import Observation

SKIP = 20
SERVO = """
<mujoco>
  <option timestep="0.002"/>
  <worldbody>
    <body>
      <joint name="elbow" type="hinge" axis="0 1 0" damping="0.4" armature="0.002" range="-67.5 67.5" limited="true"/>
      <geom type="capsule" fromto="0 0 0 0 0 0.1" size="0.02" mass="0.1" contype="0" conaffinity="0"/>
    </body>
  </worldbody>
  <actuator><position joint="elbow" kp="40" ctrlrange="-1 1" ctrllimited="true" forcerange="-50 50"/></actuator>
</mujoco>
"""


@dataclass(frozen=True, kw_only=True)
class Plain(Robot):
    """A model without a task."""

    models: ClassVar = {"v1": "model.xml"}

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return ("nothing",)

    def observation(self, simulation: Simulation) -> Observation:
        return {"policy": np.concatenate((simulation.qpos, simulation.qvel), axis=1)}

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.zeros(simulation.num_envs),)

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return simulation.model.qpos0, random.normal(0.0, 0.1, simulation.model.nv)


def plain(xml: str, folder: Path, costs: dict[str, Cost], envs: int, skip: int) -> BatchEnvironment:
    path = folder / "model.xml"
    path.write_text(xml)
    robot = Plain(
        name="plain",
        version="v1",
        xml_file=str(path),
        frame_skip=skip,
        max_episode_steps=1000,
        speed_threshold=1.0,
    )
    return robot.make(envs, costs, seed=3, threads=1)


def robot(name: str, costs: dict[str, Cost], envs: int) -> BatchEnvironment:
    node: Any = OmegaConf.to_container(
        OmegaConf.load(Path(pgrobot.conf.__path__[0]) / "task" / f"{name}.yaml")
    )
    node.pop("defaults", None)
    made: BatchEnvironment = get_class(node.pop("_target_"))(**node).make(envs, costs, seed=3, threads=2)
    return made


def watched(substeps: str) -> dict[str, Cost]:
    return {
        "torque": Torque(0.7, substeps, ALL),
        "joint_velocity": JointVelocity(8.0, substeps, ALL),
        "power": Power(150.0, substeps, ALL),
        "joint_limit": JointLimit(0.005, substeps, ALL),
    }


def test_a_servo_that_exceeds_its_limits_between_steps_is_counted(tmp_path: Path) -> None:
    last = {f"{name}_at_the_end": cost for name, cost in watched("last").items()}
    environment = plain(SERVO, tmp_path, watched("worst") | last, 1, SKIP)
    environment.reset()
    model, data = environment.model, environment.simulation.batch.get_data(0)
    low, high = model.jnt_range[0] + np.array([1, -1]) * 0.005 * np.ptp(model.jnt_range[0])
    counted, expected = np.zeros(8), np.zeros((100, SKIP, 4))
    for t in range(100):
        command = 1.0 if t % 2 else -1.0
        counted += environment.step(np.array([[command]])).cost[0]
        data.ctrl[0] = command
        for substep in range(SKIP):
            mujoco.mj_step(model, data)
            torque, velocity, position = data.qfrc_actuator[0], data.qvel[0], data.qpos[0]
            expected[t, substep] = (
                abs(torque) > 0.7 * 50,
                abs(velocity) > 8.0,
                abs(torque * velocity) > 150.0,
                not low <= position <= high,
            )
    assert np.array_equal(counted[:4], expected.any(axis=1).sum(axis=0))
    assert np.array_equal(counted[4:], expected[:, -1].sum(axis=0))
    # the torque is too high in 99 steps of 100, and not once when they end
    assert (counted[:4] >= 99).all()
    assert (counted[4:] == 0).all()


@pytest.mark.parametrize("name", ["hopper", "humanoid"])  # humanoid keeps an MjData per simulation
def test_looking_at_substeps_changes_no_number(name: str) -> None:
    bare, looking = (robot(name, costs, 3) for costs in ({}, watched("worst")))
    assert np.array_equal(bare.reset()["policy"], looking.reset()["policy"])
    random = np.random.default_rng(0)
    ended = 0
    for _ in range(40):
        action = random.uniform(-1.0, 1.0, (3, len(bare.spec.action_low)))
        one, other = bare.step(action), looking.step(action)
        for field in ("reward", "terms", "terminated", "truncated"):
            assert np.array_equal(getattr(one, field), getattr(other, field))
        assert np.array_equal(one.next_obs["policy"], other.next_obs["policy"])
        assert np.array_equal(bare.simulation.batch.state, looking.simulation.batch.state)
        ended += int(one.terminated.sum())
    assert ended


BALLS = "".join(
    f'<body pos="{i % 4 * 0.15} {i // 4 * 0.15} {0.08 + 0.01 * i}"><freejoint/><geom size="0.1"/></body>'
    for i in range(16)
)
FULL = f"""
<mujoco>
  <size memory="42K"/>
  <worldbody>
    <geom type="plane" size="5 5 0.1"/>
    {BALLS}
    <body pos="3 0 1"><joint name="arm"/><geom size="0.1" contype="0" conaffinity="0"/></body>
  </worldbody>
  <actuator><motor joint="arm" ctrlrange="-1 1" ctrllimited="true"/></actuator>
</mujoco>
"""


def test_simulations_go_on_after_a_warning_as_they_do_when_nobody_looks(tmp_path: Path) -> None:
    bare = plain(FULL, tmp_path, {}, 4, 4)
    looking = plain(FULL, tmp_path, {"joint_velocity": JointVelocity(0.01, "worst", ALL)}, 4, 4)
    for environment in (bare, looking):
        environment.reset()
    for _ in range(6):
        one, other = (environment.step(np.full((4, 1), 0.5)) for environment in (bare, looking))
        assert one.failures == other.failures
        assert np.array_equal(one.next_obs["policy"], other.next_obs["policy"])
        velocity = looking.simulation.by_substep("qvel")
        assert np.array_equal(velocity[:, -1], looking.simulation.qvel)
        going = [i for i in range(4) if i not in other.failures]
        assert (np.diff(velocity[going, :, -1], axis=1) != 0.0).all()
    warnings = looking.simulation.batch._batch.warning
    assert warnings[:, mujoco.mjtWarning.mjWARN_CNSTRFULL, 1].all()


def test_an_unknown_choice_of_substeps_is_refused(tmp_path: Path) -> None:
    sentence = r"constraint\.power\.cost\.substeps=wurst is unknown: did you mean 'worst'"
    with pytest.raises(PgrobotError, match=sentence):
        plain(SERVO, tmp_path, {"power": Power(1.0, "wurst", ALL)}, 1, SKIP)
