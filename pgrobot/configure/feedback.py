"""What follows the KL by which the policy moves, and what the KL is measured from: each needs the other."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pgrobot.configure.targets import locate, targets
from pgrobot.configure.terms import Terms, paths_of, surrogates
from pgrobot.errors import PgrobotError
from pgrobot.objectives import AdaptiveKLPenalty
from pgrobot.solvers import FirstOrderSolver, FullStep, KLAdaptive, NaturalGradientSolver

POLICY = "algorithm.policy_solver"
CRITIC = "algorithm.critic_solver"


def is_kind(path: str, node: Any, kinds: type | tuple[type, ...], modules: Sequence[str]) -> bool:
    """Whether the node at ``path`` names one of the classes, or one made from it."""
    named = isinstance(node, Mapping) and "_target_" in node
    kind = locate(path, node["_target_"], modules) if named else None
    return inspect.isclass(kind) and issubclass(kind, kinds)


def check_feedback(algorithm: Mapping[str, Any], terms: Terms, rows: int, modules: Sequence[str]) -> None:
    """Refuse what follows a KL that is not there.

    Args:
        algorithm: its node, every value checked by itself.
        terms: of its objective.
        rows: of a rollout, all environments together.
        modules: trusted beside this package's own rooms.

    Raises:
        PgrobotError: names what follows it.
    """
    _check_bounds(algorithm, modules)
    _check_critic(algorithm["critic_solver"], modules)
    followers = [*_followers(algorithm["policy_solver"], modules), *paths_of(terms, AdaptiveKLPenalty)]
    _check_average(algorithm, terms, followers, modules)
    if followers and _moves_once(algorithm, rows, modules):
        remedy = "use a smaller minibatch or more epochs, or leave it out"
        if surrogates(terms, with_ratio=False):
            remedy = "leave it out"
        raise PgrobotError(
            f"{followers[0]} follows the KL before a step, which is 0 where a rollout is one step: {remedy}"
        )


def _check_bounds(algorithm: Mapping[str, Any], modules: Sequence[str]) -> None:
    for path, node in targets(algorithm, "algorithm"):
        if is_kind(path, node, (KLAdaptive, AdaptiveKLPenalty), modules):
            least, greatest = node.get("least", 0.0), node.get("greatest", math.inf)
            if least > greatest:
                raise PgrobotError(f"{path}.least is {least}, which is more than {path}.greatest, {greatest}")
            first = "initial" if "initial" in node else "weight"
            if not least <= node.get(first, least) <= greatest:
                raise PgrobotError(
                    f"{path}.{first} is {node[first]}, which lies outside {path}.least and {path}.greatest, "
                    f"{least} and {greatest}: set one of the three"
                )


def _check_critic(solver: Mapping[str, Any], modules: Sequence[str]) -> None:
    if is_kind(CRITIC, solver, NaturalGradientSolver, modules):
        raise PgrobotError(
            f"{CRITIC} is a NaturalGradientSolver, whose metric is a policy's: use pgrobot.solvers.FirstOrderSolver"
        )
    if is_kind(f"{CRITIC}.rate", solver.get("rate"), KLAdaptive, modules):
        raise PgrobotError(
            f"{CRITIC}.rate=kl_adaptive follows the KL, and a critic has none: "
            f"use algorithm/rate@{CRITIC}.rate=constant or =linear"
        )
    target_kl = solver.get("target_kl", math.inf)
    if target_kl != math.inf:
        raise PgrobotError(
            f"{CRITIC}.target_kl={target_kl} follows the KL, and a critic has none: use {CRITIC}.target_kl=inf"
        )


def _check_average(
    algorithm: Mapping[str, Any], terms: Terms, followers: Sequence[str], modules: Sequence[str]
) -> None:
    """An averaged reference that nothing reads would be reported on and change nothing."""
    decay = algorithm["average"].get("decay", 0.0)
    solver = algorithm["policy_solver"]
    kind = locate(POLICY, solver["_target_"], modules)
    searches = kind is not NaturalGradientSolver or not is_kind(
        f"{POLICY}.acceptance", solver["acceptance"], FullStep, modules
    )
    read = (
        decay == 0.0
        or (kind is not FirstOrderSolver and searches)
        or any(
            getattr(kind, "reads_reference", True) for kind, _ in terms.values()
        )  # what does not say so may
        or followers
    )
    if not read:
        raise PgrobotError(
            f"algorithm.average.decay={decay} averages a reference that nothing reads: use it with "
            "pgrobot.objectives.DecoupledClippedRatio, KLPenalty or a term that declares reads_reference, "
            "with algorithm=trpo, or algorithm.average.decay=0"
        )


def _moves_once(algorithm: Mapping[str, Any], rows: int, modules: Sequence[str]) -> bool:
    """Whether every KL is 0: a first-order step measures it before it moves, and a rollout is one step.

    An averaged reference lies some way off from the start.
    """
    solver = algorithm["policy_solver"]
    if locate(POLICY, solver["_target_"], modules) is not FirstOrderSolver:
        return False
    steps = algorithm["passes"] * solver["epochs"] * rows // solver["minibatch"]
    return steps == 1 and algorithm["average"].get("decay") == 0.0


def _followers(solver: Mapping[str, Any], modules: Sequence[str]) -> Iterator[str]:
    if math.isfinite(solver.get("target_kl", math.inf)):
        yield f"{POLICY}.target_kl={solver['target_kl']}"
    if is_kind(f"{POLICY}.rate", solver.get("rate"), KLAdaptive, modules):
        yield f"{POLICY}.rate=kl_adaptive"
