"""The unit of a bonus: how far its discounted sum, filtered forwards in time, spreads."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from pgrobot.estimators.scan import reverse_scan
from pgrobot.normalizer import RunningMoments
from pgrobot.types import Rollout, State

_LEAST_VARIANCE = 1e-12  # below it nothing varies but by rounding


class ForwardScale:
    """The running deviation of ``F_t = b_t + γ F_{t−1}``, filtered along time in every environment by itself.

    Burda et al. 2018 (arXiv 1810.12894), section 2.4. What was filtered last is kept, so that rollouts follow each
    other as their steps do. Where the column ends with the episode, so does the filter. A decision that lasts fades by
    ``γ^duration``; padding is passed over.

    Args:
        discount: γ.
        episodic: whether the filter begins anew where an episode ends.
    """

    def __init__(self, discount: float, *, episodic: bool) -> None:
        self._discount = discount
        self._episodic = episodic
        self._moments = RunningMoments(1)
        self._carry = torch.zeros(0, dtype=torch.float64)  # γ F of the last step, [N]

    @property
    def value(self) -> float:
        """The deviation of all that was merged; 1 where it never varied."""
        return _deviation(self._moments)

    def filtered(self, bonus: Tensor, rollout: Rollout) -> tuple[Tensor, Tensor]:
        """``F`` of every step ``[T, N]``, and what the next rollout's first step adds to ``[N]``."""
        counts = rollout.weight > 0.0
        decay = self._discount ** rollout.duration.double()
        if self._episodic:
            decay = decay * ~rollout.done
        decay = torch.where(counts, decay, 1.0)
        carry = self._carry if self._carry.shape == bonus.shape[1:] else torch.zeros(bonus.shape[1]).double()
        term = torch.cat((carry.unsqueeze(0), torch.where(counts, bonus.double(), 0.0)))
        before = torch.cat((torch.ones(2, *carry.shape).double(), decay[:-1]))  # by what a row's past fades
        found = reverse_scan(term.flip(0), before.flip(0)).flip(0)[1:]
        return found, found[-1] * decay[-1]

    def after(self, bonus: Tensor, rollout: Rollout) -> float:
        """``value`` as it will be when the rollout is merged; nothing moves."""
        moments = copy.deepcopy(self._moments)
        self._merge(moments, self.filtered(bonus, rollout)[0], rollout)
        return _deviation(moments)

    def merge(self, bonus: Tensor, rollout: Rollout) -> None:
        """Take in a rollout's bonus ``[T, N]``."""
        found, self._carry = self.filtered(bonus, rollout)
        self._merge(self._moments, found, rollout)

    def _merge(self, moments: RunningMoments, found: Tensor, rollout: Rollout) -> None:
        moments.merge(found[rollout.weight > 0.0].unsqueeze(-1))

    def state_dict(self) -> State:
        return {
            "moments": {name: value.clone() for name, value in self._moments.state_dict().items()},
            "carry": self._carry.clone(),
        }

    def load_state_dict(self, state: State) -> None:
        self._moments.load_state_dict(state["moments"])
        self._carry = state["carry"].clone()


def _deviation(moments: RunningMoments) -> float:
    variance = float(moments.variance) if moments.count > 0 else 0.0
    return variance**0.5 if variance > _LEAST_VARIANCE else 1.0
