"""Paths may hold what has a meaning in an override: ``=``, commas, spaces, brackets, quotes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgrobot.cli import main
from pgrobot.commands.train import _whole_path
from pgrobot.overrides import parse
from pgrobot.simulation.model import assets

ODD = "a=b, (c) [d] it's"
TINY = ["debug=tiny", "num_envs=2", "total_steps=64", "evaluation.every=64", "task.max_episode_steps=20"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / ODD).mkdir()
    path = tmp_path / ODD / "hopper=1.xml"
    path.write_bytes((assets() / "hopper.xml").read_bytes())
    return path


def test_a_run_in_a_directory_of_an_odd_name(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(model.parent)
    run = model.parent / "lr=1, ü"
    assert main(["train", *TINY, f"hydra.run.dir={run}", "task.xml_file=./hopper=1.xml"]) == 0
    assert (run / "model" / "hopper=1.xml").read_bytes() == model.read_bytes()
    assert main(["train", f"resume={run}", "total_steps=128"]) == 0
    assert json.loads((run / "result.json").read_text())["env_steps"] == 128
    capsys.readouterr()
    best = run / "checkpoints" / "best.pt"
    assert main(["evaluate", str(run), "--episodes", "3", f"--checkpoint={best}"]) in (0, 1)
    assert "return" in capsys.readouterr().out


def test_a_sweep_in_a_directory_of_an_odd_name_over_models_of_odd_names(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    Path("hopper=2.xml").write_bytes(model.read_bytes())
    words = [*TINY, f"hydra.sweep.dir={model.parent}/x=1", "task.xml_file=hopper=1.xml,hopper=2.xml"]
    main(["train", "-m", *words])
    found = sorted(path.name for path in Path("x=1").glob("*/model/*"))
    assert found == ["hopper=1.xml", "hopper=2.xml"]


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("resume=runs/a,b=c", ["runs/a,b=c"]),
        ("hydra.run.dir=runs/${now:%H}=x", ["runs/${now:%H}=x"]),
        ("hydra.sweep.dir='a b'", ["a b"]),
        ("task.xml_file=a=1.xml,b=2.xml", ["a=1.xml", "b=2.xml"]),
        ("task.xml_file=choice(a.xml,b.xml)", ["a.xml", "b.xml"]),
        ("task.xml_file=~/a.xml", ["~/a.xml"]),
        ("+task.kwargs.xml_file=./a=1.xml", ["./a=1.xml"]),
        ("task.xml_file=", [""]),
    ],
)
def test_what_is_a_path_is_read_as_one(typed: str, values: list[str]) -> None:
    (override,) = parse([_whole_path(typed)])
    if override.is_sweep_override():
        assert [value.strip("'") for value in override.sweep_string_iterator()] == values
    else:
        assert [override.value()] == values


def test_a_home_directory_is_not_a_folder_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert _whole_path("hydra.run.dir=~/run") == "hydra.run.dir='/somewhere/run'"
