"""Every check of the laboratory passes, and is able to fail."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import cast

import numpy as np
import pytest
import torch
from laboratory import sabotage_budgets, sabotage_estimators, sabotage_looks, sabotage_runs, sabotage_solvers
from laboratory.sabotage import SABOTAGE, Sabotage
from omegaconf import DictConfig

from pgrobot.laboratory import Check, CrossFitting, Identities, Outcome, OutOfSample, RewardUnit, compare
from pgrobot.laboratory.running import build_check, catalogue

assert all(
    (sabotage_budgets, sabotage_estimators, sabotage_looks, sabotage_runs, sabotage_solvers)
)  # they register


@cache
def config() -> DictConfig:
    return catalogue()


NAMES = [str(name) for name in config().checks]


# Of each kind one that is quickly run again: a closed form, samples, a training.
TWICE = ("policy_gradient", "sample_size", "first_ratio")


@pytest.mark.parametrize("name", NAMES)
def test_check(name: str) -> None:
    check = build_check(config(), name)
    outcomes = check.run()
    assert outcomes
    assert name not in TWICE or check.run() == outcomes, "a check gives the same numbers every time"
    assert [outcome for outcome in outcomes if not outcome.ok] == []
    assert len({outcome.name for outcome in outcomes}) == len(outcomes), "every number has a name of its own"


def test_every_check_says_what_it_shows() -> None:
    assert list(config().about) == NAMES


def test_the_entry_farthest_off_is_shown() -> None:
    outcome = compare("x", torch.tensor([1.0, 2.5, 3.0]), np.array([1.0, 2.0, 3.1]), 0.3)
    assert outcome == Outcome("x", 2.5, 2.0, 0.5, 0.3)
    assert not outcome.ok
    assert compare("x", 2.5, 2.0, 0.5).ok
    assert not compare("x", [1.0, float("nan")], [1.0, 1.0], 1e9).ok, "what is not a number fails"  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be compared"):
        compare("x", torch.zeros(2), torch.zeros(3), 0.1)


def test_a_weak_correlation_wants_many_rows() -> None:
    """What the best coefficient would gain is less than the error of one that is estimated from few."""
    few = dataclasses.replace(cast("OutOfSample", build_check(config(), "out_of_sample")), rows=64)
    (failed,) = [outcome for outcome in few.run() if not outcome.ok]
    assert failed.name == "variance of ∂log σ beyond its own, C* of a quadratic one"
    assert 0.2 < failed.estimate < 0.3


def narrowed(sabotage: Sabotage) -> Check:
    """The check without the costly parts in which what is broken plays no role."""
    check = build_check(config(), sabotage.check)
    shown = lambda names: [name for name in names if any(map(str(name).startswith, sabotage.outcomes))]
    if isinstance(check, Identities):
        return dataclasses.replace(check, pairs={name: check.pairs[name] for name in shown(check.pairs)})
    if isinstance(check, RewardUnit):
        return dataclasses.replace(check, tens=(), twos=check.twos[:1])
    if isinstance(check, CrossFitting):
        cheap = {name: check.baselines[name] for name in ("constant", "linear")}
        return dataclasses.replace(check, baselines=cheap)
    if isinstance(check, OutOfSample):
        return dataclasses.replace(check, fits=2)
    return check


def test_every_check_is_put_to_the_test() -> None:
    assert {sabotage.check for sabotage in SABOTAGE.values()} == set(NAMES)
    noticed = {outcome for s in SABOTAGE.values() if s.check == "identities" for outcome in s.outcomes}
    for pair in config().checks.identities.pairs:
        assert any(str(pair).startswith(outcome) for outcome in noticed), f"nothing breaks {pair!r}"


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_broken_formula_fails_its_check(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage = SABOTAGE[name]
    sabotage.function(monkeypatch)
    failed = [outcome.name for outcome in narrowed(sabotage).run() if not outcome.ok]
    assert failed, f"{sabotage.check} does not notice {name.replace('_', ' ')}"
    for outcome in sabotage.outcomes:
        assert any(found.startswith(outcome) for found in failed), f"{outcome!r} is not among {failed}"
