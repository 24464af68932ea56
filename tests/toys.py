"""Small worlds in which everything is known, and learners to put into them."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgrobot import baselines
from pgrobot.algorithm import Algorithm, Surroundings
from pgrobot.baselines import Baseline, Value
from pgrobot.bodies import Mlp
from pgrobot.collectors import SimulationCollector
from pgrobot.constraints import Constraint, CostColumns, Unconstrained
from pgrobot.critics import Critic, NetworkCritic
from pgrobot.estimators import Estimate, gae
from pgrobot.learner import Learner
from pgrobot.objectives import ClippedRatio, Entropy, Objective
from pgrobot.policies import HeadFactory, NetworkPolicy, Policy
from pgrobot.policies.heads.gaussian import GaussianHead
from pgrobot.posing import columns_of
from pgrobot.randomness import stream
from pgrobot.reduce import ALONE, Reduce
from pgrobot.replay import SampleWeights, UniformWeights
from pgrobot.retrospect import Values, valued
from pgrobot.solvers import Adam, ClipByGlobalNorm, Constant, ExponentialAverage, FirstOrderSolver
from pgrobot.solvers.rates import Rate
from pgrobot.types import (
    Action,
    EnvironmentSpec,
    IntrinsicReward,
    Multiplier,
    Observation,
    ObservationGroup,
    Rollout,
    State,
    Step,
)

# One of every kind of baseline, cross-fitted on few folds.
BASELINES: Mapping[str, Baseline] = {
    "none": baselines.NoBaseline(),
    "value": baselines.Value(),
    "constant": baselines.Constant(folds=4),
    "optimal": baselines.Optimal(folds=2),
    "linear": baselines.Projection("linear", components=2, ridge=0.1, folds=4),
    "quadratic": baselines.Projection("quadratic", components=0, ridge=0.1, folds=2),
}


class TargetWorld:
    """Every step shows a target in [−1, 1]; the reward is minus the squared distance of the action to it.

    Cost ``above``: 1 per step with an action above 0. Episodes last ``length`` steps and are then truncated; one that
    sees a target above ``fatal`` terminates. Actions are bounded by ±2.
    """

    def __init__(
        self, num_envs: int, seed: int, length: int = 8, fatal: float = 2.0, costs: bool = True
    ) -> None:
        names = ("above",) if costs else ()
        self.spec = EnvironmentSpec(
            name="Target",
            num_envs=num_envs,
            observation={"policy": ObservationGroup.numbered("policy", (2,))},
            action_low=np.array([-2.0]),
            action_high=np.array([2.0]),
            actions=Action.unitless("motor"),
            reward_terms=("distance",),
            costs=names,
            violations=dict.fromkeys(names, ("motor",)),
            highest_cost=dict.fromkeys(names, np.inf),
            can_fall=False,
            max_episode_steps=length,
            control_dt=1.0,
        )
        self._fatal = fatal
        self._random = np.random.default_rng(seed)
        self._elapsed = np.zeros(num_envs, np.int64)
        self._target = np.zeros(num_envs)
        self.poison: dict[str, float] = {}  # what to spoil in the next step

    def reset(self) -> Observation:
        self._elapsed[:] = 0
        self._target = self._random.uniform(-1, 1, self.spec.num_envs)
        return self._observe()

    def _observe(self) -> Observation:
        return {"policy": np.stack((self._target, self._elapsed / self.spec.max_episode_steps), axis=1)}

    def step(self, action: np.ndarray) -> Step:
        reward = -((action[:, 0] - self._target) ** 2)
        cost = (action > 0).astype(float)[:, : len(self.spec.costs)]
        self._elapsed += 1
        terminated = self._target > self._fatal
        truncated = (self._elapsed >= self.spec.max_episode_steps) & ~terminated
        self._target = self._random.uniform(-1, 1, self.spec.num_envs)
        next_obs = self._observe()
        done = terminated | truncated
        self._elapsed[done] = 0
        self._target[done] = self._random.uniform(-1, 1, int(done.sum()))
        obs = self._observe()
        if "reward" in self.poison:
            reward[0] = self.poison.pop("reward")
        if "obs" in self.poison:
            obs["policy"][1, 1] = self.poison.pop("obs")
        return Step(
            obs=obs,
            next_obs=next_obs,
            reward=reward,
            terms=reward[:, None],
            cost=cost,
            terminated=terminated,
            truncated=truncated,
            censored=np.zeros_like(done),
            telemetry={"torque": action, **{f"violation/{name}": cost for name in self.spec.costs}},
            failures={},
        )

    def state_dict(self) -> State:
        return {
            "elapsed": torch.from_numpy(self._elapsed.copy()),
            "target": torch.from_numpy(self._target.copy()),
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: State) -> None:
        self._elapsed = state["elapsed"].numpy().copy()
        self._target = state["target"].numpy().copy()
        self._random.bit_generator.state = state["random"]

    def close(self) -> None:
        pass


ABOVE = Constraint(name="above", budget=1.0, unit="episode", limit=4.0)


POLICY = MappingProxyType({"policy": 2})
GAUSSIAN = functools.partial(GaussianHead, log_std=-0.5, log_std_bounds=(-4.0, 1.0))


def numbers(count: int) -> tuple[Action, ...]:
    """The entries of an action that is so many real numbers."""
    return Action.unitless(*(f"action{a}" for a in range(count)))


def make_policy(
    observation: Mapping[str, int] = POLICY,
    actions: int = 1,
    hidden: Sequence[int] = (16,),
    head: HeadFactory = GAUSSIAN,
    seed: int = 0,
    **body: Any,
) -> NetworkPolicy:
    """A policy of a small network; ``body`` are options of its body."""
    network = functools.partial(Mlp, hidden=hidden, activation="tanh", **body)
    return NetworkPolicy(
        observation, numbers(actions), ("policy",), network, head, 10.0, stream(seed, "policy")
    )


def make_critic(
    columns: Sequence[str],
    observation: Mapping[str, int] = POLICY,
    groups: Sequence[str] = ("policy",),
    hidden: Sequence[int] = (16,),
    seed: int = 0,
    **body: Any,
) -> NetworkCritic:
    """A critic of a small network; ``body`` are options of its body."""
    network = functools.partial(Mlp, hidden=hidden, activation="tanh", **body)
    return NetworkCritic(observation, columns, groups, network, 10.0, stream(seed, "critic"))


def values_of(learner: Learner, rollout: Rollout) -> Values:
    with torch.no_grad():
        return valued(learner.critic, rollout, learner._remembered(rollout))


def estimated(learner: Learner, rollout: Rollout, log_ratio: Tensor) -> Estimate:
    return learner.poser.estimate(rollout, values_of(learner, rollout), log_ratio)


def make(
    environment: TargetWorld,
    *,
    seed: int = 0,
    horizon: int = 16,
    multiplier: Multiplier | None = None,
    terms: Mapping[str, Objective] | None = None,
    minibatch: int = 32,
    passes: int = 3,
    memory: int = 1,
    sample_weights: SampleWeights = UniformWeights(),  # noqa: B008, likewise
    rate: float | Rate = 1e-2,
    cores: int = 1,
    target_kl: float = math.inf,
    constraint: Constraint = ABOVE,
    discounts: Mapping[str, float] = MappingProxyType({"reward": 0.9, "cost": 0.9, "bonus": 0.9}),
    intrinsic: Sequence[IntrinsicReward] = (),
    baseline: Baseline = Value(),  # noqa: B008, frozen and empty
    normalisation: str = "standardised",
    state_discount: bool = False,
    decay: float = 0.0,
    iterations: int = 100,
    policy: Policy | None = None,
    critic: Critic | None = None,
    reduce: Reduce = ALONE,
    critic_warmup: int = 0,
) -> tuple[SimulationCollector, Learner]:
    """A collector and a learner of PPO in that world."""
    spec = environment.spec
    constraints = (constraint,) if spec.costs else ()
    columns = columns_of(constraints, intrinsic)
    policy, critic = policy or make_policy(seed=seed), critic or make_critic(columns, seed=seed)
    collector = SimulationCollector(
        environment, policy, CostColumns(constraints, spec.num_envs), horizon, stream(seed, "noise"), "robot"
    )

    def solver(metric: str) -> functools.partial[FirstOrderSolver]:
        return functools.partial(
            FirstOrderSolver,
            chain={"clip": ClipByGlobalNorm(0.5), "optimizer": Adam(0.9, 0.999, 1e-8)},
            rate=Constant(rate) if isinstance(rate, float) else rate,
            minibatch=minibatch,
            epochs=1,
            target_kl=target_kl,
            gradient_metric=metric,
            compile_steps=False,
        )

    learner = Learner(
        policy=policy,
        critic=critic,
        intrinsic=intrinsic,
        constraints=constraints,
        multiplier=multiplier or Unconstrained(constraints, columns),
        algorithm=Algorithm(
            name="ppo",
            estimator=functools.partial(gae, lam=0.95),
            baseline=baseline,
            normalisation=normalisation,
            state_discount=state_discount,
            objective=terms or {"surrogate": ClippedRatio(1.0, 0.2), "entropy": Entropy(0.0)},
            average=ExponentialAverage(decay),
            discounts=discounts,
            passes=passes,
            memory=memory,
            sample_weights=sample_weights,
            policy_solver=solver("gradient/policy_norm"),
            critic_solver=solver("gradient/critic_norm"),
        ),
        surroundings=Surroundings(
            iterations=iterations,
            max_episode_steps=spec.max_episode_steps,
            streams={"policy": stream(seed, "policy_shuffle"), "critic": stream(seed, "critic_shuffle")},
            cores=cores,
            reduce=reduce,
            critic_warmup=critic_warmup,
        ),
    )
    return collector, learner
