"""Returns that are summed, not traced: Monte-Carlo and n-step."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from pgrobot.estimators.estimator import Estimate, EstimatorInput, estimator
from pgrobot.estimators.scan import last_of_piece, reverse_scan, window_scan
from pgrobot.ranges import at_least


@estimator(reads_log_ratio=False, discounts_pieces_without="reward_to_go")
def monte_carlo(
    given: EstimatorInput,
    *,
    reward_to_go: bool,
) -> Estimate:
    r"""Return minus value (Williams 1992; with rewards to go and truncation, GAE at λ = 1).

    .. math:: G_t = r_t + \gamma \begin{cases} G_{t+1} & \text{within a piece} \\
        V(s'_t) & \text{at its cut end} \\ 0 & \text{terminated} \end{cases}

    Over a short rollout this is A2C's advantage (Mnih et al. 2016): every step sums what rewards are left and
    bootstraps once, at the end.

    With ``reward_to_go`` false every step of a piece is credited with the return of the whole piece, measured from its
    first step, as in the first form of REINFORCE. Two consequences:

    - A step is then also credited with rewards that came before it. They are zero on average and add variance that
      grows with the length of the piece.
    - From its own step on, that return is ``γ^k G_t``, ``k`` steps into the piece. Where rollouts hold whole episodes
      that is the state discount of ``discount_from_start``; a piece that goes on from an earlier rollout counts from
      its first step in this one, and lacks what came before. The two are not to be combined.

    The critic's target is the return to go in both cases: it is what the value of a state means.

    See docs/derivations.md#returns.

    Args:
        given: the rollout.
        reward_to_go: credit an action with what follows it only.

    Returns:
        The advantage and the return to go, ``[T, N, C]`` each, and ones ``[T, N]``.
    """
    last = last_of_piece(given.done)
    future = given.discount * (last & ~given.terminated) * given.next_value
    to_go = reverse_scan(given.reward + future, given.discount * ~last)
    credit = to_go if reward_to_go else to_go.gather(0, _first_of_piece(given.done).expand_as(to_go))
    return Estimate(credit - given.value, to_go, torch.ones_like(given.log_ratio))


@estimator(reads_log_ratio=False)
def n_step(
    given: EstimatorInput,
    *,
    n: Annotated[int, at_least(1)],
) -> Estimate:
    r"""``n`` rewards and the value of where they lead (Sutton and Barto 2018, section 7.1).

    .. math:: \hat A_t = \sum_{k<m} \gamma^k r_{t+k} + \gamma^m (1 - terminated) V(s'_{t+m-1}) - V(s_t)

    with ``m = n`` or, where the piece ends before, the steps that are left.

    See docs/derivations.md#n-step-returns.

    Args:
        given: the rollout.
        n: at least 1, which is the one-step TD error; from ``T`` on it is ``monte_carlo``.

    Returns:
        The advantage and the n-step return, ``[T, N, C]`` each, and ones ``[T, N]``.
    """
    n = min(n, given.reward.shape[0])
    last = last_of_piece(given.done)
    next_value = given.next_value
    future = given.discount * (last & ~given.terminated) * next_value
    total, product = window_scan(given.reward + future, given.discount * ~last, n)
    # A window that meets the end of its piece has the product zero: of the rows repeated below nothing is read.
    landing = torch.cat((next_value[n - 1 :], next_value[-1:].expand(n - 1, *next_value.shape[1:])))
    target = torch.addcmul(total, product, landing)
    return Estimate(target - given.value, target, torch.ones_like(given.log_ratio))


def _first_of_piece(done: Tensor) -> Tensor:
    """The row at which each row's piece begins, ``[T, N, 1 or C]``."""
    rows = torch.arange(done.shape[0], device=done.device).view(-1, 1, 1)
    begins = torch.cat((torch.ones_like(done[:1]), done[:-1]))
    return torch.where(begins, rows, 0).cummax(0).values
