"""What varies: models, drawn for each simulation at every episode's start, and pushes at random times."""

from pgrobot.simulation.variation.entry import KINDS, Entry, VariationRule, entry_of
from pgrobot.simulation.variation.fields import FIELDS
from pgrobot.simulation.variation.push import PUSHES
from pgrobot.simulation.variation.varied import (
    NOTHING,
    PRIVILEGED,
    STRENGTH,
    TELEMETRY,
    Plan,
    Strength,
    Variation,
    plan_of,
)

__all__ = [
    "FIELDS",
    "KINDS",
    "NOTHING",
    "PRIVILEGED",
    "PUSHES",
    "STRENGTH",
    "TELEMETRY",
    "Entry",
    "Plan",
    "Strength",
    "Variation",
    "VariationRule",
    "entry_of",
    "plan_of",
]
