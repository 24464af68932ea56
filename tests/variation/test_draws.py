"""What is drawn: ranges, moments, correlation; and schedules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from varied_worlds import actions, vary

from pgrobot.simulation.variation import Strength, VariationRule, entry_of
from pgrobot.simulation.variation.draws import Draws
from pgrobot.simulation.variation.entry import Entry
from pgrobot.simulation.variation.schedule import Curriculum, schedule_of

MASS = {"field": "body_mass", "scale": [0.5, 2.0]}
ROWS = 40_000


def entries(**nodes: Any) -> dict[str, Entry]:
    return {name: entry_of(node) for name, node in VariationRule()("variation", nodes).items()}


def drawn(counts: dict[str, int], **nodes: Any) -> tuple[np.ndarray, list[slice]]:
    found = entries(**nodes)
    draws = Draws([(entry, counts.get(name, 1)) for name, entry in found.items()], tuple(found))
    z = np.random.default_rng(0).standard_normal((ROWS, sum(counts.get(name, 1) for name in found)))
    return draws(z), draws.slices


@pytest.mark.parametrize(
    ("more", "law"),
    [
        ({}, stats.uniform(0.5, 1.5)),
        ({"distribution": "log_uniform"}, stats.loguniform(0.5, 2.0)),
        ({"distribution": "gaussian", "deviation": 0.1}, stats.norm(1.25, 0.1)),
    ],
)
def test_each_distribution_is_the_one_that_is_named(more: dict[str, Any], law: Any) -> None:
    values, _ = drawn({}, mass=MASS | more)
    assert stats.kstest(values[:, 0], law.cdf).pvalue > 0.01
    assert values.mean() == pytest.approx(law.mean(), abs=5 * law.std() / ROWS**0.5)
    assert values.std() == pytest.approx(law.std(), rel=0.02)
    assert values.min() >= 0.5
    assert values.max() <= 2.0


def test_a_gaussian_is_clipped_to_its_bounds() -> None:
    values, _ = drawn({}, mass=MASS | {"distribution": "gaussian"})
    inner = (values > 0.5) & (values < 2.0)
    assert (values == 0.5).mean() == pytest.approx(stats.norm.cdf(-2.0), abs=0.004)
    assert (values == 2.0).mean() == pytest.approx(stats.norm.cdf(-2.0), abs=0.004)
    assert values[inner].mean() == pytest.approx(1.25, abs=0.01)


def test_a_single_number_is_drawn_exactly() -> None:
    for distribution in ("uniform", "log_uniform", "gaussian"):
        values, _ = drawn({}, mass={"field": "body_mass", "scale": 1.1, "distribution": distribution})
        assert (values == 1.1).all()


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.8, 1.0])
def test_correlated_draws_keep_their_own_distributions(correlation: float) -> None:
    """Spearman's rank correlation of a Gaussian copula is 6/π asin(ρ/2)."""
    follower = {"field": "geom_friction", "scale": [0.1, 10.0], "distribution": "log_uniform"}
    values, _ = drawn({}, mass=MASS, friction=follower | {"follows": "mass", "correlation": correlation})
    ranks = stats.spearmanr(values[:, 0], values[:, 1]).statistic
    assert ranks == pytest.approx(6.0 / np.pi * np.arcsin(correlation / 2.0), abs=0.02)
    assert stats.kstest(values[:, 0], stats.uniform(0.5, 1.5).cdf).pvalue > 0.01
    assert stats.kstest(values[:, 1], stats.loguniform(0.1, 10.0).cdf).pvalue > 0.01


def test_who_follows_entirely_draws_the_same() -> None:
    gear = {"field": "actuator_gear", "scale": [0.5, 2.0], "follows": "mass"}
    values, (mass, own) = drawn({"mass": 3, "gear": 3}, gear=gear, mass=MASS)[0], (slice(3, 6), slice(0, 3))
    assert np.array_equal(values[:, own], values[:, mass])
    one, _ = drawn({"mass": 1, "gear": 3}, mass=MASS, gear=gear)
    assert np.array_equal(one[:, 1:], np.repeat(one[:, :1], 3, axis=1))


def test_each_world_draws_over_all_of_the_range() -> None:
    nodes = {"mass": MASS, "com": {"field": "body_ipos", "add": [-0.02, 0.02], "names": ["torso", "foot"]}}
    environment = vary(nodes, 64)
    seen = np.concatenate([environment.reset()["privileged"] for _ in range(20)])
    uniform = stats.kstest(seen[:, :4].ravel(), stats.uniform(0.5, 1.5).cdf)
    assert uniform.pvalue > 0.01
    assert stats.kstest(seen[:, 4:].ravel(), stats.uniform(-0.02, 0.04).cdf).pvalue > 0.01
    correlation = np.corrcoef(seen.T) - np.eye(10)
    assert np.abs(correlation).max() < 0.12  # 1,280 rows: four deviations


def test_no_entry_draws_what_another_one_does() -> None:
    one = {"scale": [0.5, 1.5], "per": "model"}
    environment = vary({"mass": one | {"field": "body_mass"}, "gear": one | {"field": "actuator_gear"}}, 64)
    seen = np.concatenate([environment.reset()["privileged"] for _ in range(10)])
    assert abs(np.corrcoef(seen.T)[0, 1]) < 0.16  # four deviations


