"""A small signal on a large offset reaches the policy, in training, evaluation and whatever else loads it."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from toys import ABOVE, TargetWorld

from pgrobot import checkpoint
from pgrobot.collectors import SimulationCollector
from pgrobot.constraints import CostColumns
from pgrobot.origin import Origin
from pgrobot.policies import NetworkPolicy, Policy
from pgrobot.randomness import stream
from pgrobot.run.evaluation import actor
from pgrobot.types import EnvironmentSpec, Observation, ObservationGroup
from pgrobot.variance.experience import Experience, collect

OFFSET = 4.5e6
GROUPS = {"policy": 2, "critic": 3}


class FarWorld(TargetWorld):
    """The target is told in coordinates far away, and to the critic from another place besides."""

    def __init__(self, num_envs: int, seed: int, offset: float = OFFSET) -> None:
        super().__init__(num_envs, seed)
        groups = {name: ObservationGroup.numbered(name, (width,)) for name, width in GROUPS.items()}
        self.spec: EnvironmentSpec = dataclasses.replace(self.spec, observation=groups)
        self.offset = offset

    def _observe(self) -> Observation:
        near = super()._observe()["policy"]
        far = near + np.array([self.offset, 0.0])
        return {"policy": far, "critic": np.concatenate((far, near[:, :1] - 2.0 * self.offset), axis=1)}


make_policy = functools.partial(toys.make_policy, GROUPS)


def collector_of(world: TargetWorld, policy: Policy) -> SimulationCollector:
    costs = CostColumns((ABOVE,), world.spec.num_envs)
    return SimulationCollector(world, policy, costs, 20, stream(0, "noise"), "robot")


def test_a_signal_beside_a_large_offset_is_seen_whole() -> None:
    """In single precision 4.5e6 ± 1 is five numbers. Every group, the true successors too."""
    policy, plain = make_policy(), make_policy()
    far = collector_of(FarWorld(4, 0), policy).collect()["robot"]
    near = collector_of(FarWorld(4, 0, offset=0.0), plain).collect()["robot"]
    assert len(near.obs["policy"][..., 0].unique()) == 80
    for shown, truth in ((far.obs, near.obs), (far.next_obs, near.next_obs)):
        for group, entry in (("policy", 0), ("critic", 0), ("critic", 2)):
            signal = shown[group][..., entry]
            assert len(signal.unique()) == len(truth[group][..., entry].unique())
            moved = signal - truth[group][..., entry]
            torch.testing.assert_close(moved, moved[:1, :1].expand_as(moved), rtol=0, atol=2e-7)
        assert torch.equal(shown["policy"][..., 1], truth["policy"][..., 1]), "small entries are as they are"


def test_what_has_no_large_offset_is_not_touched() -> None:
    policy, world = make_policy(), FarWorld(4, 0, offset=0.0)
    raw = world._observe()
    origin = policy.origin
    collector = collector_of(world, policy)
    assert bool(origin.fixed)
    assert not origin.value.any()
    first = collector.collect()["robot"].obs["policy"][0]
    assert first.dtype == torch.float32
    assert raw.keys() == GROUPS.keys()
    for value, moved in ((15.9, False), (-16.0, True), (np.nan, False), (np.inf, False)):
        other = Origin({"policy": 1})
        other.fix({"policy": np.array([[value], [100.0]])})
        assert bool(other.value.any()) is moved


def test_an_evaluation_sees_what_training_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = make_policy()
    rollout = collector_of(FarWorld(4, 0), policy).collect()["robot"]
    world, seen = FarWorld(4, 0), []
    act = actor(policy, world.spec, "deterministic", stream(0, "noise"))
    monkeypatch.setattr(
        policy, "forward", lambda obs, *rest: seen.append(obs) or NetworkPolicy.forward(policy, obs, *rest)
    )
    act(world.reset(), np.ones(4, dtype=bool))
    for group in GROUPS:
        assert torch.equal(seen[0][group], rollout.obs[group][0])


def test_the_origin_travels_with_the_policy_and_is_fixed_once(tmp_path: Path) -> None:
    policy = make_policy()
    collector_of(FarWorld(4, 0), policy)
    value = policy.origin.value.clone()
    checkpoint.save(tmp_path / "policy.pt", {"policy": policy.state_dict()})
    other = make_policy(seed=1)
    collector_of(FarWorld(4, 5, offset=7e6), other)  # as a resumed run is built, before it is given its past
    assert not torch.equal(other.origin.value, value)
    other.load_state_dict(checkpoint.load(tmp_path / "policy.pt")["policy"])
    assert torch.equal(other.origin.value, value)
    experience = Experience(rollouts=1, horizon=20, warmup=0, seed=0)
    (rollout,) = collect(FarWorld(4, 9), other, (ABOVE,), experience, lambda _: None)
    assert torch.equal(other.origin.value, value), "who measures with it does not move it"
    assert float(rollout.obs["policy"][..., 0].abs().max()) <= 2.0


def test_a_policy_from_before_there_were_origins_measures_from_zero() -> None:
    state = {name: v for name, v in make_policy().state_dict().items() if not name.startswith("origin")}
    policy = make_policy()
    collector_of(FarWorld(4, 0), policy)
    policy.load_state_dict(state)
    assert not policy.origin.value.any()
    collector_of(FarWorld(4, 0), policy)
    assert not policy.origin.value.any(), "and it stays so"


def test_learning_far_away_is_learning_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Critic and policy normalise what is left of an offset; a resumed run measures from where it did."""
    returns = {}
    for offset in (0.0, OFFSET):
        monkeypatch.setattr(toys, "make_policy", make_policy)
        monkeypatch.setattr(toys, "make_critic", make_critic)
        collector, learner = toys.make(FarWorld(8, 0, offset), passes=4, rate=3e-2)
        for _ in range(9):
            rollout = collector.collect()["robot"]
            learner.update(rollout)
        returns[offset] = float(rollout.reward[..., 0].mean())
        again_collector, again = toys.make(FarWorld(8, 0, offset), passes=4, rate=3e-2, seed=3)
        again.load_state_dict(learner.state_dict())
        again_collector.load_state_dict(collector.state_dict())
        one, other = (c.collect()["robot"] for c in (collector, again_collector))
        assert torch.equal(one.obs["critic"], other.obs["critic"])
        assert torch.equal(one.log_prob, other.log_prob)
    assert returns[OFFSET] == pytest.approx(returns[0.0], abs=0.03)
    assert returns[OFFSET] > -0.1


make_critic = functools.partial(toys.make_critic, observation=GROUPS, groups=("critic",))
