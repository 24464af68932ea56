"""What a config says of one thing that varies: ``variation.<name>``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import Rule, at_least, between, is_whole, one_of
from pgrobot.simulation.variation.fields import check_field
from pgrobot.simulation.variation.push import bounds, checked_push, is_push
from pgrobot.simulation.variation.schedule import Schedule, checked_schedule, schedule_of

SCALE, ADD, VALUE = "scale", "add", "value"
KINDS = (SCALE, ADD, VALUE)
UNIFORM, LOG_UNIFORM, GAUSSIAN = "uniform", "log_uniform", "gaussian"
DISTRIBUTIONS = (UNIFORM, LOG_UNIFORM, GAUSSIAN)
ENTRY, PART, MODEL = "entry", "part", "model"
ALL = "all"
KEYS = (
    "field", *KINDS, "distribution", "deviation", "names", "columns", "per", "follows", "correlation", "schedule"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that varies.

    Attributes:
        field: of the model.
        kind: ``scale``: the model's own numbers are multiplied by what is drawn; ``add``: it is added to them;
            ``value``: it takes their place.
        low, high: what is drawn lies between them.
        distribution: ``uniform``, ``log_uniform`` or ``gaussian``, which is clipped to the bounds.
        deviation: of the Gaussian about their middle.
        names: of the bodies, joints, geoms or actuators; ``("all",)``.
        columns: of the field, where it has several; none: all.
        per: whether each ``entry`` of the field, each ``part`` or the whole ``model`` gets one number.
        follows: the entry that it is correlated with; empty: none.
        correlation: with that, of the Gaussian numbers behind both.
        schedule: how much of the range is drawn from as training goes on.
    """

    field: str
    kind: str
    low: float
    high: float
    distribution: str
    deviation: float
    names: tuple[str, ...]
    columns: tuple[int, ...]
    per: str
    follows: str
    correlation: float
    schedule: Schedule


def entry_of(node: Mapping[str, Any]) -> Entry:
    """The entry that a checked node says."""
    kind = next(kind for kind in KINDS if kind in node)
    low, high = node[kind]
    names, columns = node.get("names", ALL), node.get("columns", ALL)
    return Entry(
        field=node["field"],
        kind=kind,
        low=low,
        high=high,
        distribution=node.get("distribution", UNIFORM),
        deviation=node.get("deviation", (high - low) / 4.0),
        names=(ALL,) if names == ALL else tuple(names),
        columns=() if columns == ALL else tuple(columns),
        per=node.get("per", PART if kind == SCALE else ENTRY),
        follows=node.get("follows", ""),
        correlation=node.get("correlation", 1.0),
        schedule=schedule_of(node.get("schedule", {})),
    )


class VariationRule(Rule):
    """What ``variation`` may be: entries by name."""

    def __call__(self, key: str, value: Any) -> Any:
        """The entries, their numbers in their types.

        Raises:
            PgrobotError: names the first key that is unknown, missing or out of range.
        """
        if not isinstance(value, dict):
            raise PgrobotError(
                f"{key} consists of keys, such as {key}.mass, so it cannot be {shown(value)}: {key}=[] varies nothing"
            )
        found = {name: _checked(f"{key}.{name}", name, node) for name, node in value.items()}
        for name, node in found.items():
            _check_leader(key, name, node, found)
        return found


def _checked(path: str, name: Any, node: Any) -> dict[str, Any]:
    """The node of an entry, its numbers in their types."""
    if not isinstance(name, str) or not name or "/" in name:
        raise PgrobotError(f"{path} needs a name without a slash")
    if not isinstance(node, dict):
        raise PgrobotError(
            f"{path} consists of keys, such as {path}.field and {path}.scale, so it cannot be {shown(node)}"
        )
    if is_push(node) and "field" not in node:
        return checked_push(path, node)
    for key in node:
        if key not in KEYS:
            raise PgrobotError(f"{path} has no key {str(key)!r}: {nearest(str(key), KEYS)}")
    if not isinstance(node.get("field"), str):
        raise PgrobotError(
            f"{path}.field must be given: the field of the model that varies, such as body_mass"
        )
    check_field(f"{path}.field", node["field"])
    kinds = [kind for kind in KINDS if kind in node]
    if len(kinds) != 1:
        said = f"not {' and '.join(kinds)}" if kinds else "and none of them is given"
        raise PgrobotError(f"{path} needs one of scale, add and value, {said}")
    found = {key: RULES[key](f"{path}.{key}", value) for key, value in node.items() if key in RULES}
    _check_together(path, kinds[0], {**node, **found})
    return {**node, **found}


def _check_together(path: str, kind: str, node: Mapping[str, Any]) -> None:
    """Refuse keys that say nothing, or something impossible, beside others."""
    low, _ = node[kind]
    if node.get("distribution") == LOG_UNIFORM and low <= 0.0:
        raise PgrobotError(f"{path}.{kind} begins at {low:g}, and log_uniform needs bounds above 0")
    if "deviation" in node and node.get("distribution") != GAUSSIAN:
        raise PgrobotError(
            f"{path}.deviation is a Gaussian's: add {path}.distribution=gaussian, or leave it out"
        )
    if "correlation" in node and not node.get("follows"):
        raise PgrobotError(
            f"{path}.correlation needs {path}.follows, the name of the entry that it is correlated with"
        )


def _listed(kind: type, words: str) -> Callable[[str, Any], Any]:
    def checked(path: str, value: Any) -> Any:
        fine = isinstance(value, list) and value and all(_is(kind, each) for each in value)
        if value != ALL and (not fine or len(set(value)) < len(value)):
            raise PgrobotError(f"{path} must be all, or a list of different {words}, not {shown(value)}")
        return value

    return checked


def _is(kind: type, value: Any) -> bool:
    return isinstance(value, str) if kind is str else is_whole(value) and value >= 0


RULES: Mapping[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(KINDS, bounds),
    "distribution": one_of(*DISTRIBUTIONS),
    "deviation": at_least(0.0),
    "per": one_of(ENTRY, PART, MODEL),
    "correlation": between(-1.0, 1.0),
    "names": _listed(str, "names, such as [torso]"),
    "columns": _listed(int, "columns, such as [0]"),
    "schedule": checked_schedule,
}


def _check_leader(key: str, name: str, node: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    leader = node.get("follows", "")
    if not leader:
        return
    others = [other for other in found if other != name and not is_push(found[other])]
    if leader not in others:
        raise PgrobotError(f"{key}.{name}.follows={leader} is no other entry: {nearest(str(leader), others)}")
    if found[leader].get("follows"):
        raise PgrobotError(
            f"{key}.{name}.follows={leader}, which follows {found[leader]['follows']} itself: follow that one"
        )
    if not -1.0 <= node.get("correlation", 1.0) <= 1.0:
        raise PgrobotError(
            f"{key}.{name}.correlation must be a number from -1 to 1, not {node['correlation']:g}"
        )
