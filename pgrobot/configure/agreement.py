"""What parts of an algorithm say of each other: each is valid, and together they would compute something else.

Nothing here knows a part: each declares what it does and needs on its class, as its protocol describes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pgrobot.advice import chosen, declaring, options, parts
from pgrobot.choice import OBJECTIVE, POLICY, Choice, Posed
from pgrobot.errors import PgrobotError
from pgrobot.targets import locate

CRITIC = "algorithm.critic_solver"
# Attributes of ``Objective`` that every term has to have.
DECLARED = {
    "reads_advantage": "whether it reads batch.advantage",
    "multiplies_ratio": "whether it multiplies the advantage by π/μ",
}
# What terms may declare that is seen to for the algorithm's objective alone, and not where a solver poses another one.
OF_THE_ALGORITHM = {
    "follows_kl": "has a weight that follows the KL",
    "scheduled": "has a weight that changes from update to update",
    "reads_prior": "keeps to the policy that the run began as",
    "adds_control_back": "adds back what a baseline took of the reward's advantage",
    "has_network": "learns a network of its own",
    "imitates": "imitates",
}


def check_term(path: str, node: Mapping[str, Any], term: Any) -> None:
    """Refuse a term of the objective that does not say what it reads.

    Raises:
        PgrobotError: it does not.
    """
    for word, meaning in DECLARED.items():
        if not isinstance(getattr(term, word, None), bool):
            raise PgrobotError(
                f"{path} is {node['_target_']}, which does not say {meaning}: "
                f"declare {word}: ClassVar[bool] = True or False on it"
            )


def objective_has_ratio(objective: Any, modules: Any) -> bool:
    """Whether the terms of an objective's node multiply the advantage by π/μ, as they declare.

    Where one does not, or something is wrong with one, the config is refused by whoever checks it.
    """
    try:
        terms = {name: locate(name, node["_target_"], list(modules)) for name, node in objective.items()}
        for name, term in terms.items():
            check_term(name, objective[name], term)
        surrogates = {name: term for name, term in terms.items() if not getattr(term, "imitates", False)}
        return not declaring(surrogates, reads_advantage=True, multiplies_ratio=False)
    except Exception:  # noqa: BLE001 - the user's code may raise anything when it is imported, and will again
        return True


def check_agreement(choice: Choice) -> None:
    """Refuse an algorithm whose parts contradict each other.

    Raises:
        PgrobotError: names the two parts.
    """
    _check_discount(choice)
    _check_memory(choice)
    for objective in dict.fromkeys(posed.objective for posed in choice.problems):
        for name, node in choice.at(objective).items():
            check_term(f"{objective}.{name}", node, choice.parts[f"{objective}.{name}"])
    _check_control(choice)
    _check_critic(choice)
    _check_average(choice)
    for posed in choice.problems:
        _check_followers(choice, posed)
        _check_besides(choice, posed)
    _check_ratio(choice)
    _check_networks(choice)
    _check_budgets(choice)
    for path in choice.terms(clones=True):
        if not choice.says("scheme", "demonstrates"):
            raise PgrobotError(
                f"{path} clones demonstrations, which only a scheme hands out: use scheme=clone"
            )
    for posed in choice.problems:
        for path in choice.surrogates(posed.objective, multiplies_ratio=False):
            _check_reuse(path, posed, choice)


def _check_followers(choice: Choice, posed: Posed) -> None:
    """What follows a KL has to have one: the first step leaves from the reference, but for an average of parameters."""
    followers = [told for told, _ in _followers(choice, posed.solver)]
    followers += choice.terms(posed.objective, follows_kl=True)
    at_reference = not posed.own or choice.node["average"].get("decay") == 0.0
    before = at_reference and choice.says(posed.solver, "kl_before_step")
    if followers and before and choice.steps(posed) == 1:
        without_ratio = choice.surrogates(posed.objective, multiplies_ratio=False)
        remedy = (
            "leave it out" if without_ratio else "use a smaller minibatch or more epochs, or leave it out"
        )
        raise PgrobotError(
            f"{followers[0]} follows how far the policy moved before a step, which is 0 where a rollout is one step: "
            f"{remedy}"
        )


def _check_besides(choice: Choice, posed: Posed) -> None:
    """An objective that a solver poses has the advantage that it is given, and terms that stay what they are."""
    if posed.own:
        return
    for word, does in OF_THE_ALGORITHM.items():
        for path in choice.terms(posed.objective, **{word: True}):
            raise PgrobotError(f"{path} {does}, which only terms of {OBJECTIVE} can: leave it out")
    if not choice.terms(posed.objective, reads_advantage=True):
        raise PgrobotError(
            f"no term of {posed.objective} reads the advantage, which is all that it is posed for: add a term with the "
            "ratio π/μ"
        )


def _check_discount(choice: Choice) -> None:
    """From a step on, the return of its whole piece is discounted from where that began: γ^t would be a second time."""
    word = getattr(choice.parts["algorithm.estimator"], "discounts_pieces_without", "")
    whole = word and not choice.node["estimator"].get(word, True)
    if whole and choice.node["state_discount"] and choice.node["discounts"]["reward"] < 1.0:
        raise PgrobotError(
            f"algorithm.state_discount=true would discount a second time what algorithm.estimator.{word}=false "
            "already discounts from where an episode or its part in the rollout begins: set only one of the two"
        )


def _check_memory(choice: Choice) -> None:
    """What older policies did wants an estimator that corrects for them."""
    memory, estimator = choice.node["memory"], "algorithm.estimator"
    if memory > 1 and not choice.says(estimator, "reads_log_ratio", otherwise=True):
        word = chosen("algorithm/estimator", choice.parts[estimator])
        raise PgrobotError(
            f"algorithm.memory={memory} learns from what older policies did, which the estimator {word} takes for the "
            f"present one's: use {_offered('algorithm/estimator', reads_log_ratio=True)}, or algorithm.memory=1"
        )


def _check_ratio(choice: Choice) -> None:
    stated = choice.node["estimator"].get("objective_has_ratio")
    for with_ratio, words in ((True, "multiplies"), (False, "does not multiply")):
        found = choice.surrogates(multiplies_ratio=with_ratio)
        if found and stated == (not with_ratio):
            raise PgrobotError(
                f"algorithm.estimator.objective_has_ratio is {str(stated).lower()}, but {found[0]} {words} by the "
                "ratio π/μ: leave the key out, or choose another term"
            )


def _check_networks(choice: Choice) -> None:
    """The metric of a policy knows nothing of parameters that no action depends on."""
    found = choice.terms(has_network=True)
    if found and choice.says(POLICY, "needs_policy"):
        raise PgrobotError(
            f"{found[0]} learns a network of its own, which {choice.parts[POLICY].__name__} cannot move, as its metric "
            "is the policy's: choose an algorithm with first-order steps, such as algorithm=ppo"
        )


def _check_budgets(choice: Choice) -> None:
    """Whoever keeps to the budgets itself has no use for an advantage in which they are priced already."""
    keepers = [path for path in choice.solvers if choice.says(path, "keeps_budgets")]
    for objective in dict.fromkeys(posed.objective for posed in choice.problems):
        keepers += choice.terms(objective, keeps_budgets=True)
    if len(keepers) > 1:
        raise PgrobotError(
            f"{keepers[0]} and {keepers[1]} both keep to the budgets by themselves: leave one out"
        )
    if keepers and choice.says("multiplier", "prices", otherwise=True):
        word = chosen("multiplier", choice.parts["multiplier"])
        raise PgrobotError(
            f"{keepers[0]} ({choice.parts[keepers[0]].__name__}) keeps to the budgets by itself, and "
            f"multiplier={word} would price them as well: use multiplier=none"
        )
    name, makes = choice.node["name"], getattr(choice.parts["multiplier"], "makes", "")
    for option, part in options("multiplier").items():
        if getattr(part, "makes", "") == name != makes:
            word = chosen("multiplier", choice.parts["multiplier"])
            raise PgrobotError(
                f"algorithm={name} is what multiplier={option} makes of another algorithm, and multiplier={word} would "
                f"take its place: leave multiplier={word} out, or choose the other algorithm"
            )


def _check_reuse(path: str, posed: Posed, choice: Choice) -> None:
    """Without the ratio a surrogate has the policy gradient at the policy that acted, which the first step leaves.

    An estimator that weighs by the ratio when a pass begins corrects for earlier passes and for no step of its own.
    """
    right = f"but {path} is right for the policy that acted only"
    solver, rows, passes = choice.at(posed.solver), choice.rows, choice.node["passes"]
    epochs, minibatch = solver.get("epochs", 1), solver.get("minibatch", rows)
    if not posed.own:
        raise PgrobotError(
            f"{posed.solver} begins where the policy has been moved to, {right}: use a term with the ratio π/μ"
        )
    if epochs > 1:
        raise PgrobotError(
            f"{posed.solver}.epochs is {epochs}, {right}: use epochs=1, or a term with the ratio π/μ"
        )
    if passes > 1 and not choice.says("algorithm.estimator", "reads_log_ratio", otherwise=True):
        weighing = _offered("algorithm/estimator", reads_log_ratio=True)
        raise PgrobotError(
            f"algorithm.passes is {passes}, {right}: use passes=1, a term with the ratio π/μ, or {weighing}"
        )
    if minibatch < rows:
        raise PgrobotError(
            f"{posed.solver}.minibatch is {minibatch} of the {rows} rows of an update, {right}, "
            f"which the first of several steps leaves: use minibatch={rows}, or a term with the ratio π/μ"
        )


def _check_control(choice: Choice) -> None:
    """A baseline that depends on the action needs its expectation added back, once and at the surrogate's weight."""
    baseline = choice.parts["algorithm.baseline"]
    depends = getattr(baseline, "depends_on_action", None)
    controls = choice.terms(adds_control_back=True)
    if depends is False and controls:
        raise PgrobotError(
            f"{controls[0]} has nothing to add back, as the baseline {baseline.__name__} does not depend on the "
            f"action: leave it out, or use {_offered('algorithm/baseline', depends_on_action=True)}"
        )
    if not depends:
        return
    for path in choice.terms(reads_advantage=True, imitates=True):
        raise PgrobotError(
            f"{path} imitates by what the baseline {baseline.__name__} leaves of the advantage, which depends on the "
            "action: use algorithm/baseline=value"
        )
    weights = [choice.weight(path) for path in choice.terms(reads_advantage=True)]
    weight = None if None in weights else math.fsum(filter(None, weights))
    if not controls:
        control = declaring(parts("objectives"), adds_control_back=True)[0]
        raise PgrobotError(
            f"the baseline {baseline.__name__} depends on the action, and no term adds its expectation back: add "
            f"+algorithm.objective.control={{_target_:{control},weight:{weight or 1.0}}}"
        )
    if len(controls) > 1:
        raise PgrobotError(f"{' and '.join(controls)} add back the same expectation: leave out all but one")
    given = choice.weight(controls[0])
    if weight is not None and given is not None and not math.isclose(given, weight):
        raise PgrobotError(
            f"{controls[0]}.weight is {given}, but what it adds back was taken from a surrogate whose weight is "
            f"{weight}: use {controls[0]}.weight={weight}"
        )


