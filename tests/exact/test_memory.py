"""Bodies with a memory: what a step computes, how it is learnt through time, and what it is without its memory."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import grad, hessian
from toys import GAUSSIAN, TargetWorld, make, make_critic, make_policy, numbers

from pgrobot.assembly import build_learners
from pgrobot.baselines import Optimal
from pgrobot.bodies import Body, Gru, Lstm, Mlp
from pgrobot.configure import build_policy, compose, validated
from pgrobot.critics import NetworkCritic
from pgrobot.errors import PgrobotError
from pgrobot.learner import Learner
from pgrobot.policies import NetworkPolicy
from pgrobot.policies.previous import Shown
from pgrobot.randomness import stream
from pgrobot.sequences import as_rollout
from pgrobot.solvers.fisher import gauss_newton
from pgrobot.types import Action, Rollout

HORIZON = 16  # two episodes or more
KINDS = (Gru, Lstm)
CELLS = {Gru: nn.GRUCell, Lstm: nn.LSTMCell}


def factory(kind: type[Any], sequence: int = 4, units: int = 3, hidden: Sequence[int] = (5,)) -> Any:
    return functools.partial(kind, units=units, hidden=hidden, activation="tanh", sequence=sequence)


def remembering(
    kind: type[Any], sequence: int = 4, previous_action: bool = True, **body: Any
) -> NetworkPolicy:
    network, random = factory(kind, sequence, **body), stream(0, "policy")
    policy = NetworkPolicy(
        {"policy": 2}, numbers(1), ("policy",), network, GAUSSIAN, 10.0, random, math.inf, previous_action
    )
    with torch.no_grad():
        policy.output.weight.mul_(50.0)  # or what is remembered would hardly matter at first
    return policy


def recurrent(kind: type[Any], sequence: int = 4, **changes: Any) -> tuple[Rollout, Learner]:
    options = {"policy": remembering(kind, sequence), "minibatch": 64, **changes}
    collector, learner = make(TargetWorld(4, 0, length=5, fatal=0.9), **options)
    return collector.collect()["robot"], learner


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_that_of_torchs_own_cell(kind: type[Any]) -> None:
    body: Body = factory(kind)(inputs=2, generator=stream(0, "body"))
    cell = CELLS[kind](2, 3)
    with torch.no_grad():
        cell.weight_ih.copy_(body.input.weight)
        cell.weight_hh.copy_(body.recurrent.weight)
        cell.bias_ih.copy_(body.input.bias)
        cell.bias_hh.zero_()
    x, carry = torch.randn(7, 2), torch.randn(7, body.carry_size)
    found = body(x, carry, torch.zeros(7, dtype=torch.bool))[1]
    expected = cell(x, carry if kind is Gru else carry.chunk(2, -1))
    torch.testing.assert_close(found, expected if kind is Gru else torch.cat(expected, -1))


@pytest.mark.parametrize("kind", KINDS)
def test_each_gate_begins_orthogonal_and_keeps(kind: type[Any]) -> None:
    body = factory(kind, units=6)(inputs=4, generator=stream(0, "body"))
    for gate in body.recurrent.weight.chunk(kind.gates):
        torch.testing.assert_close(gate @ gate.T, torch.eye(6))
    for gate in body.input.weight.chunk(kind.gates):
        torch.testing.assert_close(gate.T @ gate, torch.eye(4))
    assert body.input.bias.view(kind.gates, 6).sum(-1).tolist() == [6.0 * (g == 1) for g in range(kind.gates)]


@pytest.mark.parametrize("kind", KINDS)
def test_without_units_it_is_the_perceptron_to_the_last_bit(kind: type[Any]) -> None:
    """Asked for chunks, too: policy and critic, over updates."""
    states = []
    for policy, critic in (
        (make_policy(hidden=(5,)), make_critic(("reward", "cost/above"), hidden=(5,))),
        (
            NetworkPolicy(
                {"policy": 2},
                numbers(1),
                ("policy",),
                factory(kind, 4, 0),
                GAUSSIAN,
                10.0,
                stream(0, "policy"),
            ),
            NetworkCritic(
                {"policy": 2},
                ("reward", "cost/above"),
                ("policy",),
                factory(kind, 4, 0),
                10.0,
                stream(0, "critic"),
            ),
        ),
    ):
        collector, learner = make(TargetWorld(4, 0), policy=policy, critic=critic)
        for _ in range(2):
            metrics = learner.update(collector.collect()["robot"])
        states.append((metrics, learner.policy_vector.vector, learner.critic_vector.vector))
    (one, *vectors), (other, *same) = states
    assert one == other
    assert all(torch.equal(a, b) for a, b in zip(vectors, same, strict=True))


def test_a_first_step_with_the_gate_bypassed_is_a_layer_to_the_last_bit() -> None:
    """Of weights and inputs whose sums are exact in any order."""
    body = factory(Gru, units=8, hidden=())(inputs=4, generator=stream(0, "body"))
    layer = Mlp(4, [8], "tanh", stream(0, "layer"))
    with torch.no_grad():
        body.input.weight.copy_((8 * body.input.weight).round() / 8)
        body.input.bias.view(3, 8)[1] = -math.inf
        layer.layers[0].weight.copy_(body.input.weight[16:])
    x, start = torch.randint(-8, 8, (50, 4), generator=stream(0, "x")) / 8, torch.ones(50, dtype=torch.bool)
    features, carry = body(x, torch.randn(50, 8), start)
    expected, _ = layer(x, torch.zeros(50, 0), start)
    assert torch.equal(carry, expected)
    assert torch.equal(features, torch.cat((x, expected), -1))


@pytest.mark.parametrize("sequence", [1, 2, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_ratio_is_one_for_any_chunks(kind: type[Any], sequence: int) -> None:
    """What was said step by step in the rollout is said again along chunks, in the second rollout as in the first."""
    collector, learner = make(
        TargetWorld(4, 0, length=5, fatal=0.9), policy=remembering(kind, sequence), minibatch=64
    )
    for _ in range(2):
        rollout = collector.collect()["robot"]
        batch = learner.pose(rollout).policy
        said = learner.problem.distribution(learner.policy_vector.vector, batch).log_prob(batch.action)
        torch.testing.assert_close(said, batch.log_prob, rtol=0, atol=1e-5)
    assert float(rollout.carry.abs().max()) > 0.1


def by_hand(policy: NetworkPolicy, rollout: Rollout, cuts: int) -> Tensor:
    """log π ``[T, N]`` with gradients through time, but not beyond every ``cuts`` steps."""
    carry, told = rollout.carry[0], []
    for t in range(HORIZON):
        carry = carry.detach() if t % cuts == 0 else carry
        distribution, carry = policy({"policy": rollout.obs["policy"][t]}, carry, rollout.episode_start[t])
        carry = policy.remember(carry, rollout.action[t])
        told.append(distribution.log_prob(rollout.action[t]))
    return torch.stack(told)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_as_long_as_the_rollout_are_full_backpropagation(kind: type[Any]) -> None:
    """And with shorter ones something else is found, so that it matters here."""
    apart = []
    for sequence in (16, 4):
        rollout, learner = recurrent(kind, sequence)
        batch = learner.pose(rollout).policy
        found = grad(lambda v: learner.problem.loss(v, batch)[0])(learner.policy_vector.vector)  # noqa: B023
        parameters = [p.requires_grad_() for p in learner.policy.parameters()]
        log_prob = by_hand(learner.policy, rollout, HORIZON)  # type: ignore[arg-type]
        advantage = as_rollout(batch.advantage, 4, sequence)
        whole = torch.autograd.grad(-(log_prob * advantage).mean(), parameters)
        apart.append(float((found - torch.cat([g.flatten() for g in whole])).abs().max()))
    assert apart[0] < 1e-5
    assert apart[1] > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_padding_has_no_gradient_and_no_say(kind: type[Any]) -> None:
    rollout, learner = recurrent(kind, 8)
    weight = rollout.weight.clone()
    weight[-3:] = 0.0
    batch = learner.pose(replace(rollout, weight=weight)).policy

    def loss(obs: Tensor) -> Tensor:
        return learner.problem.loss(learner.policy_vector.vector, replace(batch, obs={"policy": obs}))[0]

    obs = batch.obs["policy"]
    gradient = as_rollout(grad(loss)(obs), 4, 8)
    assert float(gradient[-3:].abs().max()) == 0.0
    assert float(gradient[:-3].abs().max()) > 0.0
    told = batch.weight.squeeze(-1) > 0.0
    torch.testing.assert_close(loss(torch.where(told.unsqueeze(-1), obs, 5.0)), loss(obs), rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_where_an_episode_begins_nothing_is_remembered(kind: type[Any]) -> None:
    """Not even what is no number: a memory from elsewhere has no say and no part in a gradient."""
    policy = remembering(kind)
    policy.requires_grad_()
    obs, start = {"policy": torch.randn(4, 2)}, torch.ones(4, dtype=torch.bool)
    told = []
    for value in (0.0, 3.0, math.nan):
        distribution, carry = policy(obs, torch.full((4, policy.carry_size), value), start)
        carry = policy.remember(carry, distribution.mean)
        gradient = torch.autograd.grad(distribution.mean.sum() + carry.sum(), policy.output.weight)
        told.append((distribution.mean, carry, *gradient))
    for other in told[1:]:
        assert all(torch.equal(a, b) for a, b in zip(told[0], other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_critic_asks_the_true_successor_with_what_it_knew_before_the_reset(kind: type[Any]) -> None:
    critic = NetworkCritic(
        {"policy": 2}, ("reward", "cost/above"), ("policy",), factory(kind), 10.0, stream(0, "critic")
    )
    nn.init.normal_(critic.output.weight, generator=stream(0, "output"))
    collector, learner = make(TargetWorld(4, 0, length=5, fatal=0.9), critic=critic)
    rollout = collector.collect()["robot"]
    _, values = learner.seen(rollout)
    carry, within = torch.zeros(4, critic.carry_size), torch.zeros(4, dtype=torch.bool)
    for t in range(HORIZON):
        obs, successor = ({"policy": x["policy"][t]} for x in (rollout.obs, rollout.next_obs))
        with torch.no_grad():
            _, carry = critic(obs, carry, rollout.episode_start[t])
            torch.testing.assert_close(values.next[t], critic(successor, carry, within)[0])
    assert rollout.truncated.any()


def test_a_memory_of_episodes_that_were_cut_is_gone() -> None:
    """Whoever begins anew everywhere is not told of what went before; a critic that is handed a memory forgets it."""
    collector, learner = make(TargetWorld(4, 0, length=50), policy=remembering(Gru), minibatch=64)
    learner.update(collector.collect()["robot"])
    collector.restart()
    rollout = collector.collect()["robot"]
    assert rollout.episode_start[0].all()
    assert float(rollout.carry[0].abs().max()) == 0.0 < float(rollout.carry[1].abs().max())


def test_a_critics_memory_of_episodes_that_were_cut_has_no_say() -> None:
    critic = NetworkCritic(
        {"policy": 2}, ("reward", "cost/above"), ("policy",), factory(Gru), 10.0, stream(0, "critic")
    )
    collector, learner = make(TargetWorld(4, 0, length=50), critic=critic)
    learner.update(collector.collect()["robot"])
    goes_on = collector.collect()["robot"]
    collector.restart()
    anew = collector.collect()["robot"]
    before = [learner.seen(rollout)[1].now for rollout in (goes_on, anew)]
    learner.skip()  # which forgets
    after = [learner.seen(rollout)[1].now for rollout in (goes_on, anew)]
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_fisher_product_through_time_is_the_hessian_of_the_divergence(kind: type[Any]) -> None:
    rollout, learner = recurrent(kind, 8)
    in_double = lambda x: x.double() if x.is_floating_point() else x
    batch = torch.utils._pytree.tree_map(in_double, learner.pose(rollout).policy)
    learner.policy.double()
    vector = learner.policy_vector.vector.double()
    here = learner.problem.distribution(vector, batch)
    at_itself = replace(batch, reference=torch.utils._pytree.tree_map(Tensor.detach, here))
    dense = hessian(lambda v: learner.problem.kl(v, at_itself))(vector)
    direction = torch.randn(len(vector), generator=stream(0, "direction"), dtype=torch.float64)
    found = gauss_newton(learner.problem, vector, batch)(direction)
    torch.testing.assert_close(found, dense @ direction, rtol=1e-6, atol=1e-9)
    memory = learner.policy_vector.slices["body.recurrent.weight"]
    assert float(dense[memory, memory].abs().max()) > 1e-6


def test_a_baseline_that_reads_scores_has_those_of_every_step() -> None:
    """The optimal constant: batched, through chunks; torch's own cells could not."""
    rollout, learner = recurrent(Gru, 4, baseline=Optimal(folds=2))
    batch = learner.pose(rollout).policy
    norms = as_rollout(learner.problem.score_norm(learner.policy_vector.vector, batch), 4, 4)
    for t, env in ((0, 1), (6, 2), (15, 3)):

        def log_prob(v: Tensor, t: int = t, env: int = env) -> Tensor:
            return as_rollout(learner.problem.distribution(v, batch).log_prob(batch.action), 4, 4)[t, env]

        expected = grad(log_prob)(learner.policy_vector.vector).square().sum()
        torch.testing.assert_close(norms[t, env], expected, rtol=1e-4, atol=1e-5)


