"""Runs of policies that remember: what cannot be is told before it begins, and what begins anew remembers nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from pgrobot.configure import build, compose, validated
from pgrobot.errors import PgrobotError

from .conftest import TINY, start, tiny_request

REMEMBERS = ["policy=recurrent", "policy.units=4"]
SEQUENCES = "learns from sequences of {} steps, which do not divide horizon=16: the nearest that do have {}"
BAD = {
    "policy.sequence=32": f"policy {SEQUENCES.format(32, 16)}",
    "policy.sequence=5": f"policy {SEQUENCES.format(5, 4)}",
    "policy.sequence=0": "policy.body.sequence must be a whole number of at least 1, not 0",
    "policy.sequence=8 critic=recurrent critic.sequence=32": f"critic {SEQUENCES.format(32, 16)}",
    "algorithm.policy_solver.minibatch=4 algorithm.critic_solver.minibatch=16 policy.sequence=8":
        "A minibatch of 4 steps does not consist of whole chunks of 8 steps: use a multiple of 8",
    "wrapper=mask wrapper.mask.hide=[qvel/rootzz]":
        "wrapper.mask.hide names 'qvel/rootzz', which is not observed; did you mean 'qvel/rootz'",
    "wrapper=mask wrapper.mask.hide=[qpos/*,qvel/*]": "hides all that Hopper-v5 observes",
}  # fmt: skip


@pytest.mark.parametrize("typed", BAD)
def test_what_cannot_be_is_told_in_a_sentence(typed: str, tmp_path: Path) -> None:
    with pytest.raises(PgrobotError, match=re.escape(BAD[typed])):
        start(tiny_request(tmp_path / "run", *REMEMBERS, *typed.split()))
    assert not (tmp_path / "run").exists()


def test_a_baseline_that_asks_for_scores_of_rows_has_them_of_chunks() -> None:
    """It is not refused: a chunk tells the score of each of its steps."""
    chunks = ["policy.sequence=8", "algorithm/baseline=optimal", "algorithm.passes=1"]
    assembly = build(validated(compose([*TINY, *REMEMBERS, *chunks])), 1)
    told = assembly.learners["robot"].update(assembly.collector.collect()["robot"])
    assembly.environment.close()
    assert told["guard/skipped_updates"] == 0.0
    assert told["policy/kl"] > 0.0


@pytest.mark.parametrize("scheme", ["single", "manager_worker"])
def test_nothing_is_remembered_where_environments_begin_anew(scheme: str) -> None:
    """Neither policy nor critic: with any memory of before they say what they would with none."""
    of_manager = (
        ["scheme.every=4", "policy.sequence=4"] if scheme == "manager_worker" else ["critic=recurrent"]
    )
    assembly = build(validated(compose([*TINY, *REMEMBERS, f"scheme={scheme}", *of_manager])), 1)
    assembly.collector.collect()
    assembly.collector.restart()
    for name, rollout in assembly.collector.collect().items():
        learner = assembly.learners[name].learner
        assert bool(rollout.episode_start[0].all())
        assert float(rollout.carry[0].abs().max()) == 0.0
        first = {group: obs[0] for group, obs in rollout.obs.items()}
        for module in (learner.policy, learner.critic):
            starts = rollout.episode_start[0]
            told = [
                module(first, torch.full((len(starts), module.carry_size), held), starts)[1]
                for held in (0.0, 3.0)
            ]
            assert torch.equal(*told)
    assembly.environment.close()
