"""The critic's value as a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pgrobot.baselines.baseline import Controlled, uncontrolled
from pgrobot.batch import BaselineInput


@dataclass(frozen=True)
class Value:
    """``A = Ĝ − V(s)``: the advantage as the estimator gave it; ``Ĝ − V(s, t)`` where the critic reads the time.

    See docs/derivations.md#baselines.
    """

    depends_on_action: ClassVar[bool] = False

    def __call__(self, given: BaselineInput) -> Controlled:
        return uncontrolled(given.advantage)
