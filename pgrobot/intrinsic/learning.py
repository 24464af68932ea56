"""Bonuses of small networks: what those read, how they are made, and how they learn from a rollout."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pgrobot.bodies import Predictor
from pgrobot.groups import Groups, selected
from pgrobot.intrinsic.bonus import Bonus
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.ranges import above, at_least, layers, positive, share
from pgrobot.types import Metrics, Rollout, State


@dataclass(kw_only=True, eq=False)
class LearningBonus(Bonus):
    """A bonus that small networks make of observations, whitened by statistics of its own.

    They learn by first-order steps on ``share`` of the rollout's rows, drawn anew in every epoch.

    Attributes:
        groups: the observation groups read, or entries of them by their full names.
        hidden, activation: of every network.
        clip: bound on whitened observations, in deviations.
        optimizer: ``adam``, or ``sgd``: plain gradient steps.
        rate: of its steps.
        share: of the rollout's rows, on which an epoch learns.
        epochs: per rollout.
        minibatch: rows of a step; the last one of an epoch may have fewer.
    """

    groups: Groups
    hidden: Annotated[Sequence[int], layers]
    activation: str
    clip: Annotated[float, positive]
    optimizer: Literal["adam", "sgd"]
    rate: Annotated[float, above(0.0)]
    share: Annotated[float, share]
    epochs: Annotated[int, at_least(1)]
    minibatch: Annotated[int, at_least(1)]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._reads = selected(f"{self.key}.groups", self.groups, self.observation)
        self._whitening = ObservationNormalizer(self._reads.width, self.clip)
        self.networks = nn.ModuleDict(self.build())
        learning = [one for one in self.networks.parameters() if one.requires_grad]
        rule = torch.optim.Adam if self.optimizer == "adam" else torch.optim.SGD
        self._descent = rule(learning, lr=self.rate)

    def network(self, inputs: int, outputs: int) -> Predictor:
        """A network of these widths, with weights of its own stream."""
        return Predictor(inputs, outputs, self.hidden, self.activation, self.generator)

    @abstractmethod
    def build(self) -> Mapping[str, nn.Module]:
        """Its networks by name."""

    @abstractmethod
    def losses(self, rows: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """What is descended, on rows ``[B, …]`` of ``seen``: its terms by name, which add up."""

    def seen(self, rollout: Rollout) -> Mapping[str, Tensor]:
        """What the networks read: ``[T, N, …]`` by name, whitened by all that was seen, this rollout included."""
        return self._read(self._whitened_by(rollout), rollout)

    def _read(self, whitening: ObservationNormalizer, rollout: Rollout) -> Mapping[str, Tensor]:
        """What they read of a rollout; here the true successor alone, which no reset has touched."""
        return {"next": whitening(self._reads(rollout.next_obs))}

    def _whitened_by(self, rollout: Rollout) -> ObservationNormalizer:
        whitening = copy.deepcopy(self._whitening)
        whitening.merge(self._reads(rollout.next_obs)[rollout.weight > 0.0])
        return whitening

    def learn(self, rollout: Rollout) -> Metrics:
        """Merge what was seen, and descend; returns each term's mean over the minibatches."""
        self._whitening = self._whitened_by(rollout)
        counts = rollout.weight > 0.0
        rows = {name: value[counts] for name, value in self._read(self._whitening, rollout).items()}
        return self.descend(rows)

    def descend(self, rows: Mapping[str, Tensor]) -> Metrics:
        """Learn from rows ``[B, …]``."""
        count = len(next(iter(rows.values())))
        told: dict[str, list[float]] = {}
        for _ in range(self.epochs):
            taken = torch.randperm(count, generator=self.generator)[: max(1, round(self.share * count))]
            for index in taken.split(self.minibatch):
                with torch.enable_grad():
                    terms = self.losses({name: value[index] for name, value in rows.items()})
                    loss = torch.stack(list(terms.values())).sum()
                    self._descent.zero_grad()
                    loss.backward()
                self._descent.step()
                for name, value in terms.items():
                    told.setdefault(name, []).append(value.item())
        return {name: sum(values) / len(values) for name, values in told.items()}

    def state_dict(self) -> State:
        """Networks, their statistics, moments of the steps and the random stream as well."""
        return {
            **super().state_dict(),
            "networks": {name: value.clone() for name, value in self.networks.state_dict().items()},
            "whitening": {name: value.clone() for name, value in self._whitening.state_dict().items()},
            "descent": copy.deepcopy(self._descent.state_dict()),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.networks.load_state_dict(state["networks"])
        self._whitening.load_state_dict(state["whitening"])
        self._descent.load_state_dict(copy.deepcopy(state["descent"]))
        self.generator.set_state(state["generator"])
