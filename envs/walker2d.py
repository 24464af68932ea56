"""Walker2d: a planar two-legged walker (Gymnasium's Walker2d-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .planar import UprightRunner


@dataclass(frozen=True, kw_only=True)
class Walker2d(UprightRunner):
    """Six actuated joints; the feet of v4 have unequal friction (0.9 right, 1.9 left), those of v5 equal."""

    models: ClassVar = {"v5": "walker2d_v5.xml", "v4": "walker2d.xml"}
