"""Estimators and objective terms as they are named in configs, and what their keys may be."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hydra.utils import instantiate

from pgrobot import baselines, objectives
from pgrobot.configure import compose, options, validated
from pgrobot.errors import PgrobotError
from pgrobot.estimators import EstimatorInput

ESTIMATORS = ("gae", "monte_carlo", "n_step", "td_lambda", "vtrace")
SURROGATE = "algorithm.objective.surrogate"
SPO = [
    f"{SURROGATE}._target_=pgrobot.objectives.SimplePolicyOptimization",
    f"~{SURROGATE}.clip",
    f"+{SURROGATE}.epsilon=0.2",
]
PENALTY = (
    "{_target_:pgrobot.objectives.AdaptiveKLPenalty,weight:1.0,target_kl:0.01,factor:2.0,tolerance:1.5,"
    "least:1e-3,greatest:1e3}"
)
WITH_PENALTY = [f"+algorithm.objective.kl={PENALTY}"]


def test_every_estimator_is_offered() -> None:
    assert set(ESTIMATORS) <= set(options([])["algorithm/estimator"])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_is_complete_but_for_the_rollout(name: str) -> None:
    """One terminated step: whatever the estimator, its advantage is the reward minus the value."""
    estimator = instantiate(validated(compose([f"algorithm/estimator={name}"])).algorithm.estimator)
    column, end = torch.ones(1, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool)
    advantage, target, weight = estimator(
        EstimatorInput(3.0 * column, column, column, end, end, torch.zeros(1, 1), torch.tensor([0.9]))
    )
    assert (advantage.item(), target.item(), weight.item()) == (2.0, 3.0, 1.0)


def test_every_term_and_every_baseline_says_what_it_reads() -> None:
    """Configs are refused by what parts declare: one that declares nothing would slip through."""

    def parts(room: ModuleType, *frames: str) -> set[type]:
        named = [getattr(room, name) for name in room.__all__ if name not in frames]
        return {part for part in named if inspect.isclass(part)}

    frames = (
        "Auxiliary",
        "FixedWeight",
        "Objective",
        "PolicyAt",
        "PriorAt",
        "Supplied",
        "TermContext",
        "TermFactory",
    )
    terms = parts(objectives, *frames)
    told = {
        term.__name__: (term.reads_advantage, term.multiplies_ratio, term.reads_reference) for term in terms
    }
    assert told == {
        "AdaptiveKLPenalty": (False, False, True),
        "BudgetPenalty": (False, False, False),
        "ClippedRatio": (True, True, False),
        "Cloning": (False, False, False),
        "ControlVariate": (False, False, True),
        "DecoupledClippedRatio": (True, True, True),
        "Demonstration": (False, False, False),
        "Entropy": (False, False, False),
        "EstimatedEntropy": (False, False, False),
        "ForwardDynamics": (False, False, False),
        "GatedRatio": (True, True, True),
        "GeneralizedClippedRatio": (True, True, True),
        "InteriorPoint": (True, True, False),
        "InverseDynamics": (False, False, False),
        "KLPenalty": (False, False, True),
        "KLToPrior": (False, False, False),
        "L2ToPrior": (False, False, False),
        "Likelihood": (True, False, False),
        "Ratio": (True, True, False),
        "ReverseKLPenalty": (False, False, True),
        "SelfImitation": (True, False, False),
        "SimplePolicyOptimization": (True, True, False),
    }
    found = parts(baselines, "Baseline", "Controlled")
    assert {part.__name__ for part in found if part.depends_on_action} == {"Projection"}


@pytest.mark.parametrize("overrides", [SPO, WITH_PENALTY], ids=["spo", "adaptive_kl"])
def test_terms_compose(overrides: list[str]) -> None:
    terms = instantiate(validated(compose(overrides)).algorithm.objective)
    assert {name: term.weight for name, term in terms.items()} == dict.fromkeys(terms, 1.0) | {"entropy": 0.0}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["algorithm/estimator=n_step", "algorithm.estimator.n=0"], "n must be a whole number of at least 1"),
        (
            ["algorithm/estimator=n_step", "algorithm.estimator.n=2.5"],
            "n must be a whole number of at least 1",
        ),
        (
            ["algorithm/estimator=td_lambda", "algorithm.estimator.lam=1.1"],
            "lam must be a number from 0 to 1",
        ),
        (
            ["algorithm/estimator=td_lambda", "algorithm.estimator.target_lam=-1"],
            "target_lam must be a number",
        ),
        (["algorithm/estimator=vtrace", "algorithm.estimator.rho_bar=0"], "rho_bar must be a number above 0"),
        (["algorithm/estimator=vtrace", "algorithm.estimator.c_bar=-1"], "c_bar must be a number above 0"),
        (["algorithm/estimator=vtrace", "algorithm.estimator.pg_rho_bar=nan"], "pg_rho_bar must be a number"),
        (["algorithm/estimator=vtrace", "algorithm.estimator.rho=1"], "did you mean 'rho_bar'"),
        (
            ["algorithm/estimator=monte_carlo", "algorithm.estimator.reward_to_go=1"],
            "reward_to_go must be true or false",
        ),
        ([*SPO[:2], f"+{SURROGATE}.epsilon=0"], "epsilon must be a number above 0"),
        ([*WITH_PENALTY, "algorithm.objective.kl.target_kl=inf"], "target_kl must be a number above 0"),
        ([*WITH_PENALTY, "algorithm.objective.kl.factor=1"], "factor must be a number above 1"),
        ([*WITH_PENALTY, "algorithm.objective.kl.tolerance=0.5"], "tolerance must be a number of at least 1"),
        ([*WITH_PENALTY, "algorithm.objective.kl.least=0"], "least must be a number above 0"),
        ([*WITH_PENALTY, "algorithm.objective.kl.greatest=0"], "greatest must be a number above 0"),
    ],
)
def test_a_value_out_of_range_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        validated(compose(overrides))


@pytest.mark.parametrize("typed", ["inf", ".inf"])
def test_vtrace_may_clip_nothing(typed: str) -> None:
    cfg = validated(compose(["algorithm/estimator=vtrace", f"algorithm.estimator.rho_bar={typed}"]))
    assert cfg.algorithm.estimator.rho_bar == float("inf")


@pytest.mark.parametrize(
    ("overrides", "has_ratio"),
    [
        (["algorithm=ppo"], True),
        (["algorithm=ppo_kl"], True),
        (["algorithm=trpo"], True),
        (SPO, True),
        (["algorithm=a2c"], False),
        (["algorithm=reinforce"], False),
        (["algorithm=reinforce", "algorithm.passes=3"], False),
    ],
)
def test_vtrace_follows_the_objective(overrides: list[str], has_ratio: bool) -> None:
    """Any algorithm takes it without saying more, and a likelihood may then go over a rollout several times."""
    cfg = validated(compose([*overrides, "algorithm/estimator=vtrace"]))
    assert cfg.algorithm.estimator.objective_has_ratio is has_ratio


@pytest.mark.parametrize(
    "overrides",
    [
        ["algorithm=reinforce", "algorithm.state_discount=true"],
        ["algorithm=reinforce", "algorithm.estimator.reward_to_go=false"],
        # at γ = 1 the factor is one
        [
            "algorithm=reinforce",
            "algorithm.estimator.reward_to_go=false",
            "algorithm.state_discount=true",
            "algorithm.discounts.reward=1",
        ],
    ],
)
def test_one_discount_from_the_start_is_fine(overrides: list[str]) -> None:
    assert validated(compose(overrides)).algorithm.name == "reinforce"


TERMS = """
from dataclasses import dataclass
from typing import ClassVar
from pgrobot.objectives import FixedWeight

