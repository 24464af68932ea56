"""Gradients by actuator against closed forms, against the problem that trains, and against what was planted."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from actuated import plain, posed, spec_of, stretched, trained
from remembering import Echo, Elman
from torch import Tensor
from torch.func import grad
from toys import TargetWorld, make, make_policy

from pgrobot.assembly import build_environment
from pgrobot.batch import Batch
from pgrobot.configure import build, compose, validated
from pgrobot.constraints import Lagrangian
from pgrobot.diagnostics import TorqueGradients
from pgrobot.diagnostics.actuators import Actuators
from pgrobot.diagnostics.pull import Pull, mean_score
from pgrobot.diagnostics.torque import gradients, loads, short_names
from pgrobot.distributions import (
    Beta,
    Binned,
    Distribution,
    FullCovarianceGaussian,
    Gaussian,
    SmoothGaussian,
    SquashedGaussian,
)
from pgrobot.envs.costs.drive import Drive
from pgrobot.envs.toys import GaussianBandit
from pgrobot.guard import GuardedLearner
from pgrobot.laboratory.apparatus import hermite
from pgrobot.objectives import ClippedRatio, Entropy, Objective, Ratio
from pgrobot.randomness import stream
from pgrobot.simulation.model import assets
from pgrobot.solvers import PolicySnapshot
from pgrobot.types import UNLIMITED, Action, EnvironmentSpec, Metrics, Rollout


def measured(learner: Any, rollout: Rollout, spec: EnvironmentSpec, most: int = 64) -> Metrics:
    diagnostic = TorqueGradients(1, most, spec=spec, iterations=10)
    return diagnostic(0, {"robot": learner}, {"robot": rollout})


def asked(snapshot: PolicySnapshot, actuators: Actuators) -> dict[str, Tensor]:
    return gradients(Pull.of(snapshot, actuators), tuple(snapshot.columns), actuators)


def in_the_mean(pull: Pull, columns: Tensor) -> Tensor:
    """Gradients of the columns' own objectives in the mean of every actuator, per policy unit, ``[C, J]``."""
    return pull.shares(columns).sum(0)


@pytest.mark.parametrize("baseline", [0.0, -1.3])
def test_gradient_push_and_snr_are_the_bandits_closed_forms(baseline: float) -> None:
    world = GaussianBandit(name="Bandit", centre=0.7)
    mean, std = 0.2, 0.6
    policy = make_policy({"policy": 1}, 1, ()).double()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.zero_()
        policy.output.bias.fill_(mean)
        policy.head.log_std.fill_(math.log(std))
    nodes, weight = hermite(16)
    action = (mean + std * nodes).unsqueeze(-1)
    reward = torch.from_numpy(world.reward(action[:, 0].numpy())) - baseline
    rows = torch.zeros(16, 1, dtype=torch.float64)
    columns = {"reward": reward, "cost/same": -2.0 * reward}
    snapshot = posed(policy, rows, action, reward, columns, weight.unsqueeze(-1), {"s": Ratio(1.0)})
    actuators = Actuators.of(spec_of(Action("motor", "-25 N·m", 0)), 1)
    found = {name: float(value) for name, value in asked(snapshot, actuators).items()}
    slope = world.gradient(mean, std)[0]
    spread = math.sqrt(world.variance(mean, std, baseline)[0])
    assert found["gradient_reward"] == pytest.approx(slope / -25.0, rel=1e-9)
    assert found["gradient_same"] == pytest.approx(2.0 * slope / 25.0, rel=1e-9)
    assert found["cosine_same"] == pytest.approx(-1.0)
    assert found["snr"] == pytest.approx(abs(slope) / spread, rel=1e-9)
    deviation = math.sqrt(float(weight @ (reward - weight @ reward).square()))
    # Stein: E[(a − μ) A] is σ² times the gradient
    assert found["push"] == pytest.approx(-25.0 * std**2 * slope / deviation, rel=1e-9)
    assert found["share"] == 1.0


