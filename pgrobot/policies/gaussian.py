"""A Gaussian policy whose mean is a multilayer perceptron and whose deviation does not depend on the state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pgrobot.distributions import Gaussian
from pgrobot.errors import PgrobotError
from pgrobot.mlp import mlp
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.policies.policy import Policy


class GaussianPolicy(Policy):
    """Diagonal Gaussian; reads the observation group ``policy``.

    The log-deviation is clamped to its bounds where it is used, so it can neither collapse nor explode, and a
    bound that is reached passes no gradient.

    Args:
        observation: width of each observation group.
        actions: number of actions ``A``.
        hidden: widths of the hidden layers.
        activation: see ``pgrobot.mlp.ACTIVATIONS``.
        log_std: initial log-deviation, in policy units.
        log_std_bounds: least and greatest log-deviation.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.

    Raises:
        PgrobotError: the initial log-deviation lies outside its bounds.
    """

    carry_size = 0

    def __init__(
        self,
        observation: Mapping[str, int],
        actions: int,
        hidden: Sequence[int],
        activation: str,
        log_std: float,
        log_std_bounds: tuple[float, float],
        observation_clip: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        low, high = log_std_bounds
        if not low < log_std < high:
            raise PgrobotError(
                f"policy.log_std is {log_std}, which does not lie inside policy.log_std_bounds [{low}, {high}]"
            )
        width = observation["policy"]
        self.log_std_bounds = (low, high)
        self.normalizer = ObservationNormalizer(width, observation_clip)
        self.mean = mlp((width, *hidden, actions), activation, 0.01, generator)
        self.log_std = nn.Parameter(torch.full((actions,), float(log_std)))

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        del episode_start
        mean = self.mean(self.normalizer(obs["policy"]))
        log_std = self.log_std.clamp(*self.log_std_bounds)
        return Gaussian(mean, log_std.expand_as(mean)), carry

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        self.normalizer.merge(obs["policy"])
