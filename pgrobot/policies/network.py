"""What policies are put together from, a normaliser, a body, an output layer and a head; and the policy that is one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from pgrobot.bodies import BodyFactory, linear, make_body
from pgrobot.bodies.trial import check_sizes, try_body
from pgrobot.distributions import Distribution
from pgrobot.errors import PgrobotError
from pgrobot.groups import FEATURES, Groups, Selection
from pgrobot.inputs import Beside, Embeddings, Reading
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.policies.heads.head import HeadFactory
from pgrobot.policies.heads.trial import try_head
from pgrobot.policies.policy import Policy
from pgrobot.policies.previous import Shown
from pgrobot.ranges import Called, positive
from pgrobot.types import Action
from pgrobot.unrolling import follows

# Gain of the output layer: small, so that a policy starts near the middle of every actuator's range.
OUTPUT_GAIN = 0.01
NOTHING_BESIDE = Beside({}, (), {})


class Network(nn.Module):
    """Normalised observations, and beside them what else it is told → body → output layer → head.

    It remembers what its body and its head remember, side by side. The small last layer starts it near its mean
    (Andrychowicz et al. 2021, arXiv 2006.05990, section 3.2).

    Attributes:
        reads: the numbers that it reads of all that is observed.
        beside: what else it reads: images, categories.
        parts: widths of what its body and its head remember.
    """

    def assemble(
        self,
        reads: Selection,
        told: int,
        actions: Sequence[Action],
        body: BodyFactory,
        head: HeadFactory,
        normalizer: ObservationNormalizer,
        generator: torch.Generator,
        path: str = "policy",
        beside: Beside = NOTHING_BESIDE,
    ) -> None:
        """Make its parts, once it is a module.

        Args:
            reads: what it reads of all that is observed.
            told: width of what else it is told, which is not normalised.
            actions: the entries of what it draws.
            body: makes the network up to its features.
            head: makes what turns the output layer's numbers into a distribution.
            normalizer: of what is read.
            generator: random stream of the weights.
            path: its key, for messages.
            beside: what it reads beside numbers.

        Raises:
            PgrobotError: the body or the head refuses its values.
        """
        self.reads, self.told, self.normalizer, self.beside = reads, told, normalizer, beside
        # The order of the parameters in the flat vector: the head's own, the body's, the output layer's.
        self.head = head(actions=actions)
        check_sizes(f"{path}.head", self.head, ("outputs", "action_size", "carry_size"))
        try_head(f"{path}.head", self.head, reads.width)
        inputs = beside.width + reads.width + told
        self.body = make_body(body, inputs, beside.images, generator, beside.unseen)
        try_body(f"{path}.body", self.body, inputs)
        self.output = linear(self.body.width, self.head.outputs, OUTPUT_GAIN, generator)
        self.head.begin(self.output)
        self.parts = (self.body.carry_size, self.head.carry_size)

    def read(self, seen: Tensor, obs: Mapping[str, Tensor]) -> Tensor:
        """What its body reads, but for what it is told: of the numbers ``[…, D]`` and what is beside them."""
        x = self.normalizer(seen)
        return torch.cat((self.beside(obs), x), -1) if self.beside.width else x

    def say(
        self, obs: Mapping[str, Tensor], told: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        """What it says of observations ``[…, D]`` and what it is ``told`` ``[…, W]``; else as of ``Policy.forward``."""
        seen = self.reads(obs)
        x = self.read(seen, obs)
        of_body = of_head = carry
        if carry.shape[-1]:  # to cut and join nothing would take a tenth of a step's time
            of_body, of_head = carry.split(self.parts, -1)
        if self.told:
            x = torch.cat((x, told), -1)
        features, of_body = self.body(x, of_body, episode_start)
        distribution, of_head = self.head(self.output(features), seen, of_head, episode_start)
        return distribution, torch.cat((of_body, of_head), -1) if carry.shape[-1] else carry


class NetworkPolicy(Policy, Network):
    """A policy that is a network.

    It remembers what its network remembers, and what it did where it reads that, side by side.

    Args:
        observation: width of each observation group.
        actions: the entries of the environment's action.
        groups: the observation groups read, or entries of them by their full names, in that order; images too, where
            the body sees them.
        body: makes the network up to its features.
        head: makes what turns the output layer's numbers into a distribution.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.
        observation_memory: environment steps that the normaliser remembers.
        previous_action: whether the body also reads the action of the step before, in policy units, zero at first.
        embedding: groups or entries that tell categories, each with how many numbers stand for one; see ``Reading.of``.
        share_features: whether critics see what its encoder says, as the group ``policy/features``.

    Raises:
        PgrobotError: the task has no such observation group or entry, or the body or the head refuses its values; or
            features are to be shared and there is no encoder.
    """

    free_to_differ: ClassVar[Sequence[str]] = ("groups", "observation_memory")

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
        embedding: Embeddings = MappingProxyType({}),
        share_features: bool = False,
    ) -> None:
        super().__init__(observation)
        self.shown = Shown(actions if previous_action else ())
        reading = Reading.of("policy", groups, observation, embedding, generator)
        reads, beside = reading.numbers, reading.beside
        normalizer = ObservationNormalizer(reads.width, observation_clip, observation_memory)
        self.assemble(reads, self.shown.width, actions, body, head, normalizer, generator, beside=beside)
        if beside.categories:
            self.origin.adopt(beside.categories)
        self.groups = reading.groups
        self.action_size = self.head.action_size
        self.carry_size = sum(self.parts) + self.shown.width
        self.sequence = self.body.sequence
        # what was done a step ago is a part of what is encoded, and no observation tells it
        self.encodes = 0 if self.shown.width else self.body.encodes
        if share_features:
            self.shows = {FEATURES: self._shared()}

    def _shared(self) -> int:
        """How many features are shared; raises PgrobotError where there is nothing to share."""
        if self.encodes:
            return self.encodes
        if self.body.encodes:
            raise PgrobotError(
                "policy.share_features=true shows what the encoder makes of an observation, and with "
                "policy.previous_action=true it reads an action, too: set only one of the two"
            )
        raise PgrobotError(
            f"policy.share_features=true shows what an encoder says, and policy.body is a {type(self.body).__name__}, "
            "which has none: choose policy/body=encoder"
        )

    def encode(self, obs: Mapping[str, Tensor]) -> Tensor:
        return self.body.encode(self.read(self.reads(obs), obs))

    def inputs(self, obs: Mapping[str, Tensor]) -> Tensor:
        return self.read(self.reads(obs), obs)

    def show(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> Mapping[str, Tensor]:
        return {name: self.encode(obs) for name in self.shows}

    def check(self, obs: Mapping[str, Tensor]) -> None:
        self.beside.check(obs)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        if not self.shown.width:
            return self.say(obs, carry, carry, episode_start)
        of_network, done = carry.split((sum(self.parts), self.shown.width), -1)
        told = torch.where(episode_start.unsqueeze(-1), 0.0, done)
        distribution, of_network = self.say(obs, told, of_network, episode_start)
        return distribution, torch.cat((of_network, done), -1)

    def along(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor, action: Tensor
    ) -> tuple[Distribution, Tensor]:
        seen = self.reads(obs)
        x = self.read(seen, obs)
        of_body, of_head, done = carry.split((*self.parts, self.shown.width), -1)
        done = torch.cat((done.unsqueeze(0), self.shown(action)[..., : self.shown.width]))
        if self.shown.width:
            x = torch.cat((x, torch.where(episode_start.unsqueeze(-1), 0.0, done[:-1])), -1)
        features, bodies = self.body.along(x, of_body, episode_start)
        distribution, heads = self.head.along(self.output(features), seen, of_head, episode_start)
        return distribution, torch.cat((bodies, heads, done), -1)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        follows(cls, Policy, "say")

    @property
    def memory_size(self) -> int:
        return self.parts[0]

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        if not self.shown.width:
            return carry
        return torch.cat((carry[..., : -self.shown.width], self.shown(action)), -1)

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        if self.reads.width:
            self.normalizer.merge(self.reads(obs))
