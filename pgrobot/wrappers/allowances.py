"""What every running episode has spent of what its budgets let an episode spend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch

from pgrobot.constraints import Constraint
from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import Range
from pgrobot.types import EnvironmentSpec, State

ALL = "all"
Names = Annotated[
    str | Sequence[str],
    Range(
        lambda value: (
            value == ALL or (isinstance(value, list) and value and all(isinstance(v, str) for v in value))
        ),
        lambda value: value,
        lambda value: f"must be all, or a list of constraints, such as [speed], not {shown(value)}",
    ),
]


class Allowances:
    """Allowances ``d_k`` of episodes, and what the running ones have spent of them: ``Σ_t γ_k^t c_k,t``.

    The allowance is the budget of the units ``episode`` and ``discounted``, the latter with the costs' discount, and
    the ``limit`` of ``probability``. A unit ``step`` lets a step spend something, and an episode nothing in particular.
    A budget with a schedule is what it is where an episode begins, for all of that episode; a ``limit`` has none.

    Args:
        owner: the wrapper that asks, ``wrapper.saute``.
        spec: of what is wrapped.
        constraints: all there are.
        costs: the names of those that count, or ``all``.
        discount: of the costs.
        annealing_steps: environment steps, of all ``N`` together, over which budgets with a schedule are tightened; 0:
            they are the last ones from the first step on.

    Attributes:
        names: of the ``K`` constraints that count.
        amount: their last allowances, ``[K]``.

    Raises:
        PgrobotError: there is no such constraint, or none, or one of a unit that says nothing of an episode.
    """

    def __init__(
        self,
        owner: str,
        spec: EnvironmentSpec,
        constraints: Sequence[Constraint],
        costs: str | Sequence[str],
        discount: float,
        annealing_steps: int,
    ) -> None:
        known = {constraint.name: constraint for constraint in constraints}
        self.names = tuple(known) if isinstance(costs, str) else tuple(dict.fromkeys(costs))
        if not self.names:
            raise PgrobotError(
                f"{owner} acts on what is limited, and nothing is: choose a constraint, or leave it out"
            )
        for name in self.names:
            if name not in known:
                raise PgrobotError(
                    f"{owner}.costs names {name!r}, which is no constraint: {nearest(name, known)}"
                )
        self._counted = counted = [known[name] for name in self.names]
        for constraint in counted:
            _check_unit(owner, constraint, spec.max_episode_steps)
        self.amount = self._allowed_at(math.inf)
        self._columns = [spec.costs.index(name) for name in self.names]
        self._discount = np.array([discount if c.unit == "discounted" else 1.0 for c in counted])
        self._spent = np.zeros((spec.num_envs, len(counted)))
        self._fade = np.ones_like(self._spent)  # γ^t
        self._annealing_steps = annealing_steps
        self._steps = 0.0  # of the environments, all together
        self._allowed = np.tile(self.amount, (spec.num_envs, 1))  # by the running episodes

    def spend(self, cost: np.ndarray) -> None:
        """Take in a step's costs, ``[N, …]`` of all constraints."""
        self._spent += self._fade * cost[:, self._columns]
        self._fade *= self._discount
        self._steps += len(cost)

    def begin(self, ids: np.ndarray) -> None:
        """New episodes begin in environments ``ids``."""
        self._spent[ids], self._fade[ids] = 0.0, 1.0
        done = self._steps / self._annealing_steps if self._annealing_steps else math.inf
        self._allowed[ids] = self._allowed_at(done)

    @property
    def left(self) -> np.ndarray:
        """The share that is left, ``z ← (z − c / d) / γ`` from 1 on: ``(d − Σ γ^t c) / (d γ^t)``, ``[N, K]``."""
        left: np.ndarray = (self._allowed - self._spent) / (self._allowed * self._fade)
        return left

    @property
    def exceeded(self) -> np.ndarray:
        """Which episodes have spent more than any of their allowances, ``[N]`` bool."""
        return np.asarray((self._spent > self._allowed).any(axis=1))

    def state_dict(self) -> State:
        """What the running episodes have spent and may spend, and how far the schedules are."""
        rows = {"spent": self._spent, "fade": self._fade, "allowed": self._allowed}
        return {"steps": self._steps} | {key: torch.from_numpy(value.copy()) for key, value in rows.items()}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``; one of before there were schedules here goes on with the last budgets."""
        self._spent, self._fade = (state[key].numpy().copy() for key in ("spent", "fade"))
        self._steps = state.get("steps", math.inf)
        self._allowed[:] = state["allowed"].numpy() if "allowed" in state else self.amount

    def _allowed_at(self, progress: float) -> np.ndarray:
        """The allowances ``[K]`` of an episode that begins at ``progress``, a share of the annealing steps."""
        return np.array([c.limit if c.unit == "probability" else c.at(progress) for c in self._counted])


def _check_unit(owner: str, constraint: Constraint, steps: int) -> None:
    if constraint.unit != "step":
        return
    node = f"constraint.{constraint.name}"
    raise PgrobotError(
        f"{owner} counts what an episode spends, and {node}.unit=step limits a mean over steps: {node}.unit=episode "
        f"{node}.budget={constraint.budget * steps:g} is as much over the {steps:,} steps of an episode; or name "
        f"others in {owner}.costs"
    )


def instead(
    reward: np.ndarray, terms: np.ndarray, where: np.ndarray, other: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pay something else in some steps.

    Args:
        reward: ``[N]``.
        terms: ``[N, R]``, which sum to it.
        where: in which environments, ``[N]`` bool.
        other: what is paid there.

    Returns:
        The reward, and its terms with one more, by which they sum to it again.
    """
    change = np.where(where, other - reward, 0.0)
    return np.where(where, other, reward), np.concatenate((terms, change[:, None]), axis=1)
