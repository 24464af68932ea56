"""The table of mutants stays true when code moves; ``scripts/mutants.py`` tries them, by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_mutant_applies_and_its_tests_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    from mutants import MUTANTS

    for mutant in MUTANTS:
        changed = mutant.applied((ROOT / mutant.file).read_text(encoding="utf-8"))  # says what does not apply
        compile(changed, mutant.file, "exec")
        assert mutant.source != mutant.replacement, mutant.name
        assert [test for test in mutant.tests if not (ROOT / test).is_file()] == [], mutant.name
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 44
