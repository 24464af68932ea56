"""Two levels: the gradient of the policy that they are together, enumerated and integrated; and without goals."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from problems import make_batch
from small_levels import LEARNT, STEPS, choosing, enumerated, values, weighed
from torch import Tensor
from torch.func import grad
from toys import GAUSSIAN, TargetWorld, estimated, make, make_critic, make_policy, numbers
from two_levels import GOALS, two_levels

from pgrobot.batch import Batch
from pgrobot.distributions import Gaussian, MultiCategorical, TwoLevel
from pgrobot.objectives import ClippedRatio, Entropy, Likelihood, Objective, Ratio
from pgrobot.policies import HierarchicalPolicy
from pgrobot.policies.levels import Clock, Drawn, Goal, Options, Reparameterised, SwitchFactory
from pgrobot.randomness import stream
from pgrobot.sequences import in_rows
from pgrobot.solvers import FlatParameters, PolicyProblem
from pgrobot.types import Rollout


@pytest.mark.parametrize("switch", [Clock, LEARNT])
@pytest.mark.parametrize("term", [Likelihood(1.0), Ratio(1.0), ClippedRatio(1.0, 0.2)])
@torch.no_grad()
def test_the_gradient_is_that_of_the_policy_that_both_levels_are_together(
    term: Objective, switch: SwitchFactory
) -> None:
    """Of all that can happen in an episode, against a recursion in which options are summed over."""
    policy = choosing(switch)
    parameters = FlatParameters(policy)
    exact = lambda vector: values(policy, parameters.views(vector))[0, 0, 0, 0]
    rollout, _, chance = enumerated(policy)
    to_go = rollout.reward[..., 0].flip(0).cumsum(0).flip(0)
    batch, expected = weighed(policy, rollout, chance, to_go), (chance * to_go[0]).sum()
    assert float(batch.weight.sum()) == pytest.approx(STEPS, abs=1e-12)
    torch.testing.assert_close(expected, exact(parameters.vector), rtol=1e-12, atol=0)
    problem = PolicyProblem(policy, parameters, {"surrogate": term})
    found = -STEPS * grad(lambda v: problem.loss(v, batch)[0])(parameters.vector)
    torch.testing.assert_close(found, grad(exact)(parameters.vector), rtol=0, atol=1e-12)
    assert float(found.abs().max()) > 0.1
    for level in (
        "low.body",
        "high.body",
        "high.output",
        *["switch.body", "switch.output"] * policy.switch.width,
    ):
        moved = torch.cat([found[s] for name, s in parameters.slices.items() if name.startswith(level)])
        assert float(moved.abs().max()) > 1e-4, level


def integrated(goal: Goal) -> tuple[HierarchicalPolicy, Batch, Tensor]:
    """Two steps of an episode, every draw at the nodes of a Gauss–Hermite rule, and the expected return's gradient.

    Both levels are linear and the reward is ``−(a − c)²``, so that the rule is exact.
    """
    policy = two_levels(goal, 2, {"policy": 1}, numbers(1), hidden=()).double()
    parameters = FlatParameters(policy)
    node, weight = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(6))
    weight = weight / weight.sum()
    grid = torch.cartesian_prod(node, node, node, node)  # of two actions, and of a goal of two numbers
    chance = torch.cartesian_prod(weight, weight, weight, weight).prod(-1)
    obs, aim = torch.tensor([0.7, -0.4]).double(), torch.tensor([0.3, 1.1]).double()
    carry, rows = torch.zeros(len(grid), policy.carry_size).double(), []
    for t in range(2):
        seen, start = obs[t].expand(len(grid), 1), torch.full((len(grid),), t == 0)
        distribution, following = policy({"policy": seen}, carry, start)
        says = distribution.high
        drawn = says.mean + says.std * grid[:, 2:] if t == 0 else distribution.idle
        action = torch.cat((distribution.low.mean + distribution.low.std * grid[:, t, None], drawn), -1)
        rows.append((seen, carry, start, action, -(action[:, 0] - aim[t]).square()))
        carry = policy.remember(following, action)
    seen, carry, start, action, reward = (torch.stack(x) for x in zip(*rows, strict=True))
    rollout = (seen, carry, start, action)
    reference = policy({"policy": seen}, carry, start)[0]
    made = replace(
        make_batch(reference, action, reward.flip(0).cumsum(0).flip(0)),
        obs={"policy": seen}, carry=carry, episode_start=start, weight=chance.expand(2, -1).unsqueeze(-1),
    )  # fmt: skip
    assert len(rollout) == 4

    def expected(vector: Tensor) -> Tensor:
        p = parameters.views(vector)
        linear = lambda level, x: x @ p[f"{level}.output.weight"].T + p[f"{level}.output.bias"]
        goal_mean = linear("high", obs[:1])
        first = linear("low", torch.cat((obs[:1], torch.zeros(3).double())))
        second = linear("low", torch.cat((obs[1:], goal_mean, torch.tensor([0.5]).double())))
        of_goal = p["low.output.weight"][0, 1:3] * p["high.head.log_std"].exp()
        variance = p["low.head.log_std"].exp().square()
        return -(
            (first - aim[0]).square() + (second - aim[1]).square() + 2 * variance + of_goal.square().sum()
        )[0]

    return policy, made, grad(expected)(parameters.vector)


@pytest.mark.parametrize("goal", [Drawn(2, GAUSSIAN), Reparameterised(2, GAUSSIAN, sequence=2)])
@torch.no_grad()
def test_probabilities_of_goals_and_gradients_through_them_agree_in_the_mean(goal: Goal) -> None:
    policy, batch, expected = integrated(goal)
    problem = PolicyProblem(policy, parameters := FlatParameters(policy), {"surrogate": Likelihood(1.0)})
    rows = in_rows(batch, policy.sequence)
    found = -2 * grad(lambda v: problem.loss(v, rows)[0])(parameters.vector)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    high = torch.cat([found[s] for name, s in parameters.slices.items() if name.startswith("high")])
    assert float(high.abs().min()) > 1e-2


@torch.no_grad()
def test_cut_from_the_step_that_drew_it_a_goal_has_no_gradient() -> None:
    """Of a reparameterised goal in chunks of one step: what the chunks are for."""
    policy, batch, _ = integrated(Reparameterised(2, GAUSSIAN, sequence=2))
    policy.sequence = 1
    problem = PolicyProblem(policy, parameters := FlatParameters(policy), {"surrogate": Likelihood(1.0)})
    found = grad(lambda v: problem.loss(v, in_rows(batch, 1))[0])(parameters.vector)
    assert all(not found[s].any() for name, s in parameters.slices.items() if name.startswith("high"))


def flat(rollout: Rollout) -> Rollout:
    """What a policy of one level met, as one of two levels and a single option would have."""
    nothing = torch.zeros(*rollout.log_prob.shape, 1)
    return replace(
        rollout, action=torch.cat((rollout.action, nothing), -1), carry=torch.cat((nothing, nothing), -1)
    )


def test_with_a_goal_at_every_step_and_one_option_it_is_the_flat_policy() -> None:
    """Its torques and probabilities to the last bit, and what three updates make of it."""
    world, terms = TargetWorld(4, 0), {"surrogate": ClippedRatio(1.0, 0.2), "entropy": Entropy(0.01)}
    plain = make_policy(hidden=(5,))
    levels = two_levels(Options(1), 1)
    levels.low.load_state_dict({k: v for k, v in plain.state_dict().items() if not k.startswith("origin")})
    collector, one = make(world, policy=plain, critic=make_critic(("reward", "cost/above")), terms=terms)
    _, two = make(TargetWorld(4, 0), policy=levels, critic=make_critic(("reward", "cost/above")), terms=terms)
    for update in range(3):
        rollout = collector.collect()["robot"]
        expected, _ = plain(rollout.obs, rollout.carry, rollout.episode_start)
        same = flat(rollout)
        found, carry = levels(same.obs, same.carry, same.episode_start)
        if update == 0:
            assert torch.equal(found.log_prob(same.action), expected.log_prob(rollout.action))
            assert torch.equal(found.entropy(), expected.entropy())
            assert torch.equal(levels.command(found.mean), expected.mean)
            assert torch.equal(found.low.log_std, expected.log_std)
        assert not levels.remember(carry, same.action).any()
        theirs, ours = one.update(rollout), two.update(same)
        assert ours["policy/entropy"] == pytest.approx(theirs["policy/entropy"], abs=1e-6)
        assert ours["policy/std"] == pytest.approx(theirs["policy/std"], abs=1e-6)
    moved = len(one.policy_vector)
    torch.testing.assert_close(two.policy_vector.vector[:moved], one.policy_vector.vector, rtol=0, atol=1e-6)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("goal", list(GOALS))
def test_goals_are_drawn_when_their_time_is_over_and_act_from_the_next_step_on(goal: str, every: int) -> None:
    """And an episode begins with none, whatever the one before it held."""
    policy = two_levels(GOALS[goal], every)
    collector, _ = make(TargetWorld(4, 0, length=5, fatal=0.9), policy=policy)
    for _ in range(2):
        rollout = collector.collect()["robot"]
    with torch.no_grad():
        said, _ = policy(rollout.obs, rollout.carry, rollout.episode_start)
    assert torch.equal(said.switch, (rollout.age % every == 0).float())
    _, _, held, age, kept = rollout.carry.split(policy.parts, -1)
    inside = ~rollout.episode_start
    assert torch.equal(age[inside][:, 0], (rollout.age % every)[inside].float())
    assert not kept.any()
    drawn = rollout.action[..., 1:]
    with torch.no_grad():
        says, _ = policy.high.say(rollout.obs, held[..., :0], held[..., :0], rollout.episode_start)
    goals = says.mean + says.std * drawn if goal == "reparameterised" else drawn
    before = torch.where(rollout.episode_start.unsqueeze(-1), 0.0, held)
    follows = torch.where(said.switch.unsqueeze(-1) > 0.0, goals, before)
    torch.testing.assert_close(held[1:][inside[1:]], follows[:-1][inside[1:]])
    idle = torch.zeros_like(drawn) if goal == "reparameterised" else before
    assert torch.equal(drawn[said.switch == 0.0], idle[said.switch == 0.0])
    assert len(held.unique()) > 3 or goal == "options"


@pytest.mark.parametrize("goal", list(GOALS))
def test_the_first_ratio_is_one(goal: str) -> None:
    collector, learner = make(
        TargetWorld(4, 0, length=5, fatal=0.9), policy=two_levels(GOALS[goal], 3), minibatch=64
    )
    for _ in range(2):
        rollout = collector.collect()["robot"]
        batch = learner.pose(rollout).policy
        said = learner.problem.distribution(learner.policy_vector.vector, batch).log_prob(batch.action)
        torch.testing.assert_close(said, batch.log_prob, rtol=0, atol=1e-5)
        metrics = learner.update(rollout)
        assert all(map(math.isfinite, metrics.values()))


def test_probabilities_entropy_and_divergence_are_those_of_what_is_drawn() -> None:
    """Enumerated: the joint distribution of a torque and an option."""
    generator = stream(1, "two_levels")
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    switch = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    idle = torch.tensor([[2.0], [1.0], [0.0]], dtype=torch.float64)
    one, other = (
        TwoLevel.of(MultiCategorical(draw(3, 2, 3)), MultiCategorical(draw(3, 1, 4)), switch, idle)
        for _ in range(2)
    )
    for row in range(3):
        goals = range(4) if switch[row] else [int(idle[row])]
        table = torch.tensor(list(itertools.product(range(3), range(3), goals)), dtype=torch.float64)
        log_p, log_q = (d.log_prob(table.unsqueeze(1).expand(-1, 3, -1))[:, row] for d in (one, other))
        p = log_p.exp()
        assert float(p.sum()) == pytest.approx(1.0, abs=1e-12)
        torch.testing.assert_close(one.entropy()[row], -(p * log_p).sum())
        torch.testing.assert_close(one.kl(other)[row], (p * (log_p - log_q)).sum())
        torch.testing.assert_close(one.mean[row], p @ table)
        deviation = (p @ (table - p @ table).square()).sqrt()
        torch.testing.assert_close(one.std[row][:2], deviation[:2])
        if switch[row]:
            torch.testing.assert_close(one.std[row], deviation)
    drawn = torch.stack([one.sample(generator) for _ in range(200)])
    assert drawn[:, 1, 2].unique().tolist() == [1.0]
    assert drawn[:, 0, 2].unique().tolist() == [0.0, 1.0, 2.0, 3.0]


def test_only_the_low_level_is_shifted() -> None:
    low, high = Gaussian(torch.randn(5, 2), torch.randn(5, 2)), Gaussian(torch.randn(5, 3), torch.randn(5, 3))
    switch, idle, by = torch.tensor([1.0, 0, 1, 0, 1]), torch.randn(5, 3), torch.randn(5, 5)
    made: Any = TwoLevel.of(low, high, switch, idle)
    moved = made.shifted(by)
    action = made.sample(stream(0, "shifted"))
    expected = low.shifted(by[:, :2]).log_prob(action[:, :2]) + switch * high.log_prob(action[:, 2:])
    torch.testing.assert_close(moved.log_prob(action), expected)
    assert not hasattr(TwoLevel.of(MultiCategorical(torch.zeros(5, 1, 2)), high, switch, idle), "shifted")


def test_without_bootstrapping_the_advantage_of_a_goal_is_that_of_the_decisions_process() -> None:
    """``A_j = R_j + γᵏ (V_{j+1} + A_{j+1}) − V_j`` with ``R_j = Σ γⁱ r``, along the decisions of the high level."""
    every, gamma = 3, 0.9
    world = TargetWorld(3, 0, length=7)
    collector, learner = make(world, policy=two_levels(GOALS["options"], every), minibatch=16)
    learner.poser.algorithm.estimator.keywords["lam"] = 1.0  # type: ignore[attr-defined]
    rollout = collector.collect()["robot"]
    learner.update(rollout)
    _, values = learner.seen(rollout)
    found = estimated(learner, rollout, torch.zeros_like(rollout.log_prob)).advantage[..., 0]
    steps, envs = rollout.log_prob.shape
    told = 0
    for n in range(envs):
        advantage, value, pay, length = (
            0.0,
            0.0,
            0.0,
            0,
        )  # of the decision that follows, and what came before it
        for t in reversed(range(steps)):
            if t == steps - 1 or rollout.done[t, n]:
                ended = bool(rollout.terminated[t, n])
                advantage, value, pay, length = 0.0, 0.0 if ended else float(values.next[t, n, 0]), 0.0, 0
            pay, length = float(rollout.reward[t, n, 0]) + gamma * pay, length + 1
            if rollout.age[t, n] % every == 0:
                now = float(values.now[t, n, 0])
                advantage = pay + gamma**length * (value + advantage) - now
                assert float(found[t, n]) == pytest.approx(advantage, abs=1e-4)
                value, pay, length, told = now, 0.0, 0, told + 1
    assert told > envs * steps / every
