"""What a run leaves behind."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from toys import TargetWorld

import pgrobot
from pgrobot import checkpoint, files
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.run import execution, print_evaluation, print_next
from pgrobot.run.selection import Score
from pgrobot.run_directory import RunDirectory
from pgrobot.simulation import NO_MODEL
from pgrobot.simulation.batch import Physics

from .conftest import TINY, Finished, Train, assert_equal, metrics, state, tiny_request


def test_a_run_tells_everything(train: Train, tmp_path: Path) -> None:
    result = train("run")
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == {
        "config.yaml", "overrides.yaml", "manifest.json", "model", "spec.json", "metrics.jsonl", "checkpoints",
        "result.json", "tables", "health.json",
    }  # fmt: skip
    assert {path.name for path in (run / "checkpoints").iterdir()} == {
        "last.pt", "best.pt", "step_128.pt", "step_256.pt",
    }  # fmt: skip
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["num_envs"], config["task"]["speed_threshold"]) == (4, 0.7402)
    assert yaml.safe_load((run / "overrides.yaml").read_text()) == TINY
    told = json.loads((run / "result.json").read_text())
    assert (told["status"], told["env_steps"]) == ("finished", 256)
    assert told == result.evaluation
    assert result.verdicts == {name: cost["verdict"] for name, cost in told["costs"].items()}
    assert list(told["costs"]) == ["speed", "torque", "fall"]
    assert (result.path, result.status, result.exit_code) == (run, "finished", 0)


def test_metrics_say_what_the_design_promises(finished: Finished) -> None:
    lines = [json.loads(line) for line in (finished() / "metrics.jsonl").read_text().splitlines()]
    assert [line["global_step"] for line in lines] == [64, 128, 192, 256]
    promised = {
        "time/wall_s", "time/env_steps_per_s", "cost/speed/mean", "cost/speed/budget", "cost/torque/thigh_joint",
        "multiplier/speed", "loss/policy", "loss/value", "gradient/policy_norm", "gradient/critic_norm", "policy/kl",
        "policy/clip_fraction", "policy/std", "guard/skipped_updates", "simulation/failures", "reward/forward/mean",
    }  # fmt: skip
    assert all(promised <= line.keys() for line in lines)
    assert any({"return/mean", "episode_length/mean"} <= line.keys() for line in lines)
    assert [("evaluation/return/mean" in line) for line in lines] == [False, True, False, True]
    clock = [line["time/wall_s"] for line in lines]
    assert clock == sorted(clock)


def test_the_same_seed_gives_the_same_run_and_another_another(train: Train, finished: Finished) -> None:
    same, another = train("same", "seed=1").path, train("another", "seed=4").path
    assert metrics(same) == metrics(finished())
    assert metrics(another) != metrics(finished())


def test_evaluations_do_not_disturb_training(train: Train, finished: Finished) -> None:
    often = state(train("often", "evaluation.every=64", "checkpoint.every=64", "evaluation.episodes=3").path)
    seldom = state(finished())
    assert_equal(often["learners"], seldom["learners"])
    assert_equal(often["collector"], seldom["collector"])


def test_evaluate_repeats_the_evaluation_that_ended_the_run(finished: Finished) -> None:
    told, ended = pgrobot.evaluate(finished()), json.loads((finished() / "result.json").read_text())
    assert told["return"] == ended["return"]
    assert told["costs"] == ended["costs"]


def test_evaluate_can_be_told_otherwise(finished: Finished) -> None:
    run = finished()
    mean = pgrobot.evaluate(run, mode="deterministic", episodes=4)["return"]
    assert mean["episodes"] == 4
    assert mean["mean"] != pgrobot.evaluate(run, episodes=4)["return"]["mean"]
    assert mean["mean"] != pgrobot.evaluate(run, mode="deterministic", episodes=4, seed=5)["return"]["mean"]
    assert pgrobot.evaluate(run, confidence=0.5)["costs"]["torque"]["confidence"] == 0.5
    assert pgrobot.evaluate(run, checkpoint=str(run / "checkpoints" / "last.pt"))["return"]["episodes"] == 3
    with pytest.raises(PgrobotError, match="no checkpoint 'step_1'"):
        pgrobot.evaluate(run, checkpoint="step_1")


def test_two_runs_cannot_have_one_directory(finished_run: Path, train: Train) -> None:
    before = (finished_run / "metrics.jsonl").read_bytes()
    with pytest.raises(PgrobotError, match="already holds a finished run"):
        train(finished_run.name)
    assert (finished_run / "metrics.jsonl").read_bytes() == before


def test_a_directory_in_use_is_left_alone(train: Train, tmp_path: Path) -> None:
    with (
        RunDirectory.create(tmp_path / "run", "seed: 1\n", [], 1, [], NO_MODEL, TargetWorld(1, 0).spec, {}),
        pytest.raises(PgrobotError, match="Another run is using"),
    ):
        train("run")


def test_a_full_disk_costs_checkpoints_and_the_result_says_so(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, calls = checkpoint.save, []

    def save(path: Path, content: dict) -> None:
        calls.append(path.name)
        if path.name == "step_128.pt":
            monkeypatch.setattr(files.os, "fsync", _full)
        real(path, content)

    monkeypatch.setattr(checkpoint, "save", save)
    with pytest.raises(PgrobotError, match=r"The disk is full: .*result.json"):
        train("run", "total_steps=192", "evaluation.every=128")
    assert "step_128.pt" in caplog.text
    assert "Training goes on" in caplog.text
    monkeypatch.undo()
    assert state(tmp_path / "run")["global_step"] == 128
    assert not list((tmp_path / "run").rglob("*.tmp"))


def test_a_best_policy_that_could_not_be_saved_is_not_the_one_to_beat(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merits, real = iter([1.0, 3.0, 2.0, 0.0]), checkpoint.save

    def save(path: Path, content: dict) -> None:
        if path.name == "best.pt" and content["best"]["merit"] == 3.0:
            raise PgrobotError("no room.")
        real(path, content)

    monkeypatch.setattr(checkpoint, "save", save)
    monkeypatch.setattr("pgrobot.run.training.score", lambda *_: Score(feasible=True, merit=next(merits)))
    train("run", "evaluation.every=64")
    assert state(tmp_path / "run", "best")["global_step"] == 192
    assert state(tmp_path / "run")["best"] == {"feasible": True, "merit": 2.0}


def test_a_run_without_a_checkpoint_says_why_it_has_none(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = checkpoint.save

    def save(path: Path, content: dict) -> None:
        if path.name == "best.pt":
            raise PgrobotError("The disk is full.")
        real(path, content)

    monkeypatch.setattr(checkpoint, "save", save)
    with pytest.raises(
        FailureError, match=r"No checkpoint could be written to .*run, so there is no policy to judge"
    ):
        train("run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_finds_no_room_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with execution._log_file(Path("/dev/full")):
        logging.getLogger("pgrobot.run").warning("lost")
    assert capsys.readouterr().err == ""


def test_of_many_broken_simulations_few_are_told_and_the_verdict_says_so(
    train: Train,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All but the first simulation break in every step."""
    step = Physics.step
    broken = lambda physics: step(physics) | dict.fromkeys(range(1, len(physics.state)), "pushed")
    monkeypatch.setattr(Physics, "step", broken)
    result = train("run")
    assert sum(line["simulation/failures"] for line in metrics(result.path)) == 192
    told = [record.message for record in caplog.records if "broke" in record.message]
    assert len(told) == 20 + 3
    assert [line.split(" of ")[0] for line in told[20:]] == [
        f"{count} simulations broke so far, the last: simulation {last}"
        for count, last in ((40, 1), (80, 2), (160, 1))
    ]
    print_evaluation(Console(width=100), result.evaluation)
    assert "simulations broke and cut episodes short" in capsys.readouterr().out


