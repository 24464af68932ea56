"""What parts of an algorithm say of each other: each is valid, and together they would compute something else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pgrobot.baselines import OF_THE_STATE, Projection
from pgrobot.configure.feedback import check_feedback
from pgrobot.configure.targets import locate
from pgrobot.configure.terms import Terms, paths_of, surrogates, terms_of
from pgrobot.errors import PgrobotError
from pgrobot.estimators import monte_carlo, reads_log_ratio
from pgrobot.objectives import ControlVariate


def check_agreement(algorithm: Mapping[str, Any], rows: int, modules: Sequence[str]) -> None:
    """Refuse an algorithm whose parts contradict each other.

    Args:
        algorithm: its node, every value checked by itself.
        rows: of a rollout, all environments together.
        modules: trusted beside this package's own rooms.

    Raises:
        PgrobotError: names the two parts.
    """
    estimator = algorithm["estimator"]
    estimate = locate("algorithm.estimator", estimator.get("_target_"), modules)
    _check_discount(algorithm, estimate)
    terms = terms_of(algorithm, modules)
    _check_control(locate("algorithm.baseline", algorithm["baseline"]["_target_"], modules), terms)
    check_feedback(algorithm, terms, rows, modules)
    if "objective_has_ratio" in estimator:
        _check_ratio(terms, estimator["objective_has_ratio"])
    for path in surrogates(terms, with_ratio=False):
        _check_reuse(path, algorithm, estimate, rows)


def _check_discount(algorithm: Mapping[str, Any], estimate: Callable[..., Any]) -> None:
    """From a step on, the return of its whole piece is discounted from where that began: γ^t would be a second time."""
    whole = estimate is monte_carlo and not algorithm["estimator"]["reward_to_go"]
    if whole and algorithm["state_discount"] and algorithm["discounts"]["reward"] < 1.0:
        raise PgrobotError(
            "algorithm.state_discount=true would discount a second time what algorithm.estimator.reward_to_go=false "
            "already discounts from where an episode or its part in the rollout begins: set only one of the two"
        )


def _check_ratio(terms: Terms, stated: bool) -> None:
    for with_ratio, words in ((True, "multiplies"), (False, "does not multiply")):
        found = surrogates(terms, with_ratio=with_ratio)
        if found and stated != with_ratio:
            raise PgrobotError(
                f"algorithm.estimator.objective_has_ratio is {str(stated).lower()}, but {found[0]} {words} by the "
                "ratio π/μ: leave the key out, or choose another term"
            )


def _check_reuse(path: str, algorithm: Mapping[str, Any], estimate: Callable[..., Any], rows: int) -> None:
    """Without the ratio a surrogate has the policy gradient at the policy that acted, which the first step leaves.

    V-trace weighs by the ratio when a pass begins, so it corrects for earlier passes and for no step of its own.
    """
    right = f"but {path} is right for the policy that acted only"
    solver = algorithm["policy_solver"]
    epochs, minibatch = solver.get("epochs", 1), solver.get("minibatch", rows)
    if epochs > 1:
        raise PgrobotError(
            f"algorithm.policy_solver.epochs is {epochs}, {right}: use epochs=1, or a term with the ratio π/μ"
        )
    if algorithm["passes"] > 1 and not reads_log_ratio(estimate):
        raise PgrobotError(
            f"algorithm.passes is {algorithm['passes']}, {right}: "
            "use passes=1, a term with the ratio π/μ, or algorithm/estimator=vtrace"
        )
    if minibatch < rows:
        raise PgrobotError(
            f"algorithm.policy_solver.minibatch is {minibatch} of the {rows} rows of a rollout, {right}, "
            f"which the first of several steps leaves: use minibatch={rows}, or a term with the ratio π/μ"
        )


def _check_control(baseline: Callable[..., Any], terms: Terms) -> None:
    """A baseline that depends on the action needs its expectation added back, once and at the surrogate's weight."""
    if not inspect.isclass(baseline):
        return
    controls = paths_of(terms, ControlVariate)
    if issubclass(baseline, OF_THE_STATE) and controls:
        raise PgrobotError(
            f"{controls[0]} has nothing to add back, as the baseline {baseline.__name__} does not depend on the "
            "action: leave it out, or use algorithm/baseline=linear or =quadratic"
        )
    if not issubclass(baseline, Projection):
        return
    weight = _surrogate_weight(terms)
    if not controls:
        raise PgrobotError(
            f"the baseline {baseline.__name__} depends on the action, and no term adds its expectation back: add "
            f"+algorithm.objective.control={{_target_:pgrobot.objectives.ControlVariate,weight:{weight or 1.0}}}"
        )
    if len(controls) > 1:
        raise PgrobotError(f"{' and '.join(controls)} add back the same expectation: leave out all but one")
    given = terms[controls[0]][1].get("weight", weight)
    if weight is not None and not math.isclose(given, weight):
        raise PgrobotError(
            f"{controls[0]}.weight is {given}, but what it adds back was taken from a surrogate whose weight is "
            f"{weight}: use {controls[0]}.weight={weight}"
        )


def _surrogate_weight(terms: Terms) -> float | None:
    """What the terms that multiply the advantage weigh together; nothing where a class of the user's own knows."""
    nodes = [node for kind, node in terms.values() if kind.reads_advantage]
    return math.fsum(node["weight"] for node in nodes) if all("weight" in node for node in nodes) else None
