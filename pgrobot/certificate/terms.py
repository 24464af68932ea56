"""On which terms a policy is certified: which bounds, after how many episodes somebody looks, on which streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omegaconf import DictConfig

from pgrobot.constraints import Constraint
from pgrobot.errors import PgrobotError
from pgrobot.randomness import component_seed
from pgrobot.run.evaluation import EvaluationPlan

MOST = 1600  # episodes, unless somebody asks for another number
FIRST = 50  # fewer episodes are no sample to look at: a spread is hardly known
LOOKS = 5  # at most; each one more costs the others a part of their confidence
STREAMS = ("environment", "action_noise")  # of an evaluation
OF_TRAINING = ("environment", "stagger", "action_noise")
OF_EVALUATIONS = ("selection", "final")


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed before the first episode.

    Attributes:
        mode: ``stochastic`` or ``deterministic``.
        bound: how bounds on a mean are found.
        confidence: of each bound, over all looks together.
        looks: after how many episodes it may be enough, in order.
        seed: of the certificate's own random streams.
        variation: which models: ``none`` vary, ``full`` variation, or ``nominal`` of those that may.
    """

    mode: str
    bound: str
    confidence: float
    looks: tuple[int, ...]
    seed: int
    variation: str


def planned_looks(most: int) -> tuple[int, ...]:
    """After how many episodes to look: twice as many each time, up to ``most``."""
    looks = [most]
    while len(looks) < LOOKS and looks[0] // 2 >= FIRST:
        looks.insert(0, looks[0] // 2)
    return tuple(looks)


def purpose(batch: int) -> str:
    """What names the random streams of a batch of episodes, the first of which is 1."""
    return f"certificate/{batch}"


def batch_plan(terms: Terms, batch: int, threads: int) -> EvaluationPlan:
    """How the episodes between one look and the next are drawn."""
    before = terms.looks[batch - 2] if batch > 1 else 0
    return EvaluationPlan(
        episodes=terms.looks[batch - 1] - before,
        purpose=purpose(batch),
        mode=terms.mode,
        confidence=terms.confidence,
        bound=terms.bound,
        seed=terms.seed,
        threads=threads,
    )


def batch_seeds(terms: Terms, batch: int) -> dict[str, int]:
    """The seeds of a batch's streams, by the stream."""
    return {name: component_seed(terms.seed, f"{purpose(batch)}/{name}") for name in STREAMS}


def check_terms(cfg: DictConfig, constraints: tuple[Constraint, ...], terms: Terms) -> None:
    """Refuse what no certificate can be about.

    Raises:
        PgrobotError: nothing is limited; bounds that cannot be shared among looks; streams that others draw from.
    """
    if not constraints:
        raise PgrobotError("The run limits nothing, so there is nothing to certify: see pgrobot evaluate")
    if terms.bound == "bootstrap":
        raise PgrobotError(
            "evaluation.bound=bootstrap has too few resamples to share its confidence among looks and budgets: use "
            "--bound student-t, or --bound betting"
        )
    check_apart(_mine(terms), _others(cfg, terms))


def check_apart(mine: Mapping[str, int], others: Mapping[str, int]) -> None:
    """Refuse streams of the certificate that are also somebody else's; both by name.

    Raises:
        PgrobotError: names the two.
    """
    taken = {seed: name for name, seed in others.items()}
    for name, seed in mine.items():
        if seed in taken:
            raise PgrobotError(
                f"The stream {name} of the certificate is that of {taken[seed]}, which the policy was made or chosen "
                "with: use another --seed"
            )


def _mine(terms: Terms) -> dict[str, int]:
    return {
        f"{purpose(batch)}/{name}": seed
        for batch in range(1, len(terms.looks) + 1)
        for name, seed in batch_seeds(terms, batch).items()
    }


def _others(cfg: DictConfig, terms: Terms) -> dict[str, int]:
    """The seeds of the run's training and of its evaluations, and of those that share the certificate's seed."""
    training = {f"training's {name}": component_seed(int(cfg.seed), name) for name in OF_TRAINING}
    evaluations = {
        f"the evaluation {of}/{name}": component_seed(seed, f"{of}/{name}")
        for seed in (int(cfg.evaluation.seed), terms.seed)
        for of in OF_EVALUATIONS
        for name in STREAMS
    }
    return training | evaluations
