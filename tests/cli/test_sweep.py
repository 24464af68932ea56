"""Many runs from one command, one table of what they came to."""

from __future__ import annotations

import csv
import json
import logging
import math
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pgrobot.cli import main
from pgrobot.run import prepare
from pgrobot.sweep.job import _request
from pgrobot.sweep.models import unlike
from pgrobot.sweep.names import job_name, note_varying, short_name
from pgrobot.sweep.summary import read_jobs, summarise, varying

TINY = [
    "debug=tiny", "task=hopper", "constraint=[speed]", "num_envs=4", "horizon=16", "total_steps=128", "threads=1",
    "algorithm.policy_solver.minibatch=32",
]  # fmt: skip


def sweep(directory: Path, *overrides: str) -> list[str]:
    return ["train", "-m", *TINY, *overrides, f"hydra.sweep.dir={directory}"]


def results(directory: Path) -> dict[str, dict[str, Any]]:
    """What each job came to, by the settings that differ."""
    found = {}
    for path in directory.glob("*/result.json"):
        lines = yaml.safe_load((path.parent / "overrides.yaml").read_text())
        found[",".join(line for line in lines if line not in TINY)] = json.loads(path.read_text())
    return found


def without_clock(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in ("wall_s", "env_steps_per_s")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over three seeds, one job after the other: to be looked at, or copied."""
    directory = tmp_path_factory.mktemp("whole") / "sweep"
    assert main(sweep(directory, "seed=range(3)")) == 0
    return directory


def test_jobs_write_no_report_unless_it_was_typed(tmp_path: Path) -> None:
    typed = ["task=hopper"]
    assert _request(typed, tmp_path).cfg.report is False
    assert _request([*typed, "report=true"], tmp_path).cfg.report is True
    assert prepare(typed).cfg.report is True


def test_every_combination_runs_and_a_table_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(sweep(tmp_path / "sweep", "constraint.speed.budget=0.5,25", "seed=range(2)")) == 0
    found = results(tmp_path / "sweep")
    assert found.keys() == {
        "constraint.speed.budget=0.5,seed=0", "constraint.speed.budget=0.5,seed=1",
        "constraint.speed.budget=25,seed=0", "constraint.speed.budget=25,seed=1",
    }  # fmt: skip
    assert all(result["status"] == "finished" for result in found.values())
    told = capsys.readouterr().out
    assert "speed.budget" in told
    assert "2/2" in told
    with (tmp_path / "sweep" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["constraint.speed.budget"] for row in rows] == ["0.5", "25"]
    means = [found[f"constraint.speed.budget=25,seed={seed}"]["return"]["mean"] for seed in (0, 1)]
    assert float(rows[1]["return/mean"]) == pytest.approx(np.mean(means), rel=1e-12)
    assert rows[1]["cost/speed/verdict"] == "satisfied"
    assert rows[1]["cost/speed/satisfied"] == "2"
    with (tmp_path / "sweep" / "seeds.csv").open() as file:
        seeds = list(csv.DictReader(file))
    assert [(row["constraint.speed.budget"], row["seed"]) for row in seeds] == [
        ("0.5", "0"), ("0.5", "1"), ("25", "0"), ("25", "1"),
    ]  # fmt: skip
    assert [float(row["return/mean"]) for row in seeds[2:]] == means
    assert {row["status"] for row in seeds} == {"finished"}
    assert all((tmp_path / "sweep" / row["path"] / "result.json").exists() for row in seeds)
    summary = json.loads((tmp_path / "sweep" / "summary.json").read_text())
    assert len(summary["jobs"]) == 4
    assert main(["sweep", str(tmp_path / "sweep")]) == 0


def test_what_a_job_logs_is_kept_and_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pgrobot.learner import Learner

    update = Learner.update

    def warn(self: Learner, rollout: Any) -> Any:
        logging.getLogger("pgrobot.learner").warning("look here")
        return update(self, rollout)

    monkeypatch.setattr(Learner, "update", warn)
    assert main(sweep(tmp_path, "seed=0,1")) == 0
    assert caplog.text.count("look here") == 4
    assert [path.read_text().count("look here") for path in tmp_path.glob("*/run.log")] == [2, 2]


def test_a_job_is_the_run_of_the_same_overrides(tmp_path: Path, whole: Path) -> None:
    """Nothing leaks from one job into the next: the second of a sweep equals a run of its own."""
    assert main(["train", *TINY, "seed=1", f"hydra.run.dir={tmp_path / 'alone'}"]) == 0
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())
    assert without_clock(results(whole)["seed=1"]) == without_clock(alone)


def test_several_jobs_at_once_come_to_the_same(
    tmp_path: Path, whole: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert main(sweep(tmp_path / "joblib", "seed=range(2)", *joblib)) == 0
    told = capfd.readouterr().out
    assert told.count("done: ") == 2
    assert "steps/s" not in told
    one_by_one, parallel = results(whole), results(tmp_path / "joblib")
    assert parallel.keys() == {"seed=0", "seed=1"}
    for seed, result in parallel.items():
        assert without_clock(result) == without_clock(one_by_one[seed])


def test_a_config_may_say_what_to_sweep_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "seeds.yaml").write_text(
        "# @package _global_\nhydra: {sweeper: {params: {seed: '5,6'}}}\n"
    )
    assert main([*sweep(tmp_path / "sweep", "experiment=seeds"), "--config-dir", str(tmp_path)]) == 0
    assert "2 jobs in" in capsys.readouterr().out
    assert results(tmp_path / "sweep").keys() == {"seed=5,experiment=seeds", "seed=6,experiment=seeds"}


def test_a_job_that_fails_does_not_take_the_others_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reacher has no speed, which only its job finds out; it is told in a directory without a run."""
    directory = tmp_path / "sweep"
    assert main(sweep(directory, "task=reacher,hopper", "seed=1")) == 1
    told = capsys.readouterr().out
    assert "1 of 2 jobs finished" in told
    failed, done = results(directory)["task=reacher,seed=1"], results(directory)["seed=1"]
    assert (failed["status"], done["status"]) == ("failed", "finished")
    assert "speed" in failed["error"]
    (trace,) = directory.glob("*/traceback.txt")
    assert "PgrobotError" in trace.read_text()


def test_a_directory_with_another_run_is_left_as_it_is(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = Path(shutil.copytree(whole, tmp_path / "sweep"))
    config = directory / job_name([*TINY, "seed=1"]) / "config.yaml"
    config.write_text(config.read_text().replace("horizon: 16", "horizon: 8"))
    before = {path: path.read_bytes() for path in config.parent.rglob("*") if path.is_file()}
    assert main(sweep(directory, "seed=0,1")) == 1
    assert "holds a run with another config: choose another hydra.sweep.dir" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in config.parent.rglob("*") if path.is_file()} == before


def test_an_error_nobody_foresaw_is_one_jobs_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pgrobot.learner import Learner

    update = Learner.update
    calls: list[int] = []

    def fail_once(self: Learner, rollout: Any) -> Any:
        calls.append(0)
        if len(calls) == 1:
            raise ZeroDivisionError("a bug")
        return update(self, rollout)

    monkeypatch.setattr(Learner, "update", fail_once)
    assert main(sweep(tmp_path / "sweep", "seed=range(2)")) == 1
    found = results(tmp_path / "sweep")
    assert found["seed=0"] == {"status": "failed", "error": "ZeroDivisionError: a bug"}
    assert found["seed=1"]["status"] == "finished"
    capsys.readouterr()
    monkeypatch.setattr(Learner, "update", update)
    assert main(sweep(tmp_path / "sweep", "seed=range(2)")) == 0
    assert "done already" in capsys.readouterr().out
    assert results(tmp_path / "sweep")["seed=0"]["status"] == "finished"


def test_an_interrupted_sweep_goes_on_where_it_was(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import os

    from pgrobot.tracking import MetricsFile

    write = MetricsFile.write
    calls: list[int] = []

    def interrupt(self: MetricsFile, step: int, row: dict[str, float]) -> None:
        write(self, step, row)
        calls.append(step)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(MetricsFile, "write", interrupt)
    command = sweep(tmp_path / "sweep", "seed=range(3)")
    assert main(command) == 130
    assert "1 of 3 jobs finished" in capsys.readouterr().out
    assert main(command) == 0
    assert calls == [64, 128, 64, 128, 64, 128]
    assert {key: without_clock(value) for key, value in results(tmp_path / "sweep").items()} == {
        key: without_clock(value) for key, value in results(whole).items()
    }


def test_trackers_name_a_job_by_what_varies(tmp_path: Path) -> None:
    constant = [f"evaluation.episodes={n}" for n in range(30)]
    assert short_name(["seed=1"], tmp_path) == ""
    note_varying(tmp_path, ["task=hopper,ant", *constant, "seed=range(3)", "total_steps=64"])
    job = ["task=ant", *constant, "seed=2", "total_steps=64"]
    assert short_name(job, tmp_path) == "task=ant__seed=2"
    note_varying(tmp_path, constant)
    assert short_name(job, tmp_path) == ""


def test_names_of_jobs_are_readable_and_need_no_quotes() -> None:
    assert (
        job_name(["task=hopper", "constraint.speed.budget=10"]) == "task=hopper__constraint.speed.budget=10"
    )
    name = job_name(["constraint=[speed,torque]", "~constraint.torque=null", "task.xml_file='/a b/c.xml'"])
    assert name == "constraint=speed+torque__-constraint.torque=null__task.xml_file=abc.xml"
    assert not set(name) & set(" '\"[]{}()*?;&|<>$`\\~#!,")
    long = [job_name([f"policy.hidden={[64] * 60 + [last]}"]) for last in (1, 2)]
    assert long[0] != long[1]
    assert max(map(len, long)) <= 160


def test_a_job_can_be_resumed_and_a_sweep_cannot(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(whole / job_name([*TINY, "seed=0"]), tmp_path / "a 'job', [moved]=here"))
    assert main(["train", f"resume={run}", "total_steps=192"]) == 0
    assert json.loads((run / "result.json").read_text())["env_steps"] == 192
    capsys.readouterr()
    assert main(["train", "-m", f"resume={run}", "total_steps=256,320"]) == 2
    assert "resume takes up one run" in capsys.readouterr().err


def write_run(directory: Path, seed: int, overrides: list[str], result: dict[str, Any]) -> None:
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text(f"seed: {seed}\n")
    (directory / "overrides.yaml").write_text(yaml.safe_dump([*overrides, f"seed={seed}"]))
    if result:
        (directory / "result.json").write_text(json.dumps(result))


def finished(mean: float, cost: float, verdict: str = "satisfied") -> dict[str, Any]:
    costs = {"speed": {"mean": cost, "upper95": cost, "budget": 25.0, "unit": "episode", "verdict": verdict}}
    return {"status": "finished", "return": {"mean": mean, "ci95": [0, 0], "episodes": 1}, "costs": costs}


def test_runs_are_grouped_by_everything_but_the_seed(tmp_path: Path) -> None:
    for seed, mean in enumerate([1.0, 2.0, 3.0, 40.0]):
        write_run(tmp_path / f"a{seed}", seed, ["task=hopper", "x=1"], finished(mean, 10.0 * seed))
        write_run(tmp_path / f"b{seed}", seed, ["task=ant", "x=1"], finished(-mean, 1.0) if seed < 2 else {})
    write_run(tmp_path / "c", 0, ["task=ant", "x=1", "y=2"], {"status": "failed", "error": "it broke"})
    ant, hopper, other = sorted(
        summarise(read_jobs(tmp_path)), key=lambda row: (len(row.settings), row.settings["task"])
    )
    assert varying([ant, hopper, other]) == ["task", "y"]
    assert (hopper.runs, hopper.finished, ant.runs, ant.finished, other.finished) == (4, 4, 4, 2, 0)
    assert hopper.episode_return.iqm.centre == 2.5  # the middle half of 1, 2, 3, 40
    assert hopper.episode_return.mean.centre == 11.5
    assert hopper.costs["speed"].figure.mean.centre == 15.0
    assert hopper.costs["speed"].verdict == "satisfied"
    assert ant.costs["speed"].verdict == "undecided", "two of its runs have no verdict"
    assert math.isnan(other.episode_return.mean.centre)
    assert other.costs == {}


def test_a_sweep_is_satisfied_only_if_every_seed_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, verdicts in {
        "a": ("satisfied", "satisfied", "satisfied"),
        "b": ("satisfied", "undecided", "satisfied"),
        "c": ("satisfied", "violated", "undecided"),
    }.items():
        for seed, verdict in enumerate(verdicts):
            write_run(tmp_path / f"{name}{seed}", seed, [f"x={name}"], finished(1.0, 3.0 + seed / 9, verdict))
    rows = {row.settings["x"]: row.costs["speed"] for row in summarise(read_jobs(tmp_path))}
    assert {name: row.verdict for name, row in rows.items()} == {
        "a": "satisfied", "b": "undecided", "c": "violated",
    }  # fmt: skip
    assert rows["c"].counts == {"satisfied": 1, "violated": 1, "undecided": 1}
    assert main(["sweep", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    for words in ("satisfied 3/3", "undecided 2/3", "violated 1/3"):
        assert words in told


def test_what_verdicts_have_to_be_read_with_stands_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = {"episode_length": {"mean": 23.5}, "warnings": ["speed: episodes end after 24 of 1,000 steps"]}
    write_run(tmp_path / "a", 0, [], finished(1.0, 3.0) | short)
    write_run(tmp_path / "old", 1, [], finished(2.0, 3.0))
    assert main(["sweep", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"n +return +steps +speed", told)
    assert re.search(r"2 +1.5 +23.5 +3 / 25 satisfied 2/2", told)
    assert "1 of 2 runs have warnings beside their verdicts" in told
    (row,) = csv.DictReader((tmp_path / "summary.csv").read_text().splitlines())
    assert row["episode_length/mean"] == "23.5"


def test_a_table_of_unfinished_and_failed_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "a", 0, ["task=hopper"], {"status": "failed", "error": "it broke"})
    write_run(tmp_path / "b", 1, ["task=hopper"], {})
    assert main(["sweep", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "0 of 2" in told
    assert "failed: a: it broke" in told
    assert "unfinished: b" in told


def test_runs_of_one_group_with_different_models_are_told(tmp_path: Path) -> None:
    """Seeds 0 and 1 have one model and seed 2 another; a second group has the other alone."""
    for name, settings, content in (
        ("a0", ["lr=1", "seed=0"], "x"),
        ("a1", ["lr=1", "seed=1"], "x"),
        ("a2", ["lr=1", "seed=2"], "y"),
        ("b0", ["lr=2", "seed=0"], "y"),
        ("old", ["lr=2", "seed=1"], ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "overrides.yaml").write_text(yaml.safe_dump(settings))
        note = {"model": {"sha256": {"hopper.xml": content}}} if content else {}
        (tmp_path / name / "manifest.json").write_text(json.dumps(note))
    assert list(unlike(read_jobs(tmp_path))) == [
        "The model changed during the sweep, so these runs are not of one robot: a0, a1 | a2"
    ]
