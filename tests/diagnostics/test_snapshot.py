"""What an update began from: the policy with its normalisers, whatever it has become since."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from actuated import trained
from remembering import Elman
from toys import make_policy

from pgrobot.solvers import PolicySnapshot


@pytest.mark.parametrize("decay", [0.0, 0.7])
@pytest.mark.parametrize("policy", [make_policy, lambda: Elman(4)], ids=["plain", "memory"])
def test_it_says_what_the_policy_said_then(policy: Any, decay: float) -> None:
    learner, rollout = trained(None, policy=policy(), decay=decay)
    snapshot = learner.snapshot(rollout)["policy"]
    assert isinstance(snapshot, PolicySnapshot)
    assert snapshot.own_reference == (decay == 0.0)
    batch = snapshot.batch
    here, there = snapshot.start.here, snapshot.problem.at(snapshot.parameters.vector, batch).here
    for said in (here, there):  # the policy of the first pass is the one that acted
        torch.testing.assert_close(said.log_prob(batch.action), batch.log_prob, rtol=1e-4, atol=1e-5)
    if decay:
        assert not torch.allclose(batch.reference.mean, here.mean, atol=1e-4)
    rows = {name: x.flatten(0, 1) for name, x in rollout.obs.items()}
    others = rollout.carry.flatten(0, 1), rollout.episode_start.flatten()
    with torch.no_grad():
        copied, _ = snapshot.copied()(rows, *others)
        asked = snapshot.start(rows, *others)
        now, _ = learner.policy(rows, *others)
    torch.testing.assert_close(copied.mean, asked.mean)
    assert not torch.allclose(now.mean, asked.mean, atol=1e-4)


def test_it_stays_what_it_was() -> None:
    learner, rollout = trained(None)
    snapshot = learner.snapshot(rollout)["policy"]
    assert isinstance(snapshot, PolicySnapshot)
    before = snapshot.problem.at(snapshot.parameters.vector, snapshot.batch).here.mean
    learner.update(rollout)
    assert learner.snapshot(rollout)["policy"] is not snapshot
    after = snapshot.problem.at(snapshot.parameters.vector, snapshot.batch).here.mean
    assert torch.equal(before, after)
    with torch.no_grad():
        snapshot.parameters.vector.zero_()
    assert bool(learner.policy_vector.vector.any()), "it has storage of its own"
