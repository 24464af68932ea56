"""A world of two states and two moves, in which all that a policy of two levels can do is enumerated."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

import torch
from problems import make_batch
from torch import Tensor
from torch.func import functional_call
from two_levels import two_levels

from pgrobot.batch import Batch
from pgrobot.policies import HierarchicalPolicy
from pgrobot.policies.heads.categorical import CategoricalHead
from pgrobot.policies.levels import Clock, Learnt, Options, SwitchFactory
from pgrobot.sequences import in_rows
from pgrobot.types import Action, Rollout

STEPS, EVERY, OPTIONS = 4, 3, 2
LEARNT = functools.partial(Learnt, probability=0.3)
# P(s' | s, a) and the reward
MOVES = torch.tensor([[[0.9, 0.1], [0.3, 0.7]], [[0.4, 0.6], [0.8, 0.2]]], dtype=torch.float64)
REWARD = torch.tensor([[1.0, -0.5], [0.2, 2.0]], dtype=torch.float64)
STATES = torch.eye(2, dtype=torch.float64)


def choosing(switch: SwitchFactory = Clock) -> HierarchicalPolicy:
    policy = two_levels(
        Options(OPTIONS), EVERY, {"policy": 2}, (Action("move", "", 2),), head=CategoricalHead, switch=switch
    ).double()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3.0)  # goals make a difference
    return policy


def says(policy: HierarchicalPolicy, parameters: dict[str, Tensor], name: str, told: Tensor) -> Tensor:
    """Probabilities of what a level says in both states, ``[S, M]``, from its parameters alone."""
    level = getattr(policy, name)
    own = {key.removeprefix(f"{name}."): v for key, v in parameters.items() if key.startswith(f"{name}.")}
    body = {key.removeprefix("body."): v for key, v in own.items() if key.startswith("body.")}
    nothing = (STATES[:, :0], torch.zeros(2, dtype=torch.bool))
    features = functional_call(level.body, body, (torch.cat((level.normalizer(STATES), told), -1), *nothing))
    said = features[0] @ own["output.weight"].T + own["output.bias"]
    return said.softmax(-1)


def values(policy: HierarchicalPolicy, parameters: dict[str, Tensor]) -> Tensor:
    """What is still to come, ``[T + 1, S, Z, E]``: at every time in every state under every option of every age.

    By recursion from tables of what the levels say: no sample, no carry. An episode begins in state 0 with option 0,
    whose time is over.
    """
    none = torch.zeros(2, 0, dtype=torch.float64)
    chooses = says(policy, parameters, "high", none)
    found = [torch.zeros(2, OPTIONS, EVERY, dtype=torch.float64)]
    for _ in range(STEPS):
        after = torch.einsum("sap,pzk->sazk", MOVES, found[0])
        now: list[list[Tensor]] = [[] for _ in range(OPTIONS)]
        for z, age in itertools.product(range(OPTIONS), range(EVERY)):
            told = torch.tensor([[float(z == 1), (-age) % EVERY / EVERY]], dtype=torch.float64).expand(2, 2)
            fires = torch.ones(2, dtype=torch.float64) * (age == 0)
            if age and policy.switch.width:
                fires = says(policy, parameters, "switch", told)[:, 1]
            drawn = torch.einsum("saz,sz->sa", after[..., 1 % EVERY], chooses)
            kept = after[..., z, (age + 1) % EVERY]
            following = fires.unsqueeze(-1) * drawn + (1.0 - fires.unsqueeze(-1)) * kept
            now[z].append((says(policy, parameters, "low", told) * (REWARD + following)).sum(-1))
        found.insert(0, torch.stack([torch.stack(ages, -1) for ages in now], -2))
    return torch.stack(found)


@torch.no_grad()
def enumerated(policy: HierarchicalPolicy) -> tuple[Rollout, Tensor, Tensor]:
    """All that can happen in an episode, ``[T, N]``.

    Returns:
        The rollout, what the policy remembers after each step, ``[T, N, H]``, and how likely each episode is, ``[N]``.
    """
    state, carry = torch.zeros(1, dtype=torch.long), torch.full((1, policy.carry_size), 7.0).double()
    chance, steps = torch.ones(1, dtype=torch.float64), []
    ranges = [torch.arange(float(count)).double() for count in (2, OPTIONS, *[2] * policy.switch.width)]
    grid = torch.cartesian_prod(*ranges)  # of a move, an option, and whether it is drawn where that is learnt
    for t in range(STEPS):
        start = torch.full((len(state),), t == 0)
        said, following = policy({"policy": STATES[state]}, carry, start)
        high = said.high if policy.switch.width else said
        fires = grid[:, -1] > 0.0 if policy.switch.width else (said.switch > 0.0).unsqueeze(-1)
        possible = fires | (grid[:, 1] == high.idle)
        if policy.switch.width:
            possible &= fires | (high.due == 0.0).unsqueeze(-1)
        log_prob = said.log_prob(grid.unsqueeze(1).expand(-1, len(state), -1)).T[possible]
        path, drawn = (one.repeat_interleave(2) for one in possible.nonzero(as_tuple=True))
        action, reached = grid[drawn], torch.arange(2).repeat(len(log_prob))
        log_prob, was = log_prob.repeat_interleave(2), state[path]
        move = action[:, 0].long()
        chance = chance[path] * log_prob.exp() * MOVES[was, move, reached]
        after = policy.remember(following[path], action)
        steps = [[x[path] for x in step] for step in steps]
        steps.append([was, carry[path], start[path], action, log_prob, REWARD[was, move], reached, after])
        state, carry = reached, after
    was, carry, start, action, log_prob, reward, reached, after = (
        torch.stack(each) for each in zip(*steps, strict=True)
    )
    age = torch.arange(STEPS).unsqueeze(-1).expand_as(was)
    last, nowhere = age == STEPS - 1, torch.zeros_like(start)
    ones = torch.ones_like(log_prob)
    time = lambda steps: (steps / STEPS).double().unsqueeze(-1)
    rollout = Rollout(
        obs={"policy": STATES[was], "time": time(age)},
        next_obs={"policy": STATES[reached], "time": time(age + 1)},
        following_obs={"policy": STATES[reached[-1:]], "time": time(age[:1])},
        action=action,
        log_prob=log_prob,
        reward=reward.unsqueeze(-1),
        terminated=last,
        truncated=nowhere,
        censored=nowhere,
        episode_start=start,
        age=age,
        paid=nowhere.unsqueeze(-1)[..., :0],
        carry=carry,
        weight=ones,
        duration=ones,
        episodic=torch.ones(1, dtype=torch.bool),
        columns=("reward",),
        telemetry={},
    )
    return rollout, after, chance


def weighed(policy: HierarchicalPolicy, rollout: Rollout, chance: Tensor, advantage: Tensor) -> Batch:
    """The rows of all that can happen, each of which counts as its episode is likely."""
    reference = policy(rollout.obs, rollout.carry, rollout.episode_start)[0]
    batch = replace(
        make_batch(reference, rollout.action, advantage),
        obs=rollout.obs, carry=rollout.carry, episode_start=rollout.episode_start,
        weight=chance.expand_as(rollout.log_prob).unsqueeze(-1),
    )  # fmt: skip
    return in_rows(batch, 1)
