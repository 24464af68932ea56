"""What a baseline is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from pgrobot.batch import BaselineInput


@dataclass(frozen=True, slots=True)
class Controlled:
    """What is left of the returns once the baseline is taken out."""

    advantage: Tensor  # [T, N]
    control: Tensor  # what the objective has to add back in expectation, [T, N, W]; width 0: nothing


class Baseline(Protocol):
    """Takes from every return what can be known without it.

    Attributes:
        depends_on_action: whether what it takes depends on the action, so that a term has to add its expectation back.
            Configs are checked by what the class declares; of one that does not, nothing is asked.
    """

    depends_on_action: ClassVar[bool]

    def __call__(self, given: BaselineInput) -> Controlled: ...


def uncontrolled(advantage: Tensor) -> Controlled:
    """What is left by a baseline that does not depend on the action: nothing has to be added back."""
    return Controlled(advantage, advantage.new_zeros(*advantage.shape, 0))
