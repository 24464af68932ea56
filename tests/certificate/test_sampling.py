"""Every batch of a certificate has episodes of its own, and all of them together are what is judged."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pgrobot.certificate import sampling
from pgrobot.certificate.sampling import Batch, joined, sample
from pgrobot.certificate.terms import Terms, purpose
from pgrobot.constraints import Constraint
from pgrobot.episodes import Episodes
from pgrobot.run import EvaluationPlan

TERMS = Terms("stochastic", "student-t", 0.95, (4, 9, 20), 3, "none")
BUDGET = Constraint("speed", 0.5, "step", 0.0)


def episodes(count: int, first: float, **changes: Any) -> Episodes:
    """Whose returns count on from a number."""
    numbers = first + np.arange(count, dtype=float)
    made = Episodes(
        returns=numbers,
        lengths=np.full(count, 10),
        costs=numbers[:, None],
        discounted=numbers[:, None],
        failures=(),
        max_episode_steps=10,
        least=np.array([first]),
        most=np.array([first + 1.0]),
        highest=np.array([50.0]),
        gamma=0.9,
        can_fall=False,
    )
    return replace(made, **changes)


def test_it_goes_on_until_nothing_is_open_with_other_seeds_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[EvaluationPlan] = []
    heard: list[int] = []

    def run(cfg: Any, task: Any, policy: Any, plan: EvaluationPlan) -> Episodes:
        plans.append(plan)
        return episodes(plan.episodes, 100.0 * len(plans))

    monkeypatch.setattr(sampling, "run_episodes", run)
    monkeypatch.setattr(sampling, "still_open", lambda judged: ["speed"] if len(plans) < 2 else [])
    cfg: Any = SimpleNamespace(threads=1, evaluation=SimpleNamespace(num_envs=3))
    found = sample(cfg, None, None, [BUDGET], TERMS, lambda look, _: heard.append(look))  # type: ignore[arg-type]
    assert [(plan.episodes, plan.purpose) for plan in plans] == [(4, purpose(1)), (5, purpose(2))]
    assert purpose(1) != purpose(2)
    assert heard == [4, 9]
    assert [batch.environments for batch in found] == [3, 3]
    assert joined(found).returns.tolist() == [100.0, 101.0, 102.0, 103.0, 200.0, 201.0, 202.0, 203.0, 204.0]


def test_nothing_of_an_earlier_batch_is_forgotten() -> None:
    """Neither the extremes, by which bounds are judged, nor what broke."""
    parts = [
        episodes(4, 1.0, most=np.array([9.0]), failures=("a wheel came off",)),
        episodes(2, 0.0),
        episodes(1, 5.0, failures=("a knee gave way",)),
    ]
    together = joined([Batch(1, part) for part in parts])
    assert together.least.tolist() == [0.0]
    assert together.most.tolist() == [9.0]
    assert together.failures == ("a wheel came off", "a knee gave way")
    assert together.costs[:, 0].tolist() == together.returns.tolist() == [1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 5.0]


def test_the_first_environments_have_an_episode_more() -> None:
    assert Batch(3, episodes(8, 0.0)).environment.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert Batch(3, episodes(6, 0.0)).environment.tolist() == [0, 0, 1, 1, 2, 2]
