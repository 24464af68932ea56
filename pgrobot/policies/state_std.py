"""A Gaussian policy that knows where to be careful: its deviation depends on the state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from pgrobot.distributions import Gaussian
from pgrobot.mlp import Block, Norm, mlp
from pgrobot.policies.bounds import SoftBounds
from pgrobot.policies.diagonal import checked_bounds
from pgrobot.policies.policy import OUTPUT_GAIN, NormalizedPolicy
from pgrobot.ranges import ascending, layers, positive


class StateStdPolicy(NormalizedPolicy):
    """Diagonal Gaussian whose mean and log-deviation are two outputs of one multilayer perceptron.

    See docs/derivations.md#state-dependent-deviation.

    Args:
        observation: width of each observation group.
        actions: number of actions ``A``.
        hidden: widths of the hidden layers.
        activation: see ``pgrobot.mlp.ACTIVATIONS``.
        log_std: log-deviation that every state starts near, in policy units.
        log_std_bounds: least and greatest log-deviation, approached and never reached: see ``SoftBounds``.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.
        block: see ``pgrobot.mlp.mlp``.
        norm: see ``pgrobot.mlp.mlp``.
        observation_memory: environment steps that the normaliser remembers.

    Raises:
        PgrobotError: the initial log-deviation lies outside its bounds, or the network cannot be built.
    """

    def __init__(
        self,
        observation: Mapping[str, int],
        actions: int,
        hidden: Annotated[Sequence[int], layers],
        activation: str,
        log_std: float,
        log_std_bounds: Annotated[tuple[float, float], ascending("[-4,1]")],
        observation_clip: Annotated[float, positive],
        generator: torch.Generator,
        block: Block = "plain",
        norm: Norm = "none",
        observation_memory: Annotated[float, positive] = math.inf,
    ) -> None:
        super().__init__(observation, observation_clip, observation_memory)
        self.action_size = actions
        self.bounds = SoftBounds(log_std, *checked_bounds(log_std, log_std_bounds))
        sizes = (observation["policy"], *hidden, 2 * actions)
        self.network = mlp(sizes, activation, OUTPUT_GAIN, generator, block, norm)
        output = self.network[-1]
        assert isinstance(output, nn.Linear)
        with torch.no_grad():
            output.bias[actions:] = log_std

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        del episode_start
        mean, log_std = self.network(self.normalizer(obs["policy"])).chunk(2, -1)
        return Gaussian(mean, self.bounds(log_std)), carry
