"""Bounds for whoever looks several times, broken."""

from __future__ import annotations

from typing import Any

import pytest
from laboratory.sabotage import sabotage

import pgrobot.constraints.bounds
import pgrobot.constraints.inference


@sabotage("looks", "wrong at some look: a share of 0.1, exactly", "wrong at some look: student-t")
def looks_that_do_not_share(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pgrobot.constraints.inference, "shared_level", lambda confidence, parts: confidence)


@sabotage("looks", "wrong at some look: bets")
def a_bet_that_is_won_too_early(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.constraints.bounds._beats

    def early(sample: Any, stakes: Any, ratio: float, confidence: float) -> bool:
        return original(sample, stakes, ratio, 1.0 - 6.0 * (1.0 - confidence))

    patch.setattr(pgrobot.constraints.bounds, "_beats", early)
