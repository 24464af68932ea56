"""Pictures and tables of sensitivity: sensors by actuators, and the strongest of their pairs over a gait."""

from __future__ import annotations

import torch
from torch import Tensor

from pgrobot.diagnostics.actuators import Actuators
from pgrobot.diagnostics.gait import BINS, Gait
from pgrobot.diagnostics.influence import Influence
from pgrobot.diagnostics.states import States
from pgrobot.figures import Axis, Panel, panels
from pgrobot.pictures import Picture, Table

MOST_ENTRIES = 40  # of a picture; a table has all, up to:
MOST_ROWS = 10_000
PAIRS = 12  # that are followed over a gait


def sensitivity_pictures(
    states: States, influence: Influence, gait: Gait, actuators: Actuators
) -> dict[str, Picture]:
    """Pictures by name, in N·m where all actuators give torques, else in half-ranges of each."""
    shared = len(set(actuators.units)) == 1
    unit = actuators.units[0] if shared else "half-ranges"
    scale = (actuators.scale if shared else torch.ones_like(actuators.scale)).to(influence.slope)
    return {
        "sensitivity/map": _map(states, influence, actuators, scale, unit),
        "sensitivity/gait": _gait(states, influence, gait, actuators, scale, unit),
    } | _tables(states, influence, gait, actuators)


def _map(states: States, influence: Influence, actuators: Actuators, scale: Tensor, unit: str) -> Picture:
    size = influence.attribution * scale.abs().unsqueeze(-1)
    strongest = size.square().sum(0).argsort(descending=True, stable=True)[:MOST_ENTRIES].sort().values
    rows = [states.names[d] for d in strongest.tolist()]
    of = lambda x: (x * scale.unsqueeze(-1))[:, strongest].T.numpy()
    return panels(
        [
            Panel(
                of(influence.slope), rows, actuators.names, f"{unit} per deviation", "Mean slope", signed=True
            ),
            Panel(abs(of(influence.attribution)), rows, actuators.names, unit, "Attribution", signed=False),
        ],
        "What each sensor does to each actuator: mean slope of the mean action, and mean size of the integrated "
        f"gradient from the mean state{_some(actuators)}",
        stacked=False,
    )


def _gait(
    states: States, influence: Influence, gait: Gait, actuators: Actuators, scale: Tensor, unit: str
) -> Picture:
    bins = gait.bins(states, states.x)
    with torch.no_grad():
        action = gait.averaged(states.action(states.x) * scale, bins).T
    pairs = _strongest(influence.attribution * scale.abs().unsqueeze(-1))[:PAIRS]
    slopes = torch.stack([gait.averaged(influence.by_state[:, j, d] * scale[j], bins) for j, d in pairs], 0)
    along = Axis(f"phase (turns), which goes forward in {gait.advance:.0%} of the steps", 0.0, 1.0)
    names = [f"{states.names[d]} → {actuators.names[j]}" for j, d in pairs]
    return panels(
        [
            Panel(action.numpy(), actuators.names, along, unit, "Mean action, from mid-range", signed=True),
            Panel(
                slopes.numpy(),
                names,
                along,
                f"{unit} per deviation",
                "Slopes of what shows most",
                signed=True,
            ),
        ],
        f"A cycle of the gait: its plane holds {gait.variance:.0%} of the variance, and the phase advances in "
        f"{gait.advance:.0%} of the steps{_some(actuators)}",
        stacked=True,
    )


def _some(actuators: Actuators) -> str:
    """Which entries of the action are shown, where not all are."""
    shown = len(actuators.names)
    whole = shown == actuators.count
    return "" if whole else f", of the first {shown:,} of {actuators.count:,} entries of the action"


def _tables(states: States, influence: Influence, gait: Gait, actuators: Actuators) -> dict[str, Picture]:
    per_unit = actuators.scale.to(influence.slope).unsqueeze(-1)
    slope, strength = influence.slope * per_unit, influence.strength * per_unit.abs()
    attribution = influence.attribution * per_unit.abs()
    pairs = _strongest(attribution)
    bins = gait.bins(states, states.x)
    over = [gait.averaged(influence.by_state[:, j, d] * per_unit[j], bins).tolist() for j, d in pairs[:PAIRS]]
    return {
        "sensitivity/pairs": Table(
            ("actuator", "entry", "unit", "slope", "strength", "attribution", "deviation"),
            tuple(
                (
                    actuators.names[j],
                    states.names[d],
                    actuators.units[j],
                    float(slope[j, d]),
                    float(strength[j, d]),
                    float(attribution[j, d]),
                    float(states.spread[d]),
                )
                for j, d in pairs[:MOST_ROWS]
            ),
        ),
        "sensitivity/entries": Table(
            ("entry", "attribution", "unused"),
            tuple(
                zip(states.names, influence.total.tolist(), influence.unused.double().tolist(), strict=True)
            )[:MOST_ROWS],
        ),
        "sensitivity/by_phase": Table(
            ("actuator", "entry", "unit", "phase", "slope"),
            tuple(
                (actuators.names[j], states.names[d], actuators.units[j], b / BINS, value)
                for (j, d), values in zip(pairs[:PAIRS], over, strict=True)
                for b, value in enumerate(values)
            ),
        ),
    }


def _strongest(size: Tensor) -> list[tuple[int, int]]:
    """Pairs of an actuator and an entry, ``[J, D]``, strongest first."""
    order = size.flatten().argsort(descending=True, stable=True).tolist()
    width = size.shape[-1]
    return [(index // width, index % width) for index in order]
