"""Every file in ``examples/`` runs as it stands, only shorter, is short, and is on the first page."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pgrobot.run import Request, prepare

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MOST_LINES = 60
SMALL = ("--steps", "512")  # what every example takes
MORE: Mapping[str, Sequence[str]] = {
    "budgets": ("--episodes", "2"),
    "compare_two_runs": ("--episodes", "2"),
    "load_and_act": ("--episodes", "2"),
    "sweep": ("debug=tiny",),
    "drone_in_wind": ("--episodes", "2"),
    "fine_tune": ("--steps", "1536"),  # an iteration more than its critic learns alone
    "learn_from_demonstrations": ("--episodes", "3"),
    "varied_world": ("--episodes", "2"),
}
# What an example prints at its end, when it did what it says.
PRINTS: Mapping[str, str] = {
    "asymmetric_critic": "asymmetric: return",
    "budgets": "budget 0.02: ",
    "compare_two_runs": "of these two policies;",
    "curiosity": "curiosity alone: ",
    "drone_in_wind": "wind +1.50 m/s: astray in ",
    "export_to_onnx": "of torch's actions",
    "fine_tune": "the heavy one, as the light one: ",
    "hierarchy": "of which two are its goal",
    "learn_from_demonstrations": "DAPG: return ",
    "load_and_act": "pgrobot evaluate:   ",
    "memory": "between the actions: it remembers",
    "own_gymnasium_env": "per step: ",
    "own_mjcf": " of at most 200; torque ",
    "own_reward_term": " W beyond the limit",
    "past_experience": "geppo: return",
    "representation": "taught: return",
    "robot_by_path": "; {'torque': '",
    "sb3_on_native_robots": "trained for 512 steps",
    "sweep": "budget 0.05: return",
    "varied_world": "mass × 1.50: return ",
}


def small(overrides: Sequence[str]) -> Request:
    """As an example asks, with the networks, evaluations and mirrors of ``debug=tiny``."""
    new = not any(line.startswith("resume=") for line in overrides)
    return prepare([*overrides, *["debug=tiny", "threads=1"] * new])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(path.parent)  # as when it is run: what it names of itself is found there
    monkeypatch.setattr("pgrobot.run.from_python.prepare", small)
    monkeypatch.setattr(sys, "argv", [str(path), *SMALL, *MORE.get(path.stem, ())])
    runpy.run_path(str(path), run_name="__main__")
    assert PRINTS.get(path.stem, "") in capsys.readouterr().out


def test_they_are_short_and_on_the_first_page() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path
        assert f"(examples/{path.name})" in page, path
