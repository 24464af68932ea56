"""Critics that see the goal and the time left for it: what is shown, and that one-step advantages are then exact."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from small_levels import EVERY, LEARNT, STEPS, choosing, enumerated, values, weighed
from torch import Tensor
from torch.func import grad
from toys import TargetWorld, make, make_critic, make_policy
from two_levels import GOALS, two_levels

from pgrobot.collectors.showing import with_shown
from pgrobot.configure import build, compose, validated
from pgrobot.critics import Critic
from pgrobot.estimators import EstimatorInput, gae
from pgrobot.groups import GOAL, TIME_LEFT
from pgrobot.objectives import Likelihood
from pgrobot.policies import HierarchicalPolicy
from pgrobot.policies.levels import Clock, SwitchFactory
from pgrobot.retrospect import valued
from pgrobot.solvers import FlatParameters, PolicyProblem
from pgrobot.types import Rollout


class Table(Critic):
    """Looks the value up, ``[T + 1, S, Z, E]``, by what it reads."""

    carry_size, sequence = 0, 1

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = values

    @property
    def scale(self) -> Tensor:
        return torch.ones(1, dtype=torch.float64)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Tensor, Tensor]:
        time, left = (
            (obs[name][..., 0] * of).round().long() for name, of in (("time", STEPS), (TIME_LEFT, EVERY))
        )
        found = self.values[time, obs["policy"].argmax(-1), obs[GOAL][..., 0].long(), -left % EVERY]
        return found.unsqueeze(-1), carry


def advantages(rollout: Rollout, critic: Critic, lam: float) -> Tensor:
    """GAE of an undiscounted reward, ``[T, N]``."""
    values = valued(critic, rollout, torch.zeros(rollout.log_prob.shape[1], 0))
    terminated, done = rollout.terminated.unsqueeze(-1), rollout.done.unsqueeze(-1)
    given = EstimatorInput(
        rollout.reward, values.now, values.next, terminated, done, torch.zeros_like(rollout.log_prob), torch.ones(1)
    )  # fmt: skip
    return gae(given, lam=lam).advantage[..., 0]


def cut(rollout: Rollout, t: int) -> Rollout:
    """One step of it as a rollout by itself, whose horizon cuts there: what follows is told by ``next_obs`` alone."""
    of = lambda x: x[t : t + 1]
    tensors = ("action", "log_prob", "reward", "terminated", "truncated", "censored", "episode_start",
               "age", "paid", "carry", "weight", "duration")  # fmt: skip
    groups = {key: {name: of(x) for name, x in getattr(rollout, key).items()} for key in ("obs", "next_obs")}
    return replace(rollout, **{key: of(getattr(rollout, key)) for key in tensors}, **groups)


def gradient(
    policy: HierarchicalPolicy, parameters: FlatParameters, advantage: Tensor, *paths: Tensor
) -> Tensor:
    problem = PolicyProblem(policy, parameters, {"surrogate": Likelihood(1.0)})
    rollout, chance = paths
    batch = weighed(policy, rollout, chance, advantage)  # type: ignore[arg-type]
    return -STEPS * grad(lambda v: problem.loss(v, batch)[0])(parameters.vector)


@pytest.mark.parametrize("switch", [Clock, LEARNT])
@pytest.mark.parametrize("lam", [0.0, 0.5])
@torch.no_grad()
def test_with_what_is_shown_the_advantages_of_single_steps_have_the_exact_gradient(
    lam: float, switch: SwitchFactory
) -> None:
    """An exact critic, all that can happen; and a critic that does not see the goal has another gradient."""
    policy = choosing(switch)
    parameters = FlatParameters(policy)
    plain, after, chance = enumerated(policy)
    rollout = with_shown(plain, policy, after)
    table = values(policy, parameters.views(parameters.vector))
    exact = grad(lambda v: values(policy, parameters.views(v))[0, 0, 0, 0])(parameters.vector)
    found = gradient(policy, parameters, advantages(rollout, Table(table), lam), rollout, chance)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-12)
    if lam == 0.0:
        alone = torch.cat([advantages(cut(rollout, t), Table(table), lam) for t in range(STEPS)])
        torch.testing.assert_close(alone, advantages(rollout, Table(table), lam), rtol=0, atol=1e-12)
    blind = torch.zeros_like(table)
    seen = Table(table)(rollout.obs, after, rollout.episode_start)[0][..., 0]
    for t, s in itertools.product(range(STEPS), range(2)):
        here = (rollout.obs["policy"][t].argmax(-1) == s) * chance
        blind[t, s] = (here * seen[t]).sum() / here.sum().clamp(min=1e-9)
    unseen = gradient(policy, parameters, advantages(rollout, Table(blind), lam), rollout, chance)
    high, missed = (
        torch.cat([one[s] for name, s in parameters.slices.items() if name.startswith("high")])
        for one in (exact, unseen - exact)
    )
    assert float(high.abs().max()) > 1e-2
    assert float(missed.norm() / high.norm()) > 0.1


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("goal", list(GOALS))
def test_what_is_shown_is_what_the_low_level_was_told_and_would_have_been_told_next(
    goal: str, every: int
) -> None:
    """Over episodes that end, that are cut, and over the horizon: a replay of goals that were drawn, step by step."""
    policy = two_levels(GOALS[goal], every)
    collector, _ = make(TargetWorld(4, 0, length=5, fatal=0.7), policy=policy, horizon=16)
    collector.collect()
    held, age = collector.carry.split(policy.parts, -1)[2:4]
    rollout = collector.collect()["robot"]
    assert bool(rollout.terminated.any() & rollout.truncated.any() & ~rollout.done[-1].all())
    width = policy.goal.width
    for t in range(16):
        starts = rollout.episode_start[t].unsqueeze(-1)
        held, age = torch.where(starts, 0.0, held), torch.where(starts, 0.0, age)
        for obs in (rollout.obs, rollout.next_obs):
            assert obs[GOAL].shape[-1] == width
            assert obs[TIME_LEFT].shape[-1] == int(every > 1)
            if obs is rollout.next_obs:
                with torch.no_grad():
                    rows = {name: x[t] for name, x in rollout.obs.items()}
                    said, _ = policy.high.say(rows, held[..., :0], held[..., :0], rollout.episode_start[t])
                drawn = rollout.action[t][:, 1:]
                goals = said.mean + said.std * drawn if goal == "reparameterised" else drawn
                held = torch.where(age % every == 0, goals, held)
                age = age + 1.0
            shown = torch.nn.functional.one_hot(held[:, 0].long(), 3)[:, 1:] if goal == "options" else held
            torch.testing.assert_close(obs[GOAL][t], shown.float())
            left = ((-age) % every) / every
            torch.testing.assert_close(obs[TIME_LEFT][t], left[:, : int(every > 1)])


def test_a_policy_that_remembers_nothing_shows_nothing() -> None:
    collector, _ = make(TargetWorld(4, 0), policy=make_policy())
    rollout = collector.collect()["robot"]
    assert set(rollout.obs) == set(rollout.next_obs) == {"policy", "time"}
    assert with_shown(rollout, make_policy(), rollout.carry) is rollout


def test_a_critic_learns_from_what_is_shown() -> None:
    """Three updates, in which its goal's weights move, and no other result than of the same update again."""
    widths = {"policy": 2, "time": 1, GOAL: 2, TIME_LEFT: 1}

    def learnt() -> dict[str, Tensor]:
        critic = make_critic(("reward", "cost/above"), widths, ("policy", GOAL, TIME_LEFT))
        collector, learner = make(
            TargetWorld(4, 0, length=5, fatal=0.7), policy=two_levels(GOALS["drawn"], 3), critic=critic
        )
        first = critic.state_dict()["body.layers.0.weight"].clone()
        for _ in range(3):
            learner.update(collector.collect()["robot"])
        found = critic.state_dict()
        assert bool((found["body.layers.0.weight"] != first).any(0).all())
        return {key: value.clone() for key, value in found.items()}

    one, other = learnt(), learnt()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_manager_and_a_worker_of_two_levels_are_shown_their_own_goals() -> None:
    """What a successor is shown is what the next row of the same episode is."""
    typed = [
        "debug=tiny",
        "num_envs=4",
        "scheme=manager_worker",
        "scheme.every=4",
        "policy=hierarchical",
        "policy.every=3",
    ]
    assembly = build(validated(compose(typed)), 1)
    for _ in range(2):
        experience = assembly.collector.collect()
    assembly.environment.close()
    for rollout in experience.values():
        assert {GOAL, TIME_LEFT} <= rollout.obs.keys()
        counts = rollout.weight > 0.0
        goes_on = (counts[:-1] & counts[1:] & ~rollout.done[:-1]).unsqueeze(-1)
        for name in (GOAL, TIME_LEFT):
            following, now = rollout.next_obs[name][:-1], rollout.obs[name][1:]
            assert torch.equal(torch.where(goes_on, following, 0.0), torch.where(goes_on, now, 0.0))
            assert len(rollout.obs[name][counts].unique()) > 2
