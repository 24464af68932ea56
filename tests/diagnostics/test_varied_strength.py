"""How much of its strength an actuator gave, where each simulation has a strength of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import TargetWorld, make
from varied_worlds import FIVE, actions, robot, vary

from pgrobot.diagnostics.actuators import Actuators
from pgrobot.diagnostics.torque import loads
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.strength import actuator_torques, of_model
from pgrobot.types import TORQUE_LIMITS, Rollout

CLAMP = {"clamp": {"field": "actuator_gear", "scale": [0.5, 2.0], "per": "part"}}


class Commanded:
    """A policy whose actions are what it commands."""

    def command(self, action: torch.Tensor) -> torch.Tensor:
        return action


def driven(environment: BatchEnvironment, taken: np.ndarray) -> Rollout:
    """A rollout ``[T, N]`` with the telemetry of an environment under actions."""
    environment.reset()
    told = [environment.step(action).telemetry for action in taken]
    blank = make(TargetWorld(taken.shape[1], 0), horizon=len(taken))[0].collect()["robot"]
    telemetry = {name: torch.from_numpy(np.stack([each[name] for each in told])) for name in told[0]}
    return replace(blank, action=torch.from_numpy(taken), telemetry=telemetry)


@pytest.mark.parametrize("nodes", [CLAMP, FIVE])
def test_steps_tell_the_limits_of_their_own_simulation(nodes: dict[str, object]) -> None:
    """Those of MuJoCo's own models, also after new episodes and after a saved state is taken up."""
    environment, other = vary(nodes, 4), vary(nodes, 4, seed=3)
    taken = actions(environment, 3)

    def expected(of: BatchEnvironment) -> np.ndarray:
        models = [of.simulation.model_of(i) for i in range(4)]
        return np.stack([actuator_torques(model, of_model(model))[0].ravel() for model in models])

    environment.reset()
    for _ in range(2):
        found = environment.step(taken[0]).telemetry[TORQUE_LIMITS]
        np.testing.assert_array_equal(found, expected(environment))
        assert len(np.unique(found)) > 8
        environment.restart(np.array([1, 2]))
    other.reset()
    other.step(taken[0])
    other.load_state_dict(environment.state_dict())
    again = other.step(taken[1]).telemetry[TORQUE_LIMITS]
    np.testing.assert_array_equal(again, expected(environment))


def test_nothing_is_told_where_strength_does_not_vary() -> None:
    environment = vary({"mass": FIVE["mass"]}, 2)
    environment.reset()
    assert TORQUE_LIMITS not in environment.step(actions(environment, 1)[0]).telemetry


def test_shares_are_of_what_each_simulation_can_give() -> None:
    """A motor at full command gives all that it can, however strong it is; at half, half."""
    environment = vary(CLAMP, 4)
    taken = np.full((8, 4, 3), -0.5)
    taken[::4, :, 0] = 1.0
    found = loads(driven(environment, taken), Commanded(), Actuators.of(environment.spec, 3))  # type: ignore[arg-type]
    np.testing.assert_allclose(found["rms"], [np.sqrt(0.25 + 0.75 * 0.25), 0.5, 0.5], rtol=1e-12)
    np.testing.assert_allclose(found["p95"], [1.0, 0.5, 0.5], rtol=1e-12)
    assert found["saturation"].tolist() == [0.25, 0.0, 0.0]


def test_a_variation_of_nothing_gives_the_shares_of_the_model() -> None:
    plain = robot().make(3, {}, 0, 1)
    varied = vary({"gear": {"field": "actuator_gear", "scale": [1.0, 1.0]}}, 3)
    taken = actions(plain, 10)
    one, other = (
        loads(driven(environment, taken), Commanded(), Actuators.of(environment.spec, 3))  # type: ignore[arg-type]
        for environment in (plain, varied)
    )
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


def test_of_an_actuator_without_a_limit_the_command_counts() -> None:
    environment = vary(CLAMP, 4)
    rollout = driven(environment, actions(environment, 6))
    told = rollout.telemetry[TORQUE_LIMITS].clone()
    told[..., 2:4] = torch.tensor([-torch.inf, torch.inf])
    unlimited = replace(rollout, telemetry={**rollout.telemetry, TORQUE_LIMITS: told})
    actuators = Actuators.of(environment.spec, 3)
    found = loads(unlimited, Commanded(), actuators)["rms"]  # type: ignore[arg-type]
    assert found[1] == pytest.approx(float(rollout.action[..., 1].square().mean().sqrt()))
    assert torch.equal(found[[0, 2]], loads(rollout, Commanded(), actuators)["rms"][[0, 2]])  # type: ignore[arg-type]
