"""What parts of an algorithm say of each other: each is valid, and together they would compute something else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pgrobot.configure.targets import locate
from pgrobot.errors import PgrobotError
from pgrobot.estimators import monte_carlo, reads_log_ratio, vtrace
from pgrobot.objectives import WITH_RATIO, Likelihood
from pgrobot.solvers import KLAdaptive, MinibatchSolver


def objective_has_ratio(objective: Any) -> bool:
    """Whether the terms of an objective's node multiply the advantage by π/μ, as all do but the likelihood."""
    terms = objective.values() if isinstance(objective, Mapping) else ()
    return all(
        str(term.get("_target_", "")).rpartition(".")[2] != Likelihood.__name__
        for term in terms
        if isinstance(term, Mapping)
    )


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
    _check_feedback(algorithm, rows, modules)
    for name, term in algorithm["objective"].items():
        path = f"algorithm.objective.{name}"
        kind = locate(path, term.get("_target_"), modules)
        if not inspect.isclass(kind):
            continue
        if estimate is vtrace:
            _check_ratio(path, kind, estimator["objective_has_ratio"])
        if issubclass(kind, Likelihood):
            _check_reuse(path, algorithm, estimate)


def _check_discount(algorithm: Mapping[str, Any], estimate: Callable[..., Any]) -> None:
    """From a step on, the return of its whole episode is γ^t times what is left: one more γ^t would be a second one."""
    whole = estimate is monte_carlo and not algorithm["estimator"]["reward_to_go"]
    if whole and algorithm["state_discount"] and algorithm["discounts"]["reward"] < 1.0:
        raise PgrobotError(
            "algorithm.state_discount=true would discount a second time what algorithm.estimator.reward_to_go=false "
            "already discounts from the episode's start: set only one of the two"
        )


def _check_feedback(algorithm: Mapping[str, Any], rows: int, modules: Sequence[str]) -> None:
    """A first-order step measures the KL before it moves: of a rollout's only step that is zero, whatever follows."""
    solver = algorithm["policy_solver"]
    path = "algorithm.policy_solver"
    kind = locate(path, solver.get("_target_"), modules)
    if not (inspect.isclass(kind) and issubclass(kind, MinibatchSolver)):
        return
    steps = algorithm["passes"] * solver["epochs"] * rows // solver["minibatch"]
    if steps > 1 or algorithm["average"].get("decay") != 0.0:
        return
    rate = locate(f"{path}.rate", solver["rate"].get("_target_"), modules)
    for follows, name in (
        (math.isfinite(solver["target_kl"]), f"{path}.target_kl={solver['target_kl']}"),
        (inspect.isclass(rate) and issubclass(rate, KLAdaptive), f"{path}.rate=kl_adaptive"),
    ):
        if follows:
            raise PgrobotError(
                f"{name} follows the KL before a step, which is 0 where a rollout is one step: "
                "use a smaller minibatch or more epochs, or leave it out"
            )


def _check_ratio(path: str, kind: type, declared: bool) -> None:
    for kinds, has_ratio, words in (
        (WITH_RATIO, True, "multiplies"),
        (Likelihood, False, "does not multiply"),
    ):
        if issubclass(kind, kinds) and declared != has_ratio:
            raise PgrobotError(
                f"algorithm.estimator.objective_has_ratio is {str(declared).lower()}, but {path} {words} by the ratio "
                f"π/μ: leave the key out, or choose another term"
            )


def _check_reuse(path: str, algorithm: Mapping[str, Any], estimate: Callable[..., Any]) -> None:
    """The likelihood's gradient is the policy gradient of the policy that acted, which later passes have left."""
    epochs = algorithm["policy_solver"].get("epochs", 1)
    if epochs > 1:
        raise PgrobotError(
            f"algorithm.policy_solver.epochs is {epochs}, but {path} is right for the policy that acted only: "
            "use epochs=1, or a term with the ratio π/μ"
        )
    if algorithm["passes"] > 1 and not reads_log_ratio(estimate):
        raise PgrobotError(
            f"algorithm.passes is {algorithm['passes']}, but {path} is right for the policy that acted only: "
            "use passes=1, a term with the ratio π/μ, or algorithm/estimator=vtrace"
        )
