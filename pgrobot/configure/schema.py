"""What the config of a run consists of: the keys of ``conf/train.yaml`` that belong to no part, and where parts stand.

A part's own keys are those of the class or function that it names; see ``pgrobot.configure.parts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pgrobot.baselines import NORMALISATIONS
from pgrobot.constraints import BOUNDS, UNITS
from pgrobot.errors import shown
from pgrobot.estimators import Estimator
from pgrobot.factories import (
    CriticFactory,
    EnvironmentWrapper,
    IntrinsicRewardFactory,
    MultiplierFactory,
    PolicyFactory,
)
from pgrobot.ranges import Built, CalledBy, Keys, Range, at_least, between, inside, list_of, one_of, text
from pgrobot.solvers import SolverFactory

Part = Annotated[Any, Built("_target_")]

cpu = Range(
    lambda value: value == "cpu",
    str,
    lambda value: f"cannot be {shown(value)}: valid: cpu, where networks of this size are fastest",
)


@dataclass(frozen=True)
class CheckpointConfig:
    """When a run is saved."""

    every: Annotated[int, at_least(1)]


@dataclass(frozen=True)
class EvaluationConfig:
    """How a policy is judged."""

    episodes: Annotated[int, at_least(2)]
    final_episodes: Annotated[int, at_least(2)]
    every: Annotated[int, at_least(1)]
    num_envs: Annotated[int, at_least(0)]
    alone: bool
    mode: Literal["stochastic", "deterministic"]
    confidence: Annotated[float, inside(0.0, 1.0)]
    bound: Annotated[str, one_of(*BOUNDS)]
    seed: Annotated[int, at_least(0)]


@dataclass(frozen=True)
class ConstraintConfig:
    """A cost and its budget."""

    named: ClassVar[str] = "a constraint"

    cost: Part
    budget: Annotated[float, at_least(0.0)]
    unit: Annotated[str, one_of(*UNITS)]
    limit: Annotated[float, at_least(0.0)]


@dataclass(frozen=True)
class DiscountsConfig:
    """γ by kind of column."""

    reward: Annotated[float, between(0.0, 1.0)]
    cost: Annotated[float, between(0.0, 1.0)]
    bonus: Annotated[float, between(0.0, 1.0)]


@dataclass(frozen=True)
class AlgorithmConfig:
    """How a policy and its critic learn."""

    name: str
    estimator: Annotated[Any, Built("lam"), CalledBy(Estimator)]
    baseline: Part
    normalisation: Annotated[str, one_of(*NORMALISATIONS)]
    state_discount: bool
    objective: Annotated[Mapping[str, Annotated[Any, Built("weight")]], Keys("surrogate")]
    average: Annotated[Any, Built("decay")]
    discounts: DiscountsConfig
    passes: Annotated[int, at_least(1)]
    policy_solver: Annotated[Any, Built("rate"), CalledBy(SolverFactory)]
    critic_solver: Annotated[Any, Built("rate"), CalledBy(SolverFactory)]


@dataclass(frozen=True)
class RunConfig:
    """One run."""

    seed: Annotated[int, at_least(0)]
    total_steps: Annotated[int, at_least(1)]
    annealing_steps: Annotated[int, at_least(1)]
    num_envs: Annotated[int, at_least(1)]
    horizon: Annotated[int, at_least(1)]
    threads: Annotated[int, at_least(0)]
    device: Annotated[str, cpu]
    compile: bool
    resume: Annotated[str, text("a run directory")]
    resume_fresh: bool
    modules: Annotated[
        list[str], list_of(text("the name of a module"), "a list of modules, such as [my_robots]")
    ]
    checkpoint: CheckpointConfig
    evaluation: EvaluationConfig
    task: Part
    wrapper: Annotated[Mapping[str, Annotated[Part, CalledBy(EnvironmentWrapper)]], Keys("noise")]
    constraint: Mapping[str, ConstraintConfig]
    intrinsic: Annotated[Mapping[str, Annotated[Part, CalledBy(IntrinsicRewardFactory)]], Keys("curiosity")]
    scheme: Part
    multiplier: Annotated[Part, CalledBy(MultiplierFactory)]
    policy: Annotated[Part, CalledBy(PolicyFactory)]
    critic: Annotated[Part, CalledBy(CriticFactory)]
    algorithm: AlgorithmConfig
    tracker: Mapping[str, Part]
    diagnostics: Annotated[Mapping[str, Part], Keys("gradients")]
