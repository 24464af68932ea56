"""Interrupted and resumed equals uninterrupted, bit for bit, however a run was interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgrobot import checkpoint
from pgrobot.cli import main
from pgrobot.errors import PgrobotError
from pgrobot.run import prepare
from pgrobot.run.selection import Score
from pgrobot.tracking import MetricsFile

from .conftest import TINY, Finished, Train, assert_equal, metrics, start, state, tiny_request

# Memory of every kind: action_rate remembers actions, a probability its sums, the multipliers their averages.
REMEMBERING = [
    "constraint=[speed,action_rate]", "constraint.action_rate.unit=probability", "constraint.action_rate.budget=0.5",
    "constraint.action_rate.limit=1.0",
]  # fmt: skip


def interrupt_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a signal when the metrics of ``step`` are written."""
    write = MetricsFile.write

    def write_and_interrupt(self: MetricsFile, at: int, row: dict[str, float]) -> None:
        write(self, at, row)
        if at == step:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(MetricsFile, "write", write_and_interrupt)


def assert_same_run(one: Path, other: Path) -> None:
    assert_equal(metrics(one), metrics(other))
    for name in ("last", "best", "step_128"):
        assert_equal(state(one, name), state(other, name))
    results = [json.loads((run / "result.json").read_text()) for run in (one, other)]
    for result in results:
        del result["wall_s"], result["env_steps_per_s"]
    assert_equal(*results)


def test_modules_are_those_of_whoever_resumes(finished_run: Path) -> None:
    """The directory may be somebody else's, who has no say in what is imported."""
    for typed, expected in ([], []), (["modules=[json]"], ["json"]):
        assert list(prepare([f"resume={finished_run}", *typed]).cfg.modules) == expected


