"""Runs in worlds that vary: trained, judged, resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

import pgrobot
from pgrobot.errors import PgrobotError
from pgrobot.past import load_checkpoint, saved_config
from pgrobot.run.robustness import swept
from pgrobot.run.robustness_shown import print_robustness
from pgrobot.run_directory import find_checkpoint
from pgrobot.tracking.gallery import read_table

SETTINGS = {
    "task": "hopper",
    "variation": ["mass", "friction"],
    "debug": "tiny",
    "constraint": [],
    "total_steps": 512,
    "num_envs": 4,
    "evaluation": {"episodes": 2, "final_episodes": 2, "every": 512},
    "threads": 1,
    "critic.groups": ["policy", "privileged"],
    "+variation.mass.schedule": {"steps": 400},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("varied") / "run"
    return pgrobot.train(**SETTINGS, quiet=True, **{"hydra.run.dir": str(run)}).path


def test_a_run_tells_what_was_drawn(finished: Path) -> None:
    rows = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        for name, (low, high) in {"mass": (0.8, 1.2), "friction": (0.5, 1.5)}.items():
            told = [row[f"variation/{name}/{word}"] for word in ("min", "mean", "max")]
            assert [low, *told, high] == sorted([low, *told, high])
        assert 0.0 <= row["variation/mass/strength"] <= 1.0
        assert "variation/friction/strength" not in row
    assert rows[-1]["variation/mass/strength"] > rows[0]["variation/mass/strength"]


def test_a_verdict_says_which_models_it_was_found_on(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = json.loads((finished / "result.json").read_text())
    assert result["judged"]["variation"] == "full"
    again = pgrobot.evaluate(finished)
    assert again["judged"]["repeats"] == "all"
    assert again["return"] == result["return"]
    nominal = pgrobot.evaluate(finished, variation=False)
    assert nominal["judged"]["variation"] == "nominal"
    assert nominal["judged"]["repeats"] == "none"
    assert nominal["return"]["mean"] != result["return"]["mean"]
    from pgrobot.cli import main

    main(["evaluate", str(finished), "--no-variation"])
    assert "the robot's own in these episodes" in " ".join(capsys.readouterr().out.split())


def test_a_critic_reads_what_was_drawn_and_the_policy_does_not(finished: Path) -> None:
    state = load_checkpoint(find_checkpoint(finished, "last"))["learners"]["robot"]
    widths = {
        part: {tuple(value.shape) for name, value in state[part].items() if name == "normalizer.offset"}
        for part in ("policy", "critic")
    }
    assert widths == {"policy": {(11,)}, "critic": {(11 + 5,)}}
    spec = json.loads((finished / "spec.json").read_text())
    assert "privileged" in json.dumps(spec)


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(finished: Path, tmp_path: Path) -> None:
    half = pgrobot.train(
        **SETTINGS,
        quiet=True,
        callback=lambda told: True,
        **{"hydra.run.dir": str(tmp_path / "half")},
    )
    assert half.status == "stopped"
    whole = pgrobot.train(resume=half.path, quiet=True)
    result = json.loads((finished / "result.json").read_text())
    assert whole.evaluation["return"] == result["return"]
    last, other = (load_checkpoint(find_checkpoint(run, "last")) for run in (finished, half.path))
    own, same = (state["collector"]["environment"]["variation"] for state in (last, other))
    assert own["drawn"].equal(same["drawn"])
    assert own["curriculum"]["taken"] == same["curriculum"]["taken"] > 0
    assert own["random"] == same["random"]


def test_what_varies_cannot_be_changed_where_a_run_goes_on(finished: Path) -> None:
    with pytest.raises(PgrobotError, match="variation"):
        pgrobot.train(resume=finished, total_steps=10_000, **{"variation.mass.scale": [0.5, 2.0]})


def test_a_sweep_judges_every_model_of_a_grid(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nominal = pgrobot.evaluate(finished, variation=False)
    lines = ["variation.mass=1:1.5:2", "variation.gravity=1,1.3"]
    told = pgrobot.evaluate(finished, variation=False, sweep=lines)
    assert told["return"] == nominal["return"]
    cells = told["sweep"]["cells"]
    assert told["sweep"]["axes"] == {"mass": [1.0, 1.5], "gravity": [1.0, 1.3]}
    assert [(cell["mass"], cell["gravity"]) for cell in cells] == [
        (1.0, 1.0),
        (1.0, 1.3),
        (1.5, 1.0),
        (1.5, 1.3),
    ]
    assert cells[0]["return"] == nominal["return"]  # the robot's own model
    assert len({cell["return"]["mean"] for cell in cells}) == 4
    step = told["judged"]["step"]
    table = read_table(finished / "tables" / "robustness" / f"mass_gravity_{step}.csv")
    assert table.rows[3][:3] == (1.5, 1.3, cells[3]["return"]["mean"])
    assert (finished / "figures" / "robustness" / "mass_gravity" / f"return_{step}.png").exists()
    print_robustness(Console(), told["sweep"], finished)
    assert "over 4 models" in capsys.readouterr().out


def test_entries_of_the_run_go_on_varying_beside_the_one_that_is_swept(finished: Path) -> None:
    varied = pgrobot.evaluate(finished, sweep=["variation.mass=1,1.5"])["sweep"]["cells"]
    still = pgrobot.evaluate(finished, variation=False, sweep=["variation.mass=1,1.5"])["sweep"]["cells"]
    assert varied[0]["return"]["mean"] != still[0]["return"]["mean"]
    assert (finished / "figures" / "robustness" / "mass").is_dir()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["mass=1:2:3"], "a sweep is written variation.<name>="),
        (["variation.mas=1:2:3"], "no entry that can be swept: did you mean 'mass'"),
        (["variation.mass=1:2"], "says no ascending values"),
        (["variation.mass=2:1:3"], "says no ascending values"),
        (["variation.mass=1:2:0"], "says no ascending values"),
        (["variation.mass=a,b"], "says no ascending values"),
        (["variation.mass=1", "variation.mass=2"], "one or two entries, each another"),
        (["variation.mass=1,2,4", "variation.gravity=1,2"], "even steps of its first entry"),
    ],
)
def test_a_sweep_that_means_nothing_is_refused(finished: Path, lines: list[str], words: str) -> None:
    with pytest.raises(PgrobotError, match=words):
        swept(lines, saved_config(finished))
