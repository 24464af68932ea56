"""Where a gradient comes from and where it goes: its size per layer, and what each term of the objective has in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import grad

from pgrobot.diagnostics.by_learner import OfLastUpdates
from pgrobot.types import Metrics, Rollout


class GradientNorms(OfLastUpdates):
    """Gradients on the whole rollout, at the parameters and normalisers that the update began from.

    For each ``part``, ``policy`` and ``critic``: ``gradient/<part>/total``, the norm of the whole gradient, and
    ``gradient/<part>/layer/<name>``, that of its entries of one parameter; their squares add up to the square of the
    total. For each term of the policy's objective: ``gradient/policy/term/<term>/norm``, of the weighted term's
    gradient, and ``gradient/policy/term/<term>/cosine``, of the angle between that and the whole gradient: the weighted
    terms add up to it, so a term with a negative cosine is one that the others overrule. A number that is not finite
    is left out, as is the cosine of a gradient of zero; of a rollout that was refused there are none. With several
    learners, each one's names begin with ``<learner>/``.

    It reads copies, and no random stream: training is the same to the last bit.

    Args:
        every: iterations between measurements; 0 never measures. One costs about as much as a pass over the rollout in
            one minibatch.
    """

    def measured(self, problems: Mapping[str, Any], rollout: Rollout) -> Metrics:
        metrics: Metrics = {}
        for part, posed in problems.items():
            terms = term_gradients(posed)
            total = torch.stack(list(terms.values())).sum(0)
            metrics[f"gradient/{part}/total"] = _norm(total)
            for layer, where in posed.parameters.slices.items():
                metrics[f"gradient/{part}/layer/{layer}"] = _norm(total[where])
            if part == "policy":  # the critic's objective has one term, which is the whole
                for term, gradient in terms.items():
                    metrics[f"gradient/{part}/term/{term}/norm"] = _norm(gradient)
                    metrics[f"gradient/{part}/term/{term}/cosine"] = _cosine(gradient, total)
        return metrics


def term_gradients(posed: Any) -> dict[str, Tensor]:
    """The gradient of each weighted term at the parameters ``[P]``, by the term's name.

    Args:
        posed: ``parameters`` with a ``vector`` ``[P]``, and ``terms``, from a vector to a scalar per name.
    """
    vector = posed.parameters.vector
    # one after the other: a term that is not finite would spoil the others in a common pass
    return {name: grad(lambda v, name=name: posed.terms(v)[name])(vector) for name in posed.terms(vector)}


def _norm(gradient: Tensor) -> float:
    return float(torch.linalg.vector_norm(gradient, dtype=torch.float64))


def _cosine(gradient: Tensor, total: Tensor) -> float:
    """NaN where either is zero: there is no angle then."""
    first, second = gradient.double(), total.double()
    return float(first @ second / (first.norm() * second.norm()))
