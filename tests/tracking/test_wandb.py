"""Weights & Biases offline: what `wandb sync` would upload, read back by W&B's own program."""

from __future__ import annotations

import io
import json
import math
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image as Pixels
from wandb.util import get_core_path

from pgrobot.errors import PgrobotError
from pgrobot.figures import Axis, heatmap
from pgrobot.health import Finding
from pgrobot.pictures import Table, Video
from pgrobot.tracking import RunInfo, Wandb
from pgrobot.tracking.weights_and_biases import headline

OFFLINE = Wandb(project="robots", entity="", mode="offline", checkpoints=False, alert_after=2)


@pytest.fixture(autouse=True)
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B keeps copies of tables and models in the home directory."""
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staging"))


def info(directory: Path, identity: str = "abcd1234", ending: str = "finished") -> RunInfo:
    config = {"seed": 1, "task": {"name": "Hopper-v5"}}
    return RunInfo(
        directory, identity, "hopper pid", "sweep-1", ("hopper", "ppo"), config, lambda: ending, tuple
    )


def inspect(run: Path, *options: str) -> str:
    """What ``wandb leet inspect`` prints, without the second that its Python takes."""
    (log,) = run.glob("*.wandb")
    place = ["--run-file", str(log), str(run.parent)]
    command = [get_core_path(), "leet", "inspect", "--no-observability", "--json", *options, *place]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in inspect(run).splitlines()]
    return [record[kind] for record in found if record["type"] == kind]


RESULT = {
    "status": "finished",
    "return": {"mean": 1.5},
    "costs": {
        "speed": {"verdict": "satisfied"},
        "torque": {
            "verdict": "violated",
            "mean": 0.25,
            "lower": 0.2,
            "budget": 0.1,
            "unit": "step",
            "confidence": 0.95,
        },
    },
    "best_step": 2048,
}


def offline_runs(directory: Path) -> list[Path]:
    return sorted((directory / "wandb").glob("offline-run-*"))


def test_an_offline_run_holds_everything(tmp_path: Path) -> None:
    tracker = OFFLINE.open(info(tmp_path))
    tracker.write(2048, {"return/mean": 1.5, "cost/speed/mean": 20.0})
    tracker.write(4096, {"cost/speed/mean": 22.0})
    tracker.write(2048, {"return/mean": 9.0})  # as after a kill, when a resumed run repeats its last steps
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    tracker.close()
    (run,) = offline_runs(tmp_path)
    summary = json.loads(inspect(run, "--summary"))
    assert (summary["project"], summary["run_id"], summary["name"]) == ("robots", "abcd1234", "hopper pid")
    assert summary["tags"] == ["hopper", "ppo"]
    assert summary["config"] == {"seed": 1, "task": {"name": "Hopper-v5"}}
    assert summary["exit_code"] == 0
    assert summary["summary"]["result"] == RESULT
    shown = sorted(key for key in summary["summary"] if not key.startswith("_"))
    assert shown[:3] == ["1 verdict", "2 return", "3 best step"]
    assert [summary["summary"][key] for key in shown[:3]] == ["violated", 1.5, 2048]
    lines = inspect(run).splitlines()
    assert any('"group":"sweep-1"' in line or '"run_group":"sweep-1"' in line for line in lines)
    metrics = [json.loads(line)["metric"] for line in lines if '"type":"metric"' in line]
    assert {"glob_name": "*", "step_metric": "global_step"}.items() <= metrics[-1].items()
    history = [json.loads(line)["history"]["item"] for line in lines if '"type":"history"' in line]
    assert [{k: v for k, v in item.items() if not k.startswith("_")} for item in history] == [
        {"global_step": 2048, "return/mean": 1.5, "cost/speed/mean": 20},
        {"global_step": 4096, "cost/speed/mean": 22},
    ]


def test_pictures_are_files_of_the_run_at_their_step(tmp_path: Path) -> None:
    image = heatmap(np.eye(2), ["hip", "knee"], Axis("s", 0.0, 1.0), "share", "a map", signed=False)
    iio.imwrite(tmp_path / "film.mp4", np.zeros((8, 32, 32, 3), np.uint8), fps=8)
    tracker = OFFLINE.open(info(tmp_path, ending="stopped"))
    tracker.write(2048, {"x": 1.0})
    tracker.show(2048, "violation/map", image)
    tracker.show(2048, "violation/table", Table(("joint", "share"), (("hip", 0.25), ("knee", math.nan))))
    tracker.show(2048, "film", Video(tmp_path / "film.mp4", "a film"))
    tracker.write(4096, {"x": 2.0})
    tracker.show(4096, "violation/map", image)
    tracker.close()
    (run,) = offline_runs(tmp_path)
    rows = [record["item"] for record in records(run, "history")]
    assert [(row["_step"], row["global_step"]) for row in rows] == [
        (2048, 2048),
        (2049, 2048),
        (4096, 4096),
        (4097, 4096),
    ]
    shown = rows[1]
    assert shown["violation/map.caption"] == "a map"
    map_, table, film = (
        run / "files" / shown[f"{name}.path"] for name in ("violation/map", "violation/table", "film")
    )
    with Pixels.open(map_) as kept, Pixels.open(io.BytesIO(image.png)) as drawn:
        assert kept.tobytes() == drawn.convert(kept.mode).tobytes()
    assert json.loads(table.read_text())["columns"] == ["joint", "share"]
    assert json.loads(table.read_text())["data"] == [["hip", 0.25], ["knee", None]]
    assert film.read_bytes() == (tmp_path / "film.mp4").read_bytes()
    assert shown["film._type"] == "video-file"


def test_alerts_are_part_of_the_run(tmp_path: Path) -> None:
    found = Finding("kl_runaway", "error", "", "", "It runs away.", {"policy/kl": 3.0}, "Lower the rate.", 1)
    tracker = OFFLINE.open(replace(info(tmp_path), findings=lambda: (found,)))
    for step in (1, 2, 3):
        tracker.write(step, {"cost/torque/mean": 0.3, "cost/torque/budget": 0.1})
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    tracker.close()
    (run,) = offline_runs(tmp_path)
    assert [(alert["title"], alert["level"]) for alert in records(run, "alert")] == [
        ("Health: kl runaway", "ERROR"),
        ("Over budget: torque", "WARN"),
        ("Budget violated: torque", "WARN"),
    ]
    assert [record["job_type"] for record in records(run, "run")] == ["train"]


def test_checkpoints_are_versions_of_one_model(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for name in ("checkpoints/best.pt", "checkpoints/last.pt", "config.yaml", "spec.json", "manifest.json"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(name)
    tracker = replace(OFFLINE, checkpoints=True).open(info(run, ending="stopped"))
    tracker.write(1, {"x": 1.0})
    tracker.close()
    (offline,) = offline_runs(run)
    artifacts = records(offline, "artifact")
    assert [(found["name"], found["type"]) for found in artifacts] == [("checkpoint-abcd1234", "model")] * 2
    assert ["best" in found["aliases"] for found in artifacts] == [True, False]
    assert ["last" in found["aliases"] for found in artifacts] == [False, True]
    for found, name in zip(artifacts, ("best", "last"), strict=True):
        content = {entry["path"]: Path(entry["local_path"]) for entry in found["manifest"]["contents"]}
        assert sorted(content) == [f"checkpoints/{name}.pt", "config.yaml", "manifest.json", "spec.json"]
        assert all(path.read_text() == entry for entry, path in content.items())


def test_wandb_sync_finds_what_was_tracked_offline(tmp_path: Path) -> None:
    """Up to where it would ask the server."""
    tracker = OFFLINE.open(info(tmp_path, ending="stopped"))
    tracker.write(1, {"x": 1.0})
    tracker.close()
    (run,) = offline_runs(tmp_path)
    command = [sys.executable, "-m", "wandb", "sync", "--dry-run", str(run)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert "Would sync 1 run(s)" in done.stderr
    assert "run-abcd1234.wandb" in done.stderr


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["satisfied", "satisfied"], "satisfied"),
        (["satisfied", "undecided"], "undecided"),
        (["violated", "undecided"], "violated"),
        ([], "none"),
    ],
)
def test_the_verdict_of_a_summary_is_that_of_all_budgets(verdicts: list[str], word: str) -> None:
    costs = {str(number): {"verdict": verdict} for number, verdict in enumerate(verdicts)}
    assert headline("finished", {**RESULT, "costs": costs})["1 verdict"] == word


def test_two_runs_of_one_process_are_two_runs(tmp_path: Path) -> None:
    settings = OFFLINE
    first = settings.open(info(tmp_path / "a", "aaaa", "stopped"))
    second = settings.open(info(tmp_path / "b", "bbbb", "failed"))
    first.write(1, {"x": 1.0})
    second.write(2, {"x": 2.0})
    first.write(3, {"x": 3.0})
    second.close()
    first.close()
    for name, steps, code, ending in (("a", [1, 3], 0, "stopped"), ("b", [2], 1, "failed")):
        (run,) = offline_runs(tmp_path / name)
        assert run.name.endswith(name * 4)
        assert [h["item"]["global_step"] for h in records(run, "history")] == steps
        summary = json.loads(inspect(run, "--summary"))
        assert (summary["exit_code"], summary["summary"]["1 verdict"]) == (code, ending)


def test_a_stopped_run_goes_on_under_its_id_at_its_steps(tmp_path: Path) -> None:
    settings = OFFLINE
    for step in (2048, 4096):
        tracker = settings.open(info(tmp_path, ending="stopped"))
        tracker.write(step, {"x": 1.0})
        tracker.close()
    runs = offline_runs(tmp_path)
    summaries = [json.loads(inspect(run, "--summary")) for run in runs]
    assert [summary["run_id"] for summary in summaries] == ["abcd1234", "abcd1234"]
    assert [summary["exit_code"] for summary in summaries] == [0, 0]
    items = [item["item"] for run in runs for item in records(run, "history")]
    assert [item["_step"] for item in items] == [item["global_step"] for item in items] == [2048, 4096]


def test_an_unknown_mode() -> None:
    with pytest.raises(PgrobotError, match="There is no W&B mode 'ofline': did you mean 'offline'"):
        replace(OFFLINE, mode="ofline")  # type: ignore[arg-type]


TRACK = """
import logging, sys
from pathlib import Path
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
from pgrobot.figures import Axis, heatmap
from pgrobot.pictures import Table, Video
from pgrobot.tracking import RunInfo, Wandb, open_mirrors
mirrors = {"wandb": Wandb(project="robots", entity="", mode="auto", checkpoints=False, alert_after=0)}
(tracker,) = open_mirrors(mirrors, RunInfo(Path(sys.argv[1]), "abcd1234", "name", "", (), {}, lambda: "stopped", tuple))
tracker.write(1, {"x": 1.0})
tracker.close()
"""


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ({}, "W&B has no key here: this run is tracked offline."),
        ({"WANDB_API_KEY": "0" * 40}, "W&B does not answer"),
    ],
)
def test_offline_without_a_key_or_a_network_and_never_a_question(
    tmp_path: Path, key: dict[str, str], sentence: str
) -> None:
    mine = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    nowhere = {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}
    unreachable = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_HTTP_TIMEOUT": "1"}
    # A terminal, so that whoever wants to ask can: nobody answers, and the time-out would fail the test.
    keyboard, screen = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", TRACK, str(tmp_path)],
        env={**mine, **nowhere, **unreachable, **key},
        stdin=screen,
        stdout=subprocess.PIPE,
        stderr=screen,
        text=True,
        timeout=90,
        check=True,
    )
    os.close(keyboard)
    os.close(screen)
    assert done.stdout.splitlines()[-1].startswith(sentence)
    (run,) = offline_runs(tmp_path)
    assert [h["item"]["x"] for h in records(run, "history")] == [1.0]
