"""The policy that is put together: a normaliser, a body, an output layer and a head."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.bodies import BodyFactory, linear
from pgrobot.bodies.trial import check_sizes, try_body
from pgrobot.distributions import Distribution
from pgrobot.groups import Groups, selected
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.policies.heads.head import HeadFactory
from pgrobot.policies.heads.trial import try_head
from pgrobot.policies.policy import Policy
from pgrobot.policies.previous import Shown
from pgrobot.ranges import Called, positive
from pgrobot.types import Action

# Gain of the output layer: small, so that a policy starts near the middle of every actuator's range.
OUTPUT_GAIN = 0.01


class NetworkPolicy(Policy):
    """Normalised observations → body → output layer → head.

    It remembers what its body and its head remember, and what it did where it reads that, side by side. The small last
    layer starts it near its mean (Andrychowicz et al. 2021, arXiv 2006.05990, section 3.2).

    Args:
        observation: width of each observation group.
        actions: the entries of the environment's action.
        groups: the observation groups read, or entries of them by their full names, in that order.
        body: makes the network up to its features.
        head: makes what turns the output layer's numbers into a distribution.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.
        observation_memory: environment steps that the normaliser remembers.
        previous_action: whether the body also reads the action of the step before, in policy units, zero at first.

    Raises:
        PgrobotError: the task has no such observation group or entry, or the body or the head refuses its values.
    """

    def __init__(
        self,
        observation: Mapping[str, int],
        actions: Sequence[Action],
        groups: Groups,
        body: Annotated[BodyFactory, Called("hidden", BodyFactory)],
        head: Annotated[HeadFactory, Called("_target_", HeadFactory)],
        observation_clip: Annotated[float, positive],
        generator: torch.Generator,
        observation_memory: Annotated[float, positive] = math.inf,
        previous_action: bool = False,
    ) -> None:
        super().__init__(observation)
        self.shown = Shown(actions if previous_action else ())
        self.reads = selected("policy", groups, observation)
        self.groups, width = self.reads.groups, self.reads.width
        self.normalizer = ObservationNormalizer(width, observation_clip, observation_memory)
        # The order of the parameters in the flat vector: the head's own, the body's, the output layer's.
        self.head = head(actions=actions)
        check_sizes("policy.head", self.head, ("outputs", "action_size", "carry_size"))
        try_head("policy.head", self.head, width)
        self.body = body(inputs=width + self.shown.width, generator=generator)
        try_body("policy.body", self.body, width + self.shown.width)
        self.output = linear(self.body.width, self.head.outputs, OUTPUT_GAIN, generator)
        self.head.begin(self.output)
        self.action_size = self.head.action_size
        self.parts = (self.body.carry_size, self.head.carry_size, self.shown.width)  # of the carry
        self.carry_size = sum(self.parts)
        self.sequence = self.body.sequence

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        seen = self.reads(obs)
        x = self.normalizer(seen)
        of_body = of_head = done = carry
        if self.carry_size:  # to cut and join nothing would take a tenth of a step's time
            of_body, of_head, done = carry.split(self.parts, -1)
        if self.shown.width:
            x = torch.cat((x, torch.where(episode_start.unsqueeze(-1), 0.0, done)), -1)
        features, of_body = self.body(x, of_body, episode_start)
        distribution, of_head = self.head(self.output(features), seen, of_head, episode_start)
        return distribution, torch.cat((of_body, of_head, done), -1) if self.carry_size else carry

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        if not self.shown.width:
            return carry
        return torch.cat((carry[..., : -self.shown.width], self.shown(action)), -1)

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        self.normalizer.merge(self.reads(obs))
