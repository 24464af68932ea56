"""Evaluating a frozen policy of a run: environments, episodes and random streams of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig

from pgrobot.acting import Actor, drawn, undrawn
from pgrobot.action_map import ActionMap
from pgrobot.assembly import TaskMaker, build_environment, judging
from pgrobot.episodes import Act, Episodes, Watch, evaluate, summary
from pgrobot.policies import Acting
from pgrobot.randomness import component_seed, stream
from pgrobot.schemes import build_constraints
from pgrobot.types import EnvironmentSpec

# Episodes of an evaluation run side by side, one per environment as long as there are no more than this.
MOST_ENVIRONMENTS = 128
STOCHASTIC, DETERMINISTIC = "stochastic", "deterministic"  # drawn actions, or what they are drawn around


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How to evaluate.

    Attributes:
        episodes: how many.
        purpose: names the random streams: ``selection`` chooses the best policy and ``final`` judges it, on other
            episodes, so that the choice does not flatter the verdict.
        mode: ``stochastic`` as trained, or ``deterministic``: the mean action, or the most likely of choices.
        confidence: of the bounds.
        bound: how the bounds on a mean are found.
        seed: of all streams.
        threads: physics threads; 0: one per physical core.
    """

    episodes: int
    purpose: str
    mode: str
    confidence: float
    bound: str
    seed: int
    threads: int


def evaluation(
    cfg: DictConfig, task: TaskMaker, policy: Acting, plan: EvaluationPlan, watch: Sequence[Watch] = ()
) -> dict[str, Any]:
    """Evaluate a policy in a task; the same plan gives the same numbers, whoever watches.

    Returns:
        What ``pgrobot.episodes.summary`` states.

    Raises:
        PgrobotError: the plan is out of range.
    """
    episodes = run_episodes(cfg, task, policy, plan, watch)
    return summary(episodes, build_constraints(cfg), plan.confidence, plan.bound)


def run_episodes(
    cfg: DictConfig, task: TaskMaker, policy: Acting, plan: EvaluationPlan, watch: Sequence[Watch] = ()
) -> Episodes:
    """Run whole episodes of a policy in environments of their own."""

    def acting(spec: EnvironmentSpec) -> Act:
        return actor(policy, spec, plan.mode, stream(plan.seed, f"{plan.purpose}/action_noise"))

    with at_rest(policy):
        return run_acting(cfg, task, acting, plan, watch)


def run_acting(
    cfg: DictConfig,
    task: TaskMaker,
    acting: Callable[[EnvironmentSpec], Act],
    plan: EvaluationPlan,
    watch: Sequence[Watch] = (),
) -> Episodes:
    """Run whole episodes of whoever acts in environments of their own, the same ones for all."""
    seed = component_seed(plan.seed, f"{plan.purpose}/environment")
    count = side_by_side(cfg, plan.episodes)
    environment = build_environment(cfg, count, seed, plan.threads, task, judging(cfg))
    try:
        act = acting(environment.spec)
        return evaluate(act, environment, plan.episodes, cfg.algorithm.discounts.cost, watch)
    finally:
        environment.close()


def side_by_side(cfg: DictConfig, episodes: int) -> int:
    """In how many environments an evaluation runs so many episodes."""
    return min(episodes, int(cfg.evaluation.num_envs) or MOST_ENVIRONMENTS)


@contextmanager
def at_rest(policy: Acting) -> Iterator[None]:
    """Put a policy in ``eval()`` mode, in which parts such as dropout do nothing, and afterwards back as it was."""
    modes = {module: module.training for module in policy.modules()}
    policy.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def actor(policy: Acting, spec: EnvironmentSpec, mode: str, generator: torch.Generator) -> Act:
    """Make a policy act on observations as an environment gives them, in action-space units; its carry starts empty."""
    acting = Actor(policy, spec.observation, ActionMap.of(spec), spec.num_envs)
    draw = undrawn if mode == DETERMINISTIC else drawn(generator)
    return lambda obs, start: acting(obs, start, draw)


def as_metrics(told: Mapping[str, Any]) -> dict[str, float]:
    """An evaluation as metrics of the iteration that it looked at."""
    metrics = {"evaluation/return/mean": told["return"]["mean"]}
    for name, cost in told["costs"].items():
        metrics |= {f"evaluation/cost/{name}/{key}": cost[key] for key in ("mean", "upper", "budget")}
    return metrics
