"""Episodes in batches, until every budget is decided, or there are as many as there may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from omegaconf import DictConfig

from pgrobot.assembly import TaskMaker
from pgrobot.certificate.terms import Terms, batch_plan
from pgrobot.constraints import Conclusion, Constraint
from pgrobot.episodes import Episodes, conclusions
from pgrobot.policies import Acting
from pgrobot.run.evaluation import run_episodes, side_by_side


@dataclass(frozen=True, slots=True)
class Batch:
    """The episodes between one look and the next.

    Attributes:
        environments: in how many they ran side by side, which share one stream of noise.
        episodes: in the order of the environments, then of time.
    """

    environments: int
    episodes: Episodes

    @property
    def environment(self) -> np.ndarray:
        """In which environment each episode ran, ``[E]``."""
        count = len(self.episodes.returns)
        envs = np.arange(self.environments)
        return np.repeat(envs, count // self.environments + (envs < count % self.environments))


Told = Callable[
    [int, dict[str, Conclusion]], None
]  # after how many episodes, and what they say of each budget


def untold(episodes: int, judged: dict[str, Conclusion]) -> None:
    """Tell nobody."""


def sample(
    cfg: DictConfig,
    task: TaskMaker,
    policy: Acting,
    constraints: Sequence[Constraint],
    terms: Terms,
    told: Told,
) -> tuple[Batch, ...]:
    """Draw batches until every budget is decided without a warning; ``told`` hears of every look.

    Raises:
        PgrobotError: as of ``run_episodes`` and ``judge``.
    """
    batches: list[Batch] = []
    for number, look in enumerate(terms.looks, start=1):
        plan = batch_plan(terms, number, int(cfg.threads))
        episodes = run_episodes(cfg, task, policy, plan)
        batches.append(Batch(side_by_side(cfg, plan.episodes), episodes))
        judged = judged_at(batches, constraints, terms)
        told(look, judged)
        if not still_open(judged):
            break
    return tuple(batches)


def judged_at(
    batches: Sequence[Batch], constraints: Sequence[Constraint], terms: Terms
) -> dict[str, Conclusion]:
    """What these batches say of each budget, by bounds that hold at all looks together."""
    return conclusions(joined(batches), constraints, terms.confidence, terms.bound, terms.looks)


def still_open(judged: dict[str, Conclusion]) -> list[str]:
    """The budgets that are undecided, or of which the decision carries a warning: more episodes may spare it."""
    return [name for name, found in judged.items() if not found.final]


def joined(batches: Sequence[Batch]) -> Episodes:
    """All episodes, in the order of the batches."""
    parts = [batch.episodes for batch in batches]
    together: dict[str, Any] = {field.name: getattr(parts[-1], field.name) for field in fields(Episodes)}
    for name in ("returns", "lengths", "costs", "discounted"):
        together[name] = np.concatenate([getattr(part, name) for part in parts])
    together["failures"] = tuple(sentence for part in parts for sentence in part.failures)
    together["least"] = np.min([part.least for part in parts], axis=0)
    together["most"] = np.max([part.most for part in parts], axis=0)
    return Episodes(**together)
