"""An algorithm that keeps to the budgets by itself drops the multiplier that nobody typed, and refuses one that was."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgrobot.configure import compose, validated
from pgrobot.errors import PgrobotError

TERM = """
from dataclasses import dataclass
from typing import ClassVar
from pgrobot.objectives import FixedWeight

@dataclass(frozen=True)
class Barrier(FixedWeight):
    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = True
    keeps_budgets: ClassVar[bool] = True
    weight: float

    def __call__(self, policy, batch):
        return policy.here.mean.sum(), {}
"""
ALGORITHM = """
defaults:
  - ppo
  - _self_
  - override /multiplier@_global_.multiplier: none
name: barrier
objective: {barrier: {_target_: keeping.Barrier, weight: 1.0}}
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What chooses an algorithm of one's own, one of whose terms keeps to the budgets."""
    (tmp_path / "keeping.py").write_text(TERM)
    (tmp_path / "conf" / "algorithm").mkdir(parents=True)
    (tmp_path / "conf" / "algorithm" / "barrier.yaml").write_text(ALGORITHM)
    monkeypatch.syspath_prepend(str(tmp_path))
    return [f"hydra.searchpath=[file://{tmp_path}/conf]", "modules=[keeping]", "algorithm=barrier"]


@pytest.mark.parametrize("more", [[], ["multiplier=none"], ["experiment=safe"], ["constraint=[]"]])
def test_it_suffices_alone(own: list[str], more: list[str]) -> None:
    assert validated(compose([*own, *more])).multiplier._target_ == "pgrobot.constraints.Unconstrained"


def test_a_multiplier_that_was_typed_is_refused(own: list[str]) -> None:
    with pytest.raises(
        PgrobotError,
        match=r"algorithm\.objective\.barrier \(Barrier\) keeps to the budgets by itself, and multiplier=pid "
        "would price them as well: use multiplier=none",
    ):
        validated(compose([*own, "multiplier=pid"]))


def test_two_that_keep_to_the_budgets_are_refused() -> None:
    penalty = "+algorithm.objective.penalty={_target_:pgrobot.objectives.BudgetPenalty,weight:1.0,clip:0.2}"
    for algorithm in ("cup", "ipo"):
        with pytest.raises(PgrobotError, match="both keep to the budgets by themselves: leave one out"):
            validated(compose([f"algorithm={algorithm}", penalty]))


@pytest.mark.parametrize(
    ("algorithm", "kept_by"),
    [
        ("p3o", "Unconstrained"),
        ("ipo", "Unconstrained"),
        ("cup", "Unconstrained"),
        ("focops", "Lagrangian"),
        ("crpo", "Switching"),
        ("ppo", "PID"),
    ],
)
def test_the_rows_that_are_shipped_suffice_alone(algorithm: str, kept_by: str) -> None:
    job = validated(compose([f"algorithm={algorithm}"]))
    assert job.algorithm.name == algorithm
    assert job.multiplier._target_ == f"pgrobot.constraints.{kept_by}"


@pytest.mark.parametrize(
    ("algorithm", "keeper"),
    [
        ("p3o", r"algorithm\.objective\.penalty \(BudgetPenalty\)"),
        ("ipo", r"algorithm\.objective\.surrogate \(InteriorPoint\)"),
        ("cup", r"algorithm\.policy_solver \(UpdateThenProjection\)"),
    ],
)
def test_those_that_keep_budgets_refuse_a_multiplier(algorithm: str, keeper: str) -> None:
    with pytest.raises(PgrobotError, match=f"{keeper} keeps to the budgets by itself, and multiplier=aug"):
        validated(compose([f"algorithm={algorithm}", "multiplier=augmented"]))


@pytest.mark.parametrize("line", ["algorithm=focops multiplier=pid", "algorithm=trpo multiplier=crpo"])
def test_where_a_multiplier_is_a_part_another_one_may_be_typed(line: str) -> None:
    assert validated(compose(line.split())).multiplier._target_.endswith(("PID", "Switching"))


MULTIPLIERS = ("pid", "lagrangian", "augmented", "crpo", "none")


@pytest.mark.parametrize(
    ("algorithm", "taken"),
    [
        *((name, ("none",)) for name in ("cpo", "pcpo", "cup", "p3o", "ipo")),
        ("crpo", ("crpo",)),
        ("focops", MULTIPLIERS),
    ],
)
def test_every_multiplier_is_taken_or_refused_in_a_sentence(algorithm: str, taken: tuple[str, ...]) -> None:
    for word in MULTIPLIERS:
        job = compose([f"algorithm={algorithm}", f"multiplier={word}", "task=hopper", "constraint=[speed]"])
        if word in taken:
            assert validated(job).algorithm.name == algorithm
            continue
        with pytest.raises(PgrobotError, match=f"multiplier={word} would .*: (use|leave) multiplier="):
            validated(job)


def test_an_algorithm_that_is_a_multiplier_is_not_another_one_by_its_name() -> None:
    message = (
        "algorithm=crpo is what multiplier=crpo makes of another algorithm, and multiplier=pid would take its place: "
        "leave multiplier=pid out, or choose the other algorithm"
    )
    with pytest.raises(PgrobotError, match=f"^{message}$"):
        validated(compose(["algorithm=crpo", "multiplier=pid"]))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("algorithm=p3o algorithm.objective.penalty.clip=0", "algorithm.objective.penalty.clip"),
        (
            "algorithm=ipo algorithm.objective.surrogate.sharpness=0",
            "algorithm.objective.surrogate.sharpness",
        ),
        ("algorithm=focops algorithm.objective.surrogate.temperature=0", "surrogate.temperature"),
        ("algorithm=cup algorithm.discounts.cost=1.0", "algorithm.policy_solver.discount"),
        ("algorithm=cup algorithm.policy_solver.maximum=-1", "algorithm.policy_solver.maximum"),
        ("algorithm=cup algorithm.policy_solver.projection.minibatch=100", "projection.minibatch=100"),
        ("multiplier=augmented multiplier.every=0", "multiplier.every"),
    ],
)
def test_numbers_out_of_range_are_refused(overrides: str, message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        validated(compose(overrides.split()))


def test_the_solvers_of_budgets_are_refused_beside_a_price() -> None:
    for name in ("cpo", "pcpo"):
        assert (
            validated(compose([f"algorithm={name}"])).multiplier._target_
            == "pgrobot.constraints.Unconstrained"
        )
    with pytest.raises(PgrobotError, match=r"policy_solver .ConstrainedSolver. keeps.*use multiplier=none"):
        validated(compose(["algorithm=cpo", "multiplier=lagrangian"]))
