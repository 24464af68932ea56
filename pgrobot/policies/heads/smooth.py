"""A Gaussian whose exploration lasts: a push goes on for a while instead of shaking the robot.

White noise at every step is filtered away by a robot's inertia, and wears its gears (Raffin et al. 2021,
arXiv 2005.05719). Here a share ``c`` of the noise is a process that remembers,

    a_t = μ(s_t) + σ (√c n_t + √(1 − c) ξ_t),    n_{t+1} = ρ n_t + √(1 − ρ²) η_t,

with white ξ: at every step the noise has the deviation σ, as the Gaussian policy's, and its correlation with the noise
of ``k`` steps later is ``c ρᵏ``. The process ``n_t`` is the carry. Given it, an action is exactly Gaussian,
``N(μ + σ √c n_t, (1 − c) σ²)``.

That log-probability is also the right one to differentiate. A carry that is computed from actions and means, as in
autoregressive noise, moves with the parameters, and a gradient that takes it as it was stored is biased; a noise matrix
held over several steps, as in gSDE, makes the marginal log-probability of one step the wrong one. Here η_t is a hash of
what the policy saw, ``(s_t, n_t)``: noise to every purpose, but a function without parameters, so that the carry is
like one more thing observed. Where observations repeat exactly, so does the noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.distributions import Gaussian, SmoothGaussian
from pgrobot.errors import PgrobotError
from pgrobot.policies.hashing import hashed_normal
from pgrobot.policies.heads.diagonal import DiagonalHead
from pgrobot.ranges import ascending
from pgrobot.types import Action


class SmoothHead(DiagonalHead):
    """The diagonal Gaussian with correlated exploration; see ``DiagonalHead`` for the other arguments.

    With nothing to remember, ``share`` or ``correlation`` zero, it is the Gaussian to the last bit.

    See docs/derivations.md#smooth-exploration.

    Args:
        share: ``c``, share of the exploration's variance that lasts, in [0, 1).
        correlation: ``ρ`` of that share from one step to the next, in [0, 1).

    Raises:
        PgrobotError: one of the two is out of range, or as ``DiagonalHead``.
    """

    def __init__(
        self,
        actions: Sequence[Action],
        log_std: float,
        log_std_bounds: Annotated[tuple[float, float], ascending("[-4,1]")],
        share: float,
        correlation: float,
    ) -> None:
        super().__init__(actions, log_std, log_std_bounds)
        for name, value in (("share", share), ("correlation", correlation)):
            if not 0.0 <= value < 1.0:
                raise PgrobotError(f"policy.head.{name} must be at least 0 and below 1, not {value}")
        self.carry_size = self.action_size
        self.share = share if correlation > 0.0 else 0.0
        self.correlation = correlation

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[SmoothGaussian, Tensor]:
        start = episode_start.unsqueeze(-1)
        lasting = torch.where(start, 0.0, carry)
        gaussian = self.gaussian(numbers)
        # There is nothing to remember in an episode's first step: all of its noise is white, and the process starts
        # after it, from its stationary distribution.
        log_std = torch.where(start, gaussian.log_std, gaussian.log_std + 0.5 * math.log1p(-self.share))
        given = Gaussian(gaussian.mean + math.sqrt(self.share) * gaussian.std * lasting, log_std)
        fresh = hashed_normal(torch.cat((seen, lasting), -1), self.carry_size)
        going_on = self.correlation * lasting + math.sqrt(1.0 - self.correlation**2) * fresh
        return SmoothGaussian(gaussian.mean, given), torch.where(start, fresh, going_on)
