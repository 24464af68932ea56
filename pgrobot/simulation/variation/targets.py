"""Which numbers of a model an entry varies, and by how many draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.variation.entry import ADD, ALL, ENTRY, MODEL, SCALE, Entry
from pgrobot.simulation.variation.fields import FIELDS, VariedField, field_of

TOGETHER = (
    "body_inertia",
    *(name for name, field in FIELDS.items() if field.ascends),
)  # rows possible as a whole only


@dataclass(frozen=True, slots=True)
class Target:
    """What one entry varies in a model: ``M`` numbers by ``k`` draws.

    Attributes:
        name: of the entry.
        entry: as configured.
        at: of the numbers in the field, flat, ``[M]``.
        rows: the row of the field that each is in, ``[M]``.
        owners: the body, joint, geom or actuator of each.
        draw: which of the draws each takes, ``[M]``.
        nominal: the model's own numbers, ``[M]``.
        draws: names of the draws, ``k`` of them.
    """

    name: str
    entry: Entry
    at: np.ndarray
    rows: np.ndarray
    owners: tuple[str, ...]
    draw: np.ndarray
    nominal: np.ndarray
    draws: tuple[str, ...]

    def drawn(self, value: np.ndarray, nominal: np.ndarray) -> np.ndarray:
        """The numbers ``[..., M]`` for draws ``[..., k]``, about ``nominal`` ones."""
        chosen = value[..., self.draw]
        if self.entry.kind == SCALE:
            return nominal * chosen
        return nominal + chosen if self.entry.kind == ADD else chosen

    @property
    def anchor(self) -> np.ndarray:
        """The draws ``[k]`` that leave the model as it is; of a value the first number that takes it."""
        if self.entry.kind == SCALE:
            return np.ones(len(self.draws))
        if self.entry.kind == ADD:
            return np.zeros(len(self.draws))
        first = np.unique(self.draw, return_index=True)[1]
        return np.array(self.nominal[first])


def target_of(name: str, entry: Entry, model: mujoco.MjModel) -> Target:
    """Find what an entry varies.

    Raises:
        PgrobotError: a name or column that the model lacks, or one that nothing would come of.
    """
    path, field = f"variation.{name}", FIELDS[entry.field]
    parts = field.kind.names(model)
    values = field_of(model, entry.field)
    rows = values.reshape(1 if field.kind.word == "option" else len(values), -1)
    columns = _columns(path, entry, rows.shape[1])
    active = np.broadcast_to(field.active(model), len(parts))
    chosen = _parts(path, entry, field, parts, active)
    owner = field.kind.rows(model)
    in_rows = np.flatnonzero(np.isin(owner, chosen))
    row, column = (grid.ravel() for grid in np.meshgrid(in_rows, columns, indexing="ij"))
    nominal = rows[row, column]
    if entry.kind == SCALE:
        _check_scaled(path, entry, parts, owner[row], nominal)
    alive = nominal != 0.0 if entry.kind == SCALE else np.ones(len(row), bool)
    if entry.field == "geom_size":
        alive &= nominal > 0.0  # a sphere has one, a box three
    row, column, nominal = row[alive], column[alive], nominal[alive]
    if not len(row):
        raise PgrobotError(
            f"{path}: {entry.field} is 0 all over the model, and a scale of 0 is 0: draw a value instead"
        )
    draw, draws = _draws(name, entry, field, parts, owner[row], row, column, rows.shape[1])
    at = row * rows.shape[1] + column
    owners = tuple(parts[owner[r]] for r in row)
    return Target(name, entry, at, row, owners, draw, nominal, draws)


def check_apart(targets: Mapping[str, Target]) -> None:
    """Refuse two entries that vary the same number, or numbers which are possible only together.

    Raises:
        PgrobotError: names both.
    """
    seen: dict[tuple[str, int], str] = {}
    for name, target in targets.items():
        field = target.entry.field
        for place in (target.rows if field in TOGETHER else target.at).tolist():
            other = seen.setdefault((field, place), name)
            if other != name:
                raise PgrobotError(
                    f"variation.{other} and variation.{name} both vary the same part of {field}: give each names of "
                    "its own"
                )
    for (field, place), name in seen.items():
        mass = seen.get(("body_mass", place))
        if field == "body_inertia" and mass and targets[name].entry.kind == ADD:
            raise PgrobotError(
                f"variation.{name} adds to inertias that variation.{mass} scales with the mass: let it scale them too"
            )


def check_leaders(targets: Mapping[str, Target]) -> None:
    """Refuse an entry that follows one with another number of draws, unless that has one.

    Raises:
        PgrobotError: names both.
    """
    for name, target in targets.items():
        leader = target.entry.follows
        if leader and len(targets[leader].draws) not in (1, len(target.draws)):
            raise PgrobotError(
                f"variation.{name} draws {len(target.draws)} numbers and follows {leader}, which draws "
                f"{len(targets[leader].draws)}: name the same parts, or set variation.{leader}.per=model"
            )


def _columns(path: str, entry: Entry, width: int) -> np.ndarray:
    for column in entry.columns:
        if column >= width:
            raise PgrobotError(
                f"{path}.columns names {column}, and {entry.field} has columns 0 to {width - 1}"
            )
    return np.array(entry.columns or range(width))


def _parts(
    path: str, entry: Entry, field: VariedField, parts: tuple[str, ...], active: np.ndarray
) -> np.ndarray:
    """The indices of the parts that are named."""
    word = field.kind.word
    if entry.names == (ALL,):
        found = np.flatnonzero(active)
        if not found.size:
            why = f": each {field.because}" if len(parts) and field.because else ""
            raise PgrobotError(f"{path}: the model has no {word} whose {entry.field} could vary{why}")
        return found
    if word == "option":
        raise PgrobotError(f"{path}.names cannot be given: {entry.field} is the whole model's")
    for name in entry.names:
        if name not in parts:
            raise PgrobotError(f"{path}.names: the model has no {word} {name!r}: {nearest(name, parts)}")
        if not active[parts.index(name)]:
            raise PgrobotError(
                f"{path}.names: {word} {name!r} {field.because}, so its {entry.field} cannot vary"
            )
    return np.array([parts.index(name) for name in entry.names])


def _check_scaled(
    path: str, entry: Entry, parts: tuple[str, ...], owner: np.ndarray, nominal: np.ndarray
) -> None:
    """Refuse to scale what is 0 of a part that is named."""
    for name in entry.names:
        if name != ALL and not nominal[owner == parts.index(name)].any():
            raise PgrobotError(
                f"{path}.names: {entry.field} of {name!r} is 0, and a scale of 0 is 0: draw a value instead"
            )


def _draws(
    name: str,
    entry: Entry,
    field: VariedField,
    parts: tuple[str, ...],
    owner: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    width: int,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which draw each number takes, and what the draws are called."""
    if entry.per == MODEL or (entry.per != ENTRY and field.kind.word == "option"):
        return np.zeros(len(row), np.int64), (name,)
    labels = [f"{name}/{parts[p]}" if parts[p] else name for p in owner]
    if entry.per == ENTRY:
        several = len({r for r, p in zip(row, owner, strict=True) if p == owner[0]}) > 1 or width > 1
        first = {p: int(row[owner == p].min()) for p in owner.tolist()}
        places = [
            int(c) if width > 1 else int(r) - first[int(p)]
            for r, p, c in zip(row, owner, column, strict=True)
        ]
        labels = [
            f"{label}/{place}" if several or place else label
            for label, place in zip(labels, places, strict=True)
        ]
    draws = tuple(dict.fromkeys(labels))
    return np.array([draws.index(label) for label in labels]), draws
