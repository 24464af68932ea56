"""Small hierarchical policies, for tests."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from toys import GAUSSIAN, POLICY, numbers

from pgrobot.bodies import Mlp
from pgrobot.policies import HeadFactory, HierarchicalPolicy
from pgrobot.policies.levels import Clock, Drawn, Goal, High, Options, Reparameterised
from pgrobot.randomness import stream
from pgrobot.transfer import LowLevel
from pgrobot.types import Action

GOALS: Mapping[str, Goal] = {
    "drawn": Drawn(2, GAUSSIAN),
    "options": Options(3),
    "reparameterised": Reparameterised(2, GAUSSIAN, sequence=8),
}


def two_levels(
    goal: Goal,
    every: int,
    observation: Mapping[str, int] = POLICY,
    actions: Sequence[Action] = numbers(1),
    hidden: Sequence[int] = (5,),
    head: HeadFactory = GAUSSIAN,
    **changes: Any,
) -> HierarchicalPolicy:
    """A policy whose goals matter from the beginning."""
    body = functools.partial(Mlp, hidden=hidden, activation="tanh")
    parts = {
        "body": body,
        "head": head,
        "goal": goal,
        "every": every,
        "high": High(("policy",), body),
        "low": LowLevel("", "best", False),
        "switch": Clock,
    }
    made = HierarchicalPolicy(
        observation, actions, ("policy",), observation_clip=10.0, generator=stream(0, "policy"), **{**parts, **changes}
    )  # fmt: skip
    generator = stream(4, "goals")
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return made
