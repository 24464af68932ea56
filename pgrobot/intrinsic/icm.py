"""An intrinsic curiosity module: what is hard to predict of what actions can change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgrobot.intrinsic.actions import ActionCode
from pgrobot.intrinsic.learning import LearningBonus
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.ranges import at_least
from pgrobot.types import EnvironmentSpec, Rollout


@dataclass(kw_only=True, eq=False)
class ICM(LearningBonus):
    """``½ ‖g(φ(s), a) − φ(s')‖²``: how far a forward model is from the features of what followed.

    Pathak et al. 2017 (arXiv 1705.05363). The features φ are those from which an inverse model ``h(φ(s), φ(s'))`` reads
    the action: what no action changes need not be in them. The forward model's gradient ends at the features (Burda et
    al. 2018, arXiv 1808.04355): they cannot become easy to predict by saying nothing.

    Actions are read as ``ActionCode`` has them.

    See docs/curiosity.md.

    Attributes:
        spec: of the environment.
        features: how many.
    """

    spec: EnvironmentSpec
    features: Annotated[int, at_least(1)]

    def build(self) -> Mapping[str, nn.Module]:
        self._code = ActionCode(self.spec)
        width = self._code.width
        return {
            "encoder": self.network(self._reads.width, self.features),
            "inverse_model": self.network(2 * self.features, width),
            "forward_model": self.network(self.features + width, self.features),
        }

    def _read(self, whitening: ObservationNormalizer, rollout: Rollout) -> Mapping[str, Tensor]:
        return {
            "now": whitening(self._reads(rollout.obs)),
            "action": self._code.done(rollout.action),
            "next": whitening(self._reads(rollout.next_obs)),
        }

    def losses(self, rows: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        now, following = (self.networks["encoder"](rows[name]) for name in ("now", "next"))
        said = self.networks["inverse_model"](torch.cat((now, following), -1))
        return {
            "inverse_loss": self._inverse_loss(said, rows["action"]),
            "forward_loss": self._error(now.detach(), rows["action"], following.detach()).mean(),
        }

    @torch.no_grad()
    def novelty(self, rollout: Rollout) -> Tensor:
        rows = self.seen(rollout)
        encoder = self.networks["encoder"]
        return self._error(encoder(rows["now"]), rows["action"], encoder(rows["next"]))

    def _error(self, now: Tensor, action: Tensor, following: Tensor) -> Tensor:
        given = torch.cat((now, self._code(action)), -1)
        missed: Tensor = self.networks["forward_model"](given) - following
        return 0.5 * missed.square().sum(-1)

    def _inverse_loss(self, said: Tensor, action: Tensor) -> Tensor:
        """Half the squared error of real numbers, the cross-entropy of choices; summed over the action's entries."""
        parts = said.split([max(1, choices) for choices in self._code.choices], -1)
        terms = [
            functional.cross_entropy(part, one.long())
            if choices
            else 0.5 * (part.squeeze(-1) - one).square().mean()
            for part, one, choices in zip(parts, action.unbind(-1), self._code.choices, strict=True)
        ]
        return torch.stack(terms).sum()
