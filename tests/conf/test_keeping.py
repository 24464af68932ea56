"""An algorithm that keeps to the budgets by itself drops the multiplier that nobody typed, and refuses one that was."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgrobot.configure import compose, validated
from pgrobot.errors import PgrobotError

TERM = """
from dataclasses import dataclass
from typing import ClassVar
from pgrobot.objectives import FixedWeight

@dataclass(frozen=True)
class Barrier(FixedWeight):
    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = True
    keeps_budgets: ClassVar[bool] = True
    weight: float

    def __call__(self, policy, batch):
        return policy.here.mean.sum(), {}
"""
ALGORITHM = """
defaults:
  - ppo
  - _self_
  - override /multiplier@_global_.multiplier: none
name: barrier
objective: {barrier: {_target_: keeping.Barrier, weight: 1.0}}
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What chooses an algorithm of one's own, one of whose terms keeps to the budgets."""
    (tmp_path / "keeping.py").write_text(TERM)
    (tmp_path / "conf" / "algorithm").mkdir(parents=True)
    (tmp_path / "conf" / "algorithm" / "barrier.yaml").write_text(ALGORITHM)
    monkeypatch.syspath_prepend(str(tmp_path))
    return [f"hydra.searchpath=[file://{tmp_path}/conf]", "modules=[keeping]", "algorithm=barrier"]


@pytest.mark.parametrize("more", [[], ["multiplier=none"], ["experiment=safe"], ["constraint=[]"]])
def test_it_suffices_alone(own: list[str], more: list[str]) -> None:
    assert validated(compose([*own, *more])).multiplier._target_ == "pgrobot.constraints.Unconstrained"


def test_a_multiplier_that_was_typed_is_refused(own: list[str]) -> None:
    with pytest.raises(
        PgrobotError,
        match=r"algorithm\.objective\.barrier is a Barrier, which keeps to the budgets by itself, and multiplier=pid "
        "would price them as well: use multiplier=none",
    ):
        validated(compose([*own, "multiplier=pid"]))
