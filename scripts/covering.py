"""How often the upper bounds on a cost are right, and how often they are wrong without a warning."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import Any

import numpy as np
from measuring import CONSOLE
from scipy import stats

from pgrobot.constraints import BOUNDS, Constraint
from pgrobot.constraints.bounds import beats, mirrored
from pgrobot.constraints.caution import cautions
from pgrobot.constraints.inference import Inference, decision, inference
from pgrobot.constraints.sample import Sample

CONFIDENCE, STEPS = 0.95, 1000  # a step costs at most 1, so that an episode costs at most 1,000
SIZES = (20, 100, 1000)
Draw = Callable[[np.random.Generator, int], np.ndarray]


def _lognormal(random: np.random.Generator, count: int) -> np.ndarray:
    return np.minimum(random.lognormal(math.log(20.0) - 1.125, 1.5, count), STEPS)


def _mean_lognormal() -> float:
    location, spread = math.log(20.0) - 1.125, 1.5
    cut = (math.log(STEPS) - location) / spread
    return float(20.0 * stats.norm.cdf(cut - spread) + STEPS * stats.norm.sf(cut))


# By name: episodes' costs, and their mean in closed form.
SHAPES: dict[str, tuple[Draw, float]] = {
    "rare: 1 % cost 100 to 300": (lambda r, n: (r.random(n) < 0.01) * r.uniform(100, 300, n), 2.0),
    "rare: 3 % cost 100 to 300": (lambda r, n: (r.random(n) < 0.03) * r.uniform(100, 300, n), 6.0),
    "rare beside others: 3 % cost 100 to 300 more": (
        lambda r, n: r.binomial(STEPS, 0.01, n) + (r.random(n) < 0.03) * r.uniform(100, 300, n),
        16.0,
    ),
    "heavy: lognormal, deviation 1.5 of the logarithm": (_lognormal, _mean_lognormal()),
    "heavy: Pareto with exponent 1.5": (
        lambda r, n: np.minimum(5.0 * (r.pareto(1.5, n) + 1.0), STEPS),
        15.0 - 10.0 * math.sqrt(5.0 / STEPS),
    ),
    "ordinary: binomial, 20 of 1,000 steps": (lambda r, n: r.binomial(STEPS, 0.02, n).astype(float), 20.0),
}


def coverage(samples: int) -> dict[str, Any]:
    """Judge simulated episodes against a budget just below the truth: whoever finds it satisfied is wrong."""
    cases = list(product(SHAPES, SIZES, BOUNDS))
    with ProcessPoolExecutor(2) as pool:
        found = dict(zip(cases, pool.map(_case, cases, [samples] * len(cases)), strict=True))
    head = [f"{bound} {what}" for bound in BOUNDS for what in ("covers", "silent")]
    for cells in (["cost of an episode", "n", *head], ["---"] * (2 + len(head))):
        CONSOLE.print(f"| {' | '.join(cells)} |", markup=False, soft_wrap=True)
    for shape, count in product(SHAPES, SIZES):
        figures = [f"{share:.3f}" for bound in BOUNDS for share in found[shape, count, bound]]
        CONSOLE.print(f"| {' | '.join([shape, f'{count:,}', *figures])} |", markup=False, soft_wrap=True)
    return {
        "samples": samples,
        "covers, wrong in silence": {" / ".join(map(str, case)): shares for case, shares in found.items()},
    }


def _satisfied(sample: Sample, chosen: Inference, budget: float) -> bool:
    if chosen.by_range:  # the same without a search for the bound
        return beats(mirrored(sample), sample.highest - budget, CONFIDENCE)
    return decision(chosen.interval(sample, CONFIDENCE), budget) == "satisfied"


def _case(case: tuple[str, int, str], samples: int) -> tuple[float, float]:
    """The share of samples whose bound is right, and of those that are wrong without a warning."""
    shape, count, bound = case
    draw, truth = SHAPES[shape]
    random, one = np.random.default_rng(0), np.ones(count)
    constraint = Constraint("cost", truth * (1.0 - 1e-9), "episode", 0.0)
    chosen = inference(constraint, bound)
    wrong, silent = 0, 0
    for _ in range(samples):
        sample = Sample(draw(random, count), one, float(STEPS), 1.0)
        if _satisfied(sample, chosen, constraint.budget):
            wrong += 1
            silent += not cautions(constraint, sample, "satisfied", chosen, CONFIDENCE)
    return 1.0 - wrong / samples, silent / samples
