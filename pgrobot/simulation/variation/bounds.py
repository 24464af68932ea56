"""Whether all that may be drawn is possible."""

from __future__ import annotations

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.variation.fields import FIELDS, field_of
from pgrobot.simulation.variation.targets import Target

ROUNDING = 1e-9  # of an inertia that MuJoCo itself has accepted


def check_bounds(target: Target, model: mujoco.MjModel) -> None:
    """Refuse bounds at which a number of the model is impossible.

    What is drawn lies between the bounds, and so does what comes of it: to look at both ends is enough.

    Raises:
        PgrobotError: names the number.
    """
    entry, field = target.entry, FIELDS[target.entry.field]
    path = f"variation.{target.name}"
    for bound, values in zip((entry.low, entry.high), ends(target), strict=True):
        bad = values <= field.least if field.strict else values < field.least
        if bad.any():
            m = int(np.flatnonzero(bad)[0])
            of = f" of {target.owners[m]!r}" if target.owners[m] else ""
            raise PgrobotError(
                f"{path}.{entry.kind} reaches {bound:g}, with which {entry.field}{of} would be {values[m]:g}: it has "
                f"to be {'above' if field.strict else 'at least'} {field.least:g}"
            )
    if field.ascends or entry.field == "body_inertia":
        _check_rows(path, target, field_of(model, entry.field))
    if entry.field == "body_ipos":
        _check_simple(path, target, model)


def ends(target: Target) -> tuple[np.ndarray, np.ndarray]:
    """What becomes of the target's numbers at the lower bound and at the upper one, ``[M]`` each."""
    count = len(target.draws)
    low, high = np.full(count, target.entry.low), np.full(count, target.entry.high)
    return target.drawn(low, target.nominal), target.drawn(high, target.nominal)


def _check_rows(path: str, target: Target, field: np.ndarray) -> None:
    """Refuse ranges that might end before they begin, and inertias that no distribution of mass has."""
    entry, width = target.entry, field.shape[1]
    for row in dict.fromkeys(target.rows.tolist()):
        mine = target.rows == row
        column = target.at[mine] % width
        corners = np.tile(field[row], (2, 1))
        corners[:, column] = np.stack(ends(target))[:, mine]
        together = len(set(target.draw[mine].tolist())) == 1
        pairs = (
            [(each, each) for each in corners] if together else [(corners.min(axis=0), corners.max(axis=0))]
        )
        fine = (_ascend if FIELDS[entry.field].ascends else _is_inertia)(pairs)
        if not fine:
            owner = target.owners[int(np.flatnonzero(mine)[0])]
            what = "a range that ends before it begins"
            if not FIELDS[entry.field].ascends:
                what = "an inertia about one axis that exceeds the sum of the others"
            remedy = "narrow it" if together else f"narrow it, or set {path}.per=part"
            raise PgrobotError(
                f"{path}.{entry.kind}=[{entry.low:g}, {entry.high:g}] may give {owner!r} {what}, which {entry.field} "
                f"cannot be: {remedy}"
            )


def _ascend(pairs: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    return all(most[0] < least[1] for least, most in pairs)


def _is_inertia(pairs: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    return all(
        least.sum() - least[axis] >= most[axis] * (1.0 - ROUNDING)
        for least, most in pairs
        for axis in range(3)
    )


def _check_simple(path: str, target: Target, model: mujoco.MjModel) -> None:
    """Refuse to move a centre of mass that MuJoCo was compiled to take for the body's origin."""
    for row, owner in zip(target.rows.tolist(), target.owners, strict=True):
        if int(model.body_simple[row]) == 1:
            raise PgrobotError(
                f"{path}: MuJoCo has compiled body {owner!r} with its centre of mass at its origin for good: write "
                f'<body name="{owner}" simple="false"> in the MJCF file'
            )
