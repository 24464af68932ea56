"""Health in runs: live, in its file, after a resume, on the command line, and without a trace in what is learnt."""

from __future__ import annotations

import errno
import io
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pgrobot import checkpoint
from pgrobot.cli import main
from pgrobot.errors import PgrobotError
from pgrobot.health import Examination, Finding, Health, as_json, examine_run, record
from pgrobot.overrides import quote
from pgrobot.run import Result, Surroundings, nobody, prepare, run, silent_console
from pgrobot.tracking import Progress, open_console
from pgrobot.tracking.alerts import Alerts
from pgrobot.tracking.panel import panel

# 40 iterations of 16 steps whose deviation has no room to move: at its bound, as everybody should be told.
SICK = [
    "debug=tiny", "task=hopper", "num_envs=2", "horizon=8", "total_steps=640", "threads=1", "constraint=[]",
    "algorithm.policy_solver.minibatch=16", "evaluation.every=10000", "evaluation.episodes=2", "checkpoint.every=320",
    "evaluation.final_episodes=2", "policy.log_std_bounds=[-0.505,0.5]", "report=false",
    "diagnostics.sensitivity.at_end=false",
]  # fmt: skip


def train(directory: Path, *overrides: str, console: Console | None = None) -> Result:
    request = prepare([*SICK, *overrides, f"hydra.run.dir={directory}"])
    return run(request, Surroundings(("pytest",), "", "", 1, console or silent_console(), nobody))


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("sick") / "run").path


@pytest.fixture
def copied(sick: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sick, tmp_path / "run"))


def told(run: Path) -> dict[str, Any]:
    return json.loads((run / "health.json").read_text(encoding="utf-8"))


def test_the_file_has_what_stands_at_the_end(sick: Path) -> None:
    found = told(sick)
    assert found == json.loads(json.dumps(as_json(examine_run(sick))))
    assert (found["schema"], found["step"], found["past"]) == (1, 640, [])
    (finding,) = [f for f in found["findings"] if f["name"] == "std_at_bound"]
    assert finding["since_step"] == 320
    assert finding["severity"] == "warning"
    assert finding["evidence"]["policy/std"] == pytest.approx(finding["evidence"]["bound"], rel=0.02)


def test_a_run_that_has_begun_has_the_file(tmp_path: Path) -> None:
    Health(tmp_path, {}, {}).begin([])
    assert told(tmp_path) == {"schema": 1, "step": 0, "findings": [], "past": []}


def test_a_finding_is_written_when_it_is_found(tmp_path: Path) -> None:
    health = Health(tmp_path, {}, {})
    health.begin([])
    for i in range(30):
        health.write(i, {"policy/kl": 3.0})
        assert [f["name"] for f in told(tmp_path)["findings"]] == (["kl_runaway"] if i == 29 else [])


def weights(run: Path) -> dict[str, Any]:
    content = checkpoint.load(run / "checkpoints" / "last.pt")
    return {name: part.tolist() for name, part in content["learners"]["robot"]["policy"].items()}


def test_training_is_the_same_without(sick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Examination, "add", lambda self, step, metrics: False)
    other = train(tmp_path / "other").path
    assert told(other)["findings"] == []
    lines = [
        [
            {k: v for k, v in json.loads(line).items() if not k.startswith("time/")}
            for line in (run / "metrics.jsonl").read_text().splitlines()
        ]
        for run in (sick, other)
    ]
    assert lines[0] == lines[1]
    assert weights(sick) == weights(other)


def test_a_resumed_run_knows_what_it_knew(copied: Path) -> None:
    """It went on from its middle, and finds what one without a pause does."""
    before = told(copied)
    shutil.copy(copied / "checkpoints" / "step_320.pt", copied / "checkpoints" / "last.pt")
    (copied / "health.json").write_text("torn")
    request = prepare([f"resume={quote(str(copied))}"])
    run(request, Surroundings(("pytest",), "", "", 1, silent_console(), nobody))
    assert told(copied) == before


