"""A check of bounds for whoever looks several times and stops when they like: how often they are wrong, at any look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from pgrobot.constraints import Constraint
from pgrobot.constraints.bounds import beats, mirrored
from pgrobot.constraints.inference import Inference, inference, sequential
from pgrobot.constraints.sample import Sample
from pgrobot.laboratory.check import Outcome

DEVIATIONS = 4.0  # of a share of repetitions, beyond which no chance takes it


@dataclass(frozen=True)
class Looks:
    """Bounds at every look, at the truth that is hardest to tell: the budget's edge.

    Attributes:
        looks: after how many episodes.
        confidence: of each bound, over all looks.
        shares: how many episodes of 1 exceed a limit; exactly, by summing over all counts.
        repetitions: of what is simulated.
        seed: of these.
    """

    looks: Sequence[int]
    confidence: float
    shares: Sequence[float]
    repetitions: int
    seed: int

    def run(self) -> Sequence[Outcome]:
        """How often a bound misses the truth at some look, beside how often it may."""
        random = np.random.default_rng(self.seed)
        return (
            *(
                self._at_most(f"a share of {share:g}, exactly", self._share(share), 0.0)
                for share in self.shares
            ),
            self._simulated("bets on rare costs", self._bets(random)),
            self._simulated("student-t on normal costs", self._student(random)),
        )

    def _share(self, share: float) -> float:
        """With which probability the first decision about a share is wrong, the likelier of both ways."""
        bounds = sequential(_asked("probability", "student-t"), self.looks)
        likely, wrong = np.ones(1), np.zeros(2)  # of every count of hits among those who go on
        for before, look in pairwise((0, *self.looks)):
            likely = np.convolve(likely, stats.binom.pmf(np.arange(look - before + 1), look - before, share))
            for hits in np.flatnonzero(likely > 0.0):
                amount = (np.arange(look) < hits).astype(np.float64)
                lower, upper = bounds.interval(Sample(amount, np.ones(look), 1.0, 1.0), self.confidence)
                missed = np.array([lower > share, upper < share])
                wrong += missed * likely[hits]
                likely[hits] *= not missed.any()
        return float(wrong.max())

    def _bets(self, random: np.random.Generator) -> float:
        """How often a bet wins against the truth, at whatever episode."""
        chance, missed = 0.05, np.zeros(2)
        for _ in range(self.repetitions):
            cost = (random.random(self.looks[-1]) < chance).astype(np.float64)
            sample = Sample(cost, np.ones(len(cost)), 1.0, 1.0)
            for side, (seen, truth) in enumerate(((sample, chance), (mirrored(sample), 1.0 - chance))):
                missed[side] += beats(seen, truth, self.confidence, self.looks)
        return float(missed.max()) / self.repetitions

    def _student(self, random: np.random.Generator) -> float:
        bounds, missed = sequential(_asked("episode", "student-t"), self.looks), 0
        for _ in range(self.repetitions):
            cost = random.normal(1.0, 1.0, self.looks[-1])
            uppers = (
                bounds.interval(Sample(cost[:n], np.ones(n), math.inf, 1.0), self.confidence)[1]
                for n in self.looks
            )
            missed += any(upper < 1.0 for upper in uppers)
        return missed / self.repetitions

    def _simulated(self, name: str, share: float) -> Outcome:
        allowed = 1.0 - self.confidence
        slack = DEVIATIONS * math.sqrt(allowed * self.confidence / self.repetitions)
        return self._at_most(name, share, slack)

    def _at_most(self, name: str, share: float, slack: float) -> Outcome:
        allowed = 1.0 - self.confidence
        return Outcome(f"wrong at some look: {name}", share, allowed, max(0.0, share - allowed), slack)


def _asked(unit: str, bound: str) -> Inference:
    return inference(Constraint("cost", 0.5, unit, 0.0), bound)
