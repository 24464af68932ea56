"""What names map: a policy of another robot acts as it did, to the last bit where arithmetic has none to lose.

Weights and observations here are whole multiples of powers of two, so that sums come out the same in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toys import TargetWorld, numbers

from pgrobot.configure import compose, validated
from pgrobot.groups import selected
from pgrobot.learner import Learner
from pgrobot.policies import NetworkPolicy
from pgrobot.schemes import cast
from pgrobot.transfer import Source, ported
from pgrobot.transfer.entries import known_origins
from pgrobot.transfer.mapping import NEW, places_of, taken
from pgrobot.transfer.porting import _read
from pgrobot.types import Action, EnvironmentSpec, ObservationGroup, Widths

OLD, OLD_ACTIONS = ("a", "b", "c", "d"), ("hip", "knee", "ankle")
PERMUTED, TURNED = ("c", "a", "d", "b"), ("ankle", "hip", "knee")
OTHER, OTHERS = ("x", "c", "y", "a", "d"), ("wrist", "ankle", "hip")
FIXED = ["debug=tiny", "constraint=none", "critic.hidden=[4]"]
PLAIN = ["policy.activation=relu", "policy.hidden=[4,4]"]


def spec_of(names: Sequence[str], actions: Sequence[str]) -> EnvironmentSpec:
    one = np.ones(len(actions))
    return replace(
        TargetWorld(1, 0).spec,
        observation={"policy": ObservationGroup(tuple(names), (len(names),), "float64")},
        actions=Action.unitless(*actions),
        action_low=-one,
        action_high=one,
    )


def learners(spec: EnvironmentSpec, *overrides: str, seed: int = 1) -> tuple[Any, dict[str, Learner]]:
    plain = [] if "policy/body=encoder" in overrides else PLAIN
    cfg = validated(compose([*FIXED, *plain, *overrides, f"seed={seed}"]))
    return cfg, cast(cfg, spec, 1)[1]


@torch.no_grad()
def source_of(*overrides: str) -> Source:
    """A run of the old robot, with weights of eighths and a normaliser that has seen something."""
    spec = spec_of(OLD, OLD_ACTIONS)
    cfg, made = learners(spec, *overrides)
    random = torch.Generator().manual_seed(6)
    for module in (made["robot"].policy, made["robot"].critic):
        module.normalizer.merge(torch.randn(64, module.reads.width, generator=random))
        width = module.reads.width
        module.normalizer.offset.copy_(torch.arange(width) - 1.0)
        module.normalizer.scale.copy_(2.0 ** (torch.arange(width) % 3 - 1.0))
        for name, parameter in module.named_parameters():
            if parameter.dim() == 2:
                parameter.copy_(torch.randint(-8, 9, parameter.shape, generator=random) / 8.0)
            elif "log_std" in name:
                parameter.copy_(-1.0 - torch.arange(len(parameter)) / 4.0)
    return Source(Path("there"), Path("there/best.pt"), cfg, spec, made, 7)


def seen_by(names: Sequence[str], values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a robot observes: whole numbers that a name stands for, others where it does not."""
    random = torch.Generator().manual_seed(3)
    new = lambda: torch.randint(-4, 5, (32,), generator=random).float()
    return {"policy": torch.stack([values[name] if name in values else new() for name in names], -1)}


def said(policy: NetworkPolicy, obs: dict[str, torch.Tensor], shown: torch.Tensor) -> torch.Tensor:
    carry = torch.zeros(32, policy.carry_size)
    carry[:, policy.carry_size - shown.shape[1] :] = shown
    with torch.no_grad():
        found = policy(obs, carry, torch.zeros(32, dtype=torch.bool))[0]
        return torch.stack((found.mean, found.std))


