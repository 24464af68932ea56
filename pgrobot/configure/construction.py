"""From a checked config to the objects that train: the only place where a ``_target_`` is called."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from pgrobot.algorithm import Algorithm, Surroundings
from pgrobot.checkpoint import plain
from pgrobot.collectors import SimulationCollector, StaggeredEnvironment
from pgrobot.configure.factories import (
    CriticFactory,
    IntrinsicRewardFactory,
    MultiplierFactory,
    PolicyFactory,
)
from pgrobot.configure.targets import check_trusted, locate
from pgrobot.constraints import Constraint, CostColumns, check_bound
from pgrobot.diagnostics import EpisodeStatistics
from pgrobot.errors import PgrobotError
from pgrobot.guard import GuardedLearner
from pgrobot.learner import Learner
from pgrobot.policies import Policy
from pgrobot.posing import columns_of
from pgrobot.randomness import component_seed, stream
from pgrobot.reduce import ALONE
from pgrobot.simulation import NO_MODEL, ModelFiles, Modelled
from pgrobot.simulation.contract import check_environment
from pgrobot.simulation.threads import physical_cores
from pgrobot.tracking import Mirror
from pgrobot.types import Diagnostic, Environment, EnvironmentSpec

LEARNER = "robot"


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything the loop needs, not yet started."""

    environment: Environment
    collector: SimulationCollector
    learners: Mapping[str, GuardedLearner]
    policy: Policy  # the one that is evaluated
    diagnostics: Mapping[str, Diagnostic]
    iterations: int
    steps_per_iteration: int  # environment steps


def build(cfg: DictConfig, threads: int) -> Assembly:
    """Build a run.

    Args:
        cfg: as ``validated`` returns it.
        threads: physics threads and cores of the update; 0: the physical cores.

    Raises:
        PgrobotError: the task cannot provide a cost, or says too little of it for the bound that shall judge it, or
            a part refuses its values.
    """
    constraints = build_constraints(cfg)
    environment = staggered(
        cfg, build_environment(cfg, cfg.num_envs, component_seed(cfg.seed, "environment"), threads)
    )
    spec = environment.spec
    check_bound(constraints, spec.highest_cost, cfg.evaluation.bound)
    policy = build_policy(cfg, spec)
    collector = SimulationCollector(
        environment=environment,
        policy=policy,
        cost_columns=CostColumns(constraints, cfg.num_envs),
        horizon=cfg.horizon,
        generator=stream(cfg.seed, "action_noise"),
        learner=LEARNER,
    )
    _check_savable(collector)
    learner = build_learner(cfg, spec, policy, threads)
    rows = cfg.num_envs * cfg.horizon
    return Assembly(
        environment=environment,
        collector=collector,
        learners={LEARNER: GuardedLearner(learner)},
        policy=policy,
        diagnostics={"episodes": EpisodeStatistics(spec), **construct(cfg, "diagnostics")},
        iterations=_iterations(cfg, cfg.total_steps),
        steps_per_iteration=rows,
    )


def build_learner(cfg: DictConfig, spec: EnvironmentSpec, policy: Policy, threads: int) -> Learner:
    """The learner of a policy, as it is before training; ``threads`` as of ``build``.

    Raises:
        PgrobotError: a part refuses its values.
    """
    constraints = build_constraints(cfg)
    make_intrinsic: dict[str, IntrinsicRewardFactory] = construct(cfg, "intrinsic")
    make_critic: CriticFactory = construct(cfg, "critic")
    make_multiplier: MultiplierFactory = construct(cfg, "multiplier")
    intrinsic = [
        make(
            observation=spec.widths,
            actions=len(spec.actuators),
            generator=stream(cfg.seed, f"intrinsic/{name}"),
        )
        for name, make in make_intrinsic.items()
    ]
    columns = columns_of(constraints, intrinsic)
    return Learner(
        policy=policy,
        critic=make_critic(observation=spec.widths, columns=columns, generator=stream(cfg.seed, "critic")),
        intrinsic=intrinsic,
        constraints=constraints,
        multiplier=make_multiplier(constraints=constraints, columns=columns),
        algorithm=Algorithm(**construct(cfg, "algorithm")),
        surroundings=Surroundings(
            iterations=_iterations(cfg, cfg.annealing_steps),
            max_episode_steps=spec.max_episode_steps,
            streams={name: stream(cfg.seed, f"{name}_shuffle") for name in ("policy", "critic")},
            cores=threads or physical_cores(),
            reduce=ALONE,
        ),
    )


