"""HumanoidStandup: the humanoid, lying on its back (Gymnasium's HumanoidStandup-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Simulation

from .contact import sum_of_squares
from .humanoid_body import HumanoidBody


@dataclass(frozen=True, kw_only=True)
class HumanoidStandup(HumanoidBody):
    """Paid for height, per MuJoCo time step as Gymnasium does, and 1 per step; only time ends an episode.

    Attributes:
        uph_cost_weight: accepted and without effect, as in Gymnasium.
        ctrl_cost_weight: price of the squared controls.
        impact_cost_weight: price of the squared external forces.
        impact_cost_range: bounds of the whole impact cost.
    """

    uph_cost_weight: float
    ctrl_cost_weight: float
    impact_cost_weight: float
    impact_cost_range: tuple[float, float]

    models: ClassVar = {"v5": "humanoidstandup.xml", "v4": "humanoidstandup.xml"}

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "linup", "quadctrl", "impact", "constant"

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        linup = simulation.qpos[:, 2] / simulation.model.opt.timestep
        quadctrl = self.ctrl_cost_weight * np.square(simulation.ctrl).sum(axis=1)
        impact = self.impact_cost_weight * sum_of_squares(simulation.field("cfrc_ext"))
        impact = np.clip(impact, *self.impact_cost_range)
        return linup, -quadctrl, -impact, np.ones(simulation.num_envs)
