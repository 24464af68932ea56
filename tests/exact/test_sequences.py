"""Policies and critics that remember: what they remember, how they learn from chunks, and what chunks change."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from problems import at
from remembering import Echo, Elman, ElmanCritic
from torch import Tensor
from torch.func import grad
from toys import TargetWorld, make

from pgrobot.bodies.trial import check_sizes
from pgrobot.compilation import Compiled
from pgrobot.compilation.trace import trace
from pgrobot.errors import PgrobotError
from pgrobot.learner import Learner
from pgrobot.sequences import as_rollout, check_sequences, in_rows
from pgrobot.solvers import SGD, Constant, FirstOrderSolver, PolicyProblem
from pgrobot.types import Rollout

HORIZON = 16  # two episodes of eight steps


def recurrent(sequence: int, **changes: Any) -> tuple[Rollout, Learner]:
    """Of environments that end at other steps than chunks do."""
    options = {"policy": Elman(sequence), "minibatch": 64, **changes}
    collector, learner = make(TargetWorld(4, 0, length=5, fatal=0.9), **options)
    return collector.collect()["robot"], learner


def unrolled_by_hand(policy: Any, rollout: Rollout, cuts: int) -> Tensor:
    """The mean surrogate of the first pass: gradients flow through the carry, but not beyond every ``cuts`` steps."""
    carry, total = rollout.carry[0], []
    for t in range(HORIZON):
        carry = carry.detach() if t % cuts == 0 else carry
        obs = {"policy": rollout.obs["policy"][t]}
        distribution, following = policy(obs, carry, rollout.episode_start[t])
        carry = policy.remember(following, rollout.action[t])
        total.append(distribution.log_prob(rollout.action[t]))
    return torch.stack(total)


def test_what_was_drawn_is_remembered_and_only_the_push_goes_out() -> None:
    collector, _ = make(TargetWorld(4, 0), policy=Echo(1))
    rollout = collector.collect()["robot"]
    assert rollout.action.shape == (HORIZON, 4, 2)
    torch.testing.assert_close(rollout.telemetry["torque"], (2.0 * rollout.action[..., :1]).clamp(-2.0, 2.0))
    held = torch.where(rollout.episode_start.unsqueeze(-1), 0.0, rollout.carry)
    torch.testing.assert_close(rollout.carry[1:], held[:-1] + rollout.action[:-1, :, 1:])
    assert rollout.episode_start[1:].any()
    following = collector.collect()["robot"]
    torch.testing.assert_close(following.carry[0], held[-1] + rollout.action[-1, :, 1:])


def test_what_is_remembered_is_in_the_state() -> None:
    collector, _ = make(TargetWorld(4, 0), policy=Echo(1))
    collector.collect()
    other, _ = make(TargetWorld(4, 1), policy=Echo(1))
    other.load_state_dict(collector.state_dict())
    one, same = collector.collect()["robot"], other.collect()["robot"]
    assert torch.equal(one.action, same.action)
    assert torch.equal(one.carry, same.carry)


@pytest.mark.parametrize("sequence", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("kind", [Echo, Elman])
def test_the_first_ratio_is_one_for_any_chunks(kind: Any, sequence: int) -> None:
    collector, learner = make(TargetWorld(4, 0, length=5, fatal=0.9), policy=kind(sequence))
    for _ in range(2):
        rollout = collector.collect()["robot"]
        batch = learner.pose(rollout).policy
        assert batch.log_prob.shape == ((64,) if sequence == 1 else (64 // sequence, sequence))
        ratio = (
            learner.problem.distribution(learner.policy_vector.vector, batch).log_prob(batch.action)
            - batch.log_prob
        )
        torch.testing.assert_close(ratio, torch.zeros_like(ratio), rtol=0, atol=1e-5)


@pytest.mark.parametrize("sequence", [2, 4, 16])
def test_the_gradient_of_chunks_is_that_of_backpropagation_through_them(sequence: int) -> None:
    """With chunks as long as the rollout it is that of all of it: episodes begin and end where they like."""
    rollout, learner = recurrent(sequence)
    batch = learner.pose(rollout).policy
    found = grad(lambda v: learner.problem.loss(v, batch)[0])(learner.policy_vector.vector)
    advantage = as_rollout(batch.advantage, 4, sequence)
    names = [name for name, _ in learner.policy.named_parameters()]
    parameters = [p.requires_grad_() for p in learner.policy.parameters()]
    log_prob = unrolled_by_hand(learner.policy, rollout, sequence)
    expected = torch.autograd.grad(
        -(log_prob * advantage).mean(), parameters, materialize_grads=True, allow_unused=True
    )
    for name, gradient in zip(names, expected, strict=True):
        where = learner.policy_vector.slices[name]
        torch.testing.assert_close(found[where], gradient.flatten(), rtol=1e-4, atol=1e-6)
    shorter = torch.autograd.grad(
        -(unrolled_by_hand(learner.policy, rollout, 1) * advantage).mean(),
        parameters,
        materialize_grads=True,
        allow_unused=True,
    )
    assert float((shorter[1] - expected[1]).abs().max()) > 1e-4, "otherwise time plays no role here"


def test_every_pass_begins_its_chunks_with_what_the_present_policy_remembers() -> None:
    rollout, learner = recurrent(4)
    for _ in range(3):
        posed = learner.pose(rollout).policy
        carry, carries = rollout.carry[0], []
        for t in range(HORIZON):
            carries.append(carry)
            _, carry = learner.policy({"policy": rollout.obs["policy"][t]}, carry, rollout.episode_start[t])
        torch.testing.assert_close(as_rollout(posed.carry, 4, 4), torch.stack(carries))
        learner.policy_vector.vector += 0.1


def test_chunks_of_what_remembers_nothing_are_rows_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one environment, in the order of time: elsewhere a shuffle of chunks is another shuffle than one of rows."""
    monkeypatch.setattr(torch, "randperm", lambda count, generator: torch.arange(count))
    states = []
    for sequence in (1, 4):
        collector, learner = make(
            TargetWorld(1, 0),
            policy=Elman(sequence, units=0),
            critic=ElmanCritic(2, sequence, units=0),
            minibatch=8,
        )
        for _ in range(3):
            metrics = learner.update(collector.collect()["robot"])
        states.append((metrics, learner.policy_vector.vector.clone(), learner.critic_vector.vector.clone()))
    (one, *vectors), (other, *same) = states
    assert one == other
    assert all(torch.equal(a, b) for a, b in zip(vectors, same, strict=True))


