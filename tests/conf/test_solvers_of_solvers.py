"""What a solver that is made of solvers leaves to them is checked there, as where one solver does all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgrobot.choice import OBJECTIVE, POLICY, Choice, Posed
from pgrobot.configure import compose, validated
from pgrobot.errors import PgrobotError
from pgrobot.solvers import FirstOrderSolver, UpdateThenProjection

LIKELIHOOD = (
    "algorithm.objective.surrogate._target_=pgrobot.objectives.Likelihood ~algorithm.objective.surrogate.clip"
)
ONE_STEP = "num_envs=2 horizon=64 total_steps=1024 {0}.epochs=1 {0}.minibatch=128"
IMPROVEMENT, PROJECTION, OTHER = (f"{POLICY}.{key}" for key in ("improvement", "projection", "objective"))
AVERAGED = (
    f"algorithm.average.decay=0.9 {IMPROVEMENT}.target_kl=0.02"  # which follows the distance from the average
)
MODULE = """
from collections.abc import Mapping
from typing import Annotated, ClassVar
from pgrobot.ranges import Called
from pgrobot.solvers import SolverFactory

class Twice:
    needs_policy: ClassVar[bool] = False
    keeps_budgets: ClassVar[bool] = False
    reads_reference: ClassVar[bool] = False
    solves: ClassVar[str] = "late"

    def __init__(
        self, vector, problem, generator,
        early: Annotated[SolverFactory, Called("rate", SolverFactory)],
        late: Annotated[SolverFactory, Called("rate", SolverFactory)],
    ) -> None: ...
"""


def refusal(line: str) -> str:
    with pytest.raises(PgrobotError) as caught:
        validated(compose(line.split()))
    return str(caught.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            LIKELIHOOD,
            f"{IMPROVEMENT}.epochs is 10, but algorithm.objective.surrogate is right for the policy that",
        ),
        (
            f"{LIKELIHOOD} {IMPROVEMENT}.epochs=1 num_envs=2 horizon=64 total_steps=1024",
            f"{IMPROVEMENT}.minibatch is 64 of the 128 rows of an update, but algorithm.objective.surrogate is right",
        ),
        (
            f"{OTHER}.cost._target_=pgrobot.objectives.Likelihood",
            f"{PROJECTION} begins where the policy has been moved to, but {OTHER}.cost is right for the policy that",
        ),
        (
            f"{ONE_STEP.format(IMPROVEMENT)} {PROJECTION}.minibatch=64 {IMPROVEMENT}.target_kl=0.02",
            f"{IMPROVEMENT}.target_kl=0.02 follows how far the policy moved before a step, which is 0",
        ),
        (
            f"{ONE_STEP.format(PROJECTION)} {IMPROVEMENT}.minibatch=64 algorithm/rate@{PROJECTION}.rate=kl_adaptive",
            f"{PROJECTION}.rate=kl_adaptive follows how far the policy moved before a step, which is 0",
        ),
        (  # a projection is measured from where it begins, whatever the update's reference is
            f"{ONE_STEP.format(PROJECTION)} {IMPROVEMENT}.minibatch=64 {AVERAGED} {PROJECTION}.target_kl=0.02",
            f"{PROJECTION}.target_kl=0.02 follows how far the policy moved before a step, which is 0",
        ),
        (
            "algorithm.average.decay=0.9",
            "algorithm.average.decay=0.9 averages a reference that nothing reads",
        ),
        (
            f"+{OTHER}.penalty={{_target_:pgrobot.objectives.BudgetPenalty,weight:1.0,clip:0.2}}",
            f"{POLICY} and {OTHER}.penalty both keep to the budgets by themselves",
        ),
        (
            f"+{OTHER}.cloning={{_target_:pgrobot.objectives.Cloning,weight:1.0}}",
            f"{OTHER}.cloning imitates, which only terms of algorithm.objective can: leave it out",
        ),
        (
            f"+{OTHER}.prior={{_target_:pgrobot.objectives.KLToPrior,weight:1.0,updates:.inf}}",
            f"{OTHER}.prior has a weight that changes from update to update, which only terms of algorithm.objective",
        ),
        (f"~{OTHER}.cost", f"no term of {OTHER} reads the advantage"),
    ],
)
def test_what_cup_leaves_to_its_solvers_is_checked(more: str, told: str) -> None:
    assert refusal(f"algorithm=cup {more}").startswith(told)


@pytest.mark.parametrize(
    "more",
    [
        "",
        f"{LIKELIHOOD} {ONE_STEP.format(IMPROVEMENT)}",  # the projection may take as many steps as it likes
        f"{ONE_STEP.format(PROJECTION)} {IMPROVEMENT}.minibatch=64",
        AVERAGED,
        f"{PROJECTION}.target_kl=0.02",
    ],
)
def test_what_goes_together_is_taken(more: str) -> None:
    assert validated(compose(["algorithm=cup", *more.split()])).algorithm.name == "cup"


def test_two_of_them_that_keep_to_the_budgets_are_refused() -> None:
    job = compose(["algorithm=cup", f"{PROJECTION}.minibatch=64", "algorithm.critic_solver.minibatch=64"])
    job.algorithm.policy_solver.improvement = validated(compose(["algorithm=cpo"])).algorithm.policy_solver
    with pytest.raises(
        PgrobotError, match=f"{POLICY} and {IMPROVEMENT} both keep to the budgets by themselves"
    ):
        validated(job)


def test_who_solves_what_is_read_from_the_solvers_alone() -> None:
    job = validated(compose(["algorithm=cup"]))
    parts = {POLICY: UpdateThenProjection, IMPROVEMENT: FirstOrderSolver, PROJECTION: FirstOrderSolver}
    choice = Choice(job.algorithm, parts, 2048)
    assert choice.problems == [Posed(OBJECTIVE, IMPROVEMENT), Posed(OTHER, PROJECTION)]
    assert choice.solvers == [POLICY, IMPROVEMENT, PROJECTION]
    job.algorithm.passes, job.algorithm.policy_solver.projection.epochs = 3, 2
    assert [choice.steps(posed) for posed in choice.problems] == [3 * 10 * 32, 2 * 32]
    alone = Choice(job.algorithm, {POLICY: FirstOrderSolver}, 2048)
    assert (alone.problems, alone.solvers) == ([Posed(OBJECTIVE, POLICY)], [POLICY])


def test_a_solver_of_ones_own_that_is_made_of_solvers_is_checked_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "twofold.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    job = compose(["algorithm=reinforce", "modules=[twofold]"])
    one = job.algorithm.policy_solver.copy()
    many = compose(["algorithm=ppo", "algorithm.policy_solver.epochs=3"]).algorithm.policy_solver
    for early, late, refused in ((many, one, False), (one, many, True)):
        job.algorithm.policy_solver = {
            "_target_": "twofold.Twice",
            "_partial_": True,
            "early": early.copy(),
            "late": late.copy(),
        }
        if not refused:
            validated(job)
            continue
        with pytest.raises(PgrobotError, match=rf"^{POLICY}\.late\.epochs is 3, but algorithm\.objective\."):
            validated(job)
