"""What the config of a run consists of: the keys of ``conf/train.yaml`` that belong to no part, and where parts stand.

A part's own keys are the parameters of the class or function that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pgrobot.algorithm import Algorithm
from pgrobot.constraints import BOUNDS, UNITS, TighteningRule
from pgrobot.errors import shown
from pgrobot.factories import (
    CriticFactory,
    DiagnosticFactory,
    EnvironmentWrapper,
    IntrinsicRewardFactory,
    MultiplierFactory,
    PolicyFactory,
)
from pgrobot.film.length import LONGEST, SHORTEST
from pgrobot.initialisation import Initialisation
from pgrobot.ranges import Built, Called, Keys, Range, at_least, inside, is_number, list_of, one_of, text
from pgrobot.simulation.variation import VariationRule

Part = Annotated[Any, Built("_target_")]

cpu = Range(
    lambda value: value == "cpu",
    str,
    lambda value: f"cannot be {shown(value)}: valid: cpu, where networks of this size are fastest",
)
film_length = Range(
    lambda value: is_number(value) and (value == 0.0 or SHORTEST <= value <= LONGEST),
    float,
    lambda value: (
        f"is a film of so many seconds, at most {LONGEST:g}, or 0 for none, and cannot be {shown(value)}"
    ),
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
    pictures: bool
    variation: bool
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
    schedule: Annotated[Any, TighteningRule("initial")] = None


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
    film: Annotated[float, film_length]
    report: bool
    modules: Annotated[
        list[str], list_of(text("the name of a module"), "a list of modules, such as [my_robots]")
    ]
    initialise: Initialisation
    checkpoint: CheckpointConfig
    evaluation: EvaluationConfig
    task: Part
    variation: Annotated[dict[str, Any], VariationRule()]
    wrapper: Annotated[Mapping[str, Annotated[Any, Called("_target_", EnvironmentWrapper)]], Keys("noise")]
    constraint: Mapping[str, ConstraintConfig]
    intrinsic: Annotated[
        Mapping[str, Annotated[Any, Called("_target_", IntrinsicRewardFactory)]], Keys("curiosity")
    ]
    scheme: Part
    multiplier: Annotated[Any, Called("_target_", MultiplierFactory)]
    policy: Annotated[Any, Called("_target_", PolicyFactory)]
    critic: Annotated[Any, Called("_target_", CriticFactory)]
    algorithm: Algorithm
    tracker: Mapping[str, Part]
    diagnostics: Annotated[
        Mapping[str, Annotated[Any, Called("_target_", DiagnosticFactory)]], Keys("gradients")
    ]
