"""What auxiliary terms do to an encoder, beside what the policy's own gradient does to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import grad

from pgrobot.diagnostics.by_learner import OfLastUpdates
from pgrobot.types import Metrics, Rollout


class AuxiliaryGradients(OfLastUpdates):
    """Gradients of terms with a network of their own, where the policy's other terms have one as well.

    For each such ``term``, weighted as in the objective, at the parameters and normalisers that the update began from,
    on the whole rollout, and in those layers of the policy that the term moves at all, which are its encoder's:
    ``gradient/auxiliary/<term>/norm``, ``…/ratio``, that over the norm of the gradient of all other terms there, and
    ``…/cosine``, of the angle between the two. What is not finite is left out. With several learners, each one's names
    begin with ``<learner>/``.

    It reads copies, and no random stream: training is the same to the last bit.

    See docs/representations.md#auxiliary-terms.

    Args:
        every: iterations between measurements; 0 never measures.
    """

    def measured(self, problems: Mapping[str, Any], rollout: Rollout) -> Metrics:
        metrics: Metrics = {}
        if "policy" not in problems or not (terms := tuple(problems["policy"].problem.auxiliary)):
            return metrics
        posed = problems["policy"]
        others = _gradient(
            posed, lambda told: sum(value for name, value in told.items() if name not in terms)
        )
        for term in terms:
            own = _gradient(posed, lambda told, term=term: told[term])
            moved = [part for part in posed.parameters.of_policy() if bool(own[part].any())]
            mine, theirs = (
                torch.cat([gradient[part] for part in moved] or [own[:0]]) for gradient in (own, others)
            )
            norm, other = (torch.linalg.vector_norm(part, dtype=torch.float64) for part in (mine, theirs))
            metrics[f"gradient/auxiliary/{term}/norm"] = float(norm)
            metrics[f"gradient/auxiliary/{term}/ratio"] = float(norm / other)
            metrics[f"gradient/auxiliary/{term}/cosine"] = float(
                mine.double() @ theirs.double() / (norm * other)
            )
        return metrics


def _gradient(posed: Any, part: Any) -> Tensor:
    """Of a part of the objective at the parameters, ``[P]``; zero where it has none."""
    found: Tensor = grad(lambda vector: part(posed.terms(vector)) + 0.0 * vector[0])(posed.parameters.vector)
    return found