ENCODER = [
    "policy.body.encoder.activation=relu", "policy.body.encoder.hidden=[4]", "policy.body.rest.activation=relu",
    "policy.body.rest.hidden=[4]",
]  # fmt: skip
KINDS: dict[str, list[str]] = {
    "gaussian": [],
    "squashed": ["policy=squashed"],
    "state_std": ["policy=state_std"],
    "smooth": ["policy=smooth", "policy.share=0.0"],
    "beta": ["policy=beta"],
    "binned": ["policy=binned", "policy.bins=3"],
    "linear": ["policy.hidden=[]"],
    "previous": ["policy.previous_action=true"],
    "residual": ["policy.body.block=residual"],
    "encoder": ["policy/body=encoder", *ENCODER, "policy.body.features=3"],
    "features": [
        "policy/body=encoder",
        *ENCODER[:1],
        *ENCODER[2:],
        "policy.body.encoder.hidden=[]",
        "policy.body.features=3",
    ],
    "above": [
        "policy/body=encoder",
        *ENCODER[:1],
        *ENCODER[2:],
        "policy.body.encoder.hidden=[]",
        "policy.body.features=0",
    ],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("names", "actions"), [(PERMUTED, TURNED), (OTHER, OTHERS)], ids=["permuted", "other"]
)
def test_what_both_robots_have_is_done_as_before(
    kind: str, names: Sequence[str], actions: Sequence[str]
) -> None:
    """Means and deviations of the actions that both have, to the last bit; new actions have no mean of their own."""
    source = source_of(*KINDS[kind])
    spec = spec_of(names, actions)
    _, made = learners(spec, *KINDS[kind], seed=5)
    told = ported(source, spec, made)
    old, new = source.learners["robot"].policy, made["robot"].policy
    assert isinstance(old, NetworkPolicy)
    assert isinstance(new, NetworkPolicy)
    random = torch.Generator().manual_seed(2)
    values = {name: torch.randint(-4, 5, (32,), generator=random).float() for name in OLD}
    offset = dict(zip(OLD, old.normalizer.offset.tolist(), strict=True))
    values |= {name: torch.full((32,), offset[name]) for name in OLD if name not in names}
    done = {name: torch.randint(-2, 3, (32,), generator=random) / 2.0 for name in OLD_ACTIONS}
    done |= {name: torch.zeros(32) for name in OLD_ACTIONS if name not in actions}
    shown = [
        torch.stack([done.get(name, torch.ones(32)) for name in which], -1)[:, : policy.shown.width]
        for which, policy in ((OLD_ACTIONS, old), (actions, new))
    ]
    before, after = said(old, seen_by(OLD, values), shown[0]), said(new, seen_by(names, values), shown[1])
    for mine, name in enumerate(actions):
        if name in OLD_ACTIONS:
            assert torch.equal(after[..., mine], before[..., OLD_ACTIONS.index(name)]), name
        else:
            assert float(after[0, :, mine].abs().max()) < 1e-8  # that of a squashed one is a quadrature
    assert before[0].std() > 0.01
    assert told.difference < 1e-5
    observations, acts, _ = told.matchings
    assert set(observations.gone) == set(OLD) - set(names)
    assert set(observations.new) == set(names) - set(OLD)
    assert (set(acts.gone), set(acts.new)) == (
        set(OLD_ACTIONS) - set(actions),
        set(actions) - set(OLD_ACTIONS),
    )


def test_one_with_memory_remembers_as_before() -> None:
    """Up to rounding: the perceptron adds up what it reads and what it remembers in another order."""
    kind = ["policy=recurrent", "policy.sequence=8", "policy.units=3", "policy.hidden=[4]"]
    source, spec = source_of(*kind), spec_of(OTHER, OTHERS)
    _, made = learners(spec, *kind, seed=5)
    assert ported(source, spec, made).difference < 1e-5
    old, new = (owner["robot"].policy.state_dict() for owner in (source.learners, made))
    for key in ("body.recurrent.weight", "body.input.bias", "body.mlp.layers.0.bias"):
        assert torch.equal(old[key], new[key])
    index = [OLD.index(name) for name in ("c", "a", "d")]
    assert torch.equal(new["body.input.weight"][:, [1, 3, 4]], old["body.input.weight"][:, index])
    assert not new["body.input.weight"][:, [0, 2]].any()
    assert torch.equal(new["body.mlp.layers.0.weight"][:, -3:], old["body.mlp.layers.0.weight"][:, -3:])


def test_the_critic_predicts_as_before() -> None:
    source, spec = source_of(), spec_of(PERMUTED, TURNED)
    _, made = learners(spec, seed=5)
    ported(source, spec, made)
    random = torch.Generator().manual_seed(2)
    values = {name: torch.randint(-4, 5, (32,), generator=random).float() for name in OLD}
    time = {"time": torch.randint(0, 5, (32, 1), generator=random) / 4.0}
    with torch.no_grad():
        old, new = (
            owner["robot"].critic.value({**seen_by(names, values), **time})
            for owner, names in ((source.learners, OLD), (made, PERMUTED))
        )
    torch.testing.assert_close(old, new, rtol=1e-6, atol=1e-6)


