"""Where the critic's fits lead, one by one and in the end, where its features can express the value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pgrobot.critics import Critic
from pgrobot.estimators import Estimator
from pgrobot.factories import CriticFactory, PolicyFactory
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.fitting import STEPS, fitted, products
from pgrobot.laboratory.look import Look, reach
from pgrobot.laboratory.regulator import Steered, steer
from pgrobot.laboratory.worlds import Regulator
from pgrobot.solvers import Solver


@dataclass(frozen=True)
class FittedValue:
    """A linear critic of the products ``x_i x_j`` ends at the regulator's value: at ``P_K``, least-squares TD's answer.

    Attributes:
        world: a regulator with one action, whose noise is independent by dimension.
        policy: a linear Gaussian one.
        critic: linear, reading the group ``products``.
        estimators: by name; of their targets.
        solver: descends the critic's loss, whatever its minibatch.
        fits: how many.
        discount: γ.
        seed: of the policy.
        tolerance: of every entry of ``P_K``, and of the value at the origin.
    """

    world: Regulator
    policy: PolicyFactory
    critic: CriticFactory
    estimators: Mapping[str, Estimator]
    solver: Callable[..., Solver]
    fits: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        steered = steer(self.world, self.policy, {}, self.discount, self.seed)
        model = steered.model
        cost = model.cost_matrix(steered.gain)
        origin = model.value(steered.gain, steered.deviation, np.zeros((1, len(cost))))
        outcomes: list[Outcome] = []
        for name, estimator in self.estimators.items():
            critic = fitted(steered, self.critic, estimator, self.solver, self.fits, self.seed)
            outcomes += _compare(name, critic, Value(cost, -float(origin[0])), self.tolerance)
        return outcomes


@dataclass(frozen=True)
class FittedReturns:
    """Every fit moves a critic as many steps of Bellman's operator as its target looks ahead.

    After ``k`` of them a critic that begins with nothing is at ``(Σ_m w_m T^m)^k 0``, with ``w_m`` the share of looking
    ``m`` steps ahead. So λ matters, which it does not where fits end.

    Attributes:
        world: a regulator with one action, whose noise is independent by dimension.
        policy: a linear Gaussian one.
        critic: linear, reading the group ``products``.
        looks: estimators by name.
        solver: descends the critic's loss to its minimum, whatever its minibatch.
        fits: how many.
        discount: γ.
        seed: of the policy.
        tolerance: of every entry of ``P``, and of the value at the origin.
    """

    world: Regulator
    policy: PolicyFactory
    critic: CriticFactory
    looks: Mapping[str, Look]
    solver: Callable[..., Solver]
    fits: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        steered = steer(self.world, self.policy, {}, self.discount, self.seed)
        outcomes: list[Outcome] = []
        for name, look in self.looks.items():
            critic = fitted(steered, self.critic, look.estimator, self.solver, self.fits, self.seed)
            outcomes += _compare(name, critic, self._exact(steered, look.target), self.tolerance)
        return outcomes

    def _exact(self, steered: Steered, shares: Sequence[float]) -> Value:
        weights = reach(shares, STEPS)[0].numpy()
        exact = Value(np.zeros_like(steered.model.dynamics), 0.0)
        for _ in range(self.fits):
            ahead = [bellman(steered, exact)]
            while len(ahead) < STEPS:
                ahead.append(bellman(steered, ahead[-1]))
            exact = Value(
                np.tensordot(weights, np.stack([value.cost for value in ahead]), axes=1),
                float(weights @ np.array([value.constant for value in ahead])),
            )
        return exact


@dataclass(frozen=True)
class Value:
    """``−xᵀ P x − c``.

    Attributes:
        cost: ``P`` ``[n, n]``.
        constant: ``c``.
    """

    cost: np.ndarray
    constant: float


def bellman(steered: Steered, value: Value) -> Value:
    """What a step of the policy pays and where it leads, once ``value`` is what follows."""
    model, gain, variance = steered.model, steered.gain, np.diag(steered.deviation**2)
    closed = model.dynamics - model.control @ gain
    spread = model.noise + model.control @ variance @ model.control.T
    return Value(
        model.state_cost
        + gain.T @ model.action_cost @ gain
        + model.discount * closed.T @ value.cost @ closed,
        float(np.trace(model.action_cost @ variance))
        + model.discount * (float(np.trace(value.cost @ spread)) + value.constant),
    )


def _compare(name: str, critic: Critic, exact: Value, tolerance: float) -> Sequence[Outcome]:
    size = len(exact.cost)
    origin = _value(critic, np.zeros((1, size)))
    return [
        compare(f"{name}, P", _cost_matrix(critic, size), exact.cost, tolerance),
        compare(f"{name}, value at the origin", origin, np.array([-exact.constant]), tolerance),
    ]


def _value(critic: Critic, state: np.ndarray) -> np.ndarray:
    value: np.ndarray = critic.value(products(state)).detach().numpy()[:, 0]
    return value


def _cost_matrix(critic: Critic, size: int) -> np.ndarray:
    """``P`` of the value ``−xᵀP x − c``, by polarisation."""
    unit = np.eye(size)
    cost = lambda state: _value(critic, 0.0 * state) - _value(critic, state)
    return np.array(
        [[(cost((x + y)[None]) - cost(x[None]) - cost(y[None]))[0] / 2 for x in unit] for y in unit]
    )
