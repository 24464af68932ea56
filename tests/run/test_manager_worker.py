"""A run of a manager and its worker: trained by everything, resumed, judged, loaded; and what is refused."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pgrobot
from pgrobot.collectors.decisions import DecisionRollout
from pgrobot.configure import build, compose, options, validated
from pgrobot.errors import PgrobotError
from pgrobot.randomness import stream
from pgrobot.schemes import blueprint
from pgrobot.types import Rollout
from pgrobot.variance import MeasurementPlan, measure

from .conftest import TINY, Train, metrics, state
from .test_resume import assert_same_run, interrupt_at

HERE = ["scheme=manager_worker", "scheme.every=4"]
SIZES = {
    "recurrent": ["policy.sequence=4", "policy.units=4"],
    "hierarchical": ["policy.every=2"],
    "cup": ["algorithm.policy_solver.improvement.minibatch=32"],
    "geppo": ["algorithm.policy_solver.minibatch=32"],
}
IN_MINIBATCHES = ("ppo", "ppo_kl", "p3o", "ipo", "focops")
OFFERED = options([])
# those that learn from a file of demonstrations, which show no goals, are left out
WAYS = [f"algorithm={name}" for name in OFFERED["algorithm"] if name not in ("clone", "dapg")]
WAYS += [
    f"policy={name}" for name in ("recurrent", "smooth", "squashed", "hierarchical")
]  # remembering, bounded


@pytest.mark.parametrize("way", WAYS)
def test_both_learn_by_every_algorithm(way: str) -> None:
    group, _, name = way.partition("=")
    less = ["algorithm.critic_solver.minibatch=32", *SIZES.get(name, [])]
    kept = [word for word in TINY if "minibatch" not in word or name in IN_MINIBATCHES or group == "policy"]
    typed = compose([*kept, *less, *HERE, way])
    if typed.multiplier._target_.endswith(
        "PID"
    ):  # else the algorithm keeps to the budgets in a way of its own
        typed = compose([*kept, *less, *HERE, way, "multiplier=lagrangian"])
    cfg = validated(typed)
    assembly = build(cfg, 1)
    policies = assembly.policies
    before = {each: torch.nn.utils.parameters_to_vector(p.parameters()) for each, p in policies.items()}
    for _ in range(2):
        experience = assembly.collector.collect()
        told = {each: assembly.learners[each].update(rollout) for each, rollout in experience.items()}
        assert [found["guard/skipped_updates"] for found in told.values()] == [0.0, 0.0]
    assembly.environment.close()
    manager = experience["manager"]
    assert isinstance(manager, DecisionRollout)
    assert float((manager.duration * manager.weight).sum()) == manager.steps.done.numel()
    for each, policy in policies.items():
        after = torch.nn.utils.parameters_to_vector(policy.parameters())
        assert bool(after.isfinite().all())
        assert not torch.equal(after, before[each]), each
    costs = {f"cost/{budget}/mean" for budget in ("speed", "torque", "fall")}
    for key in costs | {key for key in told["worker"] if key.startswith("multiplier_level")}:
        assert told["manager"][key] == told["worker"][key], key


def test_a_run_is_resumed_judged_and_loaded(train: Train, resume: Train, tmp_path: Path) -> None:
    whole = train("whole", *HERE, "total_steps=192", "constraint=[speed]")
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(64, signal.SIGINT, patch)
        train("parts", *HERE, "total_steps=192", "constraint=[speed]")
    resume(tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")

    last = metrics(tmp_path / "whole")[-1]
    shown = ("manager/return/mean", "worker/return/mean", "manager/cost/speed/mean", "worker/policy/kl")
    goals = ("manager/goal/reached", "manager/goal/distance", "manager/goal/policy/qpos/rootz/std")
    assert {*shown, *goals, "manager/multiplier/speed", "worker/multiplier/speed"} <= last.keys()
    assert last["manager/episode_length/mean"] == last["worker/episode_length/mean"]

    again = pgrobot.evaluate(whole)
    assert again["return"] == whole.evaluation["return"]
    for level in ("manager", "worker"):  # both of them act
        changed = state(tmp_path / "whole", "best")
        for key, value in changed["learners"][level]["policy"].items():
            if key.endswith("output.bias"):
                value.add_(1.0)
        path = tmp_path / f"{level}.pt"
        torch.save(changed, path)
        assert pgrobot.evaluate(whole, checkpoint=str(path))["return"] != again["return"], level

    acting = pgrobot.load(whole)
    obs = np.zeros((3, 11))
    first, second = (acting.act(obs) for _ in range(2))
    assert first.shape == (3, 3)
    assert not np.array_equal(first, second)  # less time is left
    acting.reset()
    assert np.array_equal(acting.act(obs), first)
    plan = MeasurementPlan("best", 20, 0, -1, 0, 0.95, 0.05)
    with pytest.raises(PgrobotError, match="several policies act together"):
        measure(whole.path, (), plan, lambda _: None)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["scheme.every=0"], "scheme.every must be a whole number of at least 1, not 0"),
        (["scheme.every=5"], "scheme.every=5 does not divide horizon=16, with which goals end"),
        (["scheme.every=2000"], "scheme.every=2000 is longer than an episode, which has at most 1000 steps"),
        (["scheme.goal=[qpos/rootzz]"], "scheme.goal names 'qpos/rootzz', which is not observed; did you mean"),
        (["scheme.goal=qpos"], "scheme.goal must be a list of observation entries, such as [qpos/*], not 'qpos'"),
        (["scheme.pay=less"], "scheme.pay cannot be 'less': valid: distance, progress"),
        (["scheme.reached=0"], "scheme.reached must be a number above 0, not 0"),
        (["scheme.task_share=-1"], "scheme.task_share must be a number of at least 0, not -1"),
        (["critic=recurrent"], "scheme=manager_worker needs a critic without memory"),
        (
            ["task=gymnasium", "task.id=CartPole-v1", "constraint=[]", "policy=categorical"],
            "is one of 2 choices",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(overrides: list[str], sentence: str) -> None:
    with pytest.raises(PgrobotError) as refused:
        build(validated(compose([*TINY, *HERE, *overrides])), 1)
    assert sentence in str(refused.value)


def test_goals_are_about_positions_or_what_is_named() -> None:
    def entries(*overrides: str) -> list[str]:
        assembly = build(validated(compose([*TINY, *HERE, *overrides])), 1)
        told = assembly.collector.collect()["manager"].telemetry
        assembly.environment.close()
        return [name.removeprefix("goal/policy/") for name in told if "policy" in name]

    joints = ["thigh_joint", "leg_joint", "foot_joint"]
    positions = [f"qpos/{name}" for name in ("rootz", "rooty", *joints)]
    assert entries() == positions
    assert entries("wrapper=history") == positions
    assert entries("scheme.goal=[policy/qvel/root*,qpos/rooty]") == [
        "qpos/rooty", "qvel/rootx", "qvel/rootz", "qvel/rooty",
    ]  # fmt: skip
    inverted = ["task=gymnasium", "task.id=Pendulum-v1", "constraint=[]"]
    assert entries(*inverted) == ["0", "1", "2"]


def told(*overrides: str) -> tuple[DecisionRollout, Rollout]:
    """The second rollout of either, which is the first one with a deviation known."""
    assembly = build(
        validated(
            compose([*TINY, *HERE, "constraint=[speed]", "constraint.speed.cost.threshold=0.01", *overrides])
        ),
        1,
    )
    assembly.collector.collect()
    experience = assembly.collector.collect()
    assembly.environment.close()
    manager = experience["manager"]
    assert isinstance(manager, DecisionRollout)
    return manager, experience["worker"]


def test_every_column_of_a_decision_is_discounted_by_its_own_gamma() -> None:
    manager, _ = told("algorithm.discounts={reward: 0.9, cost: 0.5}")
    assert manager.columns == ("reward", "cost/speed")
    steps, gamma = manager.steps, torch.tensor([0.9, 0.5])
    expected, since = torch.zeros_like(manager.reward), torch.zeros(steps.done.shape[1])
    for t, row in enumerate(manager.row):
        since = torch.where(row == manager.row[t - 1], since + 1.0, 0.0) if t else since
        at = row, torch.arange(len(row))
        expected[at] += gamma ** since[:, None] * steps.reward[t]
    assert float(expected[..., 1].max()) > 1.0
    torch.testing.assert_close(manager.reward, expected)


def test_a_share_of_the_task_is_added_and_a_goal_is_reached_within_a_distance() -> None:
    (alone, own), (manager, shared) = told(), told("scheme.task_share=0.25", "scheme.reached=1.5")
    steps = manager.steps.reward[..., 0]
    assert torch.equal(steps, alone.steps.reward[..., 0])
    torch.testing.assert_close(shared.reward[..., 0], own.reward[..., 0] + 0.25 * steps)
    assert torch.equal(shared.reward[..., 1], own.reward[..., 1])
    distance = manager.telemetry["goal/distance"]
    for rollout, within in ((alone, 0.5), (manager, 1.5)):
        assert torch.equal(rollout.telemetry["goal/reached"], (distance < within).float())
    assert not torch.equal(alone.telemetry["goal/reached"], manager.telemetry["goal/reached"])


def test_no_two_parts_draw_from_the_same_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Manager and worker begin with other weights, shuffle otherwise, and nobody's noise is another one's."""
    names: list[str] = []

    def named(seed: int, name: str, *device: str) -> torch.Generator:
        names.append(name)
        return stream(seed, name, *device)

    monkeypatch.setattr(blueprint, "stream", named)
    build(validated(compose([*TINY, *HERE])), 1).environment.close()
    assert len(names) == len(set(names))
    parts = ("policy", "critic", "policy_shuffle", "critic_shuffle")
    assert {f"{level}/{part}" for level in ("manager", "worker") for part in parts} <= set(names)


