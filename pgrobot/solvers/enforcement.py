"""Where a step goes that has to keep to budgets: small problems in the span of a few directions, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol

import numpy as np

from pgrobot.ranges import one_of
from pgrobot.solvers.programs import Array, furthest, least_excess, nearest

CASES = ("free", "bound", "restoring", "recovery")
METRICS = ("kl", "l2")  # in which a projection is the nearest point
_EXACT = 1e-9  # relative distance from the radius at which it is reached


@dataclass(frozen=True, slots=True)
class LocalProblem:
    """The quadratic model of a step ``x = Σ z_j d_j`` along ``J`` directions, the first of them the reward's.

    Attributes:
        gain: of the objective along each direction, ``[J]``.
        rows: of each cost along each, ``[K, J]``.
        room: what each cost may change by, ``[K]``; negative where its budget is exceeded.
        metric: in which steps are compared, ``[J, J]``.
        kl: ``½ zᵀ kl z`` is the mean KL that a step is predicted to bring, ``[J, J]``.
        reach: how far along the first direction the step goes that knows no budgets.
        radius: the KL that a step may bring, in nats, above zero.
        resolution: relative size of what is rounding in the products above.
    """

    gain: Array
    rows: Array
    room: Array
    metric: Array
    kl: Array
    reach: float
    radius: float
    resolution: float

    def basis(self) -> Array:
        """Combinations of the directions that are orthonormal in the metric, ``[R, J]``: all that rounding leaves."""
        scale = np.sqrt(np.clip(np.diag(self.metric), 0.0, None))
        scale = np.where(scale > 0.0, 1.0 / np.where(scale > 0.0, scale, 1.0), 0.0)
        values, vectors = np.linalg.eigh(scale[:, None] * self.metric * scale)
        kept = values > self.resolution * max(float(values.max()), 0.0)
        return (vectors[:, kept] / np.sqrt(values[kept])).T * scale

    def spent(self, z: Array) -> float:
        """The KL that the model predicts of a step."""
        return float(0.5 * z @ self.kl @ z)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an enforcement decided.

    Attributes:
        z: the step along each direction, ``[J]``.
        case: one of ``CASES``.
        price: of each cost, in gain per unit of it, ``[K]``; zeros in a recovery, where no gain counts.
        unit: in which a recovery compares excesses: what a step of length one changes of each cost at most, ``[K]``.
    """

    z: Array
    case: str
    price: Array
    unit: Array


class Enforcement(Protocol):
    """Decides where a step goes that would break a limit if it went where the reward alone leads.

    Attributes:
        natural: whether it corrects along the costs' natural gradients, and compares steps by the metric of those;
            else along their gradients as they are, and by the parameters' own lengths.
    """

    @property
    def natural(self) -> bool: ...

    def __call__(self, local: LocalProblem) -> Plan: ...


@dataclass(frozen=True)
class ConstrainedStep:
    """The step of the greatest gain within the trust region that keeps to all limits (Achiam et al. 2017, CPO).

    Where no such step is within reach it is that of a ``recovery``.

    See docs/derivations.md#steps-under-budgets.
    """

    natural: ClassVar[bool] = True

    def __call__(self, local: LocalProblem) -> Plan:
        basis = local.basis()
        gain, rows = basis @ local.gain, local.rows @ basis.T
        least = nearest(rows, local.room)
        if least is None or local.spent(least.y @ basis) > local.radius * (1.0 + _EXACT):
            return recovery(local, basis)

        def path(radius: float) -> Array:
            found = furthest(gain, rows, local.room, radius)
            return (least if found is None else found).y @ basis

        length = _reaching(path, local, float(np.linalg.norm(least.y)))
        found = furthest(gain, rows, local.room, length) or least
        return _plan(local, found.y @ basis, found.price, rows)


@dataclass(frozen=True)
class ProjectedStep:
    """The step that knows no budgets, then to the nearest point that keeps to them (PCPO, Yang et al. 2020).

    One that the correction makes longer than the trust region is shortened to it. Where the limits contradict each
    other there is no such point, and the step is that of a recovery.

    See docs/derivations.md#steps-under-budgets.

    Attributes:
        metric: in which a point is near: ``kl``, or ``l2``, of the parameters as they are.
    """

    metric: Annotated[str, one_of(*METRICS)]

    @property
    def natural(self) -> bool:
        return self.metric == "kl"

    def __call__(self, local: LocalProblem) -> Plan:
        basis = local.basis()
        step = np.zeros(len(local.gain))
        step[0] = local.reach
        rows = local.rows @ basis.T
        correction = nearest(rows, local.room - local.rows @ step)
        if correction is None:
            return recovery(local, basis)
        z = step + correction.y @ basis
        spent = local.spent(z)
        if spent > local.radius:
            z = math.sqrt(local.radius / spent) * z
        price = correction.price / local.reach if local.reach > 0.0 else correction.price
        return _plan(local, z, price, rows)


def recovery(local: LocalProblem, basis: Array) -> Plan:
    """The step within the trust region that leaves the largest excess over a limit smallest, whatever it earns.

    An excess is compared in units of what a step of length one changes of that cost at most: the costs' own units do
    not matter then, and neither does one that no step changes.
    """
    rows = local.rows @ basis.T
    unit = np.linalg.norm(rows, axis=1)
    moved = unit > 0.0
    if not moved.any():
        return Plan(np.zeros(len(local.gain)), "recovery", np.zeros(len(unit)), unit)
    rows, room = rows[moved] / unit[moved, None], local.room[moved] / unit[moved]
    path = lambda radius: least_excess(rows, room, radius) @ basis
    return Plan(path(_reaching(path, local, 0.0)), "recovery", np.zeros(len(unit)), unit)


def _plan(local: LocalProblem, z: Array, price: Array, rows: Array) -> Plan:
    """One that keeps to all limits."""
    case = "restoring" if (local.room < 0.0).any() else "bound"
    return Plan(z, case, price, np.linalg.norm(rows, axis=1))


def _reaching(path: Callable[[float], Array], local: LocalProblem, least: float) -> float:
    """The length in the metric at which the steps of a path bring the KL of the radius.

    The metric and the model of the KL are the same but for damping; then it is ``√2δ``. One beyond which the path does
    not go on is returned where it stays below.
    """
    beyond = lambda length: local.spent(path(length)) / local.radius - 1.0
    length = max(math.sqrt(2.0 * local.radius), least)
    low, here = least, beyond(length)
    for _ in range(60):
        if here >= -_EXACT:
            break
        low, length = length, 2.0 * length
        before, here = here, beyond(length)
        if here == before:
            return low
    if here <= _EXACT or length <= low:
        return length
    from scipy.optimize import brentq

    return float(brentq(beyond, low, length, rtol=1e-12, maxiter=200))