def linear_problem(terms: Mapping[str, Objective], actions: int = 3) -> PolicySnapshot:
    generator = stream(1, "rows")
    policy = stretched(make_policy({"policy": 2}, actions, ()))
    obs = 3.0 + torch.randn(400, 2, generator=generator).double()
    obs[:, 1] *= 0.3
    with torch.no_grad():
        here, _ = policy({"policy": obs}, torch.zeros(400, 0), torch.zeros(400, dtype=torch.bool))
    action = here.sample(generator)
    advantage = torch.randn(400, generator=generator).double() + 0.3 * (action - here.mean).sum(-1)
    weight = torch.rand(400, 1, generator=generator).double()
    weight[:37] = 0.0
    return posed(policy, obs, action, advantage, {"reward": advantage}, weight, terms)


def test_of_a_linear_policy_they_are_the_gradients_of_its_gains() -> None:
    """And the means over rows are the gradient of the very problem that trains, padding and all."""
    snapshot = linear_problem({"surrogate": Ratio(0.7), "entropy": Entropy(0.1)})
    parameters = snapshot.parameters
    total = grad(lambda v: torch.stack(list(snapshot.terms(v).values())).sum())(parameters.vector)
    gains, bias = (total[parameters.slices[f"output.{name}"]] for name in ("weight", "bias"))
    pull = Pull.of(snapshot, plain(3))
    torch.testing.assert_close(pull.whole.sum(0), bias)
    torch.testing.assert_close(0.7 * in_the_mean(pull, pull.columns)[0], bias)
    # the policy's normaliser is not the standardisation of this rollout
    normalizer = snapshot.structure.normalizer  # type: ignore[union-attr]
    weight, obs = snapshot.batch.weight[37:], snapshot.batch.obs["policy"][37:]
    share = weight / weight.sum()
    mean = (share * obs).sum(0)
    spread = (share * (obs - mean).square()).sum(0).sqrt()
    at = lambda x: normalizer(x.unsqueeze(0)).squeeze(0)
    scale = at(mean + 0.01) - at(mean)
    expected = (gains.view(3, 2) - bias.unsqueeze(-1) * at(mean)) * 0.01 / scale / spread
    feedback = pull.feedback(torch.stack((2.0 * pull.whole, pull.whole), 1))
    torch.testing.assert_close(feedback[0], 2.0 * feedback[1])
    torch.testing.assert_close(feedback[1], torch.cat((bias.unsqueeze(-1), expected), -1))


def test_priced_columns_and_the_other_terms_are_the_whole() -> None:
    columns = ("reward", "cost/above")
    constraint = replace(make(TargetWorld(1, 0))[1].constraints[0], budget=0.1)
    multiplier = Lagrangian((constraint,), columns, "sgd", learning_rate=0.5, initial=0.8, maximum=5.0)
    terms = {"surrogate": ClippedRatio(0.7, 0.2), "push": Pushing(0.3)}
    learner, rollout = trained(multiplier, terms=terms, constraint=constraint)
    price = float(learner.multiplier.mix(torch.tensor([[0.0, -1.0], [0.0, 1.0]]))[0])
    kept = float(learner.multiplier.mix(torch.tensor([[1.0, 0.0]]))[0])  # 1 / (1 + Σλ / s)
    snapshot = learner.snapshot(rollout)["policy"]
    assert isinstance(snapshot, PolicySnapshot)
    assert price / kept > 0.5, "the cost has a price"
    pull = Pull.of(snapshot, plain(1))
    mixed = pull.columns @ torch.tensor([kept, -price], dtype=torch.float64)
    scale = float(mixed.std(correction=0))
    torch.testing.assert_close(mixed / scale, pull.advantage, rtol=0, atol=1e-5)
    other = 0.3 * 2.0  # the derivative of Pushing, whatever the state
    assert tuple(snapshot.columns) == columns
    reward, cost = in_the_mean(pull, pull.columns)[:, 0].tolist()
    whole = float(pull.whole.sum())
    assert 0.7 * (kept * reward - price * cost) / scale + other == pytest.approx(whole, rel=1e-4)
    bias = term_sum(snapshot)[snapshot.parameters.slices["output.bias"]]
    assert whole == pytest.approx(float(bias), rel=1e-4)


