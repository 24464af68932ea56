"""A learning step as a small constrained problem in the parameters, pure in them.

Because nothing here touches a module, a line search evaluates candidates freely, a Fisher product is a derivative
of ``kl``, and a test differentiates the very object that trains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch, CriticBatch
from pgrobot.critics import Critic
from pgrobot.distributions import Distribution
from pgrobot.errors import PgrobotError
from pgrobot.objectives import Objective, PolicyAt, PriorAt, Supplied
from pgrobot.policies import Policy
from pgrobot.reduce import ALONE, Reduce, everywhere
from pgrobot.sequences import along_chunks, asked, unrolled
from pgrobot.solvers.parameters import FlatParameters
from pgrobot.solvers.prior import Prior
from pgrobot.solvers.transform import Layout
from pgrobot.types import Metrics

Report = dict[str, Tensor]  # scalar metrics by name

_SCORES_AT_ONCE = 256  # rows whose gradients are held in memory together


class Problem(Protocol):
    """What a solver that needs only a loss asks for.

    Attributes:
        sequence: steps per row of the batch: a row is one step, or a chunk of them.
        reduce: what several processes agree on.
    """

    @property
    def sequence(self) -> int: ...

    @property
    def reduce(self) -> Reduce: ...

    @property
    def layout(self) -> Layout:
        """The shapes of the parameters by name, in the order of the vector."""
        ...

    def loss(self, vector: Tensor, batch: Any) -> tuple[Tensor, Report]:
        """Return the scalar to minimise at the parameters ``vector`` ``[P]``, and scalar metrics."""
        ...

    def project(self, vector: Tensor) -> Tensor:
        """The nearest parameters ``[P]`` that are allowed: where a solver moves, and where it looks."""
        ...


class Unbounded:
    """For problems of one process and of single steps, whose parameters may be anything, and have no names."""

    sequence = 1
    reduce: Reduce = ALONE
    layout: Layout = MappingProxyType({})

    def project(self, vector: Tensor) -> Tensor:
        """The parameters ``[P]`` as they are."""
        return vector

    def free(self, vector: Tensor, direction: Tensor) -> Tensor:
        """No parameter is held: ``[P]``, true."""
        del direction
        return torch.ones_like(vector, dtype=torch.bool)


class PolicyProblem:
    """Maximise the weighted objective terms, with the costs and the distance from the reference policy at hand.

    Args:
        policy: read for its structure; its parameters are those handed to each function.
        parameters: the layout of the vector.
        terms: the objective's terms by name.
        reduce: what several processes agree on.
        constraints: names of what the batch's cost columns are limited by, in their order.
        auxiliary: networks of terms, by the term's name; their parameters lie in the vector.

    Attributes:
        constraints: likewise.
        parameters: the layout of the vector.
        weights: of the terms, in their order; a term may let its own follow the KL.
        reads_prior: whether a term keeps to the policy that the run began as.
        prior: that policy; the policy when this was made, until ``begin`` or a state says otherwise.
        reports: names of the terms' metrics that a rate may follow.
    """

    def __init__(
        self,
        policy: Policy,
        parameters: FlatParameters,
        terms: Mapping[str, Objective],
        reduce: Reduce = ALONE,
        constraints: Sequence[str] = (),
        auxiliary: Mapping[str, nn.Module] = MappingProxyType({}),
    ) -> None:
        self.constraints = tuple(constraints)
        self.auxiliary = dict(auxiliary)
        self.weights = torch.tensor([term.weight for term in terms.values()], dtype=torch.float64)
        self.reports = frozenset(name for term in terms.values() for name in getattr(term, "reports", ()))
        self.sequence = policy.sequence
        self.reduce = reduce
        self._policy = policy
        self.parameters = parameters
        self._terms = dict(terms)
        self.reads_prior = any(getattr(term, "reads_prior", False) for term in terms.values())
        self.prior = Prior.of(policy, parameters)

    @property
    def layout(self) -> Layout:
        """The shapes of the policy's parameters by name, in the order of the vector."""
        return self.parameters.layout

    def distribution(self, vector: Tensor, batch: Batch) -> Distribution:
        """The policy at ``vector`` ``[P]`` on every row of the batch."""
        return self.at(vector, batch).here

    def at(self, vector: Tensor, batch: Batch) -> PolicyAt:
        """The policy at ``vector`` ``[P]``, on the batch and anywhere else."""
        return self.elsewhere(vector, batch, self._on(self.parameters.views(vector), batch))

    def elsewhere(self, vector: Tensor, batch: Batch, here: Distribution) -> PolicyAt:
        """``at`` where it is known what the policy says of the batch."""
        parameters = self.parameters.views(vector)
        return PolicyAt(
            here=here,
            ask=self.ask(vector),
            prior=self.prior_at(vector, batch),
            encode=partial(asked, self._policy, "encode", parameters),
            inputs=partial(asked, self._policy, "inputs", parameters),
            networks={
                term: partial(functional_call, network, self.parameters.beside(vector, term))
                for term, network in self.auxiliary.items()
            },
            everywhere=partial(everywhere, self.reduce),
        )

    def prior_at(self, vector: Tensor, batch: Batch) -> PriorAt:
        """The policy that the run began as, seen from ``vector`` ``[P]``.

        Where rows are not independent it begins a chunk with what the policy remembers there.
        """
        prior, own = self.prior, self.parameters.own
        return PriorAt(lambda: self._on(prior.state, batch), lambda: own(vector - prior.vector))

    def begin(self) -> None:
        """Take the policy as it is now for the one that the run began as."""
        self.prior = Prior.of(self._policy, self.parameters)

    def _on(self, parameters: Mapping[str, Tensor], batch: Batch) -> Distribution:
        """The policy with such parameters on every row of the batch."""
        if unrolled(self._policy):
            return along_chunks(self._policy, parameters, batch, batch.action)
        rows = batch.obs, batch.carry, batch.episode_start
        said: Distribution = functional_call(self._policy, dict(parameters), rows)[0]
        return said

    def ask(self, vector: Tensor) -> Callable[[Mapping[str, Tensor], Tensor, Tensor], Distribution]:
        """What ``at`` says of rows anywhere."""
        parameters = self.parameters.views(vector)

        def ask(obs: Mapping[str, Tensor], carry: Tensor, start: Tensor) -> Distribution:
            said: Distribution = functional_call(self._policy, parameters, (obs, carry, start))[0]
            return said

        return ask

    def loss(self, vector: Tensor, batch: Batch) -> tuple[Tensor, Report]:
        """Minus the objective; reports every term and the mean KL from the reference policy.

        What two terms report by one name stands under the first one's as it is, under another's with its name behind.
        """
        policy = self.at(vector, batch)
        loss = torch.zeros((), dtype=vector.dtype)
        report: Report = {}
        for weight, (name, term) in zip(self.weights.to(vector.dtype), self._terms.items(), strict=True):
            value, metrics = _told(name, term, policy, batch)
            loss = loss - weight * value
            report[f"objective/{name}"] = value
            report |= {f"{key}/{name}" if key in report else key: metric for key, metric in metrics.items()}
        report |= {"loss/policy": loss, "policy/kl": batch.mean(batch.reference.kl(policy.here))}
        return loss, report

    def project(self, vector: Tensor) -> Tensor:
        """The nearest parameters ``[P]`` within their bounds."""
        return self.parameters.project(vector)

    def free(self, vector: Tensor, direction: Tensor) -> Tensor:
        """Which parameters at ``vector`` ``[P]`` no bound keeps from going along ``direction``: ``[P]`` bool."""
        return self.parameters.free(vector, direction)

    def contributions(self, vector: Tensor, batch: Batch) -> Report:
        """What every term adds to the objective, by its name: its value times its weight, a scalar each."""
        return self.contributions_of(self.at(vector, batch), batch)

    def contributions_of(self, policy: PolicyAt, batch: Batch) -> Report:
        """``contributions`` of any policy, whatever it has for parameters."""
        weights = self.weights.to(batch.log_prob.dtype)
        return {
            name: weight * _told(name, term, policy, batch)[0]
            for weight, (name, term) in zip(weights, self._terms.items(), strict=True)
        }

    def about(self, parameters: FlatParameters, weights: Tensor) -> PolicyProblem:
        """The same terms, at other weights, about the policy with other tensors."""
        other = PolicyProblem(
            self._policy, parameters, self._terms, self.reduce, self.constraints, self.auxiliary
        )
        other.weights.copy_(weights)
        other.prior = self.prior
        return other

    def with_terms(self, terms: Mapping[str, Objective]) -> PolicyProblem:
        """Other terms, about the same policy with the same parameters."""
        other = PolicyProblem(
            self._policy, self.parameters, terms, self.reduce, self.constraints, self.auxiliary
        )
        other.prior = self.prior
        return other

    def ready(self) -> None:
        """Let every term that looks at more than batches find it; raises PgrobotError where there is none."""
        for term in self._supplied.values():
            term.ready()

    def show(self, update: int) -> None:
        """Let those terms put in place what an update looks at."""
        for term in self._supplied.values():
            term.show(update)

    @property
    def supplied(self) -> dict[str, str]:
        """The hashes of what those terms look at, by name."""
        return {name: term.sha256 for name, term in self._supplied.items()}

    def check_supplied(self, before: Mapping[str, str]) -> None:
        """Refuse to go on with something else than ``before``.

        Raises:
            PgrobotError: names the term.
        """
        for name, found in self.supplied.items():
            if before.get(name, found) != found:
                raise PgrobotError(
                    f"algorithm.objective.{name}.file holds something else than what the run learnt from until now: a "
                    "run that goes on needs the same file, and one with another begins anew"
                )

    @property
    def _supplied(self) -> dict[str, Supplied]:
        return {name: term for name, term in self._terms.items() if _is_supplied(term)}

    def adapt(self, kl: float) -> Metrics:
        """Let every term's weight follow the mean KL, in nats, by which an update moved the policy.

        Returns:
            The weight that the update had, of every term whose weight is not fixed.
        """
        metrics: Metrics = {}
        adapted = []
        for weight, (name, term) in zip(self.weights.tolist(), self._terms.items(), strict=True):
            adapted.append(term.adapt(weight, kl))
            # a term that does not say whether its weight follows the KL may let it
            if getattr(term, "follows_kl", True) or getattr(term, "scheduled", False):
                metrics[f"objective/{name}/weight"] = weight
        self.weights.copy_(torch.tensor(adapted, dtype=torch.float64))
        return metrics

    def score_norm(self, vector: Tensor, batch: Batch) -> Tensor:
        """``‖∇ log π(a|s)‖²`` of every step in all parameters, ``[B]``, of chunks ``[B, L]``."""

        def log_prob(vector: Tensor, row: Batch) -> Tensor:
            chunk = pytree.tree_map(lambda x: x.unsqueeze(0), row)
            return self.distribution(vector, chunk).log_prob(chunk.action).squeeze(0)

        def squared(row: Batch) -> Tensor:
            return jacrev(log_prob)(vector, row).square().sum(-1)

        at_once = max(_SCORES_AT_ONCE // self.sequence, 1)
        norms: Tensor = vmap(squared, chunk_size=at_once)(batch)
        return norms

    def kl(self, vector: Tensor, batch: Batch) -> Tensor:
        """Mean KL(reference ‖ policy at ``vector``) in nats, a scalar."""
        return batch.mean(batch.reference.kl(self.distribution(vector, batch)))

    def costs(self, vector: Tensor, batch: Batch) -> Tensor:
        """First-order change of each cost per step, ``[K]``: the mean of the ratio times its advantage.

        In the unit of the batch's ``slack``, for solvers that keep to the budgets by themselves.
        """
        log_ratio = self.distribution(vector, batch).log_prob(batch.action) - batch.log_prob
        change = log_ratio.exp().unsqueeze(-1) * batch.cost_advantage
        return torch.cat([change.new_zeros(0), *(batch.mean(c).view(1) for c in change.unbind(-1))])


def _told(name: str, term: Objective, policy: PolicyAt, batch: Batch) -> tuple[Tensor, Report]:
    """What a term, which may be of the user's own, returned.

    Raises:
        PgrobotError: it is not a scalar and scalar metrics.
    """
    found: Any = term(policy.of(name), batch)
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping):
        value, metrics = found
        wrong = [key for key, part in (("its value", value), *metrics.items()) if not _is_scalar(part)]
        if not wrong:
            return value, dict(metrics)
        why = f"{wrong[0]} is no scalar tensor"
    else:
        why = f"it returned a {type(found).__name__}"
    raise PgrobotError(
        f"algorithm.objective.{name} has to return a scalar tensor and a dict of scalar tensors, but {why} "
        f"({type(term).__module__}.{type(term).__qualname__})"
    )