def test_what_was_done_a_step_ago_is_read() -> None:
    policy = remembering(Gru)
    policy.body, read = nn.Identity(), []

    def noting(x: Tensor, carry: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        read.append(x)
        return torch.zeros(*x.shape[:-1], 5), carry

    policy.body.forward = noting  # type: ignore[method-assign, assignment]
    collector, _ = make(TargetWorld(4, 0, length=5), policy=policy)
    rollout = collector.collect()["robot"]
    before = torch.cat((torch.zeros(1, 4, 1), rollout.action[:-1]))
    expected = torch.where(rollout.episode_start.unsqueeze(-1), 0.0, before)
    assert torch.equal(torch.stack(read)[..., 2:], expected)
    shown = Shown((Action("gear", "", 3), Action("push", "N", 0)))
    assert shown.width == 4
    assert shown(torch.tensor([[2.0, 0.5]])).tolist() == [[0.0, 0.0, 1.0, 0.5]]


def test_a_learner_goes_on_in_the_midst_of_an_episode() -> None:
    collector, learner = make(TargetWorld(4, 0, length=50), policy=remembering(Lstm), minibatch=64)
    learner.update(collector.collect()["robot"])
    file = io.BytesIO()
    torch.save((collector.state_dict(), learner.state_dict()), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other, resumed = make(TargetWorld(4, 1, length=50), policy=remembering(Lstm), minibatch=64)
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    one, same = (part.collect()["robot"] for part in (collector, other))
    assert torch.equal(one.action, same.action)
    assert torch.equal(one.carry, same.carry)
    assert learner.update(one) == resumed.update(same)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (
            ["policy.sequence=5"],
            "policy learns from sequences of 5 steps, which do not divide horizon=32: the nearest",
        ),
        (["policy.sequence=64"], "policy learns from sequences of 64 steps, which do not divide horizon=32"),
        (
            ["critic=recurrent", "policy.sequence=8", "critic.sequence=12"],
            "critic learns from sequences of 12 steps, which do not divide horizon=32: the nearest that do have",
        ),
        (["policy.sequence=0"], "policy.body.sequence must be"),
        (["policy.units=-1"], "policy.body.units must be"),
        (["policy.activation=gelu"], "Unknown activation 'gelu'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(typed: list[str], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        build_learners(
            validated(compose(["task=lqr", "policy=recurrent", *typed])), TargetWorld(4, 0).spec, 1
        )


def test_it_is_chosen_by_a_word() -> None:
    cfg = validated(compose(["task=lqr", "policy=recurrent", "critic/body=lstm", "policy.units=7"]))
    policy = build_policy(cfg, TargetWorld(4, 0).spec)
    assert (policy.carry_size, policy.sequence) == (7, 16)
    assert (cfg.policy.body._target_, cfg.critic.body._target_) == (
        "pgrobot.bodies.Gru",
        "pgrobot.bodies.Lstm",
    )
    assert compose(["critic=recurrent"]).critic.body == compose(["policy=recurrent"]).policy.body