class Pushing(Entropy):
    """Twice the mean action: a term of which every mean has the same derivative."""

    def __call__(self, policy: Any, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return 2.0 * batch.mean(policy.here.mean.sum(-1)), {}


def term_sum(snapshot: PolicySnapshot) -> Tensor:
    return grad(lambda v: torch.stack(list(snapshot.terms(v).values())).sum())(snapshot.parameters.vector)


@pytest.mark.parametrize("sequence", [1, 4])
def test_of_what_remembers_they_are_the_gradients_of_its_chunks(sequence: int) -> None:
    learner, rollout = trained(None, policy=Elman(sequence), terms={"surrogate": Ratio(1.0)})
    snapshot = learner.snapshot(rollout)["policy"]
    assert isinstance(snapshot, PolicySnapshot)
    pull = Pull.of(snapshot, plain(1))
    batch, policy = snapshot.batch, snapshot.start
    again = snapshot.problem.at(snapshot.parameters.vector, batch)
    torch.testing.assert_close(policy.here.mean, again.here.mean)
    score = (batch.action - policy.here.mean) / policy.here.std.square()
    each = (batch.advantage.unsqueeze(-1) * score).flatten(0, -2).double()
    torch.testing.assert_close(pull.whole * len(each), each, rtol=1e-4, atol=1e-5)
    assert measured(learner, rollout, TargetWorld(8, 0).spec)["torque/motor/share"] == 1.0


def test_padding_counts_for_nothing() -> None:
    world = TargetWorld(8, 0)
    whole = make(world)[0].collect()["robot"]
    weight = torch.ones_like(whole.weight)
    weight[:, 5:] = 0.0
    padded = replace(whole, weight=weight)
    kept = weight.unsqueeze(-1) > 0.0
    obs = {name: torch.where(kept, seen, 1e25) for name, seen in whole.obs.items()}
    anything = replace(padded, action=torch.where(kept, whole.action, 9.0), obs=obs)

    def found(rollout: Rollout) -> Metrics:
        learner = make(world)[1]
        learner.update(rollout)
        return measured(learner, rollout, world.spec)

    one, other, all_of_it = map(found, (padded, anything, whole))
    assert one == pytest.approx(other, rel=1e-4)
    assert one["torque/motor/rms"] != all_of_it["torque/motor/rms"]


def test_planted_actuators_are_found() -> None:
    generator = stream(2, "planted")
    policy = stretched(make_policy({"policy": 2}, 3, ()))
    obs = 3.0 + torch.randn(4000, 2, generator=generator).double()
    with torch.no_grad():
        here, _ = policy({"policy": obs}, torch.zeros(4000, 0), torch.zeros(4000, dtype=torch.bool))
        action = here.sample(generator)
        noise = (action - here.mean) / here.std
    # motor 1 earns the reward, motor 0 does nothing, motor 2 costs what it earns and motor 1 does not cost
    columns = {"reward": 3.0 * noise[:, 1] + 0.5 * noise[:, 2], "cost/heat": noise[:, 2]}
    no_weight = torch.zeros(4000, 0, dtype=torch.float64)
    snapshot = posed(policy, obs, action, columns["reward"], columns, no_weight, {"s": Ratio(1.0)})
    found = asked(snapshot, plain(3))
    assert found["share"][1] > 0.9
    assert found["share"][0] < 0.01
    assert found["share"].sum() == pytest.approx(1.0)
    assert found["snr"].argsort().tolist() == [0, 2, 1]
    assert abs(float(found["gradient_reward"][0])) < 0.2 < float(found["gradient_reward"][2])
    assert found["cosine_heat"][2] > 0.9
    assert found["push"].abs().argsort().tolist() == [0, 2, 1]


def family(name: str, rows: int) -> tuple[Distribution, tuple[float, float]]:
    mean = torch.tensor([0.2, -0.4], dtype=torch.float64).expand(rows, 2)
    gaussian = Gaussian(mean, torch.tensor([-0.7, -1.1], dtype=torch.float64).expand(rows, 2))
    cholesky = torch.tensor([[0.5, 0.0], [0.3, 0.4]], dtype=torch.float64).expand(rows, 2, 2)
    logits = torch.tensor([[0.1, 0.9, -0.3], [0.4, -1.0, 0.2]], dtype=torch.float64).expand(rows, 2, 3)
    return {
        "gaussian": (gaussian, (0.0, 0.0)),
        "full covariance": (FullCovarianceGaussian(mean, cholesky), (0.0, 0.0)),
        "smooth": (SmoothGaussian(mean - 0.3, gaussian), (0.0, 0.0)),
        "squashed": (SquashedGaussian(gaussian), (0.0, 0.0)),
        "beta": (Beta(2.0 + mean, 3.0 - mean), (0.0, 0.0)),
        "binned": (Binned(logits), (0.0, 0.0)),
    }[name]  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["gaussian", "full covariance", "smooth", "squashed", "beta", "binned"])
