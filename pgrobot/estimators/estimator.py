"""What an estimator is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from torch import Tensor

from pgrobot.answers import check_shapes

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class EstimatorInput:
    """One rollout as an estimator sees it, all columns at once."""

    reward: Tensor  # [T, N, C]
    value: Tensor  # V(s_t)                                                  [T, N, C]
    next_value: Tensor  # V(s'_t) of the true successor, before any reset    [T, N, C]
    terminated: Tensor  # no future value: of all columns, or of each        [T, N, 1 or C] bool
    done: Tensor  # terminated or truncated: the trace is cut, likewise      [T, N, 1 or C] bool
    log_ratio: Tensor  # log π/μ of the joint actions that were taken        [T, N]
    discount: Tensor  # γ of each column, or of each step's duration         [C] or [T, N, C]


class Estimate(NamedTuple):
    """What an estimator returns."""

    advantage: Tensor  # [T, N, C]
    target: Tensor  # what the critic is fitted to                           [T, N, C]
    weight: Tensor  # of every step in the policy gradient                   [T, N]


class Estimator(Protocol):
    """A pure function of all columns at once, its own parameters bound; see ``pgrobot.estimators``."""

    def __call__(self, given: EstimatorInput) -> Estimate: ...


def estimator(*, reads_log_ratio: bool, discounts_pieces_without: str = "") -> Callable[[Function], Function]:
    """Declare on an estimator what others have to know of it.

    Args:
        reads_log_ratio: whether it reads the values of ``log_ratio``; one that does not is spared them.
        discounts_pieces_without: its parameter without which it credits a step with its whole piece, discounted from
            where that begins; empty: it never does.
    """

    def declared(function: Function) -> Function:
        declarations = {
            "reads_log_ratio": reads_log_ratio,
            "discounts_pieces_without": discounts_pieces_without,
        }
        vars(function).update(declarations)
        return function

    return declared


def estimated(estimator: Estimator, given: EstimatorInput) -> Estimate:
    """What an estimator says of a rollout.

    Raises:
        PgrobotError: it returns something else than an ``Estimate``; names it.
    """
    found = estimator(given)
    shape, rows = tuple(given.reward.shape), tuple(given.log_ratio.shape)
    check_shapes(estimator, found, {"an advantage": shape, "a target": shape, "a weight": rows})
    return Estimate(*found)


def reads_log_ratio(estimator: Callable[..., Any]) -> bool:
    """Whether an estimator, its own parameters bound or not, may read ``log_ratio``; one that does not say so may."""
    return bool(getattr(getattr(estimator, "func", estimator), "reads_log_ratio", True))
