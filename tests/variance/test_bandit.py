"""A bandit in closed form: what the laboratory measures is what the formulas say, through the learner that trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pgrobot.baselines import Baseline, Constant, NoBaseline, Optimal, Projection, Value
from pgrobot.configure import build_constraints
from pgrobot.envs.toys import GaussianBandit
from pgrobot.randomness import stream
from pgrobot.variance import Experience, MeasurementPlan, Subject, biases, collect, gradients, opened
from pgrobot.variance import variance as trace
from pgrobot.variance.baselines import each
from pgrobot.variance.statistics import variance_ratio

SETTING = MeasurementPlan(
    checkpoint="last", rollouts=0, horizon=0, warmup=0, seed=3, confidence=0.99, level=0.01
)
ROLLOUTS, ENVS, STEPS = 500, 32, 4
Measure = Callable[[Mapping[str, Baseline], int], dict[str, Tensor]]


def measured(
    subject: Subject, baselines: Mapping[str, Baseline], rollouts: int, horizon: int
) -> dict[str, Tensor]:
    asked = Experience(rollouts, horizon, warmup=0, seed=3)
    collected = collect(
        subject.environment, subject.policy, build_constraints(subject.cfg), asked, lambda _: None
    )
    return gradients(subject.learner, collected, each(baselines, rollouts), lambda _: None)


class Closed:
    """The bandit at the checkpoint's policy: moments of one action's gradient for any constant baseline."""

    def __init__(self, subject: Subject) -> None:
        nothing = {"policy": torch.zeros(1, 1), "time": torch.zeros(1, 1)}
        distribution, _ = subject.policy(nothing, torch.zeros(1, 0), torch.ones(1, dtype=torch.bool))
        self.mean, self.std = float(distribution.mean), float(distribution.std)
        self.value = float(subject.learner.critic.value(nothing))
        self.world = GaussianBandit(name="bandit", centre=0.7)
        d, s = self.mean - 0.7, self.std
        # E[‖s‖² r] / E[‖s‖²] with ‖s‖² = z²/σ² + (z² − 1)² and r = −(σz + d)²
        self.best = -(d**2 / s**2 + 3 + 2 * d**2 + 10 * s**2) / (1 / s**2 + 2)

    def variance(self, baseline: float) -> float:
        return float(self.world.variance(self.mean, self.std, baseline).sum())


@pytest.fixture(scope="module")
def gradient_sets(bandit: Path) -> tuple[Closed, dict[str, Tensor]]:
    baselines = {"none": NoBaseline(), "value": Value(), "optimal": Optimal(8), "constant": Constant(8)}
    with opened(bandit, (), SETTING) as subject:
        return Closed(subject), measured(subject, baselines, ROLLOUTS, STEPS)


def test_measured_ratios_meet_the_closed_forms(gradient_sets: tuple[Closed, dict[str, Tensor]]) -> None:
    closed, found = gradient_sets
    own_value = closed.world.value(closed.mean, closed.std)
    assert abs(closed.value) > 0.1, "the critic has learnt something"
    exact = {"value": closed.value, "optimal": closed.best, "constant": own_value}
    for name, baseline in exact.items():
        ratio = variance_ratio(found[name], found["none"], 0.99)
        wanted = closed.variance(float(baseline)) / closed.variance(0.0)
        assert ratio.low < wanted < ratio.high, name
        assert ratio.high / ratio.low < 2.0, "the interval says something"
        assert ratio.high < 1.0


def test_measured_variances_and_means_meet_the_closed_forms(
    gradient_sets: tuple[Closed, dict[str, Tensor]],
) -> None:
    closed, found = gradient_sets
    exact = closed.world.gradient(closed.mean, closed.std)
    for name, baseline in (("none", 0.0), ("value", closed.value)):
        one = closed.variance(baseline) / (ENVS * STEPS)
        assert trace(found[name]) == pytest.approx(one, rel=0.15)
        rows = found[name].double()
        rows = rows[:, rows.abs().sum(0) > 0]  # the weight of an observation that is always zero
        assert rows.shape[1] == 2
        mean, error = rows.mean(0), rows.std(0) / ROLLOUTS**0.5
        wanted = torch.tensor(sorted(exact, key=lambda g: -abs(g)), dtype=torch.float64)
        order = mean.abs().argsort(descending=True)
        assert bool(((mean[order] - wanted).abs() < 4.0 * error[order]).all())


@pytest.fixture(scope="module")
def eight_actions(biased: Path) -> dict[str, Tensor]:
    """What every kind of control leaves where a rollout has eight actions."""
    baselines = {
        "none": NoBaseline(),
        "value": Value(),
        "linear": Projection("linear", 0, 1e-2, 4),
        "quadratic": Projection("quadratic", 0, 1e-2, 4),
        "same batch": Projection("linear", 0, 1e-2, 1),
        "centred": Constant(1),
        "others": Constant(8),
    }
    with opened(biased, (), SETTING) as subject:
        return measured(subject, baselines, 400, 1)


def test_a_fit_to_the_same_batch_is_caught_and_cross_fits_pass(eight_actions: dict[str, Tensor]) -> None:
    """A linear fit to all actions takes a good part of the gradient with it."""
    tested = biases(eight_actions, ("none", "value"), 0.95, stream(0, "directions"))
    assert tested["same batch"].p_value < 1e-6
    assert tested["same batch"].shift.high < 0.0, "it falls short of the gradient"
    for name in ("value", "linear", "quadratic"):
        assert tested[name].p_value > 0.05, name


def test_the_mean_of_the_same_batch_keeps_one_minus_one_part_in_its_rows(
    eight_actions: dict[str, Tensor],
) -> None:
    tested = biases(eight_actions, ("none", "value"), 0.99, stream(0, "directions"))
    assert tested["centred"].shift.low < -1.0 / 8.0 < tested["centred"].shift.high < 0.0
    assert tested["centred"].p_value < 0.01 < tested["others"].p_value


def test_measuring_moves_nothing(bandit: Path) -> None:
    with opened(bandit, (), SETTING) as subject:
        before = str(subject.learner.state_dict())
        rollouts = measured(subject, {"none": NoBaseline(), "optimal": Optimal(2)}, 5, 4)
        assert str(subject.learner.state_dict()) == before
    assert all(bool(rows.isfinite().all()) for rows in rollouts.values())


def test_rollouts_share_nothing_and_begin_at_every_age(hopper: Path) -> None:
    with opened(hopper, (), replace(SETTING, seed=1)) as subject:
        asked = Experience(rollouts=6, horizon=16, warmup=160, seed=1)
        found = collect(
            subject.environment, subject.policy, build_constraints(subject.cfg), asked, lambda _: None
        )
    starts = [tuple(rollout.obs["policy"][0].flatten().tolist()) for rollout in found]
    assert len(set(starts)) == len(starts)
    ages = np.array([rollout.age[0].max().item() for rollout in found])
    assert len(set(ages.tolist())) > 2
    assert ages.max() <= 160
