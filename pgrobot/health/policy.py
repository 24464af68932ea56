"""What can be wrong with the policy and its steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pgrobot.health.finding import Symptom
from pgrobot.health.history import View

AT_BOUND = 0.02  # of the bound: nearer than a step of training, once at it, moves it
COLLAPSE = 3.0  # times smaller within 30 iterations; of runs that learn well the fastest fell by a half
LITTLE = 0.05  # of half an actuator's range: less than what most robots feel as exploration
KL_MUCH = 0.2  # nats an update; of runs that learn well the largest has some 0.08
CLIPPED_MUCH = 0.75  # of the samples; of runs that learn well the largest has some 0.5
DRIFT_LITTLE = 0.005  # nats: below it a normaliser does no harm, whatever the policy's own step is
AT_LOWER = (
    "The policy hardly explores any more. If its return should still rise, add entropy "
    "(algorithm.objective.entropy.weight=0.01) or lower policy.log_std_bounds[0]; if it is done, nothing."
)
AT_UPPER = (
    "Noise drives the actions. Lower algorithm.objective.entropy.weight if it is not 0, start with less "
    "(policy.log_std), and see whether the reward tells good actions from bad ones."
)
SLOWER = (
    "Lower algorithm.policy_solver.rate.initial, do fewer algorithm.passes, or set "
    "algorithm.policy_solver.target_kl."
)


def std_at_bound(view: View) -> Iterator[Symptom]:
    """The standard deviation stays at a bound that it could leave."""
    stds = view.last("policy/std", 2)
    if not stds or not view.facts.std_low < view.facts.std_high:
        return
    bounds = (("lower", view.facts.std_low, AT_LOWER), ("upper", view.facts.std_high, AT_UPPER))
    for word, bound, remedy in bounds:
        if _at(bound, stds):
            yield Symptom(
                "",
                f"The policy's standard deviation is at its {word} bound of {bound:.3g}.",
                {"policy/std": stds[-1], "bound": bound},
                remedy,
            )


def std_collapsing(view: View) -> Iterator[Symptom]:
    """Exploration ends before learning does."""
    stds = view.last("policy/std", 4)
    if not stds or min(stds) <= 0.0:
        return
    fast = stds[0] >= COLLAPSE * stds[-1]
    early = view.facts.std_low >= 0.0 and view.step < 0.5 * view.facts.total_steps and max(stds[-2:]) < LITTLE
    if _at(view.facts.std_low, stds[-2:]) or not (fast or early):
        return
    story = (
        f"fell from {stds[0]:.3g} to {stds[-1]:.3g} within 30 iterations"
        if fast
        else f"is {stds[-1]:.3g} of half an actuator's range before half of the training is done"
    )
    yield Symptom(
        "",
        f"The policy's standard deviation {story}: it stops exploring.",
        {"policy/std": stds[-1], "policy/std 30 iterations before": stds[0]},
        "See that algorithm.objective.entropy.weight is not negative, lower algorithm.policy_solver.rate.initial, or "
        "add entropy (algorithm.objective.entropy.weight=0.01).",
    )


def kl_runaway(view: View) -> Iterator[Symptom]:
    """An update takes the policy far from the one that collected."""
    kls = view.last("policy/kl", 2)
    if kls and min(kls) > KL_MUCH:
        yield Symptom(
            "",
            f"An update moves the policy by {kls[-1]:.3g} nats, so that its rollout tells little of where it went.",
            {"policy/kl": kls[-1]},
            SLOWER,
        )


def clipped_much(view: View) -> Iterator[Symptom]:
    """Nearly all samples leave the clip interval, so that most of a rollout teaches nothing."""
    shares = view.last("policy/clip_fraction", 2)
    if shares and min(shares) > CLIPPED_MUCH:
        yield Symptom(
            "",
            f"{shares[-1]:.0%} of the samples leave the clip interval, and no longer teach anything.",
            {"policy/clip_fraction": shares[-1]},
            f"{SLOWER} If policy/kl is small, algorithm.objective.surrogate.clip is too.",
        )


def normalizer_drifts(view: View) -> Iterator[Symptom]:
    """The normaliser of the observations moves the policy about as far as learning does."""
    drifts, kls = view.last("policy/kl_normalizer", 3), view.last("policy/kl", 3)
    if not drifts or not kls:
        return
    if all(drift > max(DRIFT_LITTLE, 0.5 * kl) for drift, kl in zip(drifts, kls, strict=True)):
        yield Symptom(
            "",
            f"The observations' normaliser moves the policy by {drifts[-1]:.2g} nats an iteration, beside "
            f"{kls[-1]:.2g} by learning.",
            {"policy/kl_normalizer": drifts[-1], "policy/kl": kls[-1]},
            "Let it remember more (policy.observation_memory), collect more steps per iteration (num_envs, horizon), "
            "or see whether an observation grows without end.",
        )


def _at(bound: float, stds: Sequence[float]) -> bool:
    return all(abs(std / bound - 1.0) <= AT_BOUND for std in stds)