def test_along_the_score_every_mean_moves_by_one_and_no_other(name: str) -> None:
    rows = 100_000
    distribution, _ = family(name, rows)
    action = distribution.sample(stream(3, name))
    score = mean_score(distribution, action)
    torch.testing.assert_close(score.mean(0), torch.zeros(2).double(), rtol=0, atol=0.03)
    moved = score.T @ action / rows
    torch.testing.assert_close(moved, torch.eye(2).double(), rtol=0, atol=0.03)


@pytest.mark.parametrize("policy", ["squashed", "full_covariance", "state_std", "beta", "binned", "smooth"])
def test_every_family_of_policies_is_told_of(policy: str) -> None:
    metrics = of_a_robot("task=hopper", f"policy={policy}")
    words = {name.rpartition("/")[2] for name in metrics}
    assert {"gradient_reward", "gradient_torque", "cosine_torque", "push", "snr", "share", "power"} <= words
    assert all(math.isfinite(value) for value in metrics.values())
    assert sum(value for name, value in metrics.items() if name.endswith("/share")) == pytest.approx(1.0)


@functools.cache
def of_a_robot(*overrides: str) -> Metrics:
    cfg = validated(compose([*overrides, "debug=tiny", "num_envs=4", "horizon=16", "compile=false"]))
    assembly = build(cfg, 1)
    experience = assembly.collector.collect()
    assembly.learners["robot"].update(experience["robot"])
    found = assembly.diagnostics["torque"](0, assembly.learners, experience)
    assembly.environment.close()
    return found


def test_a_robots_figures_are_per_newton_metre() -> None:
    cfg = validated(compose(["task=halfcheetah", "debug=tiny", "num_envs=4", "horizon=16", "compile=false"]))
    assembly = build(cfg, 1)
    experience = assembly.collector.collect()
    assembly.learners["robot"].update(experience["robot"])
    found = assembly.diagnostics["torque"](0, assembly.learners, experience)
    pull = Pull.of(assembly.learners["robot"].snapshot(experience["robot"])["policy"], plain(6))
    assembly.environment.close()
    gear = {"bthigh": 120, "bshin": 90, "bfoot": 60, "fthigh": 120, "fshin": 60, "ffoot": 30}
    per_unit = dict(zip(gear, in_the_mean(pull, pull.columns)[0].tolist(), strict=True))
    told = {name: found[f"torque/{name}/gradient_reward"] * gear[name] for name in gear}
    assert told == pytest.approx(per_unit)
    pushed = dict(zip(gear, pull.push().tolist(), strict=True))
    assert {name: found[f"torque/{name}/push"] / gear[name] for name in gear} == pytest.approx(pushed)


def test_choices_have_no_torque() -> None:
    assert of_a_robot("task=gymnasium", "task.id=CartPole-v1", "policy=categorical", "constraint=none") == {}


def test_units_are_what_the_actions_are() -> None:
    actions = (
        Action("hip", "200 N·m", 0),
        Action("gait", "", 3),
        Action("slide", "-1e-3 N", 0),
        Action("servo", "rad", 0),
        Action("wheel", "0.5 rad/s", 0),
        Action("unknown", "", 0),
    )
    found = Actuators.of(spec_of(*actions, low=-0.5, high=0.25), 64)
    assert found.names == ("hip", "slide", "servo", "wheel", "unknown")
    assert found.units == ("N·m", "N", "rad", "rad/s", "action")
    assert found.entries.tolist() == [0, 2, 3, 4, 5]
    assert found.scale.tolist() == pytest.approx([75.0, -0.375e-3, 0.375, 0.1875, 0.375])
    assert found.least.tolist() == pytest.approx([-100.0, -0.25e-3, -0.5, -0.25, -0.5])
    assert found.greatest.tolist() == pytest.approx([50.0, 0.5e-3, 0.25, 0.125, 0.25])
    assert found.forces.tolist() == [True, True, False, False, False]
    unbounded = Actuators.of(spec_of(*actions[:1], low=-math.inf, high=math.inf), 64)
    assert unbounded.scale.tolist() == [200.0]
    assert (unbounded.least.item(), unbounded.greatest.item()) == UNLIMITED


