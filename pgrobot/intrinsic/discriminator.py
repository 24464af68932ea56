"""A discriminator: pays for doing what demonstrations show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgrobot.demonstrations import as_learnt, check_against, read_demonstrations
from pgrobot.errors import PgrobotError
from pgrobot.intrinsic.actions import ActionCode
from pgrobot.intrinsic.learning import LearningBonus
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.origin import Origin
from pgrobot.ranges import at_least, list_of, text
from pgrobot.types import EnvironmentSpec, Metrics, Rollout, State

Files = Annotated[
    Sequence[str], list_of(text("a file of demonstrations"), "a list of files, such as [runs/expert]")
]


@dataclass(kw_only=True, eq=False)
class Discriminator(LearningBonus):
    """Tells what was shown from what the policy does, by a logit d, and pays for what it takes to be shown.

    It descends ``−E_shown log σ(d) − E_policy log(1 − σ(d)) + penalty / 2 · E_shown ‖∇_x d‖²`` (GAIL: Ho and Ermon
    2016, arXiv 1606.03476; the gradient penalty as of AMP: Peng et al. 2021, arXiv 2104.02180). Where it has converged
    without the penalty, d is the logarithm of the ratio of the two densities.

    Both are read alike: observations from the policy's origin, whitened by one set of statistics; actions within
    the range of the space, in policy units.

    See docs/curiosity.md.

    Attributes:
        spec: of the environment.
        origin: what the policy measures observations from.
        files: of the demonstrations, all of them together, as ``read_demonstrations`` has them.
        inputs: ``state``: a state and its true successor; ``state_action``: a state and what was done in it.
        reward: ``gail``: ``−log(1 − σ(d))``, never below 0; ``airl``: d itself.
        penalty: of the gradient, in the units of what the network reads.

    Raises:
        PgrobotError: there is no file, or it shows another robot.
    """

    spec: EnvironmentSpec
    origin: Origin
    files: Files
    inputs: Literal["state", "state_action"]
    reward: Literal["gail", "airl"]
    penalty: Annotated[float, at_least(0.0)]

    def __post_init__(self) -> None:
        self._action = ActionCode(self.spec)
        super().__post_init__()
        if not self.files:
            raise PgrobotError(f"{self.key}.files names no demonstrations: pgrobot record <run> makes some")
        self._sources = [read_demonstrations(file) for file in self.files]
        for source in self._sources:
            check_against(source, self.spec)
        self._shown: Mapping[str, Tensor] = {}  # once the origin is known

    def build(self) -> Mapping[str, nn.Module]:
        beside = self._reads.width if self.inputs == "state" else self._action.width
        return {"logit": self.network(self._reads.width + beside, 1)}

    @property
    def shown(self) -> Mapping[str, Tensor]:
        """What was shown, as of a rollout: ``obs``, ``next_obs``, ``action``, ``[M, …]``."""
        if not self._shown:
            rows = [as_learnt(source, self.spec, self.origin) for source in self._sources]
            self._shown = {
                "obs": torch.cat([self._reads(one.obs) for one in rows]),
                "next_obs": torch.cat([self._reads(one.next_obs) for one in rows]),
                "action": torch.cat([one.action for one in rows]),
            }
        return self._shown

    def _whitened_by(self, rollout: Rollout) -> ObservationNormalizer:
        if not self._whitening.moments.count:
            self._whitening.merge(self.shown["next_obs"])
        return super()._whitened_by(rollout)

    def _read(self, whitening: ObservationNormalizer, rollout: Rollout) -> Mapping[str, Tensor]:
        obs, following = self._reads(rollout.obs), self._reads(rollout.next_obs)
        return {"policy": self.joined(whitening, obs, following, rollout.action)}

    def joined(
        self, whitening: ObservationNormalizer, obs: Tensor, next_obs: Tensor, action: Tensor
    ) -> Tensor:
        """What the network reads of steps ``[…, D]``."""
        beside = whitening(next_obs) if self.inputs == "state" else self._action(action)
        return torch.cat((whitening(obs), beside), -1)

    def logit(self, x: Tensor) -> Tensor:
        """D ``[…]`` of what was read ``[…, D]``."""
        said: Tensor = self.networks["logit"](x)
        return said.squeeze(-1)

    def losses(self, rows: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        policy, shown = rows["policy"], self.joined(self._whitening, **self._drawn(len(rows["policy"])))
        return {
            "loss": functional.softplus(-self.logit(shown)).mean()
            + functional.softplus(self.logit(policy)).mean(),
            "penalty": self.penalty * self.steepness(shown) if self.penalty else shown.new_zeros(()),
        }

    def steepness(self, x: Tensor) -> Tensor:
        """``½ E ‖∇_x d‖²`` over rows ``[B, D]``."""
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.logit(x).sum(), x, create_graph=True)
        return 0.5 * slope.square().sum(-1).mean()

    def _drawn(self, count: int) -> Mapping[str, Tensor]:
        """As many rows of what was shown, or all."""
        total = len(self.shown["action"])
        index = torch.randperm(total, generator=self.generator)[:count]
        return {name: value[index] for name, value in self.shown.items()}

    @torch.no_grad()
    def novelty(self, rollout: Rollout) -> Tensor:
        logit = self.logit(self.seen(rollout)["policy"])
        return functional.softplus(logit) if self.reward == "gail" else logit

    def learn(self, rollout: Rollout) -> Metrics:
        """Descend; also returns which share of each side it takes for what it is."""
        found = super().learn(rollout)
        policy = self.logit(self._read(self._whitening, rollout)["policy"])[rollout.weight > 0.0]
        shown = self.logit(self.joined(self._whitening, **self._drawn(len(policy))))
        told = {"shown": float((shown > 0.0).float().mean()), "policy": float((policy <= 0.0).float().mean())}
        return found | {f"accuracy_{name}": value for name, value in told.items()}

    def state_dict(self) -> State:
        """The hashes of what was shown as well."""
        return {**super().state_dict(), "shown": [source.sha256 for source in self._sources]}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        for file, source, was in zip(self.files, self._sources, state["shown"], strict=True):
            if source.sha256 != was:
                raise PgrobotError(f"{file} holds other demonstrations than those that the run learnt from")
