"""Directories that are named by the time are new ones, however many runs begin at that time."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from pgrobot.cli import main
from pgrobot.configure import compose
from pgrobot.errors import PgrobotError
from pgrobot.files import make_anew
from pgrobot.run import named_by_time, prepare
from pgrobot.sweep import launch

from .conftest import TINY, start


def test_whoever_asks_at_once_gets_another_directory(tmp_path: Path) -> None:
    gate, found = threading.Barrier(8), []

    def ask() -> None:
        gate.wait()
        found.append(make_anew(tmp_path / "day" / "run"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.name for path in found} == {"run", *(f"run-{number}" for number in range(2, 9))}
    assert all(path.is_dir() for path in found)
    (tmp_path / "file").touch()
    with pytest.raises(
        PgrobotError, match=r"The directory .*file/run cannot be made: (file exists|not a directory)"
    ):
        make_anew(tmp_path / "file" / "run")


def test_runs_of_the_same_moment_do_not_share_a_directory(tmp_path: Path) -> None:
    cfg = compose([])
    assert named_by_time(cfg.hydra.run)
    assert named_by_time(cfg.hydra.sweep)
    overrides = [*TINY, "total_steps=64", f"hydra.run.dir='{tmp_path}/${{now:%Y}}'"]
    first, second = (start(prepare(overrides)).path for _ in range(2))
    assert second == first.with_name(f"{first.name}-2")
    assert (first / "result.json").exists()
    assert (second / "result.json").exists()
    with pytest.raises(PgrobotError, match="already holds a finished run"):
        start(prepare([*TINY, f"hydra.run.dir={first}"]))


def test_sweeps_of_the_same_moment_do_not_share_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = []
    monkeypatch.setattr(launch, "_launch", lambda overrides, *_: given.append(overrides[-1]) or 0)
    for _ in range(2):
        main(["train", "-m", *TINY, "seed=1,2", f"hydra.sweep.dir='{tmp_path}/${{now:%Y}}'"])
    first, second = (line.partition("=")[2].strip("'") for line in given)
    assert second == f"{first}-2"
    assert f"2 jobs in {second}" in capsys.readouterr().out
    main(["train", "-m", *TINY, "seed=1,2", f"hydra.sweep.dir={first}"])
    assert given[2].endswith(f"{first}'"), "a sweep that is named goes on"
    with (Path(first) / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert main(["train", "-m", *TINY, "seed=1,2", f"hydra.sweep.dir={first}"]) == 2
    assert f"Another sweep is running in {first}: wait for it to end" in capsys.readouterr().err
