"""From a checked config to the objects that train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from omegaconf import DictConfig

from pgrobot.answers import check_diagnostic
from pgrobot.bodies.trial import check_repeatable
from pgrobot.checkpoint import plain
from pgrobot.collectors import StaggeredEnvironment
from pgrobot.constraints import check_bound
from pgrobot.diagnostics import Accounting, DrawnVariation, EpisodeStatistics
from pgrobot.errors import PgrobotError
from pgrobot.guard import GuardedLearner
from pgrobot.learner import Learner
from pgrobot.policies import Acting, Policy
from pgrobot.randomness import component_seed
from pgrobot.schemes import Blueprint, build_constraints, cast, iterations, policies_of
from pgrobot.simulation import NO_MODEL, Introduced, ModelFiles, Modelled, Task, Variable
from pgrobot.simulation.contract import check_environment
from pgrobot.simulation.variation import Strength, plan_of
from pgrobot.simulation.wrappers import wrapped
from pgrobot.targets import check_trusted, construct
from pgrobot.transfer import ANEW, Beginning, initialise
from pgrobot.types import Collector, Diagnostic, Environment, EnvironmentSpec

ACCOUNTING = "accounting"  # the name of what training spent, among the diagnostics

TaskMaker = Callable[[DictConfig], Task]  # of a config as ``validated`` returns it


def configured(cfg: DictConfig) -> Task:
    """The task that a config names.

    Raises:
        PgrobotError: it is not trusted, refuses its options, or is no task.
    """
    module, _, _ = str(cfg.task.get("id", "")).rpartition(":")
    if module:  # Gymnasium imports it
        check_trusted("task.id", module, list(cfg.modules))
    task: Task = construct(cfg, "task")
    if not callable(getattr(task, "make", None)):
        raise PgrobotError(
            f"task._target_={cfg.task._target_} is no task: it has no method make(num_envs, costs, seed, threads)"
        )
    return task


@dataclass(frozen=True, slots=True)
class Source:
    """Where the environments of a run come from.

    Attributes:
        training: the task that is trained in.
        evaluation: the task of evaluations, as a rule the same.
        note: what the manifest says of them; empty where the config says everything.
    """

    training: TaskMaker
    evaluation: TaskMaker
    note: Mapping[str, Any]


CONFIGURED = Source(configured, configured, {})


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything the loop needs, not yet started."""

    environment: Environment
    collector: Collector
    learners: Mapping[str, GuardedLearner]
    acting: str  # the learner that is shown first
    policies: Mapping[str, Policy]  # of the learners
    policy: Acting  # who is evaluated: one of them, or several put together
    diagnostics: Mapping[str, Diagnostic]
    iterations: int
    steps_per_iteration: int  # environment steps
    beginning: Beginning  # what of another run it begins as


def build(cfg: DictConfig, threads: int, task: TaskMaker = configured) -> Assembly:
    """Build a run.

    Args:
        cfg: as ``validated`` returns it.
        threads: physics threads and cores of the update; 0: the physical cores.
        task: what is trained in.

    Raises:
        PgrobotError: the task cannot provide a cost, or says too little of it for the bound that shall judge it, or
            a part refuses its values.
    """
    return assemble(cfg, training_environment(cfg, threads, task), threads, anew=True)


def training_environment(cfg: DictConfig, threads: int, task: TaskMaker) -> Environment:
    """The environments that a run is trained in; arguments and errors as of ``build``."""
    seed = component_seed(cfg.seed, "environment")
    return staggered(cfg, build_environment(cfg, cfg.num_envs, seed, threads, task))


def assemble(cfg: DictConfig, environment: Environment, threads: int, *, anew: bool) -> Assembly:
    """``build`` in environments that are there already; ``anew``: whether the run begins."""
    spec = environment.spec
    check_bound(build_constraints(cfg), spec.highest_cost, cfg.evaluation.bound)
    scheme, learners = cast(cfg, spec, threads, anew=anew)
    beginning = initialise(cfg, spec, learners) if anew else ANEW
    for learner in learners.values():
        check_repeatable("policy", learner.policy)
        check_repeatable("critic", learner.critic)
        learner.problem.ready()
    policies = policies_of(learners)
    collector = scheme.collector(Blueprint(cfg, spec, threads), environment, learners)
    _check_collector(cfg, collector)
    _check_savable(collector)
    return Assembly(
        environment=environment,
        collector=collector,
        learners={name: GuardedLearner(learner) for name, learner in learners.items()},
        acting=scheme.acting,
        policies=policies,
        policy=scheme.policy(policies),
        diagnostics=_diagnostics(cfg, spec),
        iterations=iterations(cfg, cfg.total_steps),
        steps_per_iteration=cfg.num_envs * cfg.horizon,
        beginning=beginning,
    )