def test_statistics_of_new_entries_begin_anew() -> None:
    """Each entry by itself: old ones go on as if nothing had happened, new ones know only what has been seen since."""
    source, spec = source_of(), spec_of(OTHER, OTHERS)
    _, made = learners(spec, seed=5)
    ported(source, spec, made)
    new, old = made["robot"].policy.normalizer, source.learners["robot"].policy.normalizer
    assert new.moments.count.tolist() == [0.0, 64.0, 0.0, 64.0, 64.0]
    rows = torch.randn(100, 5, generator=torch.Generator().manual_seed(4)) * 30.0 + 5.0
    new.merge(rows)
    both = torch.zeros(100, 4)
    both[:, [OLD.index(name) for name in ("c", "a", "d")]] = rows[:, [1, 3, 4]]
    old.merge(both)
    index = [OLD.index(name) for name in ("c", "a", "d")]
    for name in ("mean", "m2"):
        assert torch.equal(getattr(new.moments, name)[[1, 3, 4]], getattr(old.moments, name)[index])
    torch.testing.assert_close(new.moments.mean[[0, 2]], rows[:, [0, 2]].double().mean(0))
    torch.testing.assert_close(new.moments.variance[[0, 2]], rows[:, [0, 2]].double().var(0, correction=0))


def test_a_permutation_of_all_counts_as_before() -> None:
    source, spec = source_of(), spec_of(PERMUTED, TURNED)
    _, made = learners(spec, seed=5)
    ported(source, spec, made)
    average, _ = made["robot"].state_dict()["average"]
    assert torch.equal(average, made["robot"].policy_vector.vector), "it is what the port begins as"
    count = made["robot"].policy.normalizer.moments.count
    assert count.shape == torch.Size()
    assert count == 64.0


def test_places_are_found_by_name() -> None:
    index = places_of(["b", "x", "a"], ["a", "b", "c"])
    assert index.tolist() == [1, NEW, 0]
    found = taken(torch.tensor([10.0, 20.0, 30.0]), torch.tensor([1.0, 2.0, 3.0]), index, 0)
    assert found.tolist() == [20.0, 2.0, 10.0]


def test_an_entry_is_that_of_its_own_group_first() -> None:
    """Two groups may call an entry alike; by the name alone it is found where no group of that name has it."""

    def groups(**names: Sequence[str]) -> Widths:
        return Widths(
            "robot", {g: ObservationGroup(tuple(n), (len(n),), "float64") for g, n in names.items()}
        )

    here, there = groups(arm=["x", "y"], leg=["x", "z"], head=["x"]), groups(leg=["x", "y"], arm=["w", "x"])
    reads = [selected("policy.groups", list(widths), widths) for widths in (here, there)]
    matching, index = _read(*reads, here, there)
    assert index.tolist() == [3, 1, 0, NEW, 0]
    assert (matching.matched, matching.new, matching.gone) == (("x", "y", "x", "x"), ("z",), ("w",))
    origins = known_origins(torch.arange(4.0), there, here)
    assert origins == {"arm": {0: 3.0, 1: 1.0}, "leg": {0: 0.0}, "head": {0: 0.0}}, "measured as it was read"


def test_what_is_gone_is_compared_at_its_mean() -> None:
    """Which is 2 of the last entry."""
    source, spec = source_of(), spec_of(OLD[:-1], OLD_ACTIONS)
    assert ported(source, spec, learners(spec, seed=5)[1]).difference < 1e-5


def test_actions_without_names_are_those_of_their_places() -> None:
    assert [action.name for action in numbers(2)] == ["action0", "action1"]
    spec = replace(
        spec_of(OLD, OLD_ACTIONS), observation={"policy": ObservationGroup.numbered("policy", (4,))}
    )
    cfg, made = learners(spec)
    source = Source(Path("there"), Path("there/best.pt"), cfg, spec, made, 7)
    _, again = learners(spec, seed=3)
    assert ported(source, spec, again).notes == (
        "the entries of policy have no names but their places, which were compared",
    )