def test_traced_chunks_learn_what_eager_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler is handed the loop over a chunk step by step, with its carries and its resets."""
    traced = []

    def run_what_was_traced(self: Compiled, arguments: Any) -> Any:
        graph = trace(self._function, arguments)
        traced.append(graph)
        return lambda *given: graph.module(*graph.captured, *(given[index] for index in graph.reads))

    monkeypatch.setattr(Compiled, "_compile", run_what_was_traced)
    learnt = []
    for compiled in (False, True):
        rollout, learner = recurrent(2, minibatch=32)
        solver = FirstOrderSolver(
            vector=learner.policy_vector.vector,
            problem=learner.problem,
            chain={"optimizer": SGD(0.0)},
            rate=Constant(0.3),
            minibatch=32,
            epochs=2,
            target_kl=math.inf,
            gradient_metric="gradient",
            compile_steps=compiled,
            generator=torch.Generator().manual_seed(0),
        )
        before = learner.policy_vector.vector.clone()
        solver.solve(learner.pose(rollout).policy)
        learnt.append(learner.policy_vector.vector - before)
        assert len(traced) == compiled
    eager, native = learnt
    assert float(eager.abs().max()) > 1e-3
    torch.testing.assert_close(native, eager, rtol=1e-4, atol=1e-6)


def test_a_critic_remembers_until_the_reset_and_not_beyond() -> None:
    """V of the true successor is asked with what was remembered before the reset; the next rollout goes on."""
    collector, learner = make(TargetWorld(4, 0, length=5, fatal=0.9), critic=ElmanCritic(2, 4))
    carry = torch.zeros(4, 3)
    for _ in range(2):
        rollout = collector.collect()["robot"]
        _, values = learner.seen(rollout)
        with torch.no_grad():
            for t in range(HORIZON):
                obs, successor = ({"policy": x["policy"][t]} for x in (rollout.obs, rollout.next_obs))
                value, carry = learner.critic(obs, carry, rollout.episode_start[t])
                following, _ = learner.critic(successor, carry, torch.zeros(4, dtype=torch.bool))
                torch.testing.assert_close(values.now[t], value)
                torch.testing.assert_close(values.next[t], following)
        learner.critic_solver.solve = lambda batch: ({}, False)  # type: ignore[method-assign]
        learner.update(rollout)
        assert torch.equal(learner.state_dict()["critic_carry"], values.carries[-1])


def test_a_learner_goes_on_with_what_its_critic_remembers() -> None:
    """Saved in the midst of an episode, and asked again about the rollout that it has just learnt from."""
    options = {"critic": ElmanCritic(2, 4)}
    collector, learner = make(TargetWorld(4, 0, length=50), **options)
    rollout = collector.collect()["robot"]
    before = learner.seen(rollout)[1]
    learner.critic_solver.solve = lambda batch: ({}, False)  # type: ignore[method-assign]
    learner.update(rollout)
    assert torch.equal(learner.seen(rollout)[1].now, before.now), "posed anew, it begins where it began"
    _, resumed = make(TargetWorld(4, 0, length=50), critic=ElmanCritic(2, 4))
    resumed.load_state_dict(learner.state_dict())
    following = collector.collect()["robot"]
    assert not following.episode_start.any()
    assert torch.equal(resumed.seen(following)[1].now, learner.seen(following)[1].now)
    learner.skip()
    forgotten = learner.seen(following)[1]
    assert torch.equal(forgotten.carries[0], torch.zeros(4, 3))


def test_the_score_norm_of_chunks_is_that_of_every_step() -> None:
    rollout, learner = recurrent(4)
    batch = learner.pose(rollout).policy
    norms = as_rollout(learner.problem.score_norm(learner.policy_vector.vector, batch), 4, 4)
    vector = learner.policy_vector.vector
    for t, env in ((0, 1), (6, 2), (15, 3)):

        def log_prob(v: Tensor, t: int = t, env: int = env) -> Tensor:
            return as_rollout(learner.problem.distribution(v, batch).log_prob(batch.action), 4, 4)[t, env]

        torch.testing.assert_close(norms[t, env], grad(log_prob)(vector).square().sum(), rtol=1e-4, atol=1e-5)


def test_rows_and_chunks_hold_what_the_rollout_held() -> None:
    x = torch.arange(6 * 5).view(6, 5)
    assert torch.equal(in_rows(x, 1), x.flatten())
    chunks = in_rows(x, 3)
    assert chunks.shape == (10, 3)
    assert chunks[0].tolist() == [0, 5, 10]
    assert chunks[-1].tolist() == [19, 24, 29]
    for length in (1, 2, 3, 6):
        assert torch.equal(as_rollout(in_rows(x, length), 5, length), x)


def test_a_policy_that_does_not_say_how_much_it_draws_is_refused() -> None:
    policy = Echo(1)
    check_sizes("policy", policy, ("action_size", "carry_size", "sequence"))
    policy.carry_size = None  # type: ignore[assignment]
    with pytest.raises(PgrobotError, match="policy is a Echo, which has no whole number carry_size"):
        check_sizes("policy", policy, ("action_size", "carry_size", "sequence"))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        PgrobotError, match="policy learns from sequences of 5 steps, which do not divide horizon=16"
    ):
        check_sequences(16, {"critic": ElmanCritic(2, 4), "policy": Elman(5)})
    with pytest.raises(
        PgrobotError, match="A minibatch of 2 steps does not consist of whole chunks of 4 steps"
    ):
        recurrent(4, minibatch=2)


def test_a_term_asks_the_policy_at_other_states() -> None:
    """A penalty on how much the mean changes with the state, against finite differences."""
    rollout, learner = recurrent(4)
    batch = learner.pose(rollout).policy

    def smoothness(policy: Any, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        moved = {"policy": batch.obs["policy"] + 0.1}
        there = policy(moved, batch.carry, batch.episode_start)
        return -batch.mean((there.mean - policy.here.mean).square().sum(-1)), {}

    smoothness.weight = 0.7  # type: ignore[attr-defined]
    problem = PolicyProblem(learner.policy, learner.policy_vector, {"smooth": smoothness})
    vector = learner.policy_vector.vector.double()
    learner.policy.double()
    in_double = torch.utils._pytree.tree_map(lambda x: x.double() if x.is_floating_point() else x, batch)
    value = lambda v: problem.loss(v, in_double)[0]
    exact = grad(value)(vector)
    for index in range(0, len(vector), 3):
        step = torch.zeros_like(vector)
        step[index] = 1e-5
        numeric = (value(vector + step) - value(vector - step)) / 2e-5
        torch.testing.assert_close(exact[index], numeric, rtol=1e-5, atol=1e-8)
    assert float(exact.abs().max()) > 1e-4
    other = vector + 0.1  # the policy is asked at the parameters of the problem, not at its own
    here: list[Tensor] = []

    def noting(policy: Any, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        here.append(policy(batch.obs, batch.carry, batch.episode_start).mean)
        return batch.mean(here[-1].sum(-1)), {}

    noting.weight = 1.0  # type: ignore[attr-defined]
    PolicyProblem(learner.policy, learner.policy_vector, {"noted": noting}).loss(other, in_double)
    rows = (in_double.obs, in_double.carry, in_double.episode_start)
    expected = torch.func.functional_call(learner.policy, learner.policy_vector.views(other), rows)[0].mean
    torch.testing.assert_close(here[0], expected, rtol=0, atol=0)
    assert float((learner.policy(*rows)[0].mean - expected).abs().max()) > 1e-3
    assert float(value(vector)) > 0.0
    with pytest.raises(pytest.fail.Exception):
        smoothness(
            at(learner.problem.distribution(learner.policy_vector.vector.double(), in_double)), in_double
        )