def test_a_motor_is_at_its_limit_where_the_model_says_so(tmp_path: Path) -> None:
    """By ``forcerange`` and ``actuatorfrcrange``, and in its weaker direction: as the cost ``torque`` has it."""
    weak = (assets() / "hopper.xml").read_text()
    weak = weak.replace(
        'ctrlrange="-1.0 1.0"', 'ctrlrange="-1.0 1.0" forcelimited="true" forcerange="-0.2 0.1"'
    )
    weak = weak.replace(
        'name="foot_joint"', 'name="foot_joint" actuatorfrclimited="true" actuatorfrcrange="-5 5"'
    )
    (tmp_path / "weak.xml").write_text(weak)
    cfg = validated(compose(["task=hopper", f"task.xml_file={tmp_path}/weak.xml", "debug=tiny"]))
    environment = build_environment(cfg, 1, 0, 1)
    actuators = Actuators.of(environment.spec, 3)
    assert torch.stack((actuators.least, actuators.greatest), 1).tolist() == [[-40, 20], [-40, 20], [-5, 5]]
    for command, share in ((1.0, 1.0), (0.05, 0.5), (-0.1, 0.5), (-0.5, 1.0)):
        environment.reset()
        torque = environment.step(np.full((1, 3), command)).telemetry["torque"]
        found = actuators.share(torch.from_numpy(torque))[0]
        assert found[:2].tolist() == pytest.approx([share] * 2)
        assert found[2] > share
    inner = environment.simulation
    drive = Drive.of("torque", inner, "all", alone=True)
    assert drive.greatest_torque("torque", inner).tolist() == [[40.0, 40.0, 5.0]]
    environment.close()


def with_torque(torque: Tensor, action: Tensor) -> Rollout:
    rollout = make(TargetWorld(torch.Tensor.size(torque, 1), 0), horizon=len(torque))[0].collect()["robot"]
    power = -2.0 * torque
    return replace(rollout, action=action, telemetry={"torque": torque, "power": power})


def test_loads_are_those_of_the_torque_that_was_given() -> None:
    torque = torch.linspace(-10.0, 10.0, 40).view(20, 2, 1)
    rollout = with_torque(torque, 5.0 * torque)
    policy = make_policy()
    hip = Actuators.of(spec_of(Action("hip", "10 N·m", 0)), 1)
    found = {name: float(value) for name, value in loads(rollout, policy, hip).items()}
    ratio = torque.flatten().abs().double() / 10.0
    assert found["rms"] == pytest.approx(float(ratio.square().mean().sqrt()))
    assert found["p95"] == pytest.approx(float(ratio.sort().values[37]))
    assert found["saturation"] == 2 / 40
    assert found["power"] == pytest.approx(20.0 * float(ratio.mean()))
    # a servo's effort is the command within its range, and without bounds there is none
    servo = Actuators.of(spec_of(Action("servo", "rad", 0)), 1)
    command = (5.0 * torque).abs().clamp(max=1.0).double().flatten()
    assert float(loads(rollout, policy, servo)["rms"]) == pytest.approx(float(command.square().mean().sqrt()))
    free = Actuators.of(spec_of(Action("free", "", 0), low=-math.inf, high=math.inf), 1)
    assert {name for name, value in loads(rollout, policy, free).items() if value.isnan()} == {
        "rms",
        "p95",
        "saturation",
    }


def test_of_a_force_without_a_limit_there_is_no_share() -> None:
    torque = torch.linspace(-10.0, 10.0, 40).view(20, 2, 1)
    motors = Actuators.of(spec_of(Action("free", "10 N·m", 0), low=-math.inf, high=math.inf), 1)
    found = loads(with_torque(torque, torque), make_policy(), motors)
    assert {name for name, value in found.items() if value.isnan()} == {"rms", "p95", "saturation"}


