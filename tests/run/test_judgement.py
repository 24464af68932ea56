"""What the end of a run and ``evaluate`` say: both modes, what was judged, and on which episodes."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import pgrobot
from pgrobot.cli import main
from pgrobot.errors import PgrobotError
from pgrobot.run import Result, print_evaluation
from pgrobot.run.selection import Score

from .conftest import Train, start, tiny_request


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run whose best policy is not its last."""
    per_episode = ("constraint.speed.unit=episode", "constraint.speed.budget=25")
    return start(
        tiny_request(tmp_path_factory.mktemp("judged") / "run", "evaluation.every=256", *per_episode)
    )


def printed(told: dict[str, Any], width: int = 200) -> list[str]:
    file = io.StringIO()
    print_evaluation(Console(file=file, width=width), told)
    return file.getvalue().splitlines()


def test_both_modes_are_judged_and_the_config_says_which_decides(finished: Result) -> None:
    told = dict(finished.evaluation)
    other = told["other_mode"]
    assert (told["judged"]["mode"], other["mode"]) == ("stochastic", "deterministic")
    assert other.keys() == {"mode", "return", "episode_length", "costs", "failures", "warnings"}
    turned = pgrobot.evaluate(finished, mode="deterministic")
    assert (turned["judged"]["mode"], turned["other_mode"]["mode"]) == ("deterministic", "stochastic")
    for key in ("return", "episode_length", "costs", "failures"):
        assert turned[key] == other[key] != told[key] or key == "failures"
        assert turned["other_mode"][key] == told[key]


def test_the_decision_is_that_of_the_deciding_mode(finished: Result) -> None:
    told = pgrobot.evaluate(finished)
    assert finished.verdicts == {name: cost["verdict"] for name, cost in told["costs"].items()}
    lines = printed(told)
    (first,) = (line for line in lines if line.startswith("return "))
    assert lines[0] == first
    assert float(first.split()[1]) == pytest.approx(told["return"]["mean"], rel=0.01)
    (other,) = (line for line in lines if line.startswith("deterministic, which does not decide: return "))
    for name, cost in told["other_mode"]["costs"].items():
        assert f"{name} " in other
        assert cost["verdict"] in other


def test_what_was_judged_is_said(finished: Result) -> None:
    judged = finished.evaluation["judged"]
    assert judged == {
        "checkpoint": "checkpoints/best.pt",
        "step": finished.evaluation["best_step"],
        "of_steps": 256,
        "mode": "stochastic",
        "episodes": 3,
        "seed": 10_000,
        "bound": "student-t",
        "variation": "none",
    }
    (line,) = (line for line in printed(dict(finished.evaluation)) if line.startswith("judged "))
    assert line.startswith(
        "judged the policy of step 256 of 256 (checkpoints/best.pt), stochastic, on 3 episodes of seed 10000"
    )


def test_a_checkpoint_of_before_is_named_with_its_step(finished: Result) -> None:
    told = pgrobot.evaluate(finished, checkpoint="step_128")
    assert (told["judged"]["checkpoint"], told["judged"]["step"]) == ("checkpoints/step_128.pt", 128)
    assert "judged the policy of step 128 of 256 (checkpoints/step_128.pt)" in " ".join(printed(told))
    assert told["judged"]["repeats"] == "none"


@pytest.mark.parametrize(
    ("changes", "repeats", "words"),
    [
        ({}, "all", "these are the episodes that judged the run at its end"),
        ({"mode": "deterministic", "confidence": 0.9}, "all", "these are the episodes that judged the run"),
        ({"episodes": 4}, "some", "these share some with the episodes that judged the run"),
        ({"seed": 10_001}, "none", ""),
    ],
)
def test_episodes_that_judged_before_are_said_to(
    finished: Result, changes: dict[str, Any], repeats: str, words: str
) -> None:
    told = pgrobot.evaluate(finished.path, **changes)
    assert told["judged"]["repeats"] == repeats
    told_so = " ".join(printed(told))
    assert words in told_so
    assert ("that judged the run at its end" in told_so) == bool(words)


def test_a_run_that_has_not_ended_is_repeated_by_nothing(finished: Result, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.path, run, ignore=shutil.ignore_patterns("result.json"))
    assert pgrobot.evaluate(run, checkpoint="last")["judged"]["repeats"] == "none"


