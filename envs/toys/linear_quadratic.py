"""The linear-quadratic regulator in closed form: gains, value matrices, policy gradients.

Dynamics ``x' = A x + B u + w``, ``w ~ N(0, W)``; reward ``−(xᵀQx + uᵀRu)``; policy ``u ~ N(−K x, Σ)``, ``Σ`` diagonal;
discount γ. The value is then ``V(x) = −xᵀP x − c`` (Bertsekas 2012, section 3.1; the gradients: Fazel et al. 2018,
arXiv 1801.05039, lemma 1, with a discount and noise).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov

from pgrobot.errors import PgrobotError


@dataclass(frozen=True, slots=True)
class LinearQuadratic:
    """``n`` state and ``m`` action dimensions, all float64.

    Attributes:
        dynamics, control: ``A`` ``[n, n]`` and ``B`` ``[n, m]``.
        state_cost, action_cost: ``Q`` ``[n, n]`` and ``R`` ``[m, m]``, symmetric; R positive definite.
        noise: ``W`` ``[n, n]``.
        start: covariance of the first state, whose mean is zero, ``[n, n]``.
        discount: γ.
    """

    dynamics: np.ndarray
    control: np.ndarray
    state_cost: np.ndarray
    action_cost: np.ndarray
    noise: np.ndarray
    start: np.ndarray
    discount: float

    def riccati(self) -> tuple[np.ndarray, np.ndarray]:
        """The optimal gain ``K*`` ``[m, n]`` and its ``P`` ``[n, n]``; the noise moves neither."""
        root = np.sqrt(self.discount)
        cost = solve_discrete_are(
            root * self.dynamics, root * self.control, self.state_cost, self.action_cost
        )
        gain = np.linalg.solve(self.curvature(cost), self.discount * self.control.T @ cost @ self.dynamics)
        return gain, cost

    def cost_matrix(self, gain: np.ndarray) -> np.ndarray:
        """Solve ``P = Q + KᵀRK + γ (A − BK)ᵀ P (A − BK)``, ``[n, n]``.

        Raises:
            PgrobotError: the discounted cost of this gain is infinite.
        """
        step = np.sqrt(self.discount) * self.closed_loop(gain)
        return solve_discrete_lyapunov(
            self._stable(step).T, self.state_cost + gain.T @ self.action_cost @ gain
        )

    def constant(self, gain: np.ndarray, deviation: np.ndarray) -> float:
        """``c`` of the value: the discounted cost of all noise to come, the policy's ``deviation [m]`` included."""
        cost = self.cost_matrix(gain)
        covariance = np.diag(np.square(deviation))
        step = np.trace(covariance @ self.curvature(cost)) + self.discount * np.trace(cost @ self.noise)
        return float(step / (1.0 - self.discount))

    def value(self, gain: np.ndarray, deviation: np.ndarray, state: np.ndarray) -> np.ndarray:
        """``V`` of states ``[…, n]``: ``[…]``."""
        cost = self.cost_matrix(gain)
        return -np.einsum("...i,ij,...j->...", state, cost, state) - self.constant(gain, deviation)

    def objective(self, gain: np.ndarray, deviation: np.ndarray) -> float:
        """The expected discounted return from the first states."""
        return -float(np.trace(self.cost_matrix(gain) @ self.start)) - self.constant(gain, deviation)

    def moments(self, gain: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """``Σ_t γ^t E[x_t x_tᵀ]``, ``[n, n]``."""
        step = self._stable(np.sqrt(self.discount) * self.closed_loop(gain))
        noise = self.noise + self.control @ np.diag(np.square(deviation)) @ self.control.T
        return solve_discrete_lyapunov(step, self.start + self.discount / (1.0 - self.discount) * noise)

    def gradient(self, gain: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The policy gradient of the objective: with respect to K, ``[m, n]``, and to the log-deviations, ``[m]``."""
        cost = self.cost_matrix(gain)
        of_deviation = -2.0 * np.square(deviation) * np.diag(self.curvature(cost)) / (1.0 - self.discount)
        return -2.0 * self._excess(gain, cost) @ self.moments(gain, deviation), of_deviation

    def finite_objective(self, gain: np.ndarray, deviation: np.ndarray, horizon: int) -> float:
        """The expected discounted return of ``horizon`` steps, after which nothing follows."""
        spent = self.state_cost + gain.T @ self.action_cost @ gain
        explored = float(np.square(deviation) @ np.diag(self.action_cost))
        moments = self._finite_moments(gain, deviation, horizon)
        return -sum(self.discount**t * (float(np.trace(spent @ m)) + explored) for t, m in enumerate(moments))

    def finite_gradient(
        self, gain: np.ndarray, deviation: np.ndarray, horizon: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Its policy gradient: that of the endless problem, step by step with the cost of the steps that are left."""
        cost = np.zeros_like(self.state_cost)
        of_gain, of_deviation = np.zeros_like(gain), np.zeros_like(deviation)
        loop = self.closed_loop(gain)
        for t, moment in reversed(list(enumerate(self._finite_moments(gain, deviation, horizon)))):
            weight = -2.0 * self.discount**t
            of_gain += weight * self._excess(gain, cost) @ moment
            of_deviation += weight * np.square(deviation) * np.diag(self.curvature(cost))
            cost = self.state_cost + gain.T @ self.action_cost @ gain + self.discount * loop.T @ cost @ loop
        return of_gain, of_deviation

    def natural_gradient(self, gain: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same of ``(1 − γ)`` times the objective, in the metric of the policy's Fisher information.

        Both are means over the discounted states. The information is ``Σ⁻¹ ⊗ M`` for K, with M the mean of ``x xᵀ``,
        and twice the identity for the log-deviations. M is a factor of the gradient as well, so the states do not
        matter: what is left is ``−2 Σ E_K`` and ``−σ² diag(R + γ BᵀPB)``.
        """
        cost = self.cost_matrix(gain)
        return (
            -2.0 * np.square(deviation)[:, None] * self._excess(gain, cost),
            -np.square(deviation) * np.diag(self.curvature(cost)),
        )

    def curvature(self, cost: np.ndarray) -> np.ndarray:
        """``R + γ BᵀPB``: half the Hessian of the cost in the action, ``[m, m]``."""
        return self.action_cost + self.discount * self.control.T @ cost @ self.control

    def closed_loop(self, gain: np.ndarray) -> np.ndarray:
        """``A − BK``, ``[n, n]``."""
        return self.dynamics - self.control @ gain

    def _excess(self, gain: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """``E_K = (R + γ BᵀPB) K − γ BᵀPA``, which vanishes at the optimum, ``[m, n]``; P is of what follows."""
        return self.curvature(cost) @ gain - self.discount * self.control.T @ cost @ self.dynamics

    def _finite_moments(self, gain: np.ndarray, deviation: np.ndarray, horizon: int) -> list[np.ndarray]:
        """``E[x_t x_tᵀ]`` of ``horizon`` steps."""
        step = self.closed_loop(gain)
        noise = self.noise + self.control @ np.diag(np.square(deviation)) @ self.control.T
        moments = [self.start]
        for _ in range(horizon - 1):
            moments.append(step @ moments[-1] @ step.T + noise)
        return moments

    @staticmethod
    def _stable(step: np.ndarray) -> np.ndarray:
        radius = float(np.abs(np.linalg.eigvals(step)).max())
        if radius >= 1.0:
            raise PgrobotError(
                f"the cost of this gain is infinite: √γ (A − BK) has the spectral radius {radius:.3g}."
            )
        return step
