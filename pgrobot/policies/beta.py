"""A policy that ends where the actuators end: a Beta distribution over their range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pgrobot.distributions import Beta
from pgrobot.errors import PgrobotError
from pgrobot.mlp import Block, Norm, mlp
from pgrobot.policies.bounds import SoftBounds
from pgrobot.policies.policy import OUTPUT_GAIN, NormalizedPolicy
from pgrobot.ranges import ascending, layers, positive


class BetaPolicy(NormalizedPolicy):
    """Independent Beta variables on [−1, 1] (Chou, Maturana and Scherer 2017): no probability is clipped away.

    α and β are ``low + softplus(·)`` of two outputs of one multilayer perceptron from ``concentration`` on, and go on
    straight below it, where the slope of softplus would vanish; ``SoftBounds`` bend them between ``low`` and ``high``.

    Args:
        observation: width of each observation group.
        actions: number of actions ``A``.
        hidden: widths of the hidden layers.
        activation: see ``pgrobot.mlp.ACTIVATIONS``.
        concentration: α and β that every state starts near; 1.5 is a deviation of half the actuator's half-range.
        concentration_bounds: ``low`` and ``high``; one and above has a single mode.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.
        block: see ``pgrobot.mlp.mlp``.
        norm: see ``pgrobot.mlp.mlp``.
        observation_memory: environment steps that the normaliser remembers.

    Raises:
        PgrobotError: the concentration lies outside its bounds, those begin below one, or the network cannot be built.
    """

    def __init__(
        self,
        observation: Mapping[str, int],
        actions: int,
        hidden: Annotated[Sequence[int], layers],
        activation: str,
        concentration: float,
        concentration_bounds: Annotated[tuple[float, float], ascending("[1,1000]")],
        observation_clip: Annotated[float, positive],
        generator: torch.Generator,
        block: Block = "plain",
        norm: Norm = "none",
        observation_memory: Annotated[float, positive] = math.inf,
    ) -> None:
        super().__init__(observation, observation_clip, observation_memory)
        self.action_size = actions
        low, high = concentration_bounds
        if low < 1.0:
            raise PgrobotError(f"policy.concentration_bounds begin at {low}, which is less than 1")
        if not low < concentration < high:
            raise PgrobotError(
                f"policy.concentration is {concentration}, "
                f"which does not lie inside policy.concentration_bounds [{low}, {high}]"
            )
        self.low = low
        self.bounds = SoftBounds(concentration, low, high)
        self.start = math.log(math.expm1(concentration - low))  # the output that says the concentration
        self.slope = -math.expm1(low - concentration)  # of softplus there
        self.concentration = concentration
        sizes = (observation["policy"], *hidden, 2 * actions)
        self.network = mlp(sizes, activation, OUTPUT_GAIN, generator, block, norm)
        output = self.network[-1]
        assert isinstance(output, nn.Linear)
        nn.init.constant_(output.bias, self.start)

    def forward(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> tuple[Beta, Tensor]:
        del episode_start
        outputs = self.network(self.normalizer(obs["policy"]))
        beyond = outputs - self.start
        straight = self.concentration + self.slope * beyond
        alpha, beta = self.bounds(torch.where(beyond > 0.0, self.low + softplus(outputs), straight)).chunk(
            2, -1
        )
        return Beta(alpha, beta), carry