def test_the_length_of_episodes_stands_beside_every_verdict(finished: Result) -> None:
    told = dict(finished.evaluation)
    length = told["episode_length"]
    assert 0 < length["min"] <= length["mean"] < length["limit"] == 1000
    assert {cost["episode_length"] for cost in told["costs"].values()} == {length["mean"]}
    lines = printed(told)
    (header,) = (line for line in lines if line.startswith("constraint"))
    assert header.split()[-1] == "steps"
    assert any("ending it early" in sentence for sentence in told["warnings"]), "it falls at once"
    assert sum("ending it early" in line for line in lines) == 1
    assert max(map(len, printed(told, 60))) <= 60


def test_one_json_object_is_all_there_is_on_stdout(
    finished: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    status = main(["evaluate", str(finished.path), "--json"])
    captured = capsys.readouterr()
    told = json.loads(captured.out, parse_constant=refuse)
    decided = all(cost["verdict"] == "satisfied" for cost in told["costs"].values())
    assert status == (0 if decided else 1)
    for key in ("return", "costs", "other_mode", "warnings", "episode_length"):
        assert told[key] == json.loads((finished.path / "result.json").read_text())[key]
    assert main(["evaluate", str(finished.path), "--json", "--bound", "student-t", "--episodes", "1"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "pgrobot: --episodes must be a whole number of at least 2, not 1" in captured.err


def test_the_run_may_follow_the_modules(
    finished: Result, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("mine_alone", "mine_too"):
        (tmp_path / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    run = str(finished.path)
    seen: list[tuple[Path, list[str]]] = []

    def record(directory: Path, *, modules: list[str], **_: object) -> dict[str, Any]:
        seen.append((directory, modules))
        return dict(finished.evaluation)

    monkeypatch.setattr("pgrobot.api.evaluate", record)
    for words in (
        ["--modules", "mine_alone", run],
        [run, "--modules", "mine_alone"],
        ["--modules", "mine_alone", "--json", run],
        ["--modules", "mine_alone", "--", run],
    ):
        main(["evaluate", *words])
    main(["evaluate", "--modules", "mine_alone", "mine_too", run])
    assert seen == [*[(finished.path, ["mine_alone"])] * 4, (finished.path, ["mine_alone", "mine_too"])]
    assert main(["evaluate", "--modules", "mine_alone"]) == 2, "no run"
    assert main(["variance", "--modules", "mine_alone", "nowhere"]) == 2


def test_what_train_returned_can_be_evaluated(finished: Result) -> None:
    assert pgrobot.evaluate(finished)["return"] == pgrobot.evaluate(finished.path)["return"]


def test_a_bound_that_lacks_a_range_is_refused_before_anything_exists(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(PgrobotError, match=r"constraint\.cost\.cost\.highest=1"):
        start(
            tiny_request(
                run, "task=gymnasium", "task.id=Pendulum-v1", "constraint=cost", "evaluation.bound=betting"
            )
        )
    assert not run.exists()


def test_a_run_may_be_judged_by_betting(finished: Result) -> None:
    told = pgrobot.evaluate(finished, bound="betting")
    assert told["judged"]["bound"] == "betting"
    for name, parts in (("speed", 1), ("torque", 3)):
        cost = told["costs"][name]
        assert 0.0 <= cost["lower"] <= cost["mean"] < cost["upper"] <= parts * 1000
        assert "nothing but the range" in cost["assumes"]
    assert any("assumes nothing but the range of each cost" in line for line in printed(told))


def test_a_budget_of_0_is_said_to_be_hopeless_when_the_run_begins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = start(tiny_request(tmp_path / "run", "constraint.torque.budget=0", "total_steps=64"))
    said = [record.message for record in caplog.records]
    (sentence,) = (
        line for line in said if line.startswith("constraint.torque.budget=0 can never be certified")
    )
    assert "constraint.torque.unit=probability" in sentence
    assert result.verdicts["torque"] != "satisfied"


def test_a_policy_that_was_the_best_early_is_said_to_be_of_that_step(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    merits = iter([2.0, 1.0])
    monkeypatch.setattr("pgrobot.run.training.score", lambda *_: Score(feasible=True, merit=next(merits)))
    result = train("run")
    assert "judged the policy of step 128 of 256 " in " ".join(printed(dict(result.evaluation)))
    assert result.evaluation["best_step"] == result.evaluation["judged"]["step"] == 128
