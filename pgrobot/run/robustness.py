"""How a policy does as its robot's model leaves what it knows: one evaluation at every point of a grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from pgrobot.assembly import TaskMaker, build_environment
from pgrobot.configure.composition import compose, options
from pgrobot.errors import PgrobotError, nearest
from pgrobot.policies import Acting
from pgrobot.run.evaluation import EvaluationPlan, evaluation
from pgrobot.simulation.variation import FIELDS, KINDS, PRIVILEGED, PUSHES, VariationRule
from pgrobot.types import EnvironmentSpec

GROUP = "variation"
NULL = {"scale": 1.0, "add": 0.0, "impulse": 0.0, "velocity": 0.0}  # what leaves a world as it is
KEPT = (
    "field",
    "names",
    "columns",
    "per",
    "body",
    "interval",
    "axes",
)  # of an entry that draws nothing any more
MOST_AXES = 2


@dataclass(frozen=True, slots=True)
class SweptEntry:
    """One axis of the grid.

    Attributes:
        name: of the entry.
        node: what the config says of it, but for its range.
        kind: ``scale``, ``add`` or ``value``; of a push ``impulse`` or ``velocity``.
        values: that it takes.
    """

    name: str
    node: Mapping[str, Any]
    kind: str
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        """As an axis says it: ``mass × …``."""
        return f"{self.name}, {'×' if self.kind == 'scale' else '+' if self.kind == 'add' else '='}"


def swept(lines: Sequence[str], cfg: DictConfig) -> tuple[SweptEntry, ...]:
    """Read ``variation.<name>=<from>:<to>:<count>``, or values separated by commas, for a run's config.

    A name is that of an entry of the run; of one that there is, such as ``mass``; or of a field, which is scaled.

    Raises:
        PgrobotError: it cannot be read, or there is no such entry.
    """
    axes = tuple(_axis(line, cfg) for line in lines)
    names = [axis.name for axis in axes]
    if len(axes) > MOST_AXES or len(set(names)) < len(names):
        raise PgrobotError(f"a sweep has one or two entries, each another, and not {', '.join(names)}")
    if len(axes) == MOST_AXES and not np.allclose(np.diff(axes[0].values, 2), 0.0):
        raise PgrobotError(
            f"{lines[0]}: a grid is drawn over even steps of its first entry, as in 0.5:1.5:11"
        )
    return axes


def robustness(
    cfg: DictConfig, task: TaskMaker, policy: Acting, plan: EvaluationPlan, axes: Sequence[SweptEntry]
) -> dict[str, Any]:
    """Evaluate a policy at every point of the grid, always on the same random streams.

    What else varies does so as in the evaluation of the run, or not where ``evaluation.variation`` is false.

    Returns:
        ``axes``: the values by entry; and ``cells``: of every point its values, ``return``, ``episode_length`` and
        ``costs``.

    Raises:
        PgrobotError: a value with which the model is impossible, or the policy reads what is swept, and was trained
            without it.
    """
    points = [
        dict(zip((a.name for a in axes), at, strict=True))
        for at in itertools.product(*(a.values for a in axes))
    ]
    worlds = [_at(cfg, axes, point) for point in points]
    _check_reads(cfg, task, worlds[0])
    cells = []
    for point, world in zip(points, worlds, strict=True):
        told = evaluation(world, task, policy, plan)
        cells.append(
            {
                **point,
                "return": told["return"],
                "episode_length": told["episode_length"]["mean"],
                "costs": {
                    name: {key: cost[key] for key in ("mean", "upper", "budget", "unit", "verdict")}
                    for name, cost in told["costs"].items()
                },
            }
        )
    return {"axes": {axis.name: list(axis.values) for axis in axes}, "cells": cells}


def _axis(line: str, cfg: DictConfig) -> SweptEntry:
    path, _, text = line.partition("=")
    name = path.removeprefix(f"{GROUP}.")
    if not text or name == path:
        raise PgrobotError(
            f"a sweep is written {GROUP}.<name>=<from>:<to>:<count>, such as {GROUP}.mass=0.5:1.5:11, and not {line!r}"
        )
    node = _node(name, cfg)
    kind = next(kind for kind in (*KINDS, *PUSHES) if kind in node)
    kept = {key: node[key] for key in KEPT if key in node}
    return SweptEntry(name, kept, kind, _values(line, text))


def _node(name: str, cfg: DictConfig) -> Mapping[str, Any]:
    own: Any = OmegaConf.to_container(cfg.variation)
    if name in own:
        return dict(own[name])
    known = [option for option in options([])[GROUP] if option != "none"]
    if name in known:
        found: Any = OmegaConf.to_container(compose([f"{GROUP}=[{name}]"]).variation)
        return dict(found[name])
    if name in FIELDS:
        return {"field": name, "scale": [1.0, 1.0]}
    raise PgrobotError(
        f"{GROUP}.{name} is no entry that can be swept: {nearest(name, {*own, *known, *FIELDS})}"
    )


def _values(line: str, text: str) -> tuple[float, ...]:
    try:
        if ":" in text:
            low, high, count = text.split(":")
            values = np.linspace(float(low), float(high), int(count)).tolist() if int(count) > 0 else []
        else:
            values = [float(value) for value in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(map(math.isfinite, values)) or values != sorted(set(values)):
        raise PgrobotError(
            f"{line} says no ascending values: write <from>:<to>:<count>, as in 0.5:1.5:11, or values, as in 0.5,1,2"
        )
    return tuple(values)


def _at(cfg: DictConfig, axes: Sequence[SweptEntry], point: Mapping[str, float]) -> DictConfig:
    """The config of the run at one point of the grid."""
    entries: Any = OmegaConf.to_container(cfg.variation)
    if not cfg.evaluation.variation:
        entries = dict(_still(entries))
    for axis in axes:
        entries[axis.name] = {**axis.node, axis.kind: point[axis.name]}
    for node in entries.values():  # who followed one that is fixed draws by itself
        if node.get("follows") in point:
            del node["follows"]
            node.pop("correlation", None)
    world = deepcopy(cfg)
    world.variation = VariationRule()(GROUP, entries)
    world.evaluation.variation = True
    return world


def _still(entries: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Entries that leave the model as it is; of values, none."""
    for name, node in entries.items():
        kind = next(kind for kind in (*KINDS, *PUSHES) if kind in node)
        if kind in NULL:
            kept = {key: node[key] for key in KEPT if key in node}
            yield name, {**kept, kind: NULL[kind]}


def _check_reads(cfg: DictConfig, task: TaskMaker, world: DictConfig) -> None:
    """Refuse to show a policy more or less than it was trained with."""
    groups = [str(name).partition("/")[0] for name in cfg.policy.get("groups", [])]
    if PRIVILEGED in groups and _spec(world, task).observation != _spec(cfg, task).observation:
        raise PgrobotError(
            f"the policy reads what is drawn ({PRIVILEGED}), so only entries that it was trained with can be swept"
        )


def _spec(cfg: DictConfig, task: TaskMaker) -> EnvironmentSpec:
    environment = build_environment(cfg, 1, 0, 1, task)
    environment.close()
    return environment.spec
