"""Demonstrations as a term beside a surrogate."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.demonstrations import (
    Demonstrations,
    LearntRows,
    as_learnt,
    check_against,
    named,
    read_demonstrations,
)
from pgrobot.errors import PgrobotError
from pgrobot.objectives.term import FixedWeight, PolicyAt, TermContext
from pgrobot.randomness import stream
from pgrobot.ranges import at_least, between


class Demonstration(FixedWeight):
    """DAPG's term (Rajeswaran et al. 2018, arXiv 1709.10087, eq. 5): the log-likelihood of what was demonstrated.

    ``(N_d / N_π) · mean log π(a|s)`` over the ``N_d`` rows of the demonstrations, with ``N_π`` the rows of a rollout,
    so that demonstrations and rollout are one sample. The weight is ``λ0 λ1^k`` in update ``k``: what is shown leads at
    first and biases nothing in the end. Beside an advantage of deviation one the factor ``max A`` of the paper is left
    out, as in the authors' own code. A metric of the solver's does not see it: it is averaged over the rollout alone.

    See docs/derivations.md#demonstrations.

    Args:
        file: the demonstrations, as of ``read_demonstrations``.
        weight: λ0.
        decay: λ1, per update.
        rows: how many rows an update looks at, drawn anew for each; 0: all. The mean is over these, and counts for all.
        context: of the learner.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    scheduled: ClassVar[bool] = True

    def __init__(
        self,
        file: Annotated[str, named],
        weight: Annotated[float, at_least(0.0)],
        decay: Annotated[float, between(0.0, 1.0)],
        rows: Annotated[int, at_least(0)],
        context: TermContext,
    ) -> None:
        self.weight = weight
        self._file = file
        self._decay = decay
        self._rows = rows
        self._context = context
        self._demonstrations: list[Demonstrations] = []
        self._read: list[LearntRows] = []
        self._obs: dict[str, Tensor] = {}
        self._action = self._carry = self._start = torch.zeros(0)
        self._share = 0.0
        self._sha256 = ""

    def ready(self) -> None:
        """Read the file.

        Raises:
            PgrobotError: there is none, it is of another robot, or the policy is none whose actions are shown.
        """
        if self._demonstrations:
            return
        context = self._context
        if context.carry_size or context.action_size != len(context.spec.actions):
            what = "remembers" if context.carry_size else "draws more than actions"
            raise PgrobotError(
                f"The rows of {self._file} are asked one by one, and a policy that {what} cannot be: use another "
                "policy, or scheme=clone, which shows them in their order"
            )
        found = read_demonstrations(self._file)
        check_against(found, context.spec)
        if self._rows > len(found):
            raise PgrobotError(
                f"{found.source} has {len(found)} rows, of which an update cannot see {self._rows}"
            )
        self._demonstrations.append(found)
        self._sha256 = found.sha256
        self._share = len(found) / context.rows

    @property
    def sha256(self) -> str:
        """The hash of the demonstrations."""
        self.ready()
        return self._sha256

    def show(self, update: int) -> None:
        """Put the rows of an update in place, read from the policy's origin."""
        self.ready()
        found, context = self._demonstrations[0], self._context
        if not self._read:  # the origin is fixed once something was collected
            self._read.append(as_learnt(found, context.spec, context.origin))
        elif not self._rows:
            return
        rows = self._read[0]
        chosen = torch.arange(len(found))
        if self._rows:
            generator = stream(context.seed, f"demonstrations/{update}")
            chosen = torch.randperm(len(found), generator=generator)[: self._rows]
        if not self._obs:  # tensors that stay, for a compiled step takes hold of them
            self._obs = {name: torch.empty_like(value[chosen]) for name, value in rows.obs.items()}
            self._action = torch.empty_like(rows.action[chosen])
            self._carry = torch.zeros(len(chosen), 0)
            self._start = torch.zeros(len(chosen), dtype=torch.bool)
        for name, value in self._obs.items():
            value.copy_(rows.obs[name][chosen])
        self._action.copy_(rows.action[chosen])

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        kind = batch.log_prob.dtype
        obs = {name: x.to(kind) if x.is_floating_point() else x for name, x in self._obs.items()}
        mean = policy(obs, self._carry, self._start).log_prob(self._action.to(kind)).mean()
        return self._share * mean, {"demonstration/nll": -mean}

    def adapt(self, weight: float, kl: float) -> float:
        """λ1 times as much in the next update."""
        del kl
        return weight * self._decay
