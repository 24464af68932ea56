"""One network with an output per reward and cost column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.bodies import BodyFactory, linear, make_body
from pgrobot.bodies.trial import try_body
from pgrobot.critics.critic import Critic
from pgrobot.groups import Groups
from pgrobot.inputs import Embeddings, Reading
from pgrobot.normalizer import ColumnScaler, ObservationNormalizer
from pgrobot.ranges import Called, positive


class NetworkCritic(Critic):
    """Normalised observations → body → output layer: the return of every column, in units of its running deviation.

    See docs/derivations.md#critic.

    Args:
        observation: width of each observation group; with ``time``, the share of the time limit that has passed.
        columns: names of the columns, ``C`` of them.
        groups: the observation groups read, or entries of them by their full names, in that order; others than the
            policy's make the critic asymmetric, and with ``time`` it is a value ``V(s, t)``.
        body: makes the network up to its features.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.
        observation_memory: environment steps that the normaliser remembers.
        return_memory: environment steps whose returns the columns' scale remembers.
        embedding: groups or entries that tell categories, each with how many numbers stand for one; see ``Reading.of``.

    Raises:
        PgrobotError: the task has no such observation group or entry, or the body refuses its values.
    """

    rescaled: ClassVar[Sequence[str]] = ("output",)
    free_to_differ: ClassVar[Sequence[str]] = ("groups", "observation_memory", "return_memory")

    def __init__(
        self,
        observation: Mapping[str, int],
        columns: Sequence[str],
        groups: Groups,
        body: Annotated[BodyFactory, Called("hidden", BodyFactory)],
        observation_clip: Annotated[float, positive],
        generator: torch.Generator,
        observation_memory: Annotated[float, positive] = math.inf,
        return_memory: Annotated[float, positive] = math.inf,
        embedding: Embeddings = MappingProxyType({}),
    ) -> None:
        super().__init__()
        reading = Reading.of("critic", groups, observation, embedding, generator)
        self.reads, self.beside, self.groups = reading.numbers, reading.beside, reading.groups
        self.normalizer = ObservationNormalizer(self.reads.width, observation_clip, observation_memory)
        self.scaler = ColumnScaler(len(columns), return_memory)
        inputs, beside = self.beside.width + self.reads.width, self.beside
        self.body = make_body(body, inputs, beside.images, generator, beside.unseen)
        try_body("critic.body", self.body, inputs)
        self.carry_size, self.sequence = self.body.carry_size, self.body.sequence
        # Zero output: before the first fit no column has a value, whatever its unit.
        self.output = linear(self.body.width, len(columns), 0.0, generator)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Tensor, Tensor]:
        features, carry = self.body(self._read(obs), carry, episode_start)
        return self.output(features), carry

    def along(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        features, carries = self.body.along(self._read(obs), carry, episode_start)
        return self.output(features), carries

    def _read(self, obs: Mapping[str, Tensor]) -> Tensor:
        """What its body reads of observations."""
        x = self.normalizer(self.reads(obs))
        return torch.cat((self.beside(obs), x), -1) if self.beside.width else x

    @property
    def scale(self) -> Tensor:
        return self.scaler.scale

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        if self.reads.width:
            self.normalizer.merge(self.reads(obs))

    @torch.no_grad()
    def rescale(self, returns: Tensor) -> dict[str, Tensor]:
        """Merge returns ``[…, C]`` into the scale, keeping every prediction where it is.

        The output layer absorbs the change of scale (van Hasselt et al. 2016, arXiv 1602.07714, PopArt).

        Returns:
            By what each of the layer's parameters was multiplied, by name, to broadcast to its shape. Its gradient is
            multiplied by the same: an optimiser's moments of it follow exactly. Those of the hidden layers cannot, as
            their gradient is a sum over columns, each of which changes by the square of its own factor.
        """
        factor = self.scaler.merge(returns)
        factors = {"weight": factor.unsqueeze(-1), "bias": factor}
        for name, by in factors.items():
            getattr(self.output, name).mul_(by)
        return {f"output.{name}": by for name, by in factors.items()}