def test_a_fault_of_a_check_costs_the_examination_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(self: Examination, step: int, metrics: object) -> bool:
        raise ZeroDivisionError("in a check")

    monkeypatch.setattr(Examination, "add", fails)
    health = Health(tmp_path, {}, {})
    health.begin([])
    for i in range(3):
        health.write(i, {})
    health.conclude({})
    (warning,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert warning == (
        "The examination of the run's health failed and is off from here on; training goes on "
        "(ZeroDivisionError: in a check)."
    )


def test_a_full_disk_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, value: object) -> None:
        raise PgrobotError(f"The disk is full: {path}.") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(record, "write_json", full)
    health = Health(tmp_path, {}, {})
    health.begin([])
    for i in range(40):
        health.write(i, {"policy/kl": 3.0})
    assert [f.name for f in health.findings] == ["kl_runaway"]
    (warning,) = caplog.records
    assert warning.getMessage().endswith("The run goes on, without its findings.")


# -------------------------------------------------------------------------------------------------------- command line


def test_the_command_prints_what_is_wrong(sick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", str(sick)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "warning The policy's standard deviation is at its lower bound of 0.604." in text
    assert "std_at_bound, since step 320: policy/std 0.60" in text


def test_an_error_is_exit_status_1(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in (copied / "metrics.jsonl").read_text().splitlines()]
    (copied / "metrics.jsonl").write_text(
        "".join(json.dumps(row | {"policy/kl": 9.0}) + "\n" for row in lines)
    )
    assert main(["health", str(copied), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["name"] == "kl_runaway"


def test_a_run_that_is_too_young(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (copied / "metrics.jsonl").read_text().splitlines(keepends=True)
    (copied / "metrics.jsonl").write_text("".join(lines[:5]))
    (copied / "result.json").unlink()
    assert main(["health", str(copied)]) == 0
    assert capsys.readouterr().out == "5 iterations are too few to judge by: it takes 20.\n"


def test_a_run_of_an_older_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", str(Path(__file__).parents[1] / "run" / "made_by_7662861")]) == 0
    assert capsys.readouterr().out == "2 iterations are too few to judge by: it takes 20.\n"


def test_a_healthy_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").touch()
    rows = [{"global_step": 64 * (i + 1), "policy/kl": 9.0 if i < 30 else 0.01} for i in range(80)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["health", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Nothing is wrong at step 5,120.",
        "gone: kl_runaway, steps 1,280 to 3,840",
    ]


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("pgrobot: There is no run directory")
    assert main(["health", str(tmp_path)]) == 2
    assert "is not a run directory" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------- console and alerts


def finding(name: str, severity: Any = "warning") -> Finding:
    return Finding(name, severity, "", "", f"This is {name}.", {"x": 1.0}, "Mend it.", 7)


def test_the_panel_shows_the_worst_three() -> None:
    found = tuple(finding(name) for name in ("one", "two", "three", "four", "five"))
    progress = Progress(100, findings=lambda: found)
    progress.add(10, {"policy/kl": 0.1})
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(panel("Hopper-v5", "here", progress))
    text = console.export_text()
    assert "warning This is one." in text
    assert "Mend it." not in text
    assert "This is three." in text
    assert "This is four." not in text
    assert "what to do, and 2 more: pgrobot health here" in text


def test_a_log_has_a_line_for_each_finding_once() -> None:
    found: list[Finding] = []
    file = io.StringIO()
    display = open_console(
        "title", "where", Progress(1000, findings=lambda: tuple(found)), Console(file=file)
    )
    display.write(10, {})
    found.append(finding("one"))
    display.write(20, {})
    display.write(30, {})
    display.close()
    assert file.getvalue().count("warning: This is one. Mend it.\n") == 1


def test_alerts_tell_errors_and_warnings_once_and_no_notes() -> None:
    alerts = Alerts(50)
    found = [finding("kl_runaway", "error"), finding("clipped_much"), finding("sensor_unused", "note")]
    assert [(a.title, a.level) for a in alerts.examine(found)] == [
        ("Health: kl runaway", "ERROR"),
        ("Health: clipped much", "WARN"),
    ]
    assert alerts.examine(found) == []
    assert alerts.examine([*found, finding("std_at_bound")])[0].text == "This is std_at_bound. Mend it."
    assert alerts.examine([finding("updates_skipped", "error")]) == []  # told at the first
    assert Alerts(0).examine(found) == []
