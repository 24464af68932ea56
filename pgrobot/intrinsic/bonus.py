"""What the intrinsic rewards of pgrobot have in common: a column, its unit, and its weight over training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from pgrobot.answers import BONUS
from pgrobot.errors import PgrobotError
from pgrobot.intrinsic.scale import ForwardScale
from pgrobot.ranges import OnlyWhere, at_least, between, text
from pgrobot.types import Metrics, Rollout, State


@dataclass(kw_only=True, eq=False)
class Bonus(ABC):
    """Pays ``weight · novelty / scale`` in a column of its own.

    What a class derived from it calls novelty is a pure function of a rollout and of what was learnt before; all that
    moves moves in ``fit``, after policy and critic have learnt. Statistics that it divides by include the rollout
    that is paid, so the first one needs no steps of a random policy before it.

    See docs/curiosity.md.

    Attributes:
        observation: width of each observation group.
        actions: how many numbers an action has.
        generator: its random stream.
        name: its column is ``bonus/<name>``, its metrics begin with ``intrinsic/<name>/``.
        weight: of the bonus where training begins; 0: it has no column, and only looks on.
        schedule: of the weight: ``constant``, or ``linear`` to 0 over ``annealing_steps``.
        annealing_steps: environment steps.
        discount: γ of its column.
        episodic: whether what follows an episode's end is out of its reach; if not, the column goes on there.
        scaled: whether it is divided by its scale.

    Raises:
        PgrobotError: a bonus without an end has no discount, or a schedule has no weight.
    """

    observation: Mapping[str, int]
    actions: int
    generator: torch.Generator
    name: Annotated[str, text("a name")]
    weight: Annotated[float, at_least(0.0)]
    schedule: Literal["constant", "linear"]
    annealing_steps: Annotated[int, at_least(1), OnlyWhere("schedule", "linear")]
    discount: Annotated[float, between(0.0, 1.0)]
    episodic: bool
    scaled: bool

    def __post_init__(self) -> None:
        if self.discount == 1.0 and not self.episodic:
            raise PgrobotError(
                f"{self.key}.discount=1 adds up without end where {self.key}.episodic=false: "
                "use a discount below 1, or episodic=true"
            )
        if self.weight == 0.0 and self.schedule == "linear":
            raise PgrobotError(
                f"{self.key}.schedule=linear fades a weight of 0, which is 0 from the start: "
                f"use {self.key}.weight=<number>, or {self.key}.schedule=constant"
            )
        self.column = f"{BONUS}{self.name}"
        self._scale = ForwardScale(self.discount, episodic=self.episodic)
        self._steps = 0

    @property
    def key(self) -> str:
        """Its node in a config, for messages."""
        return f"intrinsic.{self.name}"

    @property
    def pays(self) -> bool:
        """Whether it has a column."""
        return self.weight > 0.0

    @property
    def weight_now(self) -> float:
        """Its weight after the steps that it has seen so far."""
        left = max(0.0, 1.0 - self._steps / self.annealing_steps) if self.schedule == "linear" else 1.0
        return self.weight * left

    @torch.no_grad()
    def __call__(self, rollout: Rollout) -> Rollout:
        novelty = self._counted(rollout)
        scale = self._scale.after(novelty, rollout) if self.scaled else 1.0
        return rollout.with_column(self.column, self.weight_now * novelty / scale, episodic=self.episodic)

    @torch.no_grad()
    def fit(self, rollout: Rollout) -> Metrics:
        """Take in the rollout: the scale, the steps, and whatever is learnt."""
        novelty = self._counted(rollout)
        self._scale.merge(novelty, rollout)
        scale = self._scale.value if self.scaled else 1.0
        found = {
            "mean": self.weight_now * float(novelty[rollout.weight > 0.0].mean()) / scale,
            "scale": scale,
            "weight": self.weight_now,
        }
        self._steps += int((rollout.by_step.weight > 0.0).sum())
        found |= self.learn(rollout)
        return {f"intrinsic/{self.name}/{key}": value for key, value in found.items()}

    def _counted(self, rollout: Rollout) -> Tensor:
        """The novelty of every step ``[T, N]``; none of padding."""
        return torch.where(rollout.weight > 0.0, self.novelty(rollout), 0.0)

    @abstractmethod
    def novelty(self, rollout: Rollout) -> Tensor:
        """What every step is worth before weight and scale, ``[T, N]``; nothing moves."""

    @abstractmethod
    def learn(self, rollout: Rollout) -> Metrics:
        """Take in the rollout; gradients are off but under ``torch.enable_grad()``."""

    def state_dict(self) -> State:
        """Scale and steps, and what a derived class adds."""
        return {"scale": self._scale.state_dict(), "steps": self._steps}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict``."""
        self._scale.load_state_dict(state["scale"])
        self._steps = state["steps"]