def padded_with(number: float, rollout: DecisionRollout) -> DecisionRollout:
    """Every number of what counts nothing."""

    def filled(x: Any) -> Any:
        if isinstance(x, dict):
            return {name: filled(value) for name, value in x.items()}
        return torch.where((rollout.weight == 0.0).view(*x.shape[:2], *[1] * (x.dim() - 2)), number, x)

    names = ("obs", "next_obs", "action", "log_prob", "reward", "carry")
    return replace(rollout, **{name: filled(getattr(rollout, name)) for name in names})


@pytest.mark.parametrize("algorithm", ["a2c", "reinforce", "ppo"])
def test_what_fills_a_managers_rollout_teaches_nothing(algorithm: str) -> None:
    """A minibatch of a whole rollout leaves most of the manager's as padding; its numbers may be anything."""
    overrides = [word for word in TINY if "minibatch" not in word or algorithm == "ppo"]
    less = [*overrides, *HERE, f"algorithm={algorithm}", "algorithm.critic_solver.minibatch=32", "horizon=32"]
    learnt = []
    for number in (None, 40.0):
        assembly = build(validated(compose([*less, "multiplier=lagrangian"])), 1)
        for _ in range(2):
            manager = assembly.collector.collect()["manager"]
            assert isinstance(manager, DecisionRollout)
            assert (len(manager.weight) == 32) == (algorithm != "ppo")
            if number is not None:
                manager = padded_with(number, manager)
            metrics = assembly.learners["manager"].update(manager)
        assembly.environment.close()
        learner = assembly.learners["manager"].learner
        learnt.append((metrics, [learner.policy_vector.vector, learner.critic_vector.vector]))
    (one, vectors), (other, same) = learnt
    assert other == pytest.approx(one, rel=1e-5, abs=1e-6)
    for ours, theirs in zip(vectors, same, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-6, atol=1e-7)
