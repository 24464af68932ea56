"""What parts of an algorithm say of each other: each is valid, and together they would compute something else.

Nothing here knows a part: each declares what it does and needs on its class, as its protocol describes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgrobot.configure.advice import chosen, declaring, options, parts
from pgrobot.configure.targets import locate
from pgrobot.errors import PgrobotError

POLICY = "algorithm.policy_solver"
CRITIC = "algorithm.critic_solver"
# Attributes of ``Objective`` that every term has to have.
DECLARED = {
    "reads_advantage": "whether it reads batch.advantage",
    "multiplies_ratio": "whether it multiplies the advantage by π/μ",
}


@dataclass(frozen=True)
class Algorithm:
    """An algorithm as a config names it.

    Attributes:
        node: its content, every value checked by itself.
        rows: of a rollout, all environments together.
        modules: trusted beside this package's own rooms.
    """

    node: Mapping[str, Any]
    rows: int
    modules: Sequence[str]

    def part(self, key: str) -> Any:
        """The class or function that the node at ``key`` names; None where there is no such node."""
        node: Any = self.node
        for word in key.split("."):
            node = node.get(word, {})
        return locate(f"algorithm.{key}", node["_target_"], self.modules) if "_target_" in node else None

    def says(self, key: str, word: str, otherwise: bool) -> bool:
        """What a part declares, and ``otherwise`` where it does not."""
        return bool(getattr(self.part(key), word, otherwise))

    def terms(self, **declarations: bool) -> list[str]:
        """The paths of the objective's terms that declare all of it."""
        terms = {
            f"algorithm.objective.{name}": self.part(f"objective.{name}") for name in self.node["objective"]
        }
        return declaring(terms, **declarations)

    def surrogates(self, *, with_ratio: bool) -> list[str]:
        """The paths of the terms that multiply the advantage, by π/μ as well or not.

        Raises:
            PgrobotError: a term does not declare what it reads.
        """
        for name, node in self.node["objective"].items():
            for word, meaning in DECLARED.items():
                if not isinstance(getattr(self.part(f"objective.{name}"), word, None), bool):
                    raise PgrobotError(
                        f"algorithm.objective.{name} is {node['_target_']}, which does not say {meaning}: "
                        f"declare {word}: ClassVar[bool] = True or False on it"
                    )
        return self.terms(reads_advantage=True, multiplies_ratio=with_ratio)


def objective_has_ratio(objective: Any, modules: Any) -> bool:
    """Whether the terms of an objective's node multiply the advantage by π/μ, as they declare.

    Where one does not, or something is wrong with one, the config is refused by whoever checks it.
    """
    try:
        return not Algorithm({"objective": objective}, 1, list(modules)).surrogates(with_ratio=False)
    except Exception:  # noqa: BLE001 - the user's code may raise anything when it is imported, and will again
        return True


def check_agreement(algorithm: Algorithm) -> None:
    """Refuse an algorithm whose parts contradict each other.

    Raises:
        PgrobotError: names the two parts.
    """
    _check_discount(algorithm)
    without_ratio = algorithm.surrogates(with_ratio=False)
    _check_control(algorithm)
    _check_critic(algorithm)
    followers = list(_followers(algorithm))
    _check_average(algorithm, followers)
    if followers and _moves_once(algorithm):
        remedy = (
            "leave it out" if without_ratio else "use a smaller minibatch or more epochs, or leave it out"
        )
        raise PgrobotError(
            f"{followers[0]} follows the KL before a step, which is 0 where a rollout is one step: {remedy}"
        )
    _check_ratio(algorithm)
    for path in without_ratio:
        _check_reuse(path, algorithm)


def _check_discount(algorithm: Algorithm) -> None:
    """From a step on, the return of its whole piece is discounted from where that began: γ^t would be a second time."""
    estimator = algorithm.node["estimator"]
    word = getattr(algorithm.part("estimator"), "discounts_pieces_without", "")
    whole = word and not estimator.get(word, True)
    if whole and algorithm.node["state_discount"] and algorithm.node["discounts"]["reward"] < 1.0:
        raise PgrobotError(
            f"algorithm.state_discount=true would discount a second time what algorithm.estimator.{word}=false "
            "already discounts from where an episode or its part in the rollout begins: set only one of the two"
        )


def _check_ratio(algorithm: Algorithm) -> None:
    stated = algorithm.node["estimator"].get("objective_has_ratio")
    for with_ratio, words in ((True, "multiplies"), (False, "does not multiply")):
        found = algorithm.surrogates(with_ratio=with_ratio)
        if found and stated == (not with_ratio):
            raise PgrobotError(
                f"algorithm.estimator.objective_has_ratio is {str(stated).lower()}, but {found[0]} {words} by the "
                "ratio π/μ: leave the key out, or choose another term"
            )


def _check_reuse(path: str, algorithm: Algorithm) -> None:
    """Without the ratio a surrogate has the policy gradient at the policy that acted, which the first step leaves.

    An estimator that weighs by the ratio when a pass begins corrects for earlier passes and for no step of its own.
    """
    right = f"but {path} is right for the policy that acted only"
    solver, rows, passes = algorithm.node["policy_solver"], algorithm.rows, algorithm.node["passes"]
    epochs, minibatch = solver.get("epochs", 1), solver.get("minibatch", rows)
    if epochs > 1:
        raise PgrobotError(
            f"{POLICY}.epochs is {epochs}, {right}: use epochs=1, or a term with the ratio π/μ"
        )
    if passes > 1 and not algorithm.says("estimator", "reads_log_ratio", otherwise=True):
        weighing = _choices("algorithm/estimator", reads_log_ratio=True)
        raise PgrobotError(
            f"algorithm.passes is {passes}, {right}: use passes=1, a term with the ratio π/μ, or {weighing}"
        )
    if minibatch < rows:
        raise PgrobotError(
            f"{POLICY}.minibatch is {minibatch} of the {rows} rows of a rollout, {right}, "
            f"which the first of several steps leaves: use minibatch={rows}, or a term with the ratio π/μ"
        )


