"""dm_control's linear-quadratic regulator: its own solver, our closed form and its physics agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("dm_control")

from dm_control import suite
from dm_control.suite import lqr_solver

from pgrobot.envs.worlds import LinearQuadratic
from pgrobot.simulation.adapters import DmControlTask


@pytest.mark.parametrize("name", ["lqr_2_1", "lqr_6_2"])
def test_our_riccati_solves_the_suites_physics(name: str) -> None:
    environment: Any = suite.load("lqr", name, {"random": 1, "time_limit": float("inf")})
    environment.reset()
    physics = environment.physics
    n, m = physics.model.nq, physics.model.nu

    def following(state: np.ndarray, control: np.ndarray) -> np.ndarray:
        with physics.reset_context():
            physics.data.qpos[:], physics.data.qvel[:] = state[:n], state[n:]
        physics.set_control(control)
        physics.step()
        moved: np.ndarray = physics.state().copy()
        return moved

    dynamics = np.stack([following(unit, np.zeros(m)) for unit in np.eye(2 * n)], axis=1)
    control = np.stack([following(np.zeros(2 * n), unit) for unit in np.eye(m)], axis=1)
    state, action = np.linspace(-1, 1, 2 * n), np.linspace(0.5, 1, m)
    np.testing.assert_allclose(following(state, action), dynamics @ state + control @ action, atol=1e-12)
    regulator = LinearQuadratic(
        dynamics=dynamics,
        control=control,
        state_cost=np.diag([1.0] * n + [0.0] * n),
        action_cost=environment.task.control_cost_coef * np.eye(m),
        noise=np.zeros((2 * n, 2 * n)),
        start=np.eye(2 * n),
        discount=1.0,
    )
    cost, gain, _ = lqr_solver.solve(environment)  # it acts with u = k x and halves every cost
    found, found_cost = regulator.riccati()
    np.testing.assert_allclose(found, -gain, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found_cost, cost, rtol=1e-7)


def test_it_runs_as_a_task_with_a_time_limit() -> None:
    environment = DmControlTask(domain="lqr", name="lqr_2_1", max_episode_steps=5).make(2, {}, 0, 1)
    assert environment.reset()["policy"].shape == (2, 4)
    steps = [environment.step(np.zeros((2, 1))) for _ in range(5)]
    assert [bool(step.truncated.all()) for step in steps] == [False] * 4 + [True]
    assert not any(step.terminated.any() for step in steps)