def _check_critic(choice: Choice) -> None:
    """A critic has neither a policy nor a KL."""
    if choice.says(CRITIC, "needs_policy"):
        others = " or ".join(declaring(parts("solvers"), needs_policy=False))
        kind = choice.parts[CRITIC].__name__
        raise PgrobotError(f"{CRITIC} is a {kind}, whose metric is a policy's: use {others}")
    for told, remedy in _followers(choice, CRITIC):
        raise PgrobotError(f"{told} follows how far a policy moves, and a critic is none: use {remedy}")


def _followers(choice: Choice, solver: str) -> Iterator[tuple[str, str]]:
    """What of a solver follows the KL by which the policy moves, and what to use instead."""
    target_kl = choice.at(solver).get("target_kl", math.inf)
    if math.isfinite(target_kl):
        yield f"{solver}.target_kl={target_kl}", f"{solver}.target_kl=inf"
    rate = f"{solver}.rate"
    if choice.says(rate, "follows_kl"):
        told = f"{rate}={chosen('algorithm/rate', choice.parts[rate])}"
        yield told, _offered("algorithm/rate", f"@{rate}", follows_kl=False)


def _check_average(choice: Choice) -> None:
    """An averaged reference that nothing reads would be reported on and change nothing."""
    decay, solver = choice.node["average"].get("decay", 0.0), choice.problems[0].solver
    followers = [*_followers(choice, solver), *choice.terms(follows_kl=True)]
    searches = choice.says(f"{solver}.acceptance", "searches", otherwise=True)
    solver_reads = choice.says(solver, "reads_reference", otherwise=True) and searches
    unread = len(choice.terms(reads_reference=False)) == len(choice.node["objective"])
    if decay and unread and not solver_reads and not followers:
        terms = declaring(
            parts("objectives"), reads_reference=True, adds_control_back=False, follows_kl=False
        )
        names = ", ".join([terms[0], *(name.rpartition(".")[2] for name in terms[1:])])
        raise PgrobotError(
            f"algorithm.average.decay={decay} averages a reference that nothing reads: use it with {names} or a term "
            "that declares reads_reference, with a policy_solver that searches along its step, or "
            "algorithm.average.decay=0"
        )


def _offered(group: str, place: str = "", **declarations: bool) -> str:
    """What to type for an option of a group that declares all of it."""
    return f"{group}{place}=" + " or =".join(declaring(options(group), **declarations))
