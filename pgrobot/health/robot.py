"""What can be wrong with the robot's sensors, its motors and its episodes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pgrobot.health.finding import Symptom
from pgrobot.health.history import View

SATURATED_MUCH = 0.6  # of the steps: a policy that learns well spends less than half of them at the limit
MOST_NAMED = 5
LATE = 0.75  # of the training: what is known of the return by then is what it ends with


def actuator_saturated(view: View) -> Iterator[Symptom]:
    """A motor is at its limit most of the time."""
    for joint in view.between("torque/", "/saturation"):
        shares = view.last(f"torque/{joint}/saturation", 3)
        if shares and min(shares) > SATURATED_MUCH:
            yield Symptom(
                joint,
                f"The actuator {joint} is at its limit in {shares[-1]:.0%} of the steps.",
                {f"torque/{joint}/saturation": shares[-1]},
                "If policy/std is large, start with less (policy.log_std=-1) or lower the weight of entropy; if it is "
                "small, the motor is too weak for what pays: give it a stronger gear, or limit torque by a budget.",
            )


def sensor_unused(view: View) -> Iterator[Symptom]:
    """The policy does not answer to something that it observes."""
    share = view.latest.get("sensitivity/unused", 0.0)
    if share <= 0.0:
        return
    named = view.facts.unused[:MOST_NAMED]
    more = f" and {len(view.facts.unused) - MOST_NAMED} more" if len(view.facts.unused) > MOST_NAMED else ""
    which = f": {', '.join(named)}{more}" if named else ""
    yield Symptom(
        "",
        f"No actuator answers to {share:.0%} of the entries that the policy observes{which}.",
        {"sensitivity/unused": share},
        "See whether the sensor moves at all; if it does, train longer, or leave it out. tables/sensitivity/ has "
        "all by name.",
    )


def too_few_episodes(view: View) -> Iterator[Symptom]:
    """There are not enough episodes to say how good the policy is, or whether it keeps its budgets."""
    learns = (
        "guard/skipped_updates" in view.recent
    )  # else these are the metrics that belong to no learner of several
    if learns and "return/mean" not in view.latest and view.step >= LATE * view.facts.total_steps:
        per = view.facts.num_envs * view.facts.max_episode_steps
        long = f", and {per:,.0f} steps are one for each environment" if math.isfinite(per) else ""
        yield Symptom(
            "",
            f"No episode has ended within {view.step:,} steps{long}: nothing is known of the return.",
            {"global_step": float(view.step), "total_steps": view.facts.total_steps},
            "Train longer (total_steps), with fewer environments (num_envs), or with shorter episodes "
            "(task.max_episode_steps).",
        )
    for name, needed in (
        view.facts.needed.items() if "simulation/failures" in view.recent else ()
    ):  # once in a run
        if math.isfinite(needed) and needed > view.facts.episodes:
            yield Symptom(
                name,
                f"{view.facts.episodes:,.0f} episodes do not decide whether {name} keeps its budget; some "
                f"{needed:,.0f} would.",
                {"episodes": view.facts.episodes, "episodes_needed": needed},
                f"pgrobot evaluate <run> --episodes {needed:.0f} judges on so many; in the next run, "
                f"evaluation.final_episodes={needed:.0f}.",
            )
