"""Swimmer: a three-link chain in a viscous fluid (Gymnasium's Swimmer-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .planar import PlanarRunner


@dataclass(frozen=True, kw_only=True)
class Swimmer(PlanarRunner):
    """Two actuated joints in the x-y plane, paid for x velocity less effort; only time ends an episode."""

    models: ClassVar = {"v5": "swimmer.xml", "v4": "swimmer.xml"}
    positions: ClassVar = 2