def _is_supplied(term: Any) -> TypeGuard[Supplied]:
    return callable(getattr(term, "ready", None)) and callable(getattr(term, "show", None))


def _is_scalar(part: Any) -> bool:
    return isinstance(part, Tensor) and part.dim() == 0


class CriticProblem:
    """Regress every column's scaled value on its target: half the squared error, summed over columns.

    See docs/derivations.md#critic.
    """

    def __init__(self, critic: Critic, parameters: FlatParameters, reduce: Reduce = ALONE) -> None:
        self.sequence = critic.sequence
        self.reduce = reduce
        self._critic = critic
        self._parameters = parameters

    @property
    def layout(self) -> Layout:
        """The shapes of the critic's parameters by name, in the order of the vector."""
        return self._parameters.layout

    def loss(self, vector: Tensor, batch: CriticBatch) -> tuple[Tensor, Report]:
        """Return the mean over rows."""
        parameters = self._parameters.views(vector)
        if unrolled(self._critic):
            prediction = along_chunks(self._critic, parameters, batch)
        else:
            rows = batch.obs, batch.carry, batch.episode_start
            prediction, _ = functional_call(self._critic, parameters, rows)
        error = prediction - batch.target / self._critic.scale
        loss = 0.5 * batch.mean(error.square().sum(-1))
        return loss, {"loss/value": loss}

    def project(self, vector: Tensor) -> Tensor:
        """The nearest parameters ``[P]`` within their bounds."""
        return self._parameters.project(vector)
