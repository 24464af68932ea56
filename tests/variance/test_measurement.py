"""``pgrobot variance``: from a run directory to a table, a file and an exit status."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from rich.console import Console

import pgrobot.variance.baselines
from pgrobot.cli import main
from pgrobot.variance import print_variance
from pgrobot.variance.baselines import lab

NAMES = ["none", "constant", "optimal", "value", "linear", "quadratic", "refitted V(s)", "refitted V(s, t)"]
QUICK = ["--rollouts", "4", "--horizon", "4", "--warmup", "8"]


@pytest.fixture
def run(hopper: Path, tmp_path: Path) -> Path:
    """A copy, to be written into."""
    return Path(shutil.copytree(hopper, tmp_path / "run"))


@pytest.fixture(autouse=True)
def short_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Critics that are fitted anew take few steps here."""
    monkeypatch.setattr(pgrobot.variance.baselines, "lab", lambda: OmegaConf.merge(lab(), {"steps": 10}))


def told(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "variance.json").read_text(encoding="utf-8"))
    return found


def test_a_run_is_measured_and_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["variance", str(run), *QUICK]) == 0
    out = capsys.readouterr().out
    found = told(run)
    assert list(found["baselines"]) == NAMES
    for name in NAMES:
        assert name in out
        row = found["baselines"][name]
        assert row["variance"] > 0
        for other in ("none", "value"):
            ratio = row["ratio"][other]
            assert ratio["estimate"] == pytest.approx(
                row["variance"] / found["baselines"][other]["variance"], rel=1e-9
            )
            assert ratio["low"] <= ratio["estimate"] <= ratio["high"]
    assert "bias" not in found["baselines"]["none"]
    assert "none was found biased at the level 0.01" in out
    assert (found["rollouts"], found["num_envs"], found["horizon"], found["warmup"]) == (4, 8, 4, 8)
    assert (found["checkpoint"], found["global_step"]) == ("last", 1024)
    assert {path: path.read_bytes() for path in before} == before, "the run is as it was"


def test_the_seed_decides_every_number(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for seed in ("1", "1", "2"):
        assert main(["variance", str(run), *QUICK, "--seed", seed]) == 0
        found.append(told(run))
    assert found[0] == found[1]
    assert found[0]["baselines"]["none"] != found[2]["baselines"]["none"]
    capsys.readouterr()


def test_another_checkpoint_is_another_policy(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["variance", str(run), *QUICK]) == 0
    last = told(run)
    for named in ("step_512", str(run / "checkpoints" / "step_512.pt")):
        assert main(["variance", str(run), *QUICK, "--checkpoint", named]) == 0
        first = told(run)
        assert (last["global_step"], first["global_step"]) == (1024, 512)
        assert last["baselines"]["value"] != first["baselines"]["value"]
    capsys.readouterr()


def test_a_biased_baseline_of_the_run_is_the_exit_status(
    biased: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["variance", str(biased), "--rollouts", "200"]) == 1
    found = told(biased)["baselines"]
    assert list(found) == [*NAMES[:6], "the run's own", *NAMES[6:]]
    assert {name for name, row in found.items() if row.get("bias", {}).get("biased")} == {"the run's own"}
    assert "biased: the run's own" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "There is no run directory nowhere"),
        (["{run}", "--checkpoint", "step_513"], "has no checkpoint 'step_513': did you mean 'step_512'"),
        (["{run}", "--checkpoint", "nowhere.pt"], "There is no checkpoint nowhere.pt"),
        (["{run}", "--checkpoint", "{foreign}"], "foreign.pt does not fit the config of"),
        (["{run}", "--checkpoint", "{odd}"], "odd.pt does not fit the config of"),
        (["{run}", "--rollouts", "1"], "--rollouts 1 are too few to tell a variance: at least 4"),
        (["{run}", "--rollouts", "x"], "invalid int value: 'x'"),
        (["{run}", "--horizon", "0"], "--horizon must be at least 1, not 0"),
        (["{run}", "--warmup", "-1"], "--warmup must be at least 0, not -1"),
        (["{run}", "--seed", "-1"], "--seed must be a whole number of at least 0, not -1"),
        (["{run}", "--confidence", "95"], "--confidence must be a number between 0 and 1, not 95"),
        (["{run}", "--level", "nan"], "--level must be a number between 0 and 1, not nan"),
        ([], "the following arguments are required: run"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    sentence: str,
    hopper: Path,
    bandit: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"run": str(hopper), "foreign": str(tmp_path / "foreign.pt"), "odd": str(tmp_path / "odd.pt")}
    shutil.copy(bandit / "checkpoints" / "last.pt", places["foreign"])
    torch.save({"format": 1}, places["odd"])
    assert main(["variance", *(word.format(**places) for word in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("pgrobot: ")
    assert captured.err.count("\n") == 1
    assert sentence in captured.err
    assert not (hopper / "variance.json").exists()


def test_the_help_states_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["variance", "--help"])
    page = " ".join(capsys.readouterr().out.split())
    assert "The exit status is 0 if no baseline is found biased, 1 if one is" in page
    assert main([]) == 0
    assert "pgrobot variance RUN" in capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 80, 200])
def test_figures_are_whole_in_any_terminal(width: int) -> None:
    ratio = {"estimate": 0.123456, "low": 0.0123, "high": 12345.6}
    unknown = dict.fromkeys(("estimate", "low", "high"), float("nan"))
    bias = {"against": "none", "shift": {"estimate": -0.1234, "low": -0.2, "high": -0.05}, "statistic": 9.0}
    row = {"variance": 1.0, "ratio": {"none": ratio, "value": ratio}}
    text = io.StringIO()
    print_variance(
        Console(file=text, width=width),
        {
            "rollouts": 9, "num_envs": 8, "horizon": 32, "global_step": 10, "confidence": 0.9, "level": 0.01,
            "baselines": {
                "none": row,
                "a [bracket]": {**row, "bias": {**bias, "p_value": 1e-9, "biased": True}},
                "other": {**row, "bias": {**bias, "shift": unknown, "p_value": 0.25, "biased": False}},
            },
        },
    )  # fmt: skip
    out = " ".join(text.getvalue().split())
    for figure in ("0.123", "0.0123–12,346", "-12.3", "7.5", "1.0e-09", "0.250", "8 × 32 steps", "90 %"):
        assert figure in out, figure
    assert "biased: a [bracket]" in out