def test_a_run_in_which_every_step_breaks_a_simulation_fails(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = lambda physics: dict.fromkeys(range(len(physics.state)), "pushed")
    monkeypatch.setattr(Physics, "step", broken)
    with pytest.raises(
        FailureError, match="nothing was learnt, the last because nothing can be measured, as all"
    ):
        train("run")


def test_what_to_type_next_names_the_modules_that_the_run_needs(capsys: pytest.CaptureFixture[str]) -> None:
    print_next(Console(width=40), Path("a run"), ["task=cart", "modules=[mine,yours]"], ["mine", "yours"], 1)
    lines = capsys.readouterr().out.splitlines()
    assert "evaluate   pgrobot evaluate 'a run' --modules mine yours" in lines
    assert "train on   pgrobot train resume='a run' 'modules=[mine,yours]' total_steps=<more>" in lines
    print_next(Console(width=40), Path("run"), [], [], 1)
    assert "evaluate   pgrobot evaluate run\n" in capsys.readouterr().out


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_what_is_logged_is_kept_in_the_run(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgrobot.run.training.Training._due", _due_with_a_warning)
    train("run")
    assert "WARNING pgrobot.test: look here" in (tmp_path / "run" / "run.log").read_text()


def _due_with_a_warning(*_: object) -> bool:
    logging.getLogger("pgrobot.test").warning("look here")
    return True


def test_requests_know_where_they_go(tmp_path: Path) -> None:
    request = tiny_request(tmp_path / "a b", "hydra.verbose=false")
    assert (request.directory, request.resume) == (tmp_path / "a b", False)
    assert request.overrides == tuple(TINY)
