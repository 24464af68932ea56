"""What can be wrong with what the policy learns from: critic, reward, numbers."""

from __future__ import annotations

from collections.abc import Iterator

from pgrobot.health.finding import Symptom
from pgrobot.health.history import FIRST, LARGEST, View

EXPLAINS_LITTLE = 0.1  # of the variance of its targets
MISSES_MUCH = (
    0.1  # half a squared error, deviations; predicting a constant has some 0.5 per column. Below it there
)
# is nothing to explain: a robot whose every state is worth the same
SOON = 10_000  # environment steps: a critic that has seen fewer cannot know better
PENALTY_MUCH = 10.0  # times the other terms together
GAIN_MUCH = (
    1000.0  # likewise; a bonus for being alive may be a hundred times what a robot earns that stands still
)
SKIPPED_MUCH = 0.05  # of the iterations: more than a rare accident
MOST_NAMED = 5
BROKEN_MUCH = 0.5  # simulations per iteration


def critic_useless(view: View) -> Iterator[Symptom]:
    """The value function predicts no better than a constant where there is something to predict."""
    if view.step < SOON:
        return
    explained = view.last("critic/explained_variance/reward", 3)
    losses = view.last("loss/value", 3)
    if explained and losses and max(explained) < EXPLAINS_LITTLE and min(losses) > MISSES_MUCH:
        yield Symptom(
            "",
            f"The critic explains {max(explained[-1], 0.0):.0%} of the variance of the returns: it predicts little "
            "more than their mean.",
            {"critic/explained_variance/reward": explained[-1], "loss/value": losses[-1]},
            "Raise algorithm.critic_solver.rate.initial, enlarge critic.hidden, show it more of the state "
            "(critic.groups), or lower algorithm.discounts.reward: returns that far ahead may not be foreseeable.",
        )


def reward_out_of_scale(view: View) -> Iterator[Symptom]:
    """One term of the reward is so large that the others, of those that pay anything, do not matter."""
    found = {term: view.last(f"reward/{term}/mean", 2) for term in view.between("reward/", "/mean")}
    terms = [term for term, value in found.items() if any(value)]
    if len(terms) < 2 or not all(found.values()):
        return
    for term in terms:
        others = [sum(abs(found[other][i]) for other in terms if other != term) for i in range(2)]
        own = found[term]
        if all(_drowns(one, rest) for one, rest in zip(own, others, strict=True)):
            times = f"{abs(own[-1]) / others[-1]:,.3g} times" if others[-1] > 0.0 else "infinitely many times"
            yield Symptom(
                term,
                f"The reward term {term} is {own[-1]:.3g} per step, {times} the others together.",
                {f"reward/{name}/mean": found[name][-1] for name in terms},
                f"Lower the weight of {term} in the task, or raise those of what the robot is to do.",
            )


def updates_skipped(view: View) -> Iterator[Symptom]:
    """Updates meet or make numbers that are not finite."""
    skipped, updates = view.counted("guard/skipped_updates")
    if skipped > SKIPPED_MUCH * updates:
        yield Symptom(
            "",
            f"{skipped:.0f} of the last {updates} updates were skipped, for a number in them was not finite.",
            {"guard/skipped_updates": skipped / updates},
            "faults/ in the run's directory holds the states before them, and run.log says which number it was; lower "
            "algorithm.policy_solver.rate.initial, or see whether reward and observations can be infinite.",
        )


def numbers_not_finite(view: View) -> Iterator[Symptom]:
    """Metrics are no numbers, so that neither curves nor checks see them."""
    if not view.odd or view.iterations < FIRST:
        return
    ranked = sorted(view.odd, key=lambda name: -view.odd[name])
    more = f", and values of {len(ranked) - 1} more metrics" if len(ranked) > 1 else ""
    yield Symptom(
        "",
        f"{view.odd[ranked[0]]} values of {ranked[0]} in {view.iterations} iterations{more} are not finite, or beyond "
        f"{LARGEST:.0e}: neither curves nor other findings take them into account.",
        {name: float(view.odd[name]) for name in ranked[:MOST_NAMED]},
        "Look for rewards, costs and observations that can be infinite or are divided by nothing; metrics.jsonl has "
        "null where they were.",
    )


def simulations_break(view: View) -> Iterator[Symptom]:
    """Simulations become unstable again and again."""
    broken, iterations = view.counted("simulation/failures")
    if broken > BROKEN_MUCH * iterations:
        yield Symptom(
            "",
            f"{broken / iterations:.3g} simulations break per iteration, and their episodes are cut.",
            {"simulation/failures": broken / iterations},
            "Lower the model's timestep or its largest torques, or end the episode before such states "
            "(task.terminations).",
        )


def _drowns(value: float, others: float) -> bool:
    """Whether a term of the reward leaves nothing of the others."""
    return abs(value) > (PENALTY_MUCH if value < 0.0 else GAIN_MUCH) * others
