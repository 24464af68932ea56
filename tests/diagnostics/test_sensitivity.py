"""Sensitivity against linear policies, planted sensors and units, dense matrices, and cycles made by hand."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from actuated import plain, posed, spec_of, stretched, trained
from PIL import Image as Pixels
from remembering import Elman
from scipy.sparse.linalg import ArpackError
from torch import Tensor
from torch.utils import _pytree as pytree
from toys import TargetWorld, make, make_policy

from pgrobot.configure import build, compose, validated
from pgrobot.diagnostics import Sensitivity, curvature, sensitivity
from pgrobot.diagnostics.actuators import Actuators
from pgrobot.diagnostics.curvature import fisher_eigenvalues, gradient_agreement
from pgrobot.diagnostics.gait import BINS, Gait
from pgrobot.diagnostics.influence import Influence, completeness_gap, integrated_gradients
from pgrobot.diagnostics.sensitivity_pictures import sensitivity_pictures
from pgrobot.diagnostics.states import States
from pgrobot.diagnostics.units import hidden_units
from pgrobot.health import examine_run
from pgrobot.objectives import Ratio
from pgrobot.pictures import Image, Table
from pgrobot.policies import Policy
from pgrobot.randomness import stream
from pgrobot.solvers import FlatParameters, PolicySnapshot
from pgrobot.solvers.fisher import gauss_newton
from pgrobot.tracking import keep
from pgrobot.types import Action, ObservationGroup, Rollout


def rollout_of(obs: Tensor) -> Rollout:
    """A rollout of which only what was observed, ``[T, N, D]``, matters."""
    steps, envs, _ = obs.shape
    whole = make(TargetWorld(envs, 0, length=steps + 1), horizon=steps)[0].collect()["robot"]
    return replace(whole, obs={"policy": obs}, carry=torch.zeros(steps, envs, 0))


def states_of(policy: Policy, obs: Tensor, actuators: int, most: int = 10_000) -> States:
    FlatParameters(policy)  # as learners do: parameters have no gradient of their own
    group = ObservationGroup.numbered("policy", (obs.shape[-1],))
    spec = replace(TargetWorld(1, 0).spec, observation={"policy": group})
    return States.of(rollout_of(obs), policy, spec, plain(actuators), most)


def observed(width: int, steps: int = 20, envs: int = 8) -> Tensor:
    draw = torch.randn(steps, envs, width, generator=stream(4, "obs"), dtype=torch.float64)
    return 3.0 + torch.linspace(0.2, 2.0, width) * draw


def test_of_a_linear_policy_they_are_its_gains() -> None:
    policy = stretched(make_policy({"policy": 2}, 3, ()))
    obs = observed(2)
    states = states_of(policy, obs, 3)
    found = Influence.of(states)
    one = torch.eye(2).double()
    base = states.action(states.x)
    gains = torch.stack([(states.action(states.x + 0.01 * e) - base)[0] / 0.01 for e in one], -1)
    per_deviation = gains * obs.flatten(0, 1).std(0, correction=0)
    for matrix in (found.slope, found.strength * found.slope.sign()):
        torch.testing.assert_close(matrix, per_deviation)
    shares = integrated_gradients(states)
    torch.testing.assert_close(shares, gains * (states.x - states.mean).unsqueeze(1))
    torch.testing.assert_close(found.attribution, shares.abs().mean(0))
    steepest = torch.linalg.matrix_norm(per_deviation, 2)
    torch.testing.assert_close(found.steepest, steepest.expand(len(states.x)))


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_integrated_gradients_are_complete(activation: str) -> None:
    policy = make_policy({"policy": 4}, 2, (16, 16)).double()
    policy.merge({"policy": observed(4)})
    if activation == "silu":
        policy.body.layers[1] = torch.nn.SiLU()
    with torch.no_grad():
        policy.output.weight.mul_(100.0)
    states = states_of(policy, observed(4), 2)
    shares = integrated_gradients(states)
    size = float((states.action(states.x) - states.action(states.mean.expand_as(states.x))).abs().max())
    assert size > 0.5
    assert completeness_gap(states, shares) < 1e-6 * size
    assert completeness_gap(states, 1.01 * shares) > 1e-3 * size, "it sees what is missing"


def test_planted_sensors_are_found() -> None:
    policy = make_policy({"policy": 5}, 2, (16,)).double()
    with torch.no_grad():
        policy.body.layers[0].weight[:, 1] = 0.0
        policy.body.layers[0].weight[:, 3] *= 20.0
    obs = observed(5)
    obs[..., 4] = 7.0  # never changes, so it tells nothing
    found = Influence.of(states_of(policy, obs, 2))
    assert found.unused.tolist() == [False, True, False, False, True]
    assert torch.equal(found.strength[:, [1, 4]], torch.zeros(2, 2).double())
    assert torch.equal(found.attribution[:, 1], torch.zeros(2).double())
    assert found.strength.argmax(1).tolist() == [3, 3]
    assert found.attribution.argmax(1).tolist() == [3, 3]


def test_what_a_policy_remembers_is_held() -> None:
    learner, rollout = trained(None, policy=Elman(4))
    policy = learner.snapshot(rollout)["policy"].copied()
    states = States.of(rollout, policy, TargetWorld(8, 0).spec, plain(1), 10_000)
    assert states.names == ("policy/0", "policy/1", "time/0"), "it does not say what it reads"
    assert torch.equal(states.slopes(states.x)[..., 2], torch.zeros(len(states.x), 1))
    step = 1e-2 * torch.tensor([1.0, 0.0, 0.0])
    difference = (states.action(states.x + step) - states.action(states.x - step)) / 2e-2
    torch.testing.assert_close(states.slopes(states.x)[..., 0], difference, rtol=1e-2, atol=1e-3)
    few = States.of(rollout, policy, TargetWorld(8, 0).spec, plain(1), 20)
    assert len(few.x) <= 20
    assert torch.equal(few.mean, states.mean)


def test_dead_and_saturated_units_are_counted() -> None:
    policy = make_policy({"policy": 3}, 1, (6, 4))
    policy.merge({"policy": observed(3).float()})
    alive = hidden_units(states_of(policy, observed(3).float(), 1))
    assert (alive.count, alive.dead, alive.saturated) == (10, 0, 0)
    with torch.no_grad():
        policy.body.layers[0].weight[2] = 0.0  # says nothing
        policy.body.layers[2].bias[1] = 50.0  # says 1
    units = hidden_units(states_of(policy, observed(3).float(), 1))
    assert (units.dead, units.saturated) == (2, 1)
    policy.body.layers[1] = torch.nn.ReLU()
    with torch.no_grad():
        policy.body.layers[0].bias[4] = -1e3
    assert hidden_units(states_of(policy, observed(3).float(), 1)).dead == 3
    assert hidden_units(states_of(make_policy({"policy": 3}, 1, ()), observed(3).float(), 1)).count == 0


def small_problem(rows: int, repeats: int) -> PolicySnapshot:
    """``rows`` steps of ``repeats`` environments that did the same."""
    generator = stream(9, "small")
    policy = make_policy({"policy": 2}, 2, (4,)).double()
    with torch.no_grad():
        policy.output.weight.mul_(50.0)
    obs = torch.randn(rows, 2, generator=generator).double()
    advantage = torch.randn(rows, generator=generator).double()
    again = lambda x: x.repeat_interleave(repeats, 0)
    nothing = torch.zeros(rows * repeats, 0, dtype=torch.float64)
    with torch.no_grad():
        here, _ = policy({"policy": obs}, torch.zeros(rows, 0), torch.zeros(rows, dtype=torch.bool))
        action = here.sample(generator)
    return posed(policy, *map(again, (obs, action, advantage)), {}, nothing, {"s": Ratio(1.0)})


def test_minibatches_agree_as_far_as_they_say_the_same() -> None:
    same = small_problem(40, 8)
    assert gradient_agreement(same, 8) == pytest.approx(1.0)
    assert gradient_agreement(small_problem(40, 5), 5) == pytest.approx(1.0), (
        "each has environments of its own"
    )
    signs = torch.tensor([1.0, -1.0] * 4).double().repeat(40)
    opposed = replace(same, batch=replace(same.batch, advantage=same.batch.advantage * signs))
    # of 28 pairs 12 agree and 16 contradict each other
    assert gradient_agreement(opposed, 8) == pytest.approx(-1.0 / 7.0)
    noise = torch.randn(320, generator=stream(1, "noise")).double()
    assert abs(gradient_agreement(replace(same, batch=replace(same.batch, advantage=noise)), 8)) < 0.3
    assert math.isnan(gradient_agreement(same, 1)), "one environment has nobody to agree with"


def test_fisher_eigenvalues_are_those_of_the_matrix() -> None:
    problem = small_problem(60, 1)
    vector = problem.parameters.vector
    product = gauss_newton(problem.problem, vector, problem.batch)
    dense = torch.stack([product(row) for row in torch.eye(len(vector), dtype=torch.float64)])
    expected = torch.linalg.eigvalsh(dense).flip(0)[:5].tolist()
    assert fisher_eigenvalues(problem) == pytest.approx(expected, rel=1e-3)
    spoiled = pytree.tree_map(lambda x: x * math.nan if x.is_floating_point() else x, problem.batch)
    assert fisher_eigenvalues(replace(problem, batch=spoiled)) == []


@pytest.mark.parametrize("turn", [0.3, -0.3])
def test_a_cycle_is_found_and_goes_forward(turn: float) -> None:
    time = turn * torch.arange(60).double().unsqueeze(-1) + torch.arange(4)
    noise = 0.05 * torch.randn(60, 4, 2, generator=stream(2, "cycle")).double()
    circle = torch.stack((5.0 * time.cos(), 0.1 * time.sin()), -1)
    obs = torch.cat((circle, noise, torch.full((60, 4, 1), 2.0)), -1)
    states = states_of(make_policy({"policy": 5}, 1, ()).double(), obs, 1)
    start = torch.zeros(60, 4, dtype=torch.bool)
    start[0] = True
    gait = Gait.of(states, start)
    assert gait.advance > 0.99
    assert gait.steps == pytest.approx(2.0 * math.pi / 0.3, rel=0.01)
    assert gait.variance > 0.45  # two of four numbers, each of variance 1, that change
    bins = gait.bins(states, obs[:, 0])
    forward = bins.diff().remainder(BINS)
    assert bool((forward <= 2).all())
    assert bins.unique().tolist() == list(range(BINS))
    means = gait.averaged(states.every[:, 0, :1], bins)
    for b in range(BINS):
        torch.testing.assert_close(means[b, 0], obs[:, 0, 0][bins == b].mean())
    assert gait.averaged(torch.ones(3), torch.tensor([0, 0, 5])).isnan().sum() == BINS - 2


def test_noise_has_no_cycle() -> None:
    obs = torch.randn(200, 8, 6, generator=stream(3, "none")).double()
    states = states_of(make_policy({"policy": 6}, 1, ()).double(), obs, 1)
    gait = Gait.of(states, torch.zeros(200, 8, dtype=torch.bool))
    assert gait.advance == pytest.approx(0.5, abs=0.06)
    narrow = states_of(make_policy({"policy": 1}, 1, ()).double(), obs[..., :1], 1)
    assert Gait.of(narrow, torch.zeros(200, 8, dtype=torch.bool)).variance == 0.0


def look(*overrides: str) -> tuple[Mapping[str, float], Mapping[str, Any], Sensitivity]:
    sizes = ["debug=tiny", "num_envs=8", "horizon=16", "compile=false", "diagnostics.sensitivity.every=1"]
    assembly = build(validated(compose([*overrides, *sizes])), 1)
    experience = assembly.collector.collect()
    assembly.learners["robot"].update(experience["robot"])
    diagnostic: Any = assembly.diagnostics["sensitivity"]
    found = diagnostic(0, assembly.learners, experience)
    assembly.environment.close()
    return found, diagnostic.pictures(), diagnostic


def test_a_robots_sensors_are_named_and_its_torques_are_newton_metres() -> None:
    metrics, pictures, diagnostic = look("task=hopper")
    assert all(math.isfinite(value) for value in metrics.values())
    assert metrics["sensitivity/completeness_gap"] < 1e-5
    assert set(pictures) == {
        f"sensitivity/{name}" for name in ("map", "gait", "pairs", "entries", "by_phase")
    }
    for name in ("sensitivity/map", "sensitivity/gait"):
        assert isinstance(pictures[name], Image)
        assert min(Pixels.open(io.BytesIO(pictures[name].png)).size) > 200
    pairs = pictures["sensitivity/pairs"]
    assert isinstance(pairs, Table)
    assert len(pairs.rows) == 3 * 11
    assert {row[0] for row in pairs.rows} == {"thigh_joint", "leg_joint", "foot_joint"}
    assert {"qvel/leg_joint", "qpos/rootz"} <= {row[1] for row in pairs.rows}
    assert {row[2] for row in pairs.rows} == {"N·m"}
    attributions = [float(row[5]) for row in pairs.rows]
    assert attributions == sorted(attributions, reverse=True)
    # the spectral norm is in policy units, of which one is 200 N·m
    assert max(float(row[4]) for row in pairs.rows) / 200.0 <= metrics["sensitivity/lipschitz/max"]
    assert diagnostic.pictures() == {}, "handed out once"


def test_sensors_that_are_counted_as_unused_are_the_ones_that_are_named(tmp_path: Path) -> None:
    """Over all actuators, whatever the unit of each: one listens to entry 1, and next to nothing comes of it."""
    policy = make_policy({"policy": 4}, 2, ()).double()
    with torch.no_grad():
        weight = policy.output.weight
        weight[:] = torch.tensor([[1.0, 0.0, 0.5, 0.0], [1e-4, 1e-4, 0.0, 0.0]])
    obs = observed(4)
    states = states_of(policy, obs, 2)
    influence = Influence.of(states)
    assert influence.unused.tolist() == [False, True, False, True]
    motors = Actuators.of(spec_of(Action("hip", "1 N·m", 0), Action("knee", "9000 N·m", 0)), 2)
    start = torch.zeros(obs.shape[:2], dtype=torch.bool)
    pictures = sensitivity_pictures(states, influence, Gait.of(states, start), motors)
    for name in ("sensitivity/entries", "sensitivity/pairs"):
        keep(tmp_path, 2048, name, pictures[name])
    (tmp_path / "config.yaml").touch()
    row = {"global_step": 2048, "sensitivity/unused": float(influence.unused.double().mean())}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    (finding,) = examine_run(tmp_path).standing
    assert finding.sentence == (
        f"No actuator answers to 50% of the entries that the policy observes: {states.names[1]}, {states.names[3]}."
    )


@pytest.mark.parametrize(
    "overrides",
    [
        ("task=gymnasium", "task.id=CartPole-v1", "policy=categorical", "constraint=none"),
        ("task=gaussian_bandit",),
        ("task=hopper", "policy=squashed", "policy.hidden=[]"),
    ],
)
def test_whatever_the_policy_it_is_looked_at(overrides: tuple[str, ...]) -> None:
    metrics, pictures, _ = look(*overrides)
    assert "gradient/policy/agreement" in metrics
    assert "fisher/eigenvalue/1" in metrics
    assert bool(pictures) == ("policy=categorical" not in overrides)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Table((), ())
    monkeypatch.setattr(sensitivity, "sensitivity_pictures", lambda *_: {"sensitivity": nothing})


def test_it_looks_every_so_often_and_at_the_end(undrawn: None) -> None:
    learner, rollout = trained(None)
    looks = {}
    for every, at_end in ((0, True), (0, False), (3, False), (3, True)):
        diagnostic = Sensitivity(every, at_end, 8, spec=TargetWorld(8, 0).spec, iterations=5)
        found = [i for i in range(5) if diagnostic(i, {"a": learner}, {"a": rollout})]
        looks[every, at_end] = found
    assert looks == {(0, True): [4], (0, False): [], (3, False): [0, 3], (3, True): [0, 3, 4]}


def test_several_learners_have_names_and_pictures_of_their_own(undrawn: None) -> None:
    learner, rollout = trained(None)
    diagnostic = Sensitivity(1, False, 64, spec=TargetWorld(8, 0).spec, iterations=5)
    alone = diagnostic(0, {"a": learner}, {"a": rollout})
    names = set(diagnostic.pictures())
    both = diagnostic(0, {"a": learner, "b": learner}, {"b": rollout})
    assert both == {f"b/{key}": value for key, value in alone.items()}
    assert set(diagnostic.pictures()) == {f"b/{name}" for name in names}
    other = replace(rollout)
    assert diagnostic(0, {"a": learner}, {"a": other}) == {}, "nothing was learnt from it"
    assert diagnostic.pictures() == {}


def test_none_and_thousands_of_actuators_are_drawn() -> None:
    policy = make_policy({"policy": 2}, 3000, ())
    learner, rollout = trained(None)
    many = spec_of(*Action.unitless(*(f"muscle{j}" for j in range(3000))))
    diagnostic = Sensitivity(1, False, 64, spec=many, iterations=5)
    problem = learner.snapshot(rollout)["policy"]
    wide = replace(problem, copied=lambda: policy)
    stub: Any = type("Stub", (), {"snapshot": lambda self, rollout: {"policy": wide}})()
    metrics = diagnostic(0, {"a": stub}, {"a": rollout})
    assert "sensitivity/lipschitz/max" in metrics
    pictures = diagnostic.pictures()
    assert len(pictures["sensitivity/pairs"].rows) == 64 * 2
    assert pictures["sensitivity/map"].caption.endswith("of the first 64 of 3,000 entries of the action")
    nobody = Sensitivity(1, False, 64, spec=spec_of(), iterations=5)
    assert "fisher/eigenvalue/1" in nobody(0, {"a": learner}, {"a": rollout})
    assert nobody.pictures() == {}


def test_a_policy_that_has_no_choice_has_no_curvature(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = small_problem(60, 1)
    monkeypatch.setattr(curvature, "gauss_newton", lambda *_: torch.zeros_like)
    assert fisher_eigenvalues(problem) == [0.0] * 5


def test_eigenvalues_that_are_not_to_be_had_end_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise ArpackError(-8)

    problem = small_problem(60, 1)
    monkeypatch.setattr(curvature, "eigsh", fails)
    assert fisher_eigenvalues(problem) == []