@dataclass(frozen=True)
class Silent(FixedWeight):
    weight: float

@dataclass(frozen=True)
class Half(Silent):
    reads_advantage: ClassVar[bool] = True

@dataclass(frozen=True)
class Score(Half):
    multiplies_ratio: ClassVar[bool] = False

@dataclass(frozen=True)
class Likelihood(Half):
    multiplies_ratio: ClassVar[bool] = True

def effort(weight):
    return None

effort.reads_advantage = effort.multiplies_ratio = False
"""
VTRACE = "algorithm/estimator=vtrace"


@pytest.fixture
def own_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_terms.py").write_text(TERMS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_terms", None)


def with_term(
    name: str, *overrides: str, algorithm: str = "reinforce", term: str = "likelihood"
) -> list[str]:
    return [
        f"algorithm={algorithm}", f"algorithm.objective.{term}._target_=own_terms.{name}", "modules=[own_terms]",
        *overrides,
    ]  # fmt: skip


@pytest.mark.usefixtures("own_terms")
@pytest.mark.parametrize(("name", "has_ratio"), [("Score", False), ("Likelihood", True)])
def test_vtrace_follows_what_a_term_declares_and_not_its_name(name: str, has_ratio: bool) -> None:
    cfg = validated(compose(with_term(name, VTRACE)))
    assert cfg.algorithm.estimator.objective_has_ratio is has_ratio


@pytest.mark.usefixtures("own_terms")
def test_a_term_that_a_function_makes_declares_on_the_function() -> None:
    term = "+algorithm.objective.effort={_target_:own_terms.effort,weight:1.0}"
    cfg = validated(compose([VTRACE, term, "modules=[own_terms]"]))
    assert cfg.algorithm.estimator.objective_has_ratio is True


@pytest.mark.usefixtures("own_terms")
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            with_term("Silent"),
            "is own_terms.Silent, which does not say whether it reads batch.advantage: declare reads_advantage: Class",
        ),
        (
            with_term("Half", VTRACE),
            "which does not say whether it multiplies the advantage by π/μ: declare multiplies_ratio",
        ),
        (
            with_term("Score", VTRACE, "algorithm.estimator.objective_has_ratio=true"),
            "objective_has_ratio is true, but algorithm.objective.likelihood does not multiply by the ratio π/μ",
        ),
        (
            with_term("Score", "~algorithm.objective.surrogate.clip", algorithm="ppo", term="surrogate"),
            "algorithm.passes is 10, but algorithm.objective.surrogate is right for the policy that acted only",
        ),
        (
            [VTRACE, "+algorithm.objective.effort={_target_:nowhere.Term,weight:1.0}"],
            "algorithm.objective.effort._target_ names 'nowhere.Term', which is not trusted",
        ),
    ],
)  # fmt: skip
def test_terms_that_say_too_little_or_contradict_the_rest_are_refused(
    overrides: list[str], words: str
) -> None:
    with pytest.raises(PgrobotError, match=re.escape(words)):
        validated(compose(overrides))
