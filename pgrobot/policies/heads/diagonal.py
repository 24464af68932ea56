"""What the Gaussian heads share: the output is the mean, and the deviation does not depend on the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from pgrobot.distributions import Gaussian
from pgrobot.errors import PgrobotError
from pgrobot.policies.heads.head import Head, numbers_of
from pgrobot.ranges import ascending
from pgrobot.types import Action


class DiagonalHead(Head):
    """Owns a diagonal Gaussian; what becomes of it is for the heads below to say.

    The log-deviation is a parameter with bounds, which solvers keep it within: it can neither collapse nor explode, and
    at a bound it has the gradient that it has anywhere, so that it leaves when that asks it to.

    Args:
        actions: what is drawn, ``A`` real numbers.
        log_std: initial log-deviation, in policy units.
        log_std_bounds: least and greatest log-deviation.

    Raises:
        PgrobotError: one of the actions is a choice, or the initial log-deviation lies outside its bounds.
    """

    free_to_differ: ClassVar[Sequence[str]] = ("log_std", "log_std_bounds")
    by_action: ClassVar[Sequence[str]] = ("log_std",)

    def __init__(
        self,
        actions: Sequence[Action],
        log_std: float,
        log_std_bounds: Annotated[tuple[float, float], ascending("[-4,1]")],
    ) -> None:
        super().__init__()
        self.outputs = self.action_size = numbers_of(actions)
        self.parameter_bounds = {"log_std": checked_bounds(log_std, log_std_bounds)}
        self.log_std = nn.Parameter(torch.full((self.action_size,), float(log_std)))
        self.register_load_state_dict_post_hook(_within_bounds)

    def rows(self) -> Tensor:
        return torch.arange(self.action_size).unsqueeze(-1)

    def gaussian(self, mean: Tensor) -> Gaussian:
        """The diagonal Gaussian at means ``[…, A]``."""
        return Gaussian(mean, self.log_std.expand_as(mean))


@torch.no_grad()
def _within_bounds(head: nn.Module, _: object) -> None:
    """What was loaded counts as its bound where it lies beyond it."""
    assert isinstance(head, DiagonalHead)
    head.log_std.clamp_(*head.parameter_bounds["log_std"])


def checked_bounds(log_std: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the bounds of a log-deviation that starts at ``log_std``.

    Raises:
        PgrobotError: it does not lie inside them.
    """
    low, high = bounds
    if not low < log_std < high:
        raise PgrobotError(
            f"policy.head.log_std is {log_std}, which does not lie inside policy.head.log_std_bounds [{low}, {high}]"
        )
    return low, high
