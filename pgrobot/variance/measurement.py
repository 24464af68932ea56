"""``pgrobot variance``: a checkpoint, rollouts, gradients, and what they say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from pgrobot.assembly import build_environment
from pgrobot.blame import blaming
from pgrobot.concurrency import one_torch_thread
from pgrobot.errors import PgrobotError
from pgrobot.files import write_json
from pgrobot.learner import Learner
from pgrobot.named_run import checkpoint_of
from pgrobot.policies import Policy
from pgrobot.randomness import component_seed, stream
from pgrobot.run import checked, fitting, load_checkpoint, saved_config, with_own_model
from pgrobot.schemes import build_constraints, cast, policies_of
from pgrobot.sequences import check_sequences
from pgrobot.types import Environment
from pgrobot.variance.baselines import REFERENCES, catalogue, each, refitted
from pgrobot.variance.experience import Experience, collect
from pgrobot.variance.gradients import advantages, gradients
from pgrobot.variance.statistics import biases, variance, variance_ratio

FILE = "variance.json"
FEWEST = 4  # rollouts: a test of a mean needs two, and half of them choose its direction


@dataclass(frozen=True, slots=True)
class MeasurementPlan:
    """How to measure.

    Attributes:
        checkpoint: ``best``, ``last``, ``step_<n>``, or the path of one.
        rollouts: how many, independent of each other.
        horizon: steps per environment and rollout; 0: the run's.
        warmup: most steps that pass before a rollout; -1: the time limit.
        seed: of everything that is drawn.
        confidence: of the intervals.
        level: how often, at most, something is called biased when nothing is.
    """

    checkpoint: str
    rollouts: int
    horizon: int
    warmup: int
    seed: int
    confidence: float
    level: float


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy of a run with its learner, as its checkpoint left them, and environments of their own."""

    cfg: DictConfig
    environment: Environment
    policy: Policy
    learner: Learner
    step: int  # of training


def measure(
    run: Path, modules: Sequence[str], plan: MeasurementPlan, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Measure what baselines do to the policy gradient of a run, and write ``variance.json`` beside its other files.

    Args:
        run: a run directory.
        modules: the user's own that the run's config may name.
        plan: how.
        progress: told what goes on.

    Returns:
        What the file holds.

    Raises:
        PgrobotError: no such run or checkpoint, or it does not fit its config; a value out of range; the directory
            cannot be written. Nothing was collected then.
        FailureError: a simulation broke.
    """
    check(plan)
    checkpoint_of(run, plan.checkpoint)
    if not os.access(run, os.W_OK):
        raise PgrobotError(f"{run} cannot be written, and {FILE} belongs there")
    with blaming(modules), one_torch_thread(), opened(run, modules, plan) as subject:
        found = measured(subject, plan, progress)
    write_json(run / FILE, found)
    return found


def check(plan: MeasurementPlan) -> None:
    """Refuse what cannot be measured.

    Raises:
        PgrobotError: names the first value that is out of range.
    """
    if plan.rollouts < FEWEST:
        raise PgrobotError(f"--rollouts {plan.rollouts} are too few to tell a variance: at least {FEWEST}")
    if plan.horizon < 0:
        raise PgrobotError(f"--horizon must be a whole number of at least 1, not {plan.horizon}")
    if plan.warmup < -1:
        raise PgrobotError(f"--warmup must be a whole number of at least 0, not {plan.warmup}")
    if plan.seed < 0:
        raise PgrobotError(f"--seed must be a whole number of at least 0, not {plan.seed}")
    for name in ("confidence", "level"):
        value = getattr(plan, name)
        if not 0.0 < value < 1.0:
            raise PgrobotError(f"--{name} must be a number between 0 and 1, not {value:g}")


@contextmanager
def opened(run: Path, modules: Sequence[str], plan: MeasurementPlan) -> Iterator[Subject]:
    """Build a run's policy and learner, load the checkpoint, and open environments with a seed of their own.

    Raises:
        PgrobotError: there is no such run or checkpoint, or it does not fit the run's config.
    """
    path = checkpoint_of(run, plan.checkpoint)
    cfg = saved_config(run)
    cfg.modules = list(modules)
    cfg = with_own_model(checked(cfg, run, cfg), run)
    state = load_checkpoint(path)
    seed = component_seed(plan.seed, "variance/environment")
    environment = build_environment(cfg, cfg.num_envs, seed, cfg.threads)
    try:
        scheme, learners = cast(cfg, environment.spec, 1)
        if scheme.policy(policies_of(learners)) is not learners[scheme.acting].policy:
            raise PgrobotError(
                f"pgrobot variance measures one policy that acts, and in {run} several policies act together"
            )
        with fitting(path, run):
            learner = learners[state["acting"]]
            learner.load_state_dict(state["learners"][state["acting"]])
            step = int(state["global_step"])
        yield Subject(cfg, environment, learner.policy, learner, step)
    finally:
        environment.close()


def measured(subject: Subject, plan: MeasurementPlan, progress: Callable[[str], None]) -> dict[str, Any]:
    """Collect, differentiate and compare; the same plan gives the same numbers."""
    cfg, spec = subject.cfg, subject.environment.spec
    asked = Experience(
        rollouts=plan.rollouts,
        horizon=plan.horizon or cfg.horizon,
        warmup=spec.max_episode_steps if plan.warmup < 0 else plan.warmup,
        seed=plan.seed,
    )
    if subject.learner.critic.carry_size:
        raise PgrobotError(
            "pgrobot variance refits critics row by row, and this run's remembers from step to step"
        )
    check_sequences(asked.horizon, {"policy": subject.policy})
    baselines = each(catalogue(cfg), asked.rollouts)
    told = lambda what: lambda done: progress(f"{what} {done} of {asked.rollouts} rollouts")
    rollouts = collect(subject.environment, subject.policy, build_constraints(cfg), asked, told("Collected"))
    progress("Refitting the critic")
    known = [advantages(subject.learner, rollout) for rollout in rollouts]
    baselines |= refitted(cfg, spec, rollouts, known, subject.policy.shows, plan.seed)
    found = gradients(subject.learner, rollouts, baselines, told("Gradients of"))
    return {
        "checkpoint": plan.checkpoint,
        "global_step": subject.step,
        "rollouts": asked.rollouts,
        "num_envs": spec.num_envs,
        "horizon": asked.horizon,
        "warmup": asked.warmup,
        "seed": asked.seed,
        "confidence": plan.confidence,
        "level": plan.level,
        "baselines": compared(found, plan),
    }


def compared(found: Mapping[str, Tensor], plan: MeasurementPlan) -> dict[str, Any]:
    """Variance, ratios to the references and the test for bias of every baseline, by name.

    Args:
        found: gradients ``[K, P]`` by name.
        plan: the levels, and the seed of the random directions.
    """
    tested = biases(found, REFERENCES, plan.confidence, stream(plan.seed, "variance/directions"))
    told: dict[str, Any] = {}
    for name, gradient in found.items():
        told[name] = {
            "variance": variance(gradient),
            "ratio": {
                other: asdict(variance_ratio(gradient, found[other], plan.confidence)) for other in REFERENCES
            },
        }
        if name in tested:
            bias = tested[name]
            told[name]["bias"] = {**asdict(bias), "biased": bias.p_value < plan.level}
    return told