def test_one_number_for_a_part_an_entry_or_the_model() -> None:
    def draws(per: str) -> int:
        node = {"field": "geom_friction", "scale": [0.5, 1.5], "per": per, "names": ["foot_geom", "leg_geom"]}
        return len(vary({"friction": node}, 1).spec.observation["privileged"].names)

    assert [draws(per) for per in ("model", "part", "entry")] == [1, 2, 6]


def test_a_schedule_by_steps_goes_from_its_start_to_one() -> None:
    node = MASS | {"per": "model", "schedule": {"steps": 60, "start": 0.25}}
    environment = vary({"mass": node}, 3, Strength.SCHEDULED)
    full = vary({"mass": node}, 3, Strength.FULL)
    environment.reset(), full.reset()
    stand = np.zeros((3, 3))
    for taken in range(30):
        if taken:
            environment.restart(np.arange(3)), full.restart(np.arange(3))
        step, other = environment.advance(stand), full.advance(stand)
        strength = min(1.0, 0.25 + 0.75 * (3 * taken / 60))
        assert np.array_equal(step.telemetry["variation/mass/strength"], np.full((3, 1), strength))
        assert "variation/mass/strength" not in other.telemetry
        all_of_it = other.telemetry["variation/mass"]
        assert np.allclose(step.telemetry["variation/mass"], 1.0 + strength * (all_of_it - 1.0), rtol=1e-14)
    assert strength == 1.0
    assert np.array_equal(step.telemetry["variation/mass"], all_of_it)


def test_a_schedule_by_success_moves_each_environment_by_its_own_episodes() -> None:
    curriculum = Curriculum([schedule_of({"success": 3.0, "by": 0.25}), schedule_of({})], 3)
    ids = np.arange(3)
    assert np.array_equal(curriculum.strength(ids), [[0.0, 1.0]] * 3)
    done, not_yet = np.ones(3, bool), np.zeros(3, bool)
    curriculum.count(np.array([2.0, 2.0, 9.0]), not_yet, not_yet)
    curriculum.count(np.array([1.0, 0.5, 9.0]), done, np.array([False, False, True]))
    assert np.array_equal(curriculum.strength(ids)[:, 0], [0.25, 0.0, 0.0])  # broken ones tell nothing
    curriculum.count(np.array([2.5, 4.0, 4.0]), done, not_yet)  # what came before is forgotten
    assert np.array_equal(curriculum.strength(ids)[:, 0], [0.0, 0.25, 0.25])
    for _ in range(9):
        curriculum.count(np.full(3, 5.0), done, not_yet)
        curriculum.strength(ids)
    assert np.array_equal(curriculum.strength(ids), np.ones((3, 2)))


def test_a_strength_of_values_leads_from_the_models_own() -> None:
    node = {"field": "dof_damping", "value": [3.0, 3.0], "schedule": {"steps": 20}, "names": ["leg_joint"]}
    environment = vary({"damping": node}, 1, Strength.SCHEDULED)
    environment.reset()
    for taken in range(0, 24, 4):
        own = environment.simulation.model_field("dof_damping")[0, 4]
        assert own == pytest.approx(1.0 + min(1.0, taken / 20) * 2.0, rel=1e-14)
        for _ in range(4):
            environment.advance(np.zeros((1, 3)))
        environment.restart(np.arange(1))


SCHEDULED = {
    "mass": MASS | {"schedule": {"success": 10.0, "by": 0.3}},
    "friction": {"field": "geom_friction", "scale": [0.5, 1.5], "schedule": {"steps": 150}},
    "gear": {
        "field": "actuator_gear",
        "scale": [0.8, 1.2],
        "follows": "mass",
        "names": "all",
        "per": "model",
    },
}


def test_a_resumed_world_goes_on_to_the_last_bit() -> None:
    nodes = SCHEDULED | {"mass": SCHEDULED["mass"] | {"per": "model"}}
    environment = vary(nodes, 4, Strength.SCHEDULED)
    environment.reset()
    taken = actions(environment, 120)
    for action in taken[:60]:
        environment.step(action)
    state = environment.state_dict()
    torch.save(state, buffer := __import__("io").BytesIO())
    buffer.seek(0)
    resumed = vary(nodes, 4, Strength.SCHEDULED)
    resumed.reset()
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    ended = 0
    for action in taken[60:]:
        left, right = environment.step(action), resumed.step(action)
        assert np.array_equal(left.reward, right.reward)
        assert np.array_equal(left.obs["policy"], right.obs["policy"])
        assert np.array_equal(left.obs["privileged"], right.obs["privileged"])
        assert left.telemetry.keys() == right.telemetry.keys()
        assert all(np.array_equal(left.telemetry[name], right.telemetry[name]) for name in left.telemetry)
        ended += int(left.terminated.sum())
    assert ended > 5
    strengths = left.telemetry["variation/mass/strength"]
    assert 0.0 < strengths.max() < 1.01