def _diagnostics(cfg: DictConfig, spec: EnvironmentSpec) -> dict[str, Diagnostic]:
    """What looks at the run, by name; those that have to know the environment are told."""
    told = {"spec": spec, "iterations": iterations(cfg, cfg.total_steps)}
    made = construct(cfg, "diagnostics")
    chosen = {name: part(**told) if isinstance(part, partial) else part for name, part in made.items()}
    for part in chosen.values():
        check_diagnostic(part)
    drawn = {"variation": DrawnVariation()} if cfg.variation else {}
    accounting = Accounting(build_constraints(cfg), float(cfg.algorithm.discounts.cost))
    spent = {ACCOUNTING: accounting} if cfg.constraint else {}
    return {"episodes": EpisodeStatistics(spec), **spent, **drawn, **chosen}


def build_learners(cfg: DictConfig, spec: EnvironmentSpec, threads: int) -> dict[str, Learner]:
    """The learners of a run by name, as they are before training; ``threads`` as of ``build``.

    Raises:
        PgrobotError: a part refuses its values.
    """
    return cast(cfg, spec, threads)[1]


def build_policy(cfg: DictConfig, spec: EnvironmentSpec) -> Policy:
    """A policy as it is before training."""
    return Blueprint(cfg, spec, 1).policy()


def planned_steps(cfg: DictConfig) -> int:
    """Environment steps that a run takes, whole iterations of them."""
    return iterations(cfg, cfg.total_steps) * int(cfg.num_envs * cfg.horizon)


def _check_collector(cfg: DictConfig, collector: Any) -> None:
    """Refuse what a scheme made that is no collector."""
    for word in ("failures", "ended", "collect", "restart", "state_dict", "load_state_dict"):
        if not hasattr(collector, word):
            raise PgrobotError(
                f"scheme._target_={cfg.scheme._target_} makes a {type(collector).__name__} of a collector, which has "
                f"no {word!r}: see pgrobot.types.Collector"
            )


def _check_savable(collector: Collector) -> None:
    """Refuse an environment or a cost whose state no checkpoint could hold, before anything depends on it."""
    try:
        plain(collector.state_dict(), "collector")
    except TypeError as error:
        raise PgrobotError(
            f"{error}: a state_dict consists of tensors, numbers, texts, lists and dicts"
        ) from error


def build_environment(
    cfg: DictConfig,
    num_envs: int,
    seed: int,
    threads: int,
    task: TaskMaker = configured,
    strength: Strength = Strength.SCHEDULED,
) -> Environment:
    """``num_envs`` environments of the task with the costs of its constraints, in the wrappers of the config.

    Args:
        cfg: as ``validated`` returns it.
        num_envs: how many.
        seed: of their random streams.
        threads: physics threads; 0: one per physical core.
        task: whose environments they are.
        strength: how much of what the config lets vary does so; only in training it is scheduled.

    Raises:
        PgrobotError: the task cannot provide a cost, or vary what shall vary, or the task or a wrapper makes something
            else.
    """
    costs = {str(name): construct(cfg, f"constraint.{name}.cost") for name in cfg.constraint}
    plan = plan_of(cfg.variation, strength)
    chosen = task(cfg)
    if not plan.names:
        made = chosen.make(num_envs, costs, seed, threads)
    elif isinstance(chosen, Variable):
        made = chosen.make_varied(num_envs, costs, seed, threads, plan)
    else:
        raise PgrobotError(
            f"variation.{plan.names[0]} needs a robot whose model pgrobot simulates itself, and "
            f"{cfg.task._target_} makes environments of its own: leave it out with variation=[]"
        )
    made = check_environment(f"{cfg.task._target_}.make", made)
    told = {
        "constraints": build_constraints(cfg),
        "cost_discount": float(cfg.algorithm.discounts.cost),
        "training": strength is Strength.SCHEDULED,
        "annealing_steps": iterations(cfg, cfg.annealing_steps) * cfg.num_envs * cfg.horizon,
    }
    return wrapped(made, construct(cfg, "wrapper"), seed, told)


def judging(cfg: DictConfig) -> Strength:
    """How much varies where a policy is judged."""
    return Strength.FULL if cfg.evaluation.variation else Strength.NOMINAL


def model_files(cfg: DictConfig) -> ModelFiles:
    """The files of the task's model; none where it has no MJCF file of its own.

    Raises:
        PgrobotError: there is no such file, or it cannot be compiled or copied.
    """
    task = construct(cfg, "task")
    return task.model_files() if isinstance(task, Modelled) else NO_MODEL


def introduction(cfg: DictConfig) -> Sequence[tuple[str, str]]:
    """What the task says of itself, a word and a sentence each; nothing where all of it stands in the config."""
    task = construct(cfg, "task")
    return task.introduction() if isinstance(task, Introduced) else ()


def staggered(cfg: DictConfig, environment: Environment) -> Environment:
    """The environment as it is trained in: with ages that are spread, unless every rollout shows all of them.

    Raises:
        PgrobotError: it cannot begin single episodes anew.
    """
    if cfg.num_envs == 1 or cfg.horizon >= environment.spec.max_episode_steps:
        return environment
    return StaggeredEnvironment(environment, np.random.default_rng(component_seed(cfg.seed, "stagger")))
