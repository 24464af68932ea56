"""What every finding says and advises, word by word, and where it begins to be one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from pgrobot.health import STRETCH, Facts, Finding, Health, findings

from .test_examination import CONFIG, DISEASES, FACTS, FINE, Change, names, rows

SLOWER = (
    "Lower algorithm.policy_solver.rate.initial, do fewer algorithm.passes, or set "
    "algorithm.policy_solver.target_kl."
)
HALF = Facts.of(CONFIG | {"total_steps": 300_000}, {"max_episode_steps": 1000}, {})


def since(stretch: int, before: float, after: Change) -> Change:
    """Of one metric or more: ``before`` of all up to a stretch, counted from 0."""
    return lambda i: after(i) if i >= STRETCH * stretch else dict.fromkeys(after(i), before)


# the metrics, what it is about, what it says and what it advises
TOLD: dict[str, tuple[Change, str, str, str]] = {
    "kl_runaway": (
        DISEASES["kl_runaway"],
        "",
        "An update moves the policy by 3 nats, so that its rollout tells little of where it went.",
        SLOWER,
    ),
    "budget_infeasible": (
        DISEASES["budget_infeasible"],
        "torque",
        (
            "The budget of 0.1 for torque cannot be kept at this price: it has been at its maximum for 50 iterations, "
            "and the cost stays at 3."
        ),
        (
            "Raise constraint.torque.budget to what the robot can do, raise multiplier.maximum, or make the task "
            "easier: a slower reference, stronger motors, more training."
        ),
    ),
    "std_at_bound": (
        DISEASES["std_at_bound"],
        "",
        "The policy's standard deviation is at its lower bound of 0.0183.",
        (
            "The policy hardly explores any more. If its return should still rise, add entropy "
            "(algorithm.objective.entropy.weight=0.01) or lower policy.log_std_bounds[0]; if it is done, nothing."
        ),
    ),
    "std_at_bound, above": (
        lambda i: {"policy/std": math.e},
        "",
        "The policy's standard deviation is at its upper bound of 2.72.",
        (
            "Noise drives the actions. Lower algorithm.objective.entropy.weight if it is not 0, start with less "
            "(policy.log_std), and see whether the reward tells good actions from bad ones."
        ),
    ),
    "std_collapsing": (
        since(9, 0.6, lambda i: {"policy/std": 0.1}),
        "",
        "The policy's standard deviation fell from 0.6 to 0.1 within 30 iterations: it stops exploring.",
        (
            "See that algorithm.objective.entropy.weight is not negative, lower algorithm.policy_solver.rate.initial, "
            "or add entropy (algorithm.objective.entropy.weight=0.01)."
        ),
    ),
    "critic_useless": (
        DISEASES["critic_useless"],
        "",
        "The critic explains 0% of the variance of the returns: it predicts little more than their mean.",
        (
            "Raise algorithm.critic_solver.rate.initial, enlarge critic.hidden, show it more of the state "
            "(critic.groups), or lower algorithm.discounts.reward: returns that far ahead may not be foreseeable."
        ),
    ),
    "clipped_much": (
        DISEASES["clipped_much"],
        "",
        "90% of the samples leave the clip interval, and no longer teach anything.",
        f"{SLOWER} If policy/kl is small, algorithm.objective.surrogate.clip is too.",
    ),
    "reward_out_of_scale": (
        DISEASES["reward_out_of_scale"],
        "ctrl",
        "The reward term ctrl is -30 per step, 30 times the others together.",
        "Lower the weight of ctrl in the task, or raise those of what the robot is to do.",
    ),
    "normalizer_drifts": (
        DISEASES["normalizer_drifts"],
        "",
        "The observations' normaliser moves the policy by 0.1 nats an iteration, beside 0.02 by learning.",
        (
            "Let it remember more (policy.observation_memory), collect more steps per iteration (num_envs, horizon), "
            "or see whether an observation grows without end."
        ),
    ),
    "multiplier_winds_up": (
        DISEASES["multiplier_winds_up"],
        "torque",
        (
            "The price of torque has risen from 25.5 to 116 over 100 iterations, and its cost of 3 does not fall to "
            "the budget of 0.1."
        ),
        (
            "See whether any behaviour could keep the budget: raise constraint.torque.budget, or lower "
            "multiplier.maximum and the gains, so that the reward still counts; torque/<joint>/gradient_torque says "
            "which joint could lower it."
        ),
    ),
    "multiplier_at_maximum": (
        DISEASES["multiplier_at_maximum"],
        "torque",
        (
            "The price of torque is at its maximum, so that it cannot rise further, and its cost is 0.407 with a "
            "budget of 0.1."
        ),
        (
            "If the cost falls, train longer (total_steps); else raise multiplier.maximum, or the budget "
            "(constraint.torque.budget)."
        ),
    ),
    "budgets_contradict": (
        DISEASES["budgets_contradict"],
        "torque and speed",
        (
            "The budgets of torque and speed contradict each other: for 50 iterations they cost 3 of 0.1 and 2 of 0.1, "
            "neither falls, and what lowers one raises the other."
        ),
        (
            "Raise constraint.torque.budget or constraint.speed.budget: no policy is in sight that keeps both. The "
            "best one is that which exceeds them the least."
        ),
    ),
    "budget_infeasible, in a recovery": (
        lambda i: {"cost/torque/mean": 3.0, "step/case/recovery": 1.0},
        "torque",
        (
            "The budget of 0.1 for torque is not kept though nothing else is sought: for 50 iterations steps did "
            "nothing but lower costs, and this one stays at 3."
        ),
        "Raise constraint.torque.budget to what the robot can do, or make the task easier.",
    ),
    "cost_never_occurs": (
        DISEASES["cost_never_occurs"],
        "torque",
        "torque has cost nothing in 120 iterations, so that its budget limits nothing.",
        (
            "See whether constraint.torque.cost asks for what is meant: pgrobot probe tells what is spent of it; or "
            "leave the constraint out."
        ),
    ),
    "actuator_saturated": (
        lambda i: {"torque/knee/saturation": 0.9, "torque/ankle/saturation": 0.1},
        "knee",
        "The actuator knee is at its limit in 90% of the steps.",
        (
            "If policy/std is large, start with less (policy.log_std=-1) or lower the weight of entropy; if it is "
            "small, the motor is too weak for what pays: give it a stronger gear, or limit torque by a budget."
        ),
    ),
    "sensor_unused": (
        DISEASES["sensor_unused"],
        "",
        "No actuator answers to 25% of the entries that the policy observes.",
        (
            "See whether the sensor moves at all; if it does, train longer, or leave it out. tables/sensitivity/ has "
            "all by name."
        ),
    ),
}


def only(change: Change) -> Finding:
    (finding,) = findings(rows(120, change), FACTS)
    return finding


@pytest.mark.parametrize("name", TOLD)
def test_every_word(name: str) -> None:
    change, subject, sentence, remedy = TOLD[name]
    found = only(change)
    assert (found.name, found.subject) == (name.partition(",")[0], subject)
    assert found.sentence == sentence
    assert found.remedy == remedy


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("updates_skipped", "lower algorithm.policy_solver.rate.initial, or see whether reward"),
        ("simulations_break", "Lower the model's timestep or its largest torques, or end the episode"),
    ],
)
def test_rare_events_are_advised_on(name: str, remedy: str) -> None:
    assert remedy in only(DISEASES[name]).remedy


def maximum(level: float) -> Change:
    return lambda i: DISEASES["multiplier_at_maximum"](i) | {"multiplier_level/torque": level}


def costing(cost: float) -> Change:
    return lambda i: {"multiplier_level/torque": 100.0, "cost/torque/mean": cost}


def priced(times: float) -> Change:
    """A price that rises so many times within ten stretches."""
    of = lambda i: times ** (i // STRETCH / 9)
    return lambda i: {"multiplier/torque": of(i), "cost/torque/mean": 3.0}


def drifting(drift: float, kl: float) -> Change:
    return lambda i: {"policy/kl_normalizer": drift, "policy/kl": kl}


def explaining(share: float, loss: float) -> Change:
    return lambda i: {"critic/explained_variance/reward": share, "loss/value": loss}


def one(name: str, value: float) -> Change:
    return lambda i: {name: value}


# what is just no such finding yet, and what is
BOUNDARIES: list[tuple[str, Change, Change]] = [
    ("updates_skipped", one("guard/skipped_updates", 0.04), one("guard/skipped_updates", 0.06)),
    ("simulations_break", one("simulation/failures", 0.45), one("simulation/failures", 0.55)),
    ("kl_runaway", one("policy/kl", 0.19), one("policy/kl", 0.21)),
    ("clipped_much", one("policy/clip_fraction", 0.74), one("policy/clip_fraction", 0.76)),
    ("normalizer_drifts", drifting(0.0049, 0.001), drifting(0.0051, 0.001)),
    ("normalizer_drifts", drifting(0.049, 0.1), drifting(0.051, 0.1)),
    ("critic_useless", explaining(0.11, 0.5), explaining(0.09, 0.5)),
    ("critic_useless", explaining(0.0, 0.09), explaining(0.0, 0.11)),
    ("reward_out_of_scale", one("reward/ctrl/mean", -9.9), one("reward/ctrl/mean", -10.1)),
    ("reward_out_of_scale", one("reward/forward/mean", 99.0), one("reward/forward/mean", 101.0)),
    ("actuator_saturated", one("torque/hip/saturation", 0.59), one("torque/hip/saturation", 0.61)),
    ("std_at_bound", one("policy/std", 1.021 * math.exp(-4.0)), one("policy/std", 1.019 * math.exp(-4.0))),
    ("std_at_bound", one("policy/std", 0.979 * math.e), one("policy/std", 0.981 * math.e)),
    ("std_collapsing", one("policy/std", 0.051), one("policy/std", 0.049)),
    (
        "std_collapsing",
        since(9, 0.58, one("policy/std", 0.2)),
        since(9, 0.62, one("policy/std", 0.2)),
    ),
    ("multiplier_winds_up", priced(1.9), priced(2.1)),
    ("multiplier_at_maximum", maximum(99.8), maximum(99.95)),
    ("budget_infeasible", costing(0.099), costing(0.101)),
]


@pytest.mark.parametrize(("name", "within", "beyond"), BOUNDARIES)
def test_where_it_begins(name: str, within: Change, beyond: Change) -> None:
    assert name not in names(120, within)
    assert name in names(120, beyond)


def test_terms_that_pay_nothing_are_not_drowned() -> None:
    """As those of a sparse task, whose weights are 0."""
    large = {"reward/forward/mean": 0.0, "reward/ctrl/mean": -30.0}
    assert names(120, lambda i: large) == []
    assert names(120, lambda i: large | {"reward/forward/mean": 0.001 * (i % 2)}) == ["reward_out_of_scale"]


def test_small_noise_is_early_only_in_the_first_half() -> None:
    small = one("policy/std", 0.04)
    assert names(120, small) == ["std_collapsing"]
    assert names(120, small, HALF) == []  # 245,760 of 300,000 steps


@pytest.mark.parametrize(("share", "told"), [(0.74, False), (0.76, True)])
def test_no_episode_is_told_late(share: float, *, told: bool) -> None:
    facts = Facts.of(CONFIG | {"total_steps": 2048 * 30 / share}, {"max_episode_steps": 1000}, {})
    nothing = [(s, {k: v for k, v in row.items() if k != "return/mean"}) for s, row in rows(30, lambda i: {})]
    found = findings(nothing, facts)
    assert [finding.name for finding in found] == ["too_few_episodes"] * told
    for finding in found:
        assert finding.sentence == (
            "No episode has ended within 61,440 steps, and 64,000 steps are one for each environment: nothing is "
            "known of the return."
        )
        assert finding.remedy == (
            "Train longer (total_steps), with fewer environments (num_envs), or with shorter episodes "
            "(task.max_episode_steps)."
        )


def test_the_record_of_a_run_reads_its_result(tmp_path: Path) -> None:
    def standing() -> list[Mapping[str, object]]:
        return list(json.loads((tmp_path / "health.json").read_text())["findings"])

    health = Health(tmp_path, CONFIG, {"max_episode_steps": 1000})
    health.begin((2048 * (i + 1), FINE) for i in range(30))
    health.conclude({})
    assert standing() == []
    cost = {"verdict": "undecided", "episodes_needed": 240.0}
    health.conclude({"return": {"episodes": 100}, "costs": {"torque": cost}})
    (finding,) = standing()
    assert (finding["name"], finding["subject"]) == ("too_few_episodes", "torque")
    assert (
        finding["sentence"] == "100 episodes do not decide whether torque keeps its budget; some 240 would."
    )
    assert finding["remedy"] == (
        "pgrobot evaluate <run> --episodes 240 judges on so many; in the next run, evaluation.final_episodes=240."
    )
    assert [found.subject for found in health.findings] == ["torque"]
