"""Models that vary: fields drawn for each simulation at every episode's start."""

from pgrobot.simulation.variation.entry import KINDS, Entry, VariationRule, entry_of
from pgrobot.simulation.variation.fields import FIELDS
from pgrobot.simulation.variation.varied import (
    NOTHING,
    PRIVILEGED,
    STRENGTH,
    TELEMETRY,
    Plan,
    Strength,
    Variation,
)

__all__ = [
    "FIELDS",
    "KINDS",
    "NOTHING",
    "PRIVILEGED",
    "STRENGTH",
    "TELEMETRY",
    "Entry",
    "Plan",
    "Strength",
    "Variation",
    "VariationRule",
    "entry_of",
]
