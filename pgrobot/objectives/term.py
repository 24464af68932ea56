"""What a term of the objective is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution
from pgrobot.errors import PgrobotError
from pgrobot.origin import Origin
from pgrobot.types import EnvironmentSpec

Reads = Callable[[Mapping[str, Tensor]], Tensor]  # of observation groups


def as_it_is(x: Tensor) -> Tensor:
    """What a process that trains alone has everywhere."""
    return x


def nothing_to_read(_: Any) -> Tensor:
    """For a policy of which nobody has asked for more than its distribution."""
    raise PgrobotError(
        "this policy has no encoder, and the term no network: see pgrobot.objectives.Auxiliary"
    )


@dataclass(frozen=True, slots=True)
class PriorAt:
    """The policy that a run began as, for terms that keep to it: they declare ``reads_prior``.

    Attributes:
        here: its distribution on every row of the batch.
        moved: by how much each parameter has moved since, ``[P]``.
    """

    here: Callable[[], Distribution]
    moved: Callable[[], Tensor]


@dataclass(frozen=True, slots=True)
class PolicyAt:
    """The policy at some parameters, for terms that look at other states than those of the batch as well.

    Attributes:
        here: its distribution on every row of the batch.
        ask: its distribution anywhere else: see ``__call__``.
        prior: the policy that the run began as.
        encode: what its encoder makes of observation groups ``[…, D]``: features ``[…, F]``.
        inputs: what its network reads of them, normalised: ``[…, I]``.
        networks: of terms that have one, by the term's name, at the same parameters.
        own: that of the term that is asking.
        everywhere: a mean over the batch's rows as one over those of all processes: see ``pgrobot.reduce.everywhere``.
            A value that is not linear in its means asks for them so.
    """

    here: Distribution
    ask: Callable[[Mapping[str, Tensor], Tensor, Tensor], Distribution]
    prior: PriorAt
    encode: Reads = nothing_to_read
    inputs: Reads = nothing_to_read
    networks: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    own: Callable[[Tensor], Tensor] = nothing_to_read
    everywhere: Callable[[Tensor], Tensor] = as_it_is

    def of(self, term: str) -> PolicyAt:
        """The same for a term, with the network that is its own."""
        return replace(self, own=self.networks[term]) if term in self.networks else self

    def __call__(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> Distribution:
        """The policy at the same parameters on any rows, which do not depend on each other.

        Args:
            obs: observation groups, ``[…, D]``.
            carry: what it remembers before each row, ``[…, H]``: of the batch's own rows ``batch.carry``.
            episode_start: ``[…]`` bool; the carry is forgotten there.
        """
        return self.ask(obs, carry, episode_start)


class Objective(Protocol):
    """One named, weighted term. Maximised; pure; scalar.

    What it reads is declared on its class, for whoever composes terms: a config whose term does not say so is refused.

    Attributes:
        reads_advantage: whether its value depends on the batch's advantage.
        multiplies_ratio: whether it multiplies the advantage by π/μ, the policy's probability of the action over
            that of the policy that acted. One that does not, as ``log π`` times the advantage, has the policy's
            gradient only where the two are the same.
        reads_reference: whether it measures distances from the batch's reference policy.
        reads_prior: whether it keeps to the policy that the run began as; one that does not say so does not.
        follows_kl: whether its weight follows the KL by which the policy moves.
        scheduled: whether its weight changes from update to update by itself; one that does not say so keeps it.
        adds_control_back: whether it adds back the expectation of what a baseline that depends on the action took.
        keeps_budgets: whether it keeps the policy to the budgets by itself, so that no multiplier should price them.
        reports: names of metrics that a learning rate may follow; a term that does not say so has none.
        reads_successor: whether it reads ``batch.next_obs``, which is empty where no term does.
        has_network: whether it learns parameters of its own beside the policy's; see ``Auxiliary``.
        imitates: whether it makes actions likelier as they stand, at any policy: it is no estimate of the policy
            gradient, which a ratio would have to correct.
        clones: whether it takes the rollout's actions for demonstrations.
    """

    reads_advantage: ClassVar[bool]
    multiplies_ratio: ClassVar[bool]
    reads_reference: ClassVar[bool]
    follows_kl: ClassVar[bool]
    adds_control_back: ClassVar[bool]
    keeps_budgets: ClassVar[bool]
    reads_successor: ClassVar[bool]
    has_network: ClassVar[bool]
    imitates: ClassVar[bool]
    clones: ClassVar[bool]

    @property
    def weight(self) -> float:
        """The weight in the sum of the terms; the initial one where it adapts."""
        ...

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the unweighted value, a scalar, and scalar metrics by name.

        Means over the rows are ``batch.mean``, which leaves out what is not to be learnt from.
        """
        ...

    def adapt(self, weight: float, kl: float) -> float:
        """The weight that follows ``weight`` after an update that moved the policy by ``kl`` nats; pure as well."""
        ...


@dataclass(frozen=True, slots=True)
class TermContext:
    """What a term that is ``_partial_`` is told of the learner whose objective it is part of.

    Attributes:
        spec: of the environment.
        origin: the policy's, from which it reads observations.
        action_size: width of what the policy draws.
        carry_size: width of what it remembers between steps.
        rows: of a rollout, all environments together.
        seed: of the run.
    """

    spec: EnvironmentSpec
    origin: Origin
    action_size: int
    carry_size: int
    rows: int
    seed: int


class TermFactory(Protocol):
    """A term that has to know its learner; one that does not is no ``_partial_``."""

    def __call__(self, *, context: TermContext) -> Objective: ...


class Supplied(Protocol):
    """A term that looks at more than the batch, which it brings along itself."""

    @property
    def sha256(self) -> str:
        """The hash of what it looks at, which a run that goes on has to find again."""
        ...

    def ready(self) -> None:
        """Find what it looks at, before training begins; again it does nothing.

        Raises:
            PgrobotError: it is missing, or does not fit.
        """
        ...

    def show(self, update: int) -> None:
        """Put in place, in the same tensors, what update number ``update`` looks at: nothing else it depends on."""
        ...


class FixedWeight:
    """For terms whose weight stays what it is, and which do none of the following unless they say so."""

    reads_reference: ClassVar[bool] = False
    reads_prior: ClassVar[bool] = False
    follows_kl: ClassVar[bool] = False
    scheduled: ClassVar[bool] = False
    adds_control_back: ClassVar[bool] = False
    keeps_budgets: ClassVar[bool] = False
    reads_successor: ClassVar[bool] = False
    has_network: ClassVar[bool] = False
    imitates: ClassVar[bool] = False
    clones: ClassVar[bool] = False

    def adapt(self, weight: float, kl: float) -> float:
        del kl
        return weight


def probability_ratio(distribution: Distribution, batch: Batch) -> Tensor:
    """``ρ = π(a|s) / μ(a|s)`` of the joint actions taken, against the policy that acted: ``[…]``."""
    return torch.exp(distribution.log_prob(batch.action) - batch.log_prob)
