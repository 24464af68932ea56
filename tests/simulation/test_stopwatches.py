"""MuJoCo's stopwatches stand still while our simulations step, and only then."""

from __future__ import annotations

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest

from pgrobot.simulation.batch import Physics
from pgrobot.simulation.stopwatches import stopped

STEP = mujoco.mjtTimer.mjTIMER_STEP
FALLING = (
    "<mujoco><worldbody><body><joint type='slide' axis='0 0 1'/><geom size='1'/></body></worldbody></mujoco>"
)
MODEL = mujoco.MjModel.from_xml_string(FALLING)


@pytest.fixture
def own_clock() -> Iterator[list[float]]:
    """A clock of the user's, and what it was asked."""
    asked: list[float] = []

    def clock() -> float:
        asked.append(float(len(asked)))
        return asked[-1]

    mujoco.set_mjcb_time(clock)
    yield asked
    mujoco.set_mjcb_time(None)


def elapsed() -> float:
    """Seconds that the stopwatch of one plain step shows."""
    data = mujoco.MjData(MODEL)
    mujoco.mj_step(MODEL, data)
    return float(data.timer[STEP].duration)


def test_they_stand_still_within_and_go_on_after() -> None:
    assert elapsed() > 0
    with stopped():
        assert elapsed() == 0
        with stopped():
            assert elapsed() == 0
        assert elapsed() == 0  # the inner one did not stop them, so it does not start them
    assert elapsed() > 0


def test_they_go_on_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), stopped():
        raise ZeroDivisionError
    assert elapsed() > 0


def test_a_clock_of_the_users_goes_on(own_clock: list[float]) -> None:
    with stopped():
        assert elapsed() > 0
    assert own_clock


def test_the_physics_steps_without_them_to_the_same_state() -> None:
    physics = Physics(MODEL, num_envs=2, frame_skip=3, threads=1, contact_forces=True)
    physics.reset(np.arange(2))
    physics.step()
    stepped, plain = physics.get_data(1), mujoco.MjData(MODEL)
    for _ in range(3):
        mujoco.mj_step(MODEL, plain)
    assert stepped.qpos[0] == plain.qpos[0] < 0
    assert stepped.timer[STEP].number == 3
    assert stepped.timer[STEP].duration == 0
    assert elapsed() > 0
