"""The past of a run in stretches of ten iterations: their medians, which one odd iteration does not move."""

from __future__ import annotations

import re
import statistics
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pgrobot.health.facts import Facts

STRETCH = 10  # iterations: some 20,000 steps of a default run, and a look costs nothing beside ten updates
MOST = 40  # stretches kept: more than any check looks back
FIRST = (
    2 * STRETCH
)  # iterations before anything is said: normalisers, critics and prices are finding their size
RECENT = 5 * STRETCH  # iterations in which rare events are counted: one of them is 2 %
LARGEST = 1e100  # of what is a figure of anything

# What findings read. A learner's name begins its metrics where there are several; evaluations have no learner.
WATCHED = re.compile(
    r"(?!evaluation/)(?:(?P<learner>\w+)/)?(?P<name>"
    r"policy/(?:std|kl|kl_normalizer|clip_fraction)|critic/explained_variance/reward|loss/value|return/mean"
    r"|reward/[^/]+/mean|cost/[^/]+/(?:mean|budget)|multiplier(?:_level)?/[^/]+|torque/[^/]+/(?:saturation|gradient_[^/]+)"
    r"|step/case/recovery"
    r"|guard/skipped_updates|simulation/failures|sensitivity/unused)"
)
EVENTS = (
    "guard/skipped_updates",
    "simulation/failures",
)  # rare ones: they are counted, for their median is 0


@dataclass(frozen=True, slots=True)
class View:
    """What a check is shown of one learner.

    Attributes:
        step: environment steps at the end of the last stretch.
        stretches: the metrics of each, the last one last; what none of its iterations knew is absent.
        latest: what was last known of every metric, however long ago.
        recent: of rare events, how many there were in each of the last iterations, at most ``RECENT``.
        odd: by metric, how many of its values were no finite numbers, or beyond ``LARGEST``; shown with one learner.
        iterations: so far.
        facts: of the run.
        idle: costs, as ``cost/<name>/mean``, that have been 0 in every iteration so far.
    """

    step: int
    stretches: Sequence[Mapping[str, float]]
    latest: Mapping[str, float]
    recent: Mapping[str, Sequence[float]]
    odd: Mapping[str, int]
    iterations: int
    facts: Facts
    idle: Sequence[str] = ()

    def last(self, name: str, count: int) -> list[float]:
        """The values of the last ``count`` stretches; empty unless all of them know it."""
        if len(self.stretches) < count:
            return []
        found = [stretch[name] for stretch in self.stretches[-count:] if name in stretch]
        return found if len(found) == count else []

    def counted(self, event: str) -> tuple[float, int]:
        """How many rare events there were in how many of the last iterations; in none where too few are known."""
        known = self.recent.get(event, ())
        return (sum(known), len(known)) if len(known) >= FIRST else (0.0, 0)

    def between(self, start: str, end: str) -> list[str]:
        """What stands between ``start`` and ``end`` in the names of the last stretch, in their order."""
        names = self.stretches[-1] if self.stretches else {}
        size = len(start) + len(end)
        found = [n for n in names if len(n) > size and n.startswith(start) and n.endswith(end)]
        return [name[len(start) : len(name) - len(end)] for name in found]


@dataclass(slots=True)
class Stretches:
    """Takes in iterations, one after the other, and keeps the stretches of every learner.

    Attributes:
        step: environment steps after the last iteration.
        iterations: taken in.
    """

    step: int = 0
    iterations: int = 0
    _places: dict[str, tuple[str, str]] = field(default_factory=dict)  # metric -> learner and name there
    _open: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # of the stretch under way
    _kept: dict[str, list[Mapping[str, float]]] = field(default_factory=dict)  # by learner
    _latest: dict[str, dict[str, float]] = field(default_factory=dict)
    _recent: dict[str, dict[str, deque[float]]] = field(default_factory=dict)  # by learner
    _odd: dict[str, int] = field(default_factory=dict)  # by metric
    _idle: dict[tuple[str, str], bool] = field(default_factory=dict)  # mean costs, and whether all were 0

    @property
    def knows(self) -> bool:
        """Whether any metric was told that findings read."""
        return bool(self._open or self._kept or self._recent)

    def add(self, step: int, metrics: Mapping[str, object]) -> bool:
        """Take in an iteration; returns whether a stretch ended with it."""
        self.step = step
        self.iterations += 1
        for key, value in metrics.items():
            if not isinstance(value, float | int) or not -LARGEST < value < LARGEST:
                self._odd[key] = self._odd.get(key, 0) + 1
                continue
            place = self._places.get(key) or self._place(key)
            if not place[1]:
                continue
            learner, name = place
            if name in EVENTS:
                recent = self._recent.setdefault(learner, {})
                recent.setdefault(name, deque(maxlen=RECENT)).append(float(value))
            else:
                self._open.setdefault(place, []).append(float(value))
                if name.startswith("cost/") and name.endswith("/mean"):
                    self._idle[place] = self._idle.get(place, True) and value == 0.0
        if self.iterations % STRETCH:
            return False
        self._close()
        return True

    def conclude(self) -> None:
        """Take what is left of a stretch for one, at the end of a run."""
        if self._open:
            self._close()

    def views(self, facts: Facts) -> Iterable[tuple[str, View]]:
        """Every learner's name, empty where there is one, and what there is to see of it."""
        odd = dict(self._odd)
        for learner in dict.fromkeys((*self._kept, *self._recent)) or ([""] if odd else []):
            recent = {name: tuple(values) for name, values in self._recent.get(learner, {}).items()}
            latest = dict(self._latest.get(learner, {}))
            stretches = tuple(self._kept.get(learner, ()))
            idle = [name for (owner, name), nothing in self._idle.items() if owner == learner and nothing]
            yield learner, View(self.step, stretches, latest, recent, odd, self.iterations, facts, idle)
            odd = {}

    def _place(self, key: str) -> tuple[str, str]:
        found = WATCHED.fullmatch(key)
        self._places[key] = (found["learner"] or "", found["name"]) if found else ("", "")
        return self._places[key]

    def _close(self) -> None:
        values: dict[str, dict[str, float]] = {learner: {} for learner in self._kept}
        for (learner, name), known in self._open.items():
            values.setdefault(learner, {})[name] = statistics.median(known)
        for learner, stretch in values.items():
            self._kept[learner] = [*self._kept.get(learner, [])[1 - MOST :], stretch]
            self._latest.setdefault(learner, {}).update(stretch)
        self._open = {}
