"""A policy over discretised torques."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from pgrobot.distributions import Binned
from pgrobot.errors import PgrobotError
from pgrobot.mlp import Block, Norm, mlp
from pgrobot.policies.policy import OUTPUT_GAIN, NormalizedPolicy
from pgrobot.ranges import layers, positive


class BinnedPolicy(NormalizedPolicy):
    """One categorical per actuator over evenly spaced torques (Tang and Agrawal 2020, arXiv 1901.10500).

    Args:
        observation: width of each observation group.
        actions: number of actions ``A``.
        hidden: widths of the hidden layers.
        activation: see ``pgrobot.mlp.ACTIVATIONS``.
        bins: torques per actuator, from one end of its range to the other.
        head: ``softmax`` gives every bin a logit of its own; ``ordinal`` gives every step from one bin to the next a
            probability (section 5 of the paper), so that bins close to each other are alike.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.
        block: see ``pgrobot.mlp.mlp``.
        norm: see ``pgrobot.mlp.mlp``.
        observation_memory: environment steps that the normaliser remembers.

    Raises:
        PgrobotError: there are fewer than two bins, or the network cannot be built.
    """

    def __init__(
        self,
        observation: Mapping[str, int],
        actions: int,
        hidden: Annotated[Sequence[int], layers],
        activation: str,
        bins: int,
        head: Literal["softmax", "ordinal"],
        observation_clip: Annotated[float, positive],
        generator: torch.Generator,
        block: Block = "plain",
        norm: Norm = "none",
        observation_memory: Annotated[float, positive] = math.inf,
    ) -> None:
        super().__init__(observation, observation_clip, observation_memory)
        self.action_size = actions
        if bins < 2:
            raise PgrobotError(f"policy.bins must be at least 2, not {bins}")
        self.ordinal = head == "ordinal"
        # The first bin of an ordinal head needs no output: there is no step into it.
        self.outputs = (actions, bins - 1 if self.ordinal else bins)
        sizes = (observation["policy"], *hidden, self.outputs[0] * self.outputs[1])
        self.network = mlp(sizes, activation, OUTPUT_GAIN, generator, block, norm)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Binned, Tensor]:
        del episode_start
        outputs = self.network(self.normalizer(obs["policy"])).unflatten(-1, self.outputs)
        return Binned(ordinal_logits(outputs) if self.ordinal else outputs), carry


def ordinal_logits(steps: Tensor) -> Tensor:
    """Logits ``[…, B]`` of bins from the logits ``[…, B − 1]`` of the steps between them.

    Bin ``b`` has ``Σ_{i < b} log σ(s_i) + Σ_{i ≥ b} log(1 − σ(s_i))``: every step below it taken, none above.
    """
    taken = logsigmoid(steps).cumsum(-1)
    left = logsigmoid(-steps).flip(-1).cumsum(-1).flip(-1)
    return pad(taken, (1, 0)) + pad(left, (0, 1))
