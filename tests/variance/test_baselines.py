"""Which baselines are compared, and that a refitted critic has not seen what it is applied to."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

import pgrobot.variance.baselines
from pgrobot.baselines import Baseline, Projection, Value
from pgrobot.configure import build_constraints, compose, validated
from pgrobot.types import Rollout
from pgrobot.variance import Experience, MeasurementPlan, Subject, catalogue, collect, opened
from pgrobot.variance.baselines import OWN, lab, refitted
from pgrobot.variance.gradients import advantages

SETTING = MeasurementPlan("last", rollouts=0, horizon=0, warmup=0, seed=3, confidence=0.95, level=0.01)
Refit = tuple[Subject, list[Rollout], list[Tensor]]


def config(*overrides: str) -> DictConfig:
    return validated(compose(["debug=tiny", *overrides]))


def test_the_options_are_compared_as_they_are_configured() -> None:
    found = catalogue(config())
    assert list(found) == ["none", "constant", "optimal", "value", "linear", "quadratic"]
    assert found["value"] == Value()
    for name in ("linear", "quadratic"):
        chosen = config(f"algorithm/baseline={name}").algorithm.baseline
        assert found[name] == Projection(**{key: v for key, v in chosen.items() if key != "_target_"})
        assert list(catalogue(config(f"algorithm/baseline={name}"))) == list(found)


def test_a_baseline_of_the_run_that_is_another_is_compared_too() -> None:
    found = catalogue(config("algorithm/baseline=linear", "algorithm.baseline.components=3"))
    assert found[OWN] == Projection("linear", components=3, ridge=0.1, folds=4)


@pytest.fixture
def collected(hopper: Path, monkeypatch: pytest.MonkeyPatch) -> Refit:
    monkeypatch.setattr(pgrobot.variance.baselines, "lab", lambda: OmegaConf.merge(lab(), {"steps": 6}))
    with opened(hopper, (), SETTING) as subject:
        rollouts = collect(
            subject.environment,
            subject.policy,
            build_constraints(subject.cfg),
            Experience(6, 8, 16, 3),
            lambda _: None,
        )
        return subject, rollouts, [advantages(subject.learner, rollout) for rollout in rollouts]


def corrections(collected: Refit, advantages: list[Tensor], cfg: DictConfig) -> dict[str, list[Tensor]]:
    subject, rollouts, _ = collected
    fits = refitted(cfg, subject.environment.spec, rollouts, advantages, {}, 3)

    def taken(fit: Baseline, rollout: Rollout) -> Tensor:
        """What a baseline takes from an advantage of zero, which is all that it reads besides observations."""
        sample: Any = SimpleNamespace(advantage=torch.zeros_like(rollout.log_prob), obs=rollout.obs)
        return -fit(sample).advantage.detach()

    return {
        name: [taken(fit, rollout) for fit, rollout in zip(own, rollouts, strict=True)]
        for name, own in fits.items()
    }


def test_no_rollout_is_compared_with_a_fit_to_itself(collected: Refit) -> None:
    subject, _, advantages = collected
    before = corrections(collected, advantages, subject.cfg)
    after = corrections(collected, [advantages[0] + 100.0, *advantages[1:]], subject.cfg)
    assert list(before) == ["refitted V(s)", "refitted V(s, t)"]
    for name in before:
        same = [torch.equal(x, y) for x, y in zip(before[name], after[name], strict=True)]
        assert same == [True, False, True, False, True, False]


def test_a_correction_follows_what_it_is_fitted_to(collected: Refit) -> None:
    subject, _, advantages = collected
    shifted = [advantage + 100.0 for advantage in advantages]
    for found in corrections(collected, shifted, subject.cfg).values():
        assert all(bool(((rows - 100.0).abs() < 20.0).all()) for rows in found)


def test_a_correction_leans_to_what_it_is_fitted_to(collected: Refit) -> None:
    """Few steps explain little of a function of the observation, but nothing of the opposite."""
    subject, rollouts, advantages = collected
    heights = [rollout.obs["policy"][..., 0] for rollout in rollouts]
    shifted = [a + 1e3 * (h - h.mean()) for a, h in zip(advantages, heights, strict=True)]
    for found in corrections(collected, shifted, subject.cfg).values():
        pair = torch.stack((torch.cat(found).flatten(), torch.cat(heights).flatten()))
        assert float(torch.corrcoef(pair)[0, 1]) > 0.2


def test_a_critic_that_reads_the_time_is_refitted_with_it(collected: Refit) -> None:
    subject, _, advantages = collected
    cfg = OmegaConf.merge(subject.cfg, {"critic": {"groups": ["policy", "time"]}})
    assert isinstance(cfg, DictConfig)
    assert list(corrections(collected, advantages, cfg)) == ["refitted V(s, t)"]


def test_a_critic_that_cannot_read_the_time_is_refitted_without(
    collected: Refit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "timeless_critics.py").write_text(
        "from functools import partial\nfrom pgrobot.bodies import Mlp\nfrom pgrobot.critics import NetworkCritic\n\n"
        "class Timeless(NetworkCritic):\n"
        "    def __init__(self, observation, columns, generator):\n"
        "        body = partial(Mlp, hidden=[8], activation='tanh')\n"
        "        super().__init__(observation, columns, ['policy'], body, 10.0, generator)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    _, _, advantages = collected
    cfg = OmegaConf.create(
        {
            "modules": ["timeless_critics"],
            "critic": {"_target_": "timeless_critics.Timeless", "_partial_": True},
        }
    )
    assert list(corrections(collected, advantages, cfg)) == ["refitted V(s)"]
