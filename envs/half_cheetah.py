"""HalfCheetah: a planar two-legged runner that cannot fall (Gymnasium's HalfCheetah-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Simulation

from .planar import PlanarRunner


@dataclass(frozen=True, kw_only=True)
class HalfCheetah(PlanarRunner):
    """Six actuated joints, paid for forward velocity less effort; only the time limit ends an episode."""

    models: ClassVar = {"v5": "half_cheetah.xml", "v4": "half_cheetah.xml"}

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        scale, model = self.reset_noise_scale, simulation.model
        qpos = model.qpos0 + random.uniform(-scale, scale, model.nq)
        return qpos, scale * random.standard_normal(model.nv)
