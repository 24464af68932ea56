"""The loop. It asks nobody which algorithm, constraint or policy it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from pgrobot.answers import diagnosed, joined
from pgrobot.types import Collector, Diagnostic, Metrics, Rollout


class Trainable(Protocol):
    """What the loop knows of a learner."""

    def update(self, rollout: Rollout) -> Metrics: ...


def train(
    collector: Collector,
    learners: Mapping[str, Trainable],
    iterations: Iterable[int],
    diagnostics: Sequence[Diagnostic],
) -> Iterator[tuple[int, Metrics]]:
    """Collect, learn, look; yield after every iteration, where everything is consistent and may be saved.

    Args:
        collector: hands each named learner its own rollout.
        learners: by name. The metrics of a single learner carry no prefix, those of several ``<name>/``.
        iterations: the numbers of the iterations to run; a resumed run starts past zero.
        diagnostics: read the iteration's learners and experience.

    Yields:
        The iteration and its metrics.

    Raises:
        PgrobotError: a diagnostic returns something else than metrics, or one that there is already.
    """
    for iteration in iterations:
        experience = collector.collect()
        metrics: Metrics = {}
        for name, rollout in experience.items():
            prefix = f"{name}/" if len(learners) > 1 else ""
            metrics |= {prefix + key: value for key, value in learners[name].update(rollout).items()}
        for diagnostic in diagnostics:
            metrics = joined(metrics, diagnostic, diagnosed(diagnostic, iteration, learners, experience))
        yield iteration, metrics