@pytest.mark.parametrize("step", [64, 128, 192, 256])
def test_interrupted_and_resumed_equals_uninterrupted(
    step: int,
    train: Train,
    finished: Finished,
    resume: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(step, signal.SIGINT, patch)
        stopped = train("parts", *REMEMBERING)
    assert (stopped.status, stopped.exit_code, stopped.evaluation) == ("stopped", 130, {})
    assert not (tmp_path / "parts" / "result.json").exists()
    assert state(tmp_path / "parts")["global_step"] == step
    assert resume(tmp_path / "parts").status == "finished"
    assert_same_run(finished(*REMEMBERING), tmp_path / "parts")


def test_the_best_policy_is_remembered(
    train: Train, resume: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = [Score(feasible=True, merit=1.0), Score(feasible=True, merit=0.0)]
    monkeypatch.setattr("pgrobot.run.training.score", lambda *_: scores.pop(0))
    with monkeypatch.context() as patch:
        interrupt_at(192, signal.SIGINT, patch)
        train("run")
    assert resume(tmp_path / "run").evaluation["best_step"] == 128
    assert scores == []


def test_interrupted_twice(
    train: Train, finished: Finished, resume: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step, begin in (
        (64, lambda: train("parts", "multiplier=lagrangian")),
        (192, lambda: resume(tmp_path / "parts")),
    ):
        with monkeypatch.context() as patch:
            interrupt_at(step, signal.SIGTERM, patch)
            assert begin().exit_code == 143
    resume(tmp_path / "parts")
    assert_same_run(finished("multiplier=lagrangian"), tmp_path / "parts")


def test_what_came_after_the_last_checkpoint_is_done_again(
    train: Train, finished: Finished, resume: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill: there are metrics of steps that no checkpoint knows."""
    with monkeypatch.context() as patch:
        patch.setattr(MetricsFile, "write", _write_and_die_at(192))
        with pytest.raises(_Killed):
            train("parts")
    assert metrics(tmp_path / "parts")[-1]["global_step"] == 192
    assert state(tmp_path / "parts")["global_step"] == 128
    resume(tmp_path / "parts")
    assert_same_run(finished(), tmp_path / "parts")


class _Killed(BaseException):
    """Nobody catches this."""


def _write_and_die_at(step: int) -> Callable[[MetricsFile, int, dict[str, float]], None]:
    write = MetricsFile.write

    def write_and_die(self: MetricsFile, at: int, row: dict[str, float]) -> None:
        write(self, at, row)
        if at == step:
            raise _Killed

    return write_and_die


def test_a_run_that_died_before_its_first_iteration_resumes(
    train: Train, finished: Finished, resume: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pgrobot.run.training.Training.run", _die)
        with pytest.raises(_Killed):
            train("parts")
    resume(tmp_path / "parts")
    assert_same_run(finished(), tmp_path / "parts")


def _die(*_: object) -> None:
    raise _Killed


def test_killed_at_any_moment_leaves_a_run_that_resumes(train: Train, resume: Train, tmp_path: Path) -> None:
    arguments = ["checkpoint.every=64", "evaluation.every=64", "total_steps=4096"]
    directory = tmp_path / "killed"
    command = [sys.executable, "-m", "pgrobot", "train", *TINY, *arguments, f"hydra.run.dir={directory}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (directory / "checkpoints" / "step_128.pt").exists():
            assert process.poll() is None, "the run ended by itself"
            assert time.monotonic() < deadline, "the run does not get on"
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()
    done = checkpoint.load(directory / "checkpoints" / "last.pt")["global_step"]
    assert 64 <= done < 4096
    for path in (directory / "checkpoints").glob("*.pt"):
        checkpoint.load(path)
    resume(directory, f"total_steps={done + 64}")
    assert [line["global_step"] for line in metrics(directory)] == list(range(64, done + 65, 64))


def assert_told_how_to_go_on(out: str, err: str, directory: Path) -> None:
    assert f"Stopped and saved. Go on with: pgrobot train resume={directory}" in out
    assert err.strip() == "Stopping as soon as everything is saved; once more ends at once."
    assert state(directory)["global_step"] == metrics(directory)[-1]["global_step"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_ends_with_a_sentence(
    number: signal.Signals,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupt_at(64, number, monkeypatch)
    assert main(["train", *TINY, f"hydra.run.dir={tmp_path / 'run'}"]) == code
    (warning,) = (record.getMessage() for record in caplog.records if record.name == "pgrobot.run.stop")
    assert_told_how_to_go_on(capsys.readouterr().out, warning, tmp_path / "run")


@pytest.mark.slow
def test_a_process_of_its_own_ends_with_it_too(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    arguments = ["train", *TINY, "total_steps=10000000", f"hydra.run.dir={directory}"]
    command = [sys.executable, "-m", "pgrobot", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not (directory / "metrics.jsonl").exists() or not (directory / "metrics.jsonl").read_text():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the run does not get on"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert_told_how_to_go_on(out, err, directory)


def contents(run: Path) -> dict[Path, bytes]:
    """Every file of a run but its log, which tells of the refusal."""
    files = (path for path in run.rglob("*") if path.is_file() and path.name != "run.log")
    return {path.relative_to(run): path.read_bytes() for path in files}


def test_a_finished_run_goes_on_with_more_steps(finished_run: Path, resume: Train, tmp_path: Path) -> None:
    before = contents(tmp_path / "run")
    with pytest.raises(PgrobotError, match=r"is done with its 256 steps: go on by adding total_steps=<more>"):
        resume(tmp_path / "run")
    assert contents(tmp_path / "run") == before, "a refused run stays what it was"
    assert json.loads((tmp_path / "run" / "result.json").read_text())["env_steps"] == 256
    result = resume(tmp_path / "run", "total_steps=384", "evaluation.episodes=3", "tracker=none")
    assert result.evaluation["env_steps"] == 384
    assert [line["global_step"] for line in metrics(tmp_path / "run")] == [64, 128, 192, 256, 320, 384]
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (config["total_steps"], config["evaluation"]["episodes"], config["evaluation"]["every"]) == (
        384,
        3,
        128,
    )
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["resumed"]
    with pytest.raises(PgrobotError, match="is done with its 384 steps"):
        resume(tmp_path / "run", "total_steps=128")


def rates(directory: Path) -> list[tuple[float, float]]:
    return [(row["policy/learning_rate"], row["critic/learning_rate"]) for row in metrics(directory)]


ANNEALED = [
    "algorithm=ppo",
    "algorithm.policy_solver.rate.initial=1e-3",
    "algorithm.critic_solver.rate.initial=1e-3",
]


def test_annealed_rates_of_an_extended_run_stay_at_their_end_or_are_stretched(
    train: Train, resume: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train("run", *ANNEALED)
    before = [pytest.approx((rate, rate)) for rate in (1e-3, 7.5e-4, 5e-4, 2.5e-4)]
    assert rates(tmp_path / "run") == before
    resume(tmp_path / "run", "total_steps=384")
    assert rates(tmp_path / "run") == [*before, before[-1], before[-1]]
    told = [record.getMessage() for record in caplog.records if "anneal" in record.getMessage()]
    assert len(told) == 1
    assert "from where on annealed rates stay as they are then: add annealing_steps=384 to anneal" in told[0]
    caplog.clear()
    resume(tmp_path / "run", "total_steps=512", "annealing_steps=512")
    stretched = [pytest.approx((rate, rate)) for rate in (2.5e-4, 1.25e-4)]
    assert rates(tmp_path / "run") == [*before, before[-1], before[-1], *stretched]
    assert not [record for record in caplog.records if "anneal" in record.getMessage()]


def test_an_annealed_radius_stays_at_its_end_too(resume: Train, tmp_path: Path) -> None:
    def radius() -> float:
        return float(state(tmp_path / "run")["learners"]["robot"]["policy_solver"]["size"])

    tiny = [override.replace("policy_solver", "critic_solver") for override in TINY]
    start(prepare([*tiny, "algorithm=trpo", f"hydra.run.dir={tmp_path / 'run'}"]))
    assert radius() == pytest.approx(0.25 * 0.02)
    resume(tmp_path / "run", "total_steps=320")
    assert radius() == pytest.approx(0.25 * 0.02)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("policy/head=beta", "policy.head was another in .* and its past depends on it"),
        ("policy=beta", "policy was another in"),
        ("algorithm/estimator=vtrace", "algorithm.estimator was another in"),
        (
            "algorithm/optimizer@algorithm.policy_solver.optimizer=sgd",
            "algorithm.policy_solver.chain.optimizer was another in",
        ),
        ("seed=2", "seed was 1 in .* and its past depends on it: only total_steps, annealing_steps, threads"),
        ("num_envs=8", "num_envs was 4"),
        ("constraint.speed.budget=5", "constraint.speed.budget was 0.025"),
        ("~constraint.torque", "constraint.torque was another"),
        ("constraint=[speed]", "constraint was another"),
        ("task=walker2d", "task was another"),
        ("experiment=fast", "was"),
        ("policy.hidden=[16]", "policy.body.hidden was another"),
        ("sed=2", "Unknown key or group 'sed'"),
        ("hydra.run.dir=elsewhere", "goes on in that directory: leave out hydra.run.dir"),
    ],
)
def test_the_past_cannot_be_changed(
    override: str, sentence: str, finished_run: Path, resume: Train, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(PgrobotError, match=sentence):
        resume(tmp_path / "run", "total_steps=512", override)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_key_of_a_part_that_only_the_run_chose_is_one_of_the_past(resume: Train, tmp_path: Path) -> None:
    start(prepare([*TINY, "intrinsic=[count]", f"hydra.run.dir={tmp_path / 'run'}"]))
    with pytest.raises(PgrobotError, match=r"^intrinsic\.count\.weight was 1\.0 in .* and its past depends"):
        resume(tmp_path / "run", "total_steps=512", "intrinsic.count.weight=0.5")
    resume(tmp_path / "run", "total_steps=320", "intrinsic.count.weight=1.0")


def test_what_is_as_it_was_may_be_said_again(finished_run: Path, resume: Train, tmp_path: Path) -> None:
    same = [
        "seed=1",
        "task=hopper",
        "num_envs=4",
        "constraint=[speed,torque,fall]",
        "constraint.speed.budget=0.025",
    ]
    assert resume(tmp_path / "run", "total_steps=320", *same).status == "finished"


class _Malicious:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self._path),))


def test_a_checkpoint_that_would_run_code_is_refused(
    finished_run: Path, resume: Train, tmp_path: Path
) -> None:
    import torch

    last = tmp_path / "run" / "checkpoints" / "last.pt"
    torch.save({**checkpoint.load(last), "extra": _Malicious(tmp_path / "owned")}, last)
    with pytest.raises(PgrobotError, match="was refused"):
        resume(tmp_path / "run", "total_steps=512")
    assert not (tmp_path / "owned").exists()


def test_a_config_that_would_run_code_is_refused(finished_run: Path, resume: Train, tmp_path: Path) -> None:
    path = tmp_path / "run" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["task"] = {"_target_": "os.mkdir", "path": str(tmp_path / "owned")}
    config["modules"] = ["os"]
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(PgrobotError, match=r"task._target_ names 'os.mkdir', which is not trusted"):
        resume(tmp_path / "run", "total_steps=512")
    path.write_text("!!python/object/apply:os.mkdir [owned]")
    with pytest.raises(PgrobotError, match=r"config.yaml cannot be read"):
        resume(tmp_path / "run", "total_steps=512")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:1000]),
            "is not a checkpoint, or it is damaged or cut short",
        ),
        (lambda path: path.write_bytes(b"nonsense"), "is not a checkpoint"),
        (lambda path: path.unlink(), "has no checkpoint 'last'"),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    damage: Callable[[Path], None], sentence: str, finished_run: Path, resume: Train, tmp_path: Path
) -> None:
    damage(tmp_path / "run" / "checkpoints" / "last.pt")
    with pytest.raises(PgrobotError, match=sentence):
        resume(tmp_path / "run", "total_steps=512")
    assert len(metrics(tmp_path / "run")) == 4
    assert (tmp_path / "run" / "result.json").exists()


def test_a_checkpoint_of_another_run_is_refused(
    finished_run: Path, finished: Finished, resume: Train, tmp_path: Path
) -> None:
    last = "checkpoints/last.pt"
    (tmp_path / "run" / last).write_bytes((finished("policy.hidden=[16]") / last).read_bytes())
    with pytest.raises(PgrobotError, match="does not fit the config of"):
        resume(tmp_path / "run", "total_steps=512")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where the test runner has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_signal_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruptible: None
) -> None:
    write = MetricsFile.write

    def interrupt_twice(self: MetricsFile, at: int, row: dict[str, float]) -> None:
        write(self, at, row)
        os.kill(os.getpid(), signal.SIGINT)
        while signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            time.sleep(0.001)  # a signal that another thread hears is handled a little later
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5.0)

    monkeypatch.setattr(MetricsFile, "write", interrupt_twice)
    with pytest.raises(KeyboardInterrupt):
        start(tiny_request(tmp_path / "run"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