def _check_control(algorithm: Algorithm) -> None:
    """A baseline that depends on the action needs its expectation added back, once and at the surrogate's weight."""
    baseline = algorithm.part("baseline")
    depends = getattr(baseline, "depends_on_action", None)
    controls = algorithm.terms(adds_control_back=True)
    if depends is False and controls:
        raise PgrobotError(
            f"{controls[0]} has nothing to add back, as the baseline {baseline.__name__} does not depend on the "
            f"action: leave it out, or use {_choices('algorithm/baseline', depends_on_action=True)}"
        )
    if not depends:
        return
    weight = _surrogate_weight(algorithm)
    if not controls:
        control = declaring(parts("objectives"), adds_control_back=True)[0]
        raise PgrobotError(
            f"the baseline {baseline.__name__} depends on the action, and no term adds its expectation back: add "
            f"+algorithm.objective.control={{_target_:{control},weight:{weight or 1.0}}}"
        )
    if len(controls) > 1:
        raise PgrobotError(f"{' and '.join(controls)} add back the same expectation: leave out all but one")
    given = algorithm.node["objective"][controls[0].rpartition(".")[2]].get("weight", weight)
    if weight is not None and not math.isclose(given, weight):
        raise PgrobotError(
            f"{controls[0]}.weight is {given}, but what it adds back was taken from a surrogate whose weight is "
            f"{weight}: use {controls[0]}.weight={weight}"
        )


def _surrogate_weight(algorithm: Algorithm) -> float | None:
    """What the terms that multiply the advantage weigh together; nothing where a class of the user's own knows."""
    names = [path.rpartition(".")[2] for path in algorithm.terms(reads_advantage=True)]
    nodes = [algorithm.node["objective"][name] for name in names]
    return math.fsum(node["weight"] for node in nodes) if all("weight" in node for node in nodes) else None


def _check_critic(algorithm: Algorithm) -> None:
    """A critic has neither a policy nor a KL."""
    if algorithm.says("critic_solver", "needs_policy", otherwise=False):
        kind, others = algorithm.part("critic_solver"), declaring(parts("solvers"), needs_policy=False)
        raise PgrobotError(
            f"{CRITIC} is a {kind.__name__}, whose metric is a policy's: use {' or '.join(others)}"
        )
    if algorithm.says("critic_solver.rate", "follows_kl", otherwise=False):
        name = chosen("algorithm/rate", algorithm.part("critic_solver.rate"))
        steady = _choices("algorithm/rate", f"@{CRITIC}.rate", follows_kl=False)
        raise PgrobotError(f"{CRITIC}.rate={name} follows the KL, and a critic has none: use {steady}")
    target_kl = algorithm.node["critic_solver"].get("target_kl", math.inf)
    if target_kl != math.inf:
        raise PgrobotError(
            f"{CRITIC}.target_kl={target_kl} follows the KL, and a critic has none: use {CRITIC}.target_kl=inf"
        )


def _check_average(algorithm: Algorithm, followers: Sequence[str]) -> None:
    """An averaged reference that nothing reads would be reported on and change nothing."""
    decay = algorithm.node["average"].get("decay", 0.0)
    solver_reads = algorithm.says("policy_solver", "reads_reference", otherwise=True) and algorithm.says(
        "policy_solver.acceptance", "searches", otherwise=True
    )
    unread = len(algorithm.terms(reads_reference=False)) == len(algorithm.node["objective"])
    if decay and unread and not solver_reads and not followers:
        others = declaring(
            parts("objectives"), reads_reference=True, adds_control_back=False, follows_kl=False
        )
        names = ", ".join([others[0], *(name.rpartition(".")[2] for name in others[1:])])
        raise PgrobotError(
            f"algorithm.average.decay={decay} averages a reference that nothing reads: use it with {names} or a term "
            "that declares reads_reference, with algorithm=trpo, or algorithm.average.decay=0"
        )


def _followers(algorithm: Algorithm) -> Iterator[str]:
    """What follows the KL by which the policy moves."""
    target_kl = algorithm.node["policy_solver"].get("target_kl", math.inf)
    if math.isfinite(target_kl):
        yield f"{POLICY}.target_kl={target_kl}"
    if algorithm.says("policy_solver.rate", "follows_kl", otherwise=False):
        yield f"{POLICY}.rate={chosen('algorithm/rate', algorithm.part('policy_solver.rate'))}"
    yield from algorithm.terms(follows_kl=True)


def _moves_once(algorithm: Algorithm) -> bool:
    """Whether every KL is 0: it is measured before a step, and a rollout is one step.

    An averaged reference lies some way off from the start.
    """
    if not algorithm.says("policy_solver", "kl_before_step", otherwise=False):
        return False
    solver = algorithm.node["policy_solver"]
    rows = algorithm.rows
    steps = algorithm.node["passes"] * solver.get("epochs", 1) * rows // solver.get("minibatch", rows)
    return bool(steps == 1 and algorithm.node["average"].get("decay") == 0.0)


def _choices(group: str, place: str = "", **declarations: bool) -> str:
    """What to type for an option of a group that declares all of it."""
    return f"{group}{place}=" + " or =".join(declaring(options(group), **declarations))
