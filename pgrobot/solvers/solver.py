"""What a solver is, and what makes one."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from pgrobot.solvers.problem import Problem, Report
from pgrobot.types import State


class Solver(Protocol):
    """Moves the vector it was made for.

    Attributes:
        rate: of the latest step: a learning rate, or what a step of another kind multiplies its direction by.
        needs_policy: whether it asks its problem about a policy, so that it cannot fit a critic; by default not.
        reads_reference: whether where it moves to depends on distances from the reference policy; one that does not
            say so may. Where it leaves the choice to an ``acceptance``, that says whether it does.
        kl_before_step: whether the KL that it reports and follows is measured where each of its steps begins; by
            default not.
        keeps_budgets: whether it keeps its policy to the budgets by itself, so that no multiplier should price them;
            by default not.
        solves: of one that is made of solvers, the key of the one that solves the problem it was made for; the others
            solve the objectives that are parameters of its own. By default none: it solves that problem itself.
    """

    needs_policy: ClassVar[bool]
    reads_reference: ClassVar[bool]
    kl_before_step: ClassVar[bool]
    keeps_budgets: ClassVar[bool]
    solves: ClassVar[str]
    rate: float

    def anneal(self, progress: float) -> None:
        """Set what follows a schedule; ``progress`` in [0, 1) is the share of it that is done."""
        ...

    def solve(self, batch: Any) -> tuple[Report, bool]:
        """Move; return scalar metrics, and whether this rollout's passes should end here."""
        ...

    def rescale(self, factor: Tensor) -> None:
        """Remember of past gradients ``factor`` ``[P]`` times as much: the unit of some parameters has changed."""
        ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


class SolverFactory(Protocol):
    """A solver but for what the learner knows."""

    def __call__(self, *, vector: Tensor, problem: Problem, generator: torch.Generator) -> Solver: ...
