"""What a certificate states: a pure function of its episodes and terms, so that whoever has them can state it anew."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate
from typing import Any

import numpy as np

from pgrobot.certificate.sampling import Batch, joined, judged_at, still_open
from pgrobot.certificate.terms import Terms, batch_seeds
from pgrobot.constraints import Conclusion, Constraint, Verdict
from pgrobot.constraints.bounds import student_t
from pgrobot.constraints.caution import percent
from pgrobot.constraints.inference import shared_level
from pgrobot.constraints.sample import Sample
from pgrobot.episodes import conclusions, short_lives, verdicts
from pgrobot.files import strict

SATISFIED, NOT_SATISFIED = "satisfied", "not satisfied"


def statement(
    batches: Sequence[Batch], constraints: Sequence[Constraint], terms: Terms, names: Sequence[str]
) -> dict[str, Any]:
    """The verdicts, the figures and the episodes that they are of, as JSON holds them.

    A budget's ``lower`` and ``upper`` hold at the confidence each, at all looks; that all budgets are satisfied is then
    wrong with no greater probability, as one of them would have to be violated (intersection–union test). Of
    ``simultaneous`` all ends of all budgets hold together (Bonferroni).

    Args:
        batches: at least one.
        constraints: the budgets.
        terms: as fixed before.
        names: of the costs, in the order of the episodes' columns.
    """
    episodes = joined(batches)
    judged = verdicts(episodes, constraints, terms.confidence, terms.bound, terms.looks)
    sides = 2 * len(constraints)
    together = conclusions(
        episodes, constraints, shared_level(terms.confidence, sides), terms.bound, terms.looks
    )
    verdict = SATISFIED if all(v.satisfied for v in judged.values()) else NOT_SATISFIED
    returns = Sample(episodes.returns, np.ones(len(episodes.returns)), math.inf, 1.0)
    length = float(episodes.lengths.mean())
    short = filter(None, [short_lives(judged, length, episodes.max_episode_steps)])
    stated = {
        "terms": asdict(terms) | {"looks": list(terms.looks)},
        "verdict": verdict,
        "claim": claim(judged, terms),
        "return": {
            "mean": float(episodes.returns.mean()),
            "ci95": list(student_t(returns, shared_level(0.95, 2 * len(terms.looks)))),
            "episodes": len(episodes.returns),
        },
        "episode_length": {
            "mean": length,
            "min": int(episodes.lengths.min()),
            "limit": episodes.max_episode_steps,
        },
        "costs": {
            c.name: _cost(c, judged[c.name], together[c.name], float(episodes.highest[k]))
            for k, c in enumerate(constraints)
        },
        "failures": len(episodes.failures),
        "warnings": [*(sentence for v in judged.values() for sentence in v.warnings), *short],
        "looks": [
            {"episodes": count, "open": still_open(judged_at(batches[: k + 1], constraints, terms))}
            for k, count in enumerate(accumulate(len(batch.episodes.returns) for batch in batches))
        ],
        "batches": [_batch(batch, number, terms, names) for number, batch in enumerate(batches, start=1)],
        "episodes": _columns(batches, constraints, names),
    }
    return dict(strict(stated))


def claim(judged: Mapping[str, Verdict], terms: Terms) -> str:
    """What is claimed, in a sentence, and in a second one what it cannot rule out."""
    risk = percent(1.0 - terms.confidence)
    doubted = [name for name, verdict in judged.items() if verdict.warnings]
    beside = f" That is so if the warning about {' and '.join(doubted)} is unfounded." if doubted else ""
    if all(verdict.satisfied for verdict in judged.values()):
        return (
            f"Every budget is satisfied ({', '.join(judged)}): of a policy that violates one this is said in at most "
            f"{risk} of cases, however often it was looked.{beside}"
        )
    told = ", ".join(f"{name} {v.verdict}" for name, v in judged.items() if not v.satisfied)
    return (
        f"It is not shown that every budget is satisfied: {told}; each verdict is wrong in at most {risk} of cases."
        f"{beside}"
    )


def _cost(constraint: Constraint, judged: Verdict, together: Conclusion, highest: float) -> dict[str, Any]:
    limit = {"limit": constraint.limit} if constraint.unit == "probability" else {}
    return {
        "mean": judged.mean,
        "lower": judged.lower,
        "upper": judged.upper,
        "simultaneous": {"lower": together.lower, "upper": together.upper, "correction": "bonferroni"},
        "budget": judged.budget,
        "unit": judged.unit,
        **limit,
        "highest": highest,
        "verdict": judged.verdict,
        "assumes": judged.assumes,
        "episodes_needed": judged.episodes_needed,
    }


def _batch(batch: Batch, number: int, terms: Terms, names: Sequence[str]) -> dict[str, Any]:
    episodes = batch.episodes
    return {
        "episodes": len(episodes.returns),
        "environments": batch.environments,
        "seeds": batch_seeds(terms, number),
        "least": dict(zip(names, episodes.least.tolist(), strict=True)),
        "most": dict(zip(names, episodes.most.tolist(), strict=True)),
        "failures": list(episodes.failures),
    }


def _columns(
    batches: Sequence[Batch], constraints: Sequence[Constraint], names: Sequence[str]
) -> dict[str, list[Any]]:
    episodes = joined(batches)
    discounted = [c.name for c in constraints if c.unit == "discounted"]
    sizes = [len(batch.episodes.returns) for batch in batches]
    return {
        "batch": np.repeat(np.arange(1, len(batches) + 1), sizes).tolist(),
        "environment": np.concatenate([batch.environment for batch in batches]).tolist(),
        "return": episodes.returns.tolist(),
        "length": episodes.lengths.tolist(),
        **{f"cost/{name}": episodes.costs[:, k].tolist() for k, name in enumerate(names)},
        **{
            f"discounted/{name}": episodes.discounted[:, k].tolist()
            for k, name in enumerate(names)
            if name in discounted
        },
    }