def test_terms_that_do_not_depend_on_the_mean_have_no_gradient_in_it() -> None:
    snapshot = linear_problem({"entropy": Entropy(0.1)})
    assert torch.equal(Pull.of(snapshot, plain(3)).whole, torch.zeros(363, 3).double())


class NoteFirst(Echo):
    """Draws the note before the push."""

    def command(self, action: Tensor) -> Tensor:
        return action[..., 1:]


def test_what_is_drawn_beside_the_command_is_no_actuator() -> None:
    world = TargetWorld(4, 0)
    collector, learner = make(world, policy=Echo(1))
    rollout = collector.collect()["robot"]
    learner.update(rollout)
    found = measured(learner, rollout, world.spec)
    assert {name.split("/")[1] for name in found} == {"motor"}
    assert found["torque/motor/share"] == 1.0
    assert measured(learner, rollout, spec_of(*Action.unitless("a", "b"))) == {}, "no selection of two"
    assert plain(1).drawn(NoteFirst(1)).tolist() == [1]


def test_thousands_are_cut_and_none_is_none() -> None:
    thousands = spec_of(*Action.unitless(*(f"muscle{j}" for j in range(3000))))
    policy = make_policy({"policy": 2}, 3000, ())
    generator = stream(1, "muscles")
    rows, advantage = torch.randn(8, 2, generator=generator), torch.randn(8, generator=generator)
    with torch.no_grad():
        action = policy({"policy": rows}, torch.zeros(8, 0), torch.zeros(8, dtype=torch.bool))[0].sample(
            generator
        )
    columns = {"reward": advantage}
    snapshot = posed(policy, rows, action, advantage, columns, torch.zeros(8, 0), {"s": Ratio(1.0)})
    actuators = Actuators.of(thousands, 64)
    assert len(actuators.names) == 64
    assert actuators.names[63] == "muscle63"
    assert all(len(value) == 64 for value in asked(snapshot, actuators).values())
    nothing = TorqueGradients(1, 64, spec=spec_of(), iterations=1)
    assert nothing(0, {"robot": None}, {"robot": None}) == {}  # type: ignore[dict-item]


def test_what_is_no_number_is_left_out() -> None:
    world = TargetWorld(4, 0)
    collector, learner = make(world, terms={"surrogate": Ratio(math.inf), "entropy": Entropy(0.1)})
    guarded, rollout = GuardedLearner(learner), collector.collect()["robot"]
    assert guarded.update(rollout) == {"guard/skipped_updates": 1.0}
    found = measured(guarded, rollout, world.spec)
    assert "torque/motor/gradient_reward" in found
    assert "torque/motor/share" not in found
    assert all(map(math.isfinite, found.values()))
    assert measured(guarded, collector.collect()["robot"], world.spec) == {}, "nothing was learnt from it"


def test_several_learners_have_names_of_their_own() -> None:
    learner, rollout = trained(None)
    spec = TargetWorld(8, 0).spec
    alone = measured(learner, rollout, spec)
    both = TorqueGradients(1, 64, spec=spec, iterations=1)(0, {"a": learner, "b": learner}, {"b": rollout})
    assert both == {f"b/{key}": value for key, value in alone.items()}


@pytest.mark.parametrize(("every", "looks"), [(0, []), (1, [0, 1, 2, 3]), (3, [0, 3])])
def test_it_looks_every_so_often(every: int, looks: list[int]) -> None:
    learner, rollout = trained(None)
    diagnostic = TorqueGradients(every, 64, spec=TargetWorld(8, 0).spec, iterations=1)
    assert [i for i in range(4) if diagnostic(i, {"robot": learner}, {"robot": rollout})] == looks


def test_columns_that_end_alike_have_whole_names() -> None:
    assert short_names(("reward", "cost/speed", "bonus/new")) == ("reward", "speed", "new")
    assert short_names(("reward", "cost/reward", "cost/x", "bonus/x")) == (
        "reward",
        "cost_reward",
        "cost_x",
        "bonus_x",
    )
