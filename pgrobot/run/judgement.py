"""Judging one policy of a run in both of its modes, and saying what was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import DictConfig

from pgrobot.assembly import TaskMaker, judging, planned_steps
from pgrobot.episodes import Watch
from pgrobot.policies import Acting
from pgrobot.run.evaluation import DETERMINISTIC, STOCHASTIC, EvaluationPlan, evaluation
from pgrobot.simulation.variation import Strength

OTHER = {STOCHASTIC: DETERMINISTIC, DETERMINISTIC: STOCHASTIC}


@dataclass(frozen=True, slots=True)
class Judged:
    """Which policy it was.

    Attributes:
        checkpoint: the file that holds it, as seen from the run directory.
        step: environment steps after which it was saved.
    """

    checkpoint: str
    step: int


def judgement(
    cfg: DictConfig,
    task: TaskMaker,
    policy: Acting,
    plan: EvaluationPlan,
    judged: Judged,
    watch: Sequence[Watch] = (),
) -> dict[str, Any]:
    """Evaluate a policy as it acts when it explores and with its mean action, on the same random streams.

    ``watch`` is told the steps in the mode that decides.

    Returns:
        What ``evaluation`` tells of the mode that decides, ``plan.mode``; the same of the other one under
        ``other_mode``, with its name; and what was judged under ``judged``.

    Raises:
        PgrobotError: the plan is out of range.
    """
    told = evaluation(cfg, task, policy, plan, watch)
    other = replace(plan, mode=OTHER[plan.mode])
    return {
        **told,
        "other_mode": {"mode": other.mode, **evaluation(cfg, task, policy, other)},
        "judged": {
            "checkpoint": judged.checkpoint,
            "step": judged.step,
            "of_steps": planned_steps(cfg),
            "mode": plan.mode,
            "episodes": plan.episodes,
            "seed": plan.seed,
            "bound": plan.bound,
            "variation": varied(cfg),
        },
    }


def varied(cfg: DictConfig) -> str:
    """Which models the policy was judged on: ``none`` vary, ``full`` variation, or ``nominal`` of those that may."""
    if not cfg.variation:
        return "none"
    return "full" if judging(cfg) is Strength.FULL else "nominal"


def repeats(told: Mapping[str, Any], final: Mapping[str, Any]) -> str:
    """How many of the episodes judged were those of the run's last evaluation: ``all``, ``some`` or ``none``.

    Args:
        told: what ``judgement`` says was judged.
        final: the same of the run's last evaluation, or at least ``step``, ``seed`` and ``episodes``; empty where the
            run has none.
    """
    if not final or any(final.get(key, told[key]) != told[key] for key in ("step", "seed", "variation")):
        return "none"
    return "all" if final["episodes"] == told["episodes"] else "some"
