"""Whether the runs of a sweep that should be alike were made with one model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from pgrobot.run_directory import made_with
from pgrobot.sweep.summary import Job


def unlike(jobs: Iterable[Job]) -> Iterator[str]:
    """A sentence per group of runs that differ in their seed only, and in their model: it was edited in between."""
    groups: dict[str, dict[str, list[str]]] = {}
    for job in jobs:
        model = made_with(job.path)
        if model:
            settings, files = (json.dumps(dict(node), sort_keys=True) for node in (job.settings, model))
            groups.setdefault(settings, {}).setdefault(files, []).append(job.path.name)
    for found in groups.values():
        if len(found) > 1:
            names = " | ".join(", ".join(names) for names in found.values())
            yield f"The model changed during the sweep, so these runs are not of one robot: {names}"
