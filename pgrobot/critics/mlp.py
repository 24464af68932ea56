"""One network with an output per reward and cost column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from pgrobot.critics.critic import Critic
from pgrobot.errors import PgrobotError, nearest
from pgrobot.mlp import Block, Norm, mlp
from pgrobot.normalizer import ColumnScaler, ObservationNormalizer
from pgrobot.ranges import layers, positive


class MlpCritic(Critic):
    """Predicts the return of every column, in units of that column's running deviation.

    See docs/derivations.md#critic.

    Args:
        observation: width of each observation group.
        columns: names of the columns, ``C`` of them.
        group: the observation group read; another than the policy's makes the critic asymmetric.
        hidden: widths of the hidden layers.
        activation: see ``pgrobot.mlp.ACTIVATIONS``.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.
        block: see ``pgrobot.mlp.mlp``.
        norm: see ``pgrobot.mlp.mlp``.
        time: whether the group ``time`` is read as well: a value ``V(s, t)``.
        observation_memory: environment steps that the normaliser remembers.
        return_memory: environment steps whose returns the columns' scale remembers.

    Raises:
        PgrobotError: the task has no such observation group, or the network cannot be built.
    """

    def __init__(
        self,
        observation: Mapping[str, int],
        columns: Sequence[str],
        group: str,
        hidden: Annotated[Sequence[int], layers],
        activation: str,
        observation_clip: Annotated[float, positive],
        generator: torch.Generator,
        block: Block = "plain",
        norm: Norm = "none",
        time: bool = False,
        observation_memory: Annotated[float, positive] = math.inf,
        return_memory: Annotated[float, positive] = math.inf,
    ) -> None:
        super().__init__()
        if group not in observation:
            raise PgrobotError(
                f"critic.group is {group!r}, which this task does not observe; {nearest(group, observation)}"
            )
        self.group = group
        self.time = time
        width = observation[group] + time
        self.normalizer = ObservationNormalizer(width, observation_clip, observation_memory)
        self.scaler = ColumnScaler(len(columns), return_memory)
        # Zero output: before the first fit no column has a value, whatever its unit.
        sizes = (width, *hidden, len(columns))
        self.trunk = mlp(sizes, activation, 0.0, generator, block, norm)

    carry_size = 0
    sequence = 1

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Tensor, Tensor]:
        del episode_start
        return self.trunk(self.normalizer(self._read(obs))), carry

    @property
    def scale(self) -> Tensor:
        return self.scaler.scale

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        """Merge observations ``[…, D]`` into the normaliser."""
        self.normalizer.merge(self._read(obs))

    def _read(self, obs: Mapping[str, Tensor]) -> Tensor:
        return torch.cat((obs[self.group], obs["time"]), -1) if self.time else obs[self.group]

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
        output = self.trunk[-1]
        assert isinstance(output, nn.Linear)
        factors = {"weight": factor.unsqueeze(-1), "bias": factor}
        for name, by in factors.items():
            getattr(output, name).mul_(by)
        return {f"trunk.{len(self.trunk) - 1}.{name}": by for name, by in factors.items()}