def planned_steps(cfg: DictConfig) -> int:
    """Environment steps that a run takes, whole iterations of them."""
    return _iterations(cfg, cfg.total_steps) * int(cfg.num_envs * cfg.horizon)


def _check_savable(collector: SimulationCollector) -> None:
    """Refuse an environment or a cost whose state no checkpoint could hold, before anything depends on it."""
    try:
        plain(collector.state_dict(), "collector")
    except TypeError as error:
        raise PgrobotError(
            f"{error}: a state_dict consists of tensors, numbers, texts, lists and dicts"
        ) from error


def _iterations(cfg: DictConfig, steps: int) -> int:
    return math.ceil(steps / (cfg.num_envs * cfg.horizon))


def build_constraints(cfg: DictConfig) -> tuple[Constraint, ...]:
    """The budgets, in the order of the cost columns."""
    return tuple(Constraint(str(name), c.budget, c.unit, c.limit) for name, c in cfg.constraint.items())


def build_environment(cfg: DictConfig, num_envs: int, seed: int, threads: int) -> Environment:
    """``num_envs`` environments of the task with the costs of its constraints.

    Raises:
        PgrobotError: the task cannot provide a cost, or makes something else.
    """
    module, _, _ = str(cfg.task.get("id", "")).rpartition(":")
    if module:  # Gymnasium imports it
        check_trusted("task.id", module, list(cfg.modules))
    costs = {str(name): construct(cfg, f"constraint.{name}.cost") for name in cfg.constraint}
    task = construct(cfg, "task")
    if not callable(getattr(task, "make", None)):
        raise PgrobotError(
            f"task._target_={cfg.task._target_} is no task: it has no method make(num_envs, costs, seed, threads)"
        )
    return check_environment(f"{cfg.task._target_}.make", task.make(num_envs, costs, seed, threads))


def model_files(cfg: DictConfig) -> ModelFiles:
    """The files of the task's model; none where it has no MJCF file of its own.

    Raises:
        PgrobotError: there is no such file, or it cannot be compiled or copied.
    """
    task = construct(cfg, "task")
    return task.model_files() if isinstance(task, Modelled) else NO_MODEL


def staggered(cfg: DictConfig, environment: Environment) -> Environment:
    """The environment as it is trained in: with ages that are spread, unless every rollout shows all of them.

    Raises:
        PgrobotError: it cannot begin single episodes anew.
    """
    if cfg.num_envs == 1 or cfg.horizon >= environment.spec.max_episode_steps:
        return environment
    return StaggeredEnvironment(environment, np.random.default_rng(component_seed(cfg.seed, "stagger")))


def build_policy(cfg: DictConfig, spec: EnvironmentSpec) -> Policy:
    """The policy as it is before training."""
    make: PolicyFactory = construct(cfg, "policy")
    return make(observation=spec.widths, actions=spec.real_actions, generator=stream(cfg.seed, "policy"))


def build_mirrors(cfg: DictConfig) -> dict[str, Mirror]:
    """The trackers that mirror the metrics, by name."""
    return dict(construct(cfg, "tracker"))


def construct(cfg: DictConfig, path: str) -> Any:
    """Call every ``_target_`` at and below the key ``path``, inner ones first; ``_partial_`` ones stay uncalled.

    Raises:
        PgrobotError: a target is not trusted, or refuses its arguments.
    """
    return _construct(OmegaConf.to_container(OmegaConf.select(cfg, path)), path, list(cfg.modules))


def _construct(node: Any, path: str, modules: Sequence[str]) -> Any:
    if isinstance(node, list):
        return [_construct(child, f"{path}.{index}", modules) for index, child in enumerate(node)]
    if not isinstance(node, dict):
        return node
    arguments = {
        key: _construct(child, f"{path}.{key}", modules)
        for key, child in node.items()
        if key not in ("_target_", "_partial_")
    }
    if "_target_" not in node:
        return arguments
    target: Callable[..., Any] = locate(path, node["_target_"], modules)
    return partial(target, **arguments) if node.get("_partial_", False) else target(**arguments)
