"""Random network distillation: what is hard to predict of a random function was seen seldom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from pgrobot.intrinsic.learning import LearningBonus
from pgrobot.ranges import at_least
from pgrobot.types import Rollout


@dataclass(kw_only=True, eq=False)
class RND(LearningBonus):
    """``½ ‖f̂(s') − f(s')‖²``: how far a predictor is from a random network that never learns.

    Burda et al. 2018 (arXiv 1810.12894). ``s'`` is the true successor, before any reset.

    See docs/curiosity.md.

    Attributes:
        features: what both networks say.
    """

    features: Annotated[int, at_least(1)]

    def build(self) -> Mapping[str, nn.Module]:
        width = self._reads.width
        target, predictor = (self.network(width, self.features) for _ in range(2))
        return {"target": target.requires_grad_(requires_grad=False), "predictor": predictor}

    def losses(self, rows: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {"loss": self._error(rows["next"]).mean()}

    @torch.no_grad()
    def novelty(self, rollout: Rollout) -> Tensor:
        return self._error(self.seen(rollout)["next"])

    def _error(self, x: Tensor) -> Tensor:
        """``[…]`` of whitened observations ``[…, D]``."""
        missed: Tensor = self.networks["predictor"](x) - self.networks["target"](x)
        return 0.5 * missed.square().sum(-1)
