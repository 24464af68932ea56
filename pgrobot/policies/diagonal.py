"""What the Gaussian policies share: a network for the mean, and a deviation that does not depend on the state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from pgrobot.distributions import Gaussian
from pgrobot.errors import PgrobotError
from pgrobot.mlp import Block, Norm, mlp
from pgrobot.policies.policy import OUTPUT_GAIN, NormalizedPolicy
from pgrobot.ranges import ascending, layers, positive


class DiagonalPolicy(NormalizedPolicy):
    """Owns a diagonal Gaussian; what becomes of it is for the policies below to say.

    The log-deviation is a parameter with bounds, which solvers keep it within: it can neither collapse nor explode, and
    at a bound it has the gradient that it has anywhere, so that it leaves when that asks it to.

    Args:
        observation: width of each observation group.
        actions: number of actions ``A``.
        hidden: widths of the hidden layers.
        activation: see ``pgrobot.mlp.ACTIVATIONS``.
        log_std: initial log-deviation, in policy units.
        log_std_bounds: least and greatest log-deviation.
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
        self.parameter_bounds = {"log_std": checked_bounds(log_std, log_std_bounds)}
        sizes = (observation["policy"], *hidden, actions)
        self.mean = mlp(sizes, activation, OUTPUT_GAIN, generator, block, norm)
        self.log_std = nn.Parameter(torch.full((actions,), float(log_std)))
        self.register_load_state_dict_post_hook(_within_bounds)

    def gaussian(self, obs: Mapping[str, Tensor]) -> Gaussian:
        """The diagonal Gaussian at observations ``[…, D]``."""
        mean = self.mean(self.normalizer(obs["policy"]))
        return Gaussian(mean, self.log_std.expand_as(mean))


@torch.no_grad()
def _within_bounds(policy: nn.Module, _: object) -> None:
    """What was loaded counts as its bound where it lies beyond it."""
    assert isinstance(policy, DiagonalPolicy)
    policy.log_std.clamp_(*policy.parameter_bounds["log_std"])


def checked_bounds(log_std: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the bounds of a log-deviation that starts at ``log_std``.

    Raises:
        PgrobotError: it does not lie inside them.
    """
    low, high = bounds
    if not low < log_std < high:
        raise PgrobotError(
            f"policy.log_std is {log_std}, which does not lie inside policy.log_std_bounds [{low}, {high}]"
        )
    return low, high
