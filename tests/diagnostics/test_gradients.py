"""Gradients by layer and term against automatic differentiation of the modules that trained."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from problems import at
from torch import Tensor, nn
from toys import TargetWorld, make

from pgrobot import checkpoint
from pgrobot.batch import Batch, CriticBatch
from pgrobot.cli import main
from pgrobot.configure import build, compose, validated
from pgrobot.critics import Critic
from pgrobot.diagnostics import GradientNorms, term_gradients
from pgrobot.guard import GuardedLearner
from pgrobot.learner import Learner
from pgrobot.objectives import ClippedRatio, Entropy, KLPenalty, Objective, Ratio
from pgrobot.policies import Policy
from pgrobot.types import Metrics, Rollout


class Growing(Entropy):
    """A weight that every update doubles."""

    def adapt(self, weight: float, kl: float) -> float:
        return 2.0 * weight


TERMS = {
    "surrogate": ClippedRatio(0.7, 0.2),
    "entropy": Growing(0.3),
    "penalty": KLPenalty(5.0),  # where an update begins, at its reference, the KL has no gradient
}


@dataclass(frozen=True)
class Met:
    """What the solvers were handed in an update's first pass, with the modules as they were then."""

    policy: Policy
    critic: Critic
    batch: Batch
    critic_batch: CriticBatch
    weights: dict[str, float]


def met(learner: Learner, rollout: Rollout) -> Met:
    """Update, and note how it began."""
    seen: dict[str, Any] = {}

    def noting(name: str, solver: Any, module: nn.Module) -> None:
        solve = solver.solve

        def noted(batch: Any) -> Any:
            seen.setdefault(name, (copy.deepcopy(module), batch))
            return solve(batch)

        solver.solve = noted

    noting("policy", learner.policy_solver, learner.policy)
    noting("critic", learner.critic_solver, learner.critic)
    weights = dict(zip(learner.problem._terms, learner.problem.weights.tolist(), strict=True))
    learner.update(rollout)
    (policy, batch), (critic, critic_batch) = seen["policy"], seen["critic"]
    return Met(policy, critic, batch, critic_batch, weights)


def backward(module: nn.Module, objective: Tensor) -> dict[str, Tensor]:
    names, parameters = zip(*module.named_parameters(), strict=True)
    gradients = torch.autograd.grad(objective, parameters, allow_unused=True, materialize_grads=True)
    return dict(zip(names, gradients, strict=True))


def of_policy(seen: Met, terms: Mapping[str, Objective]) -> dict[str, Tensor]:
    for parameter in seen.policy.parameters():
        parameter.requires_grad = True
    batch = seen.batch
    distribution, _ = seen.policy(batch.obs, batch.carry, batch.episode_start)
    weighted = [seen.weights[name] * term(at(distribution), batch)[0] for name, term in terms.items()]
    return backward(seen.policy, torch.stack(weighted).sum())


def of_critic(seen: Met) -> dict[str, Tensor]:
    for parameter in seen.critic.parameters():
        parameter.requires_grad = True
    batch = seen.critic_batch
    predicted, _ = seen.critic(batch.obs, batch.carry, batch.episode_start)
    error = predicted - seen.critic_batch.target / seen.critic.scale
    return backward(seen.critic, 0.5 * error.square().sum(-1).mean())


def measured(learner: Learner, rollout: Rollout) -> Metrics:
    return GradientNorms(1)(0, {"robot": learner}, {"robot": rollout})


def second_update(**changes: Any) -> tuple[Learner, Rollout, Met]:
    """One in which the critic's hidden layers have a gradient and normalisers have seen something."""
    collector, learner = make(TargetWorld(4, 0), **changes)
    learner.update(collector.collect()["robot"])
    rollout = collector.collect()["robot"]
    return learner, rollout, met(learner, rollout)


