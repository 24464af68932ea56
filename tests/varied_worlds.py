"""Worlds that vary, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from omegaconf import DictConfig

from pgrobot.assembly import configured
from pgrobot.configure import compose, validated
from pgrobot.simulation import BatchEnvironment, Cost, Robot
from pgrobot.simulation.variation import Plan, Strength, VariationRule, plan_of

FIVE: Mapping[str, Any] = {
    "mass": {"field": "body_mass", "scale": [0.6, 1.6]},
    "friction": {"field": "geom_friction", "scale": [0.5, 1.5], "per": "model"},
    "damping": {"field": "dof_damping", "scale": [0.5, 2.0], "distribution": "log_uniform"},
    "offset": {"field": "body_ipos", "add": [-0.02, 0.02]},
    "gear": {"field": "actuator_gear", "scale": [0.8, 1.2], "distribution": "gaussian"},
}


def config(*overrides: str) -> DictConfig:
    return validated(compose(list(overrides)))


def robot(task: str = "hopper", *overrides: str) -> Robot:
    found = configured(config(f"task={task}", "constraint=[]", *overrides))
    assert isinstance(found, Robot)
    return found


def plan(nodes: Mapping[str, Any], strength: Strength = Strength.FULL) -> Plan:
    return plan_of(VariationRule()("variation", dict(nodes)), strength)


def vary(
    nodes: Mapping[str, Any],
    num_envs: int,
    strength: Strength = Strength.FULL,
    *,
    of: Robot | None = None,
    costs: Mapping[str, Cost] | None = None,
    seed: int = 0,
) -> BatchEnvironment:
    return (of or robot()).make_varied(num_envs, costs or {}, seed, 1, plan(nodes, strength))


def actions(environment: BatchEnvironment, steps: int) -> np.ndarray:
    """Actions ``[steps, N, A]``; those of environment i do not depend on N."""
    spec = environment.spec
    randoms = [np.random.default_rng((7, i)) for i in range(spec.num_envs)]
    size = (steps, len(spec.action_low))
    return np.stack([random.uniform(spec.action_low, spec.action_high, size) for random in randoms], axis=1)


def followed(environment: BatchEnvironment, taken: np.ndarray) -> dict[str, np.ndarray]:
    """What happens under actions ``[T, N, A]``, by name, ``[T, N, ...]``; without what only one that varies shows."""
    steps = [environment.step(action) for action in taken]
    told = {
        name: np.stack([getattr(step, name) for step in steps])
        for name in ("reward", "terms", "cost", "terminated", "truncated")
    }
    told |= {
        f"{which}/{group}": np.stack([getattr(step, which)[group] for step in steps])
        for which in ("obs", "next_obs")
        for group in steps[0].obs
    }
    return told | {name: np.stack([step.telemetry[name] for step in steps]) for name in steps[0].telemetry}


def same(left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> bool:
    """Whether all that both tell of is equal to the last bit."""
    shared = [name for name in left if name in right]
    assert "obs/policy" in shared
    assert "reward" in shared
    return all(np.array_equal(left[name], right[name]) for name in shared)
