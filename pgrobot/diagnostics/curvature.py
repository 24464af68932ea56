"""How well minibatches agree on the gradient, and in which directions the policy turns fastest."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor
from torch.func import grad
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch
from pgrobot.solvers import PolicySnapshot
from pgrobot.solvers.fisher import gauss_newton

MINIBATCHES = 8
EIGENVALUES = 5
ACCURACY = 1e-3  # relative, of an eigenvalue


def gradient_agreement(posed: PolicySnapshot, environments: int) -> float:
    """Mean cosine between the gradients of minibatches, pair by pair, each of environments of its own.

    1 where any of them says it all, 0 where they have nothing in common (Ilyas et al. 2020, arXiv 1811.02553).
    """
    rows = torch.arange(len(posed.batch.log_prob)) % environments % MINIBATCHES
    found = [_gradient(posed, rows == part) for part in range(min(environments, MINIBATCHES))]
    cosines = [float(torch.cosine_similarity(a, b, 0)) for a, b in itertools.combinations(found, 2)]
    return float(np.mean(cosines)) if cosines else float("nan")


def _gradient(posed: PolicySnapshot, chosen: Tensor) -> Tensor:
    batch: Batch = pytree.tree_map(lambda x: x[chosen], posed.batch)

    def objective(vector: Tensor) -> Tensor:
        return torch.stack(list(posed.problem.contributions(vector, batch).values())).sum()

    return grad(objective)(posed.parameters.vector).double()


def fisher_eigenvalues(posed: PolicySnapshot) -> list[float]:
    """The greatest eigenvalues of the Fisher information that natural gradients are taken in, greatest first.

    By Lanczos iterations of its product with vectors, on the whole batch. None where the matrix is not finite or the
    iterations fail, and fewer where there are fewer parameters or they did not converge.
    """
    vector = posed.parameters.vector
    size, count = len(vector), min(EIGENVALUES, len(vector) - 1)
    if count < 1:
        return []
    product = gauss_newton(posed.problem, vector, posed.batch)

    def times(direction: np.ndarray) -> np.ndarray:
        told: np.ndarray = product(torch.from_numpy(direction.reshape(-1)).to(vector)).double().numpy()
        return told

    start = np.random.default_rng(0).standard_normal(size)
    first = times(start)
    if not np.isfinite(first).all():
        return []
    if not first.any():  # no iteration begins at 0: nothing that the policy could be changes what it does
        return [0.0] * count
    operator: Any = LinearOperator((size, size), matvec=times, dtype=np.float64)
    try:
        values = eigsh(operator, count, v0=start, tol=ACCURACY, return_eigenvectors=False)
    except ArpackNoConvergence as error:
        values = error.eigenvalues
    except ArpackError:
        return []
    return sorted((float(value) for value in values), reverse=True)