def flat(gradients: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([gradient.flatten() for gradient in gradients.values()])


def test_layers_are_those_of_the_modules_where_the_update_began() -> None:
    learner, rollout, seen = second_update(terms=TERMS)
    metrics = measured(learner, rollout)
    for part, gradients in (
        ("policy", of_policy(seen, TERMS)),
        ("critic", of_critic(seen)),
    ):
        expected = {f"gradient/{part}/layer/{name}": float(g.norm()) for name, g in gradients.items()}
        found = {key: value for key, value in metrics.items() if key.startswith(f"gradient/{part}/layer/")}
        assert found == pytest.approx(expected, rel=1e-4)
        assert all(value > 0.0 for value in found.values()), part
        squares = sum(value**2 for value in found.values())
        assert metrics[f"gradient/{part}/total"] ** 2 == pytest.approx(squares, rel=1e-6)


def test_weighted_terms_add_up_to_what_is_descended() -> None:
    learner, rollout, seen = second_update(terms=TERMS)
    posed = learner.snapshot(rollout)["policy"]
    terms = term_gradients(posed)
    assert list(terms) == list(TERMS)
    total = torch.stack(list(terms.values())).sum(0)
    torch.testing.assert_close(total, flat(of_policy(seen, TERMS)), rtol=1e-4, atol=1e-6)
    for name, term in TERMS.items():
        alone = flat(of_policy(seen, {name: term}))
        torch.testing.assert_close(terms[name], alone, rtol=1e-4, atol=1e-6)
    metrics = measured(learner, rollout)
    for name in ("surrogate", "entropy"):
        norm, cosine = (metrics[f"gradient/policy/term/{name}/{word}"] for word in ("norm", "cosine"))
        assert norm == pytest.approx(float(terms[name].norm()), rel=1e-6)
        assert cosine == pytest.approx(float(torch.cosine_similarity(terms[name], total, 0)), abs=1e-6)
    # a projection of each on the whole: together they are the whole
    shares = [
        metrics[f"gradient/policy/term/{name}/norm"] * metrics.get(f"gradient/policy/term/{name}/cosine", 0.0)
        for name in TERMS
    ]
    assert sum(shares) == pytest.approx(metrics["gradient/policy/total"], rel=1e-5)


def test_a_term_that_is_overruled_has_a_negative_cosine() -> None:
    learner, rollout, _ = second_update(terms={"for": Ratio(1.0), "against": Ratio(-0.25)})
    metrics = measured(learner, rollout)
    total = metrics["gradient/policy/total"]
    of = {key.removeprefix("gradient/policy/term/"): value for key, value in metrics.items()}
    assert of["for/cosine"] == pytest.approx(1.0, abs=1e-6)
    assert of["against/cosine"] == pytest.approx(-1.0, abs=1e-6)
    assert of["for/norm"] == pytest.approx(total / 0.75, rel=1e-5)
    assert of["against/norm"] == pytest.approx(total / 3.0, rel=1e-5)


def test_a_term_without_gradient_has_no_angle() -> None:
    learner, rollout, _ = second_update(terms={"surrogate": Ratio(1.0), "entropy": Entropy(0.0)})
    metrics = measured(learner, rollout)
    assert metrics["gradient/policy/term/entropy/norm"] == 0.0
    assert "gradient/policy/term/entropy/cosine" not in metrics


def test_looking_changes_nothing() -> None:
    learner, rollout, _ = second_update(terms=TERMS)
    before = copy.deepcopy((learner.state_dict(), rollout, torch.get_rng_state()))
    once = measured(learner, rollout)
    assert measured(learner, rollout) == once
    _assert_same(before, (learner.state_dict(), rollout, torch.get_rng_state()))


def test_what_was_not_learnt_from_is_not_measured() -> None:
    world = TargetWorld(4, 0)
    collector, learner = make(world)
    guarded = GuardedLearner(learner)
    first = collector.collect()["robot"]
    diagnostic = GradientNorms(1)
    assert diagnostic(0, {"robot": guarded}, {"robot": first}) == {}
    guarded.update(first)
    assert diagnostic(0, {"robot": guarded}, {"robot": first})
    world.poison = {"reward": math.nan}
    spoiled = collector.collect()["robot"]
    assert guarded.update(spoiled) == {"guard/skipped_updates": 1.0}
    assert diagnostic(1, {"robot": guarded}, {"robot": spoiled}) == {}


def test_an_update_that_was_rolled_back_leaves_out_what_is_not_finite() -> None:
    collector, learner = make(
        TargetWorld(4, 0), terms={"surrogate": Ratio(math.inf), "entropy": Entropy(0.1)}
    )
    guarded, rollout = GuardedLearner(learner), collector.collect()["robot"]
    assert guarded.update(rollout) == {"guard/skipped_updates": 1.0}
    metrics = GradientNorms(1)(0, {"robot": guarded}, {"robot": rollout})
    assert metrics["gradient/policy/term/entropy/norm"] > 0.0
    assert "gradient/policy/term/surrogate/norm" not in metrics
    assert all(math.isfinite(value) for value in metrics.values())


def test_several_learners_have_names_of_their_own() -> None:
    learner, rollout, _ = second_update()
    alone = measured(learner, rollout)
    both = GradientNorms(1)(0, {"a": learner, "b": learner}, {"b": rollout})
    assert both == {f"b/{key}": value for key, value in alone.items()}


@pytest.mark.parametrize(("every", "measured_at"), [(0, []), (1, [0, 1, 2, 3, 4]), (2, [0, 2, 4])])
def test_it_looks_every_so_often(every: int, measured_at: list[int]) -> None:
    learner, rollout, _ = second_update()
    diagnostic = GradientNorms(every)
    found = [i for i in range(5) if diagnostic(i, {"robot": learner}, {"robot": rollout})]
    assert found == measured_at


def test_every_layer_of_a_deep_policy_is_reported() -> None:
    assembly = build(
        validated(
            compose(
                [
                    "task=hopper",
                    f"policy.hidden={[8] * 16}",
                    "policy.block=residual",
                    "policy.norm=layer",
                    "debug=tiny",
                    "diagnostics.gradients.every=1",
                ]
            )
        ),
        1,
    )
    experience = assembly.collector.collect()
    assembly.learners["robot"].update(experience["robot"])
    metrics = assembly.diagnostics["gradients"](0, assembly.learners, experience)
    assembly.environment.close()
    names = [name for name, _ in assembly.policy.named_parameters()]
    assert sum("branch" in name and name.endswith("weight") for name in names) == 2 * 15, "linear and norm"
    found = {key: value for key, value in metrics.items() if key.startswith("gradient/policy/layer/")}
    assert list(found) == [f"gradient/policy/layer/{name}" for name in names]
    assert min(found.values()) > 0.0


TINY = ["debug=tiny", "task=hopper", "num_envs=4", "horizon=16", "total_steps=256", "threads=1",
        "algorithm.policy_solver.minibatch=32", "algorithm.passes=2"]  # fmt: skip


def test_a_run_with_it_is_the_run_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, states = {}, {}
    for every in (0, 2):
        directory = tmp_path / str(every)
        looked_at = [f"diagnostics.{name}.every={every}" for name in ("gradients", "torque", "sensitivity")]
        arguments = [*TINY, *looked_at, f"hydra.run.dir={directory}"]
        assert main(["train", *arguments]) == 0
        rows[every] = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
        states[every] = checkpoint.load(directory / "checkpoints" / "last.pt")
    capsys.readouterr()
    for part in ("learners", "collector", "best"):
        _assert_same(states[0][part], states[2][part], part)
    for index, (without, looking) in enumerate(zip(rows[0], rows[2], strict=True)):
        more = looking.keys() - without.keys()
        assert bool(more) == (index % 2 == 0)
        seen = ("gradient/", "torque/", "sensitivity/", "gait/", "units/", "fisher/")
        assert all(key.startswith(seen) for key in more)
        same = {key for key in without if not key.startswith("time/")}
        assert {key: looking[key] for key in same} == {key: without[key] for key in same}
    assert {"gradient/policy/total", "gradient/policy/term/surrogate/cosine"} <= rows[2][0].keys()
    assert {"torque/leg_joint/gradient_reward", "torque/leg_joint/power"} <= rows[2][0].keys()
    # a resumed run may look more often
    resumed = [f"resume={tmp_path / '0'}", "total_steps=320", "diagnostics.gradients.every=1"]
    assert main(["train", *resumed]) == 0
    capsys.readouterr()
    last = json.loads((tmp_path / "0" / "metrics.jsonl").read_text().splitlines()[-1])
    assert "gradient/policy/layer/head.log_std" in last


def _assert_same(one: Any, other: Any, where: str = "") -> None:
    if isinstance(one, Mapping):
        assert one.keys() == other.keys(), where
        for key in one:
            _assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        for index, pair in enumerate(zip(one, other, strict=True)):
            _assert_same(*pair, f"{where}/{index}")
    elif isinstance(one, Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, Rollout):
        _assert_same(*({name: getattr(r, name) for name in Rollout.__slots__} for r in (one, other)), where)
    else:
        assert one == other, where
