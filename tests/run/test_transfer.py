"""A low level of another run: what it takes along is mapped by the names of entries, wherever either robot has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toys import TargetWorld, numbers
from two_levels import two_levels

from pgrobot.configure import compose, validated
from pgrobot.policies import HierarchicalPolicy
from pgrobot.policies.levels import High, Options
from pgrobot.transfer import LowLevel
from pgrobot.transfer import low_level as transfer
from pgrobot.types import EnvironmentSpec, ObservationGroup

# the same two entries of three groups, at other places of groups of other names and widths
THERE = {"near": ("a", "qvel/x", "b"), "far": ("qpos/z", "c")}
HERE = {"other": ("d",), "far": ("e", "f", "qpos/z"), "near": ("qvel/x",)}
READ = ["near/qvel/x", "far/qpos/z"]
PARTS = [
    "policy=hierarchical", "policy.goal=options", "policy.goal.count=3", "policy.every=3", "policy.hidden=[5]",
    f"policy.groups=[{','.join(READ)}]",
]  # fmt: skip


def spec_of(groups: dict[str, tuple[str, ...]]) -> EnvironmentSpec:
    observation = {
        name: ObservationGroup(entries, (len(entries),), "float64") for name, entries in groups.items()
    }
    return replace(TargetWorld(1, 0).spec, observation=observation, actions=numbers(1))


def policy_of(groups: dict[str, tuple[str, ...]], low: LowLevel, seed: int) -> HierarchicalPolicy:
    cfg = validated(compose(PARTS))
    made = transfer.construct(cfg, "policy")
    keywords: dict[str, Any] = {**made.keywords, "low": low, "high": High(("near",), made.keywords["body"])}
    generator = torch.Generator().manual_seed(seed)
    policy = HierarchicalPolicy(spec_of(groups).widths, numbers(1), generator=generator, **keywords)
    policy.low.normalizer.merge(torch.randn(20, 2, generator=generator) * (1 + seed))
    return policy


def test_what_was_learnt_is_said_of_the_same_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, normaliser and origin: of one observation of the world, told in either robot's way."""
    learnt = policy_of(THERE, LowLevel("", "best", False), 1)
    learnt.origin.fix({"near": np.array([[1e3, 2e3, 3e3]]), "far": np.array([[4e3, 5e3]])})
    state = {"learners": {"robot": {"policy": learnt.state_dict()}}, "acting": "robot"}
    for name, value in (
        ("checkpoint_of", Path("there.pt")), ("saved_config", validated(compose(PARTS))),
        ("read_spec", spec_of(THERE)), ("load_checkpoint", state),
    ):  # fmt: skip
        monkeypatch.setattr(transfer, name, lambda *_, value=value: value)
    ours = policy_of(HERE, LowLevel("there", "best", False), 2)
    ours.begin(spec_of(HERE))
    ours.origin.fix(
        {"other": np.array([[7e3]]), "far": np.array([[8e3, 9e3, 1e4]]), "near": np.array([[2e4]])}
    )
    assert ours.origin.value.tolist() == [7e3, 8e3, 9e3, 4e3, 2e3], (
        "of what the low level does not read, its own"
    )
    there = {"near": np.array([[1.0, 2001.5, 3.0]]), "far": np.array([[4001.25, 5.0]])}
    here = {"other": np.array([[6.0]]), "far": np.array([[7.0, 8.0, 4001.25]]), "near": np.array([[2001.5]])}
    said = []
    for policy, observed in ((learnt, there), (ours, here)):
        read = policy.origin.reader()
        rows = {name: np.zeros(value.shape, np.float32) for name, value in observed.items()}
        for name, value in observed.items():
            read(name, value, rows[name])
        obs = {name: torch.from_numpy(value) for name, value in rows.items()}
        carry = torch.zeros(1, policy.carry_size)
        said.append(policy.levels(obs, carry, torch.ones(1, dtype=torch.bool)).low.mean)
    assert torch.equal(*said)
    assert bool((said[0].abs() > 0.0).all())


def test_two_of_one_seed_differ_without_it() -> None:
    """What the test above shows is not so by itself."""
    one, other = (policy_of(HERE, LowLevel("", "best", False), seed) for seed in (1, 2))
    assert not torch.equal(one.low.output.weight, other.low.output.weight)
    assert two_levels(Options(3), 3).goal.told == one.goal.told == "3 options"
