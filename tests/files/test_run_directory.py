"""Run directories: their layout, their lock, and going back in time."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from toys import TargetWorld

from pgrobot.errors import PgrobotError
from pgrobot.run_directory import RunDirectory, find_checkpoint
from pgrobot.simulation import NO_MODEL
from pgrobot.tracking import MetricsFile

CONFIG = "seed: 3\ntask:\n  name: Hopper-v5\n"
COMMAND = ("pgrobot", "train", "seed=3")


def create(path: Path) -> RunDirectory:
    return RunDirectory.create(
        path,
        CONFIG,
        ["seed=3", "constraint=[speed,torque]"],
        3,
        COMMAND,
        NO_MODEL,
        TargetWorld(2, 0).spec,
        {},
    )


def rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_layout(tmp_path: Path) -> None:
    path = tmp_path / "a" / "run"
    with create(path) as run:
        run.metrics.write(2048, {"return/mean": 1.5})
        assert run.config == CONFIG
        assert run.checkpoint("step_2048") == path / "checkpoints" / "step_2048.pt"
        assert not run.finished
        run.finish({"status": "finished", "return": {"mean": 2.0, "ci95": float("nan")}})
        assert run.finished
    assert {p.name for p in path.iterdir()} == {
        "config.yaml", "overrides.yaml", "spec.json", "manifest.json", "metrics.jsonl", "checkpoints", "result.json",
    }  # fmt: skip
    assert yaml.safe_load((path / "overrides.yaml").read_text()) == ["seed=3", "constraint=[speed,torque]"]
    assert json.loads((path / "result.json").read_text()) == {
        "status": "finished",
        "return": {"mean": 2.0, "ci95": None},
    }
    assert rows(path) == [{"global_step": 2048, "return/mean": 1.5}]


def test_manifest(tmp_path: Path) -> None:
    with create(tmp_path / "run") as run:
        identity = run.id
    story = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert story["id"] == identity
    assert story["seed"] == 3
    assert story["command"] == list(COMMAND)
    assert {"python", "pgrobot", "mujoco", "torch", "gymnasium"} <= set(story["versions"])
    assert {"git_commit", "host", "start_time", "cpu_count"} <= set(story)
    with RunDirectory.open(tmp_path / "run") as run:
        assert run.id == identity
        assert json.loads((tmp_path / "run" / "manifest.json").read_text()) == story, "it may be refused yet"
        run.resume(["pgrobot", "train", "resume=run"], {})
    story = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert [resumed["command"][-1] for resumed in story["resumed"]] == ["resume=run"]


def test_two_runs_in_one_directory(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with create(path) as run:
        for another in (lambda: create(path), lambda: RunDirectory.open(path)):
            with pytest.raises(PgrobotError, match=f"Another run is using the directory {path}"):
                another()
        run.metrics.write(1, {})
    assert rows(path) == [{"global_step": 1}]
    with pytest.raises(PgrobotError, match=f"already holds a run: go on with it by resume={path}"):
        create(path)
    with RunDirectory.open(path) as run:
        run.finish({})
    with pytest.raises(PgrobotError, match="already holds a finished run"):
        create(path)


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    create(tmp_path).close()
    hold = f"import fcntl, time; f = open({str(tmp_path / 'metrics.jsonl')!r}, 'a'); fcntl.flock(f, fcntl.LOCK_EX)"
    command = [sys.executable, "-c", f"{hold}; print('held', flush=True); time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(PgrobotError, match="Another run is using"):
            RunDirectory.open(tmp_path)
        other.kill()
        other.wait()
        RunDirectory.open(tmp_path).close()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PgrobotError, match=r"The directory .*file/run cannot be made: not a directory"):
        create(tmp_path / "file" / "run")
    with pytest.raises(PgrobotError, match=r"The directory /proc/run cannot be made"):
        create(Path("/proc/run"))


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "config.yaml.tmp").symlink_to("/dev/full")
    with pytest.raises(PgrobotError, match="The disk is full"):
        create(path)
    assert not path.exists()
    path.mkdir()
    (path / "train.log").write_text("of others")
    (path / "config.yaml.tmp").symlink_to("/dev/full")
    with pytest.raises(PgrobotError, match="The disk is full"):
        create(path)
    assert [p.name for p in path.iterdir()] == ["train.log"]
    create(path).close()  # and there is room again


def test_somebody_elses_config_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    with pytest.raises(PgrobotError, match="already holds a run"):
        create(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("checkpointed", [20, 40])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, checkpointed: int) -> None:
    with create(tmp_path / "whole") as whole:
        for step in range(10, 60, 10):
            whole.metrics.write(step, {"x": step / 3})
    with create(tmp_path / "cut") as cut:
        for step in range(10, 50, 10):
            cut.metrics.write(step, {"x": step / 3})
        cut.finish({})
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"global_step": 50, "x')  # killed while writing
    with RunDirectory.open(tmp_path / "cut") as cut:
        cut.rewind(checkpointed)
        assert not cut.finished
        for step in range(checkpointed + 10, 60, 10):
            cut.metrics.write(step, {"x": step / 3})
    first, second = ((tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "cut"))
    assert first == second


def test_rewinding_to_the_start(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.metrics.write(10, {})
        run.rewind(0)
    assert rows(tmp_path) == []


def test_what_is_no_run(tmp_path: Path) -> None:
    create(tmp_path / "2026_hopper").close()
    with pytest.raises(
        PgrobotError, match=r"There is no run directory .*2026_hoper: did you mean .*2026_hopper'\?"
    ):
        RunDirectory.open(tmp_path / "2026_hoper")
    with pytest.raises(PgrobotError, match=r"is not a run directory: it lacks config\.yaml"):
        RunDirectory.open(tmp_path)
    (tmp_path / "2026_hopper" / "manifest.json").write_text("[]")
    with pytest.raises(PgrobotError, match=r"manifest\.json is missing or is not a manifest"):
        RunDirectory.open(tmp_path / "2026_hopper")
    (tmp_path / "2026_hopper" / "manifest.json").unlink()
    for _ in range(2):  # the failed attempt let go of the lock
        with pytest.raises(PgrobotError, match=r"manifest\.json is missing"):
            RunDirectory.open(tmp_path / "2026_hopper")


def test_finding_a_checkpoint(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.checkpoint("last").write_bytes(b"")
        assert find_checkpoint(tmp_path, "last") == run.checkpoint("last")
        with pytest.raises(PgrobotError, match="has no checkpoint 'lost': did you mean 'last'"):
            find_checkpoint(tmp_path, "lost")
        with pytest.raises(PgrobotError, match=r"no evaluation yet: 'last' is .* train resume=.*"):
            find_checkpoint(tmp_path, "best")
        for step in (1024, 512, 10240):
            run.checkpoint(f"step_{step}").write_bytes(b"")
        with pytest.raises(PgrobotError, match=r"valid: last, step_512, step_1024, step_10240$"):
            find_checkpoint(tmp_path, "x")
        run.finish({})
        with pytest.raises(PgrobotError, match="has no checkpoint 'best': valid: last"):
            find_checkpoint(tmp_path, "best")
    with pytest.raises(PgrobotError, match="is not a run directory"):
        find_checkpoint(tmp_path / "checkpoints", "last")


def test_a_fault_has_a_place(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.fault("step_10.pt").write_bytes(b"")
    assert (tmp_path / "faults" / "step_10.pt").exists()


def test_json_has_no_nan(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.metrics.write(1, {"a": float("nan"), "b": float("inf"), "c": 0.1})
    assert rows(tmp_path) == [{"global_step": 1, "a": None, "b": None, "c": 0.1}]


def test_a_foreign_line_is_named(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.metrics.write(1, {})
        (tmp_path / "metrics.jsonl").write_text('{"global_step": 1}\nhello\n')
        with pytest.raises(PgrobotError, match=r"Line 2 of .*metrics\.jsonl is not a line of metrics"):
            run.rewind(1)


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes: the kernel cuts a write short, then refuses it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_training_goes_on_without_room_and_no_line_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    metrics.write(1, {"x": 1.0})
    with room(path.stat().st_size + 5):
        metrics.write(2, {"x": 2.0})
        metrics.write(3, {"x": 3.0})
    assert [row["global_step"] for row in rows(tmp_path)] == [1]  # no torn line
    assert len(caplog.messages) == 1
    assert "Training goes on, and the metrics wait for room." in caplog.text
    metrics.write(4, {"x": 4.0})
    assert rows(tmp_path) == [{"global_step": n, "x": float(n)} for n in (1, 2, 3, 4)]
    metrics.close()
    assert len(caplog.messages) == 1


def test_lines_that_never_found_room_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    with room(5):
        metrics.write(1, {})
        metrics.write(2, {})
        metrics.close()
    assert "lacks its last 2 lines" in caplog.text
