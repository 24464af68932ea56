"""An update that meets or makes a number that is not finite leaves no trace and names the first bad quantity."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from toys import TargetWorld, make

from pgrobot.guard import GuardedLearner, NonFiniteError, check_rollout, check_state
from pgrobot.loop import train
from pgrobot.types import Rollout, State


def equal(one: State, other: State) -> bool:
    flat, other_flat = (torch.utils._pytree.tree_leaves(state) for state in (one, other))
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(flat, other_flat, strict=True)
    )


@pytest.mark.parametrize(
    ("quantity", "value", "sentence"),
    [
        ("reward", math.nan, r"column 'reward' is nan at step 0 of environment 0"),
        ("reward", math.inf, r"column 'reward' is inf at step 0 of environment 0"),
        ("obs", math.nan, r"observation 'policy' is nan at step 1 of environment 1, component 1"),
    ],
)
def test_a_bad_rollout_is_skipped_and_named(quantity: str, value: float, sentence: str) -> None:
    world = TargetWorld(4, 0)
    collector, learner = make(world)
    guarded = GuardedLearner(learner)
    assert guarded.update(collector.collect()["robot"])["guard/skipped_updates"] == 0.0
    before = copy.deepcopy(guarded.state_dict())
    world.poison[quantity] = value
    metrics = guarded.update(collector.collect()["robot"])
    assert metrics == {"guard/skipped_updates": 1.0}
    assert equal(guarded.state_dict(), before)
    (fault,) = guarded.faults
    assert torch.utils._pytree.tree_leaves(fault.learner)
    with pytest.raises(NonFiniteError, match=sentence):
        raise NonFiniteError(fault.message)
    assert guarded.update(collector.collect()["robot"])["guard/skipped_updates"] == 0.0, "training goes on"


def test_an_update_that_explodes_is_rolled_back() -> None:
    collector, learner = make(TargetWorld(4, 0), rate=1e38, passes=4)
    guarded = GuardedLearner(learner)
    before = copy.deepcopy(guarded.state_dict())
    assert guarded.update(collector.collect()["robot"]) == {"guard/skipped_updates": 1.0}
    assert "non-finite" in guarded.faults[0].message
    assert equal(guarded.state_dict(), before)


def test_what_made_an_update_explode_is_named() -> None:
    rollout = make(TargetWorld(4, 0))[0].collect()["robot"]

    class Spoilt:
        def update(self, rollout: Rollout) -> dict[str, float]:
            return {"policy/kl": math.nan, "objective/own": math.nan, "objective/other": 1.0}

        def state_dict(self) -> State:
            return {"policy": {"head": torch.tensor([math.nan])}}

        def load_state_dict(self, state: State) -> None: ...

        def skip(self) -> None: ...

    spoilt: Any = Spoilt()
    guarded = GuardedLearner(spoilt)
    guarded.update(rollout)
    assert guarded.faults[0].message == "the update made policy.head non-finite, and objective/own is nan"


def test_a_guard_that_finds_nothing_changes_nothing() -> None:
    states = []
    for wrap in (GuardedLearner, lambda learner: learner):
        collector, learner = make(TargetWorld(4, 0))
        trained = wrap(learner)
        for _ in range(2):
            trained.update(collector.collect()["robot"])
        states.append(learner.state_dict())
    assert equal(*states)


def test_a_cost_that_is_no_number_is_told_by_its_constraint() -> None:
    collector, learner = make(TargetWorld(4, 0))
    rollout = collector.collect()["robot"]
    rollout.reward[5, 2, 1] = math.nan
    guarded = GuardedLearner(learner)
    assert guarded.update(rollout) == {"guard/skipped_updates": 1.0}
    assert guarded.faults[0].message == "column 'cost/above' is nan at step 5 of environment 2"


def test_the_first_bad_quantity_in_time_is_named() -> None:
    collector, _ = make(TargetWorld(4, 0))
    rollout = collector.collect()["robot"]
    rollout.reward[5, 2, 1] = math.nan
    rollout.action[3, 1, 0] = math.inf
    with pytest.raises(NonFiniteError, match="action is inf at step 3 of environment 1"):
        check_rollout(rollout)
    rollout.next_obs["policy"][2, 3, 1] = math.nan
    with pytest.raises(
        NonFiniteError, match="next observation 'policy' is nan at step 2 of environment 3, component 1"
    ):
        check_rollout(rollout)
    with pytest.raises(NonFiniteError, match=r"a\.b non-finite"):
        check_state({"a": {"b": torch.tensor([1.0, math.nan])}})
    with pytest.raises(NonFiniteError, match=r"solver\.moments\.1 non-finite"):
        check_state({"solver": {"moments": [torch.zeros(1), torch.tensor([math.inf])]}})


def test_the_loop_names_learners_only_when_there_are_several() -> None:
    collector, learner = make(TargetWorld(2, 0))
    (first,) = train(
        collector, {"robot": learner}, range(1), [lambda i, learners, experience: {"seen": float(i)}]
    )
    assert first[0] == 0
    assert {"seen", "loss/policy", "cost/above/mean"} <= first[1].keys()

    class Two:
        def collect(self) -> dict[str, Rollout]:
            rollout = collector.collect()["robot"]
            return {"left": rollout, "right": rollout}

    _, other = make(TargetWorld(2, 0), seed=1)
    ((iteration, metrics),) = train(Two(), {"left": learner, "right": other}, range(7, 8), [])
    assert iteration == 7
    assert {"left/loss/policy", "right/loss/policy"} <= metrics.keys()
    assert "loss/policy" not in metrics
