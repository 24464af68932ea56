"""Code that raises: the user's is named in a sentence, pgrobot's own shows where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pgrobot.blame import blaming, place_in
from pgrobot.cli import main
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.run import prepare

from .conftest import TINY, start

ROBOT = """
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from pgrobot.envs.hopper import Hopper

CALLS = []

@dataclass(frozen=True, kw_only=True)
class Hasty(Hopper):
    when: str

    def make(self, *args):
        if self.when == "construction":
            raise KeyError("leg")
        return super().make(*args)

    def terms(self, simulation, action):
        CALLS.append(0)
        if self.when == "step" and len(CALLS) > 9 or self.when == "evaluation" and simulation.num_envs < 4:
            np.zeros(3).reshape(5)  # raises inside of NumPy
        return super().terms(simulation, action)
"""


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(ROBOT.splitlines(), 1) if text in line)


@pytest.fixture
def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "hasty_robots.py").write_text(ROBOT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "hasty_robots", raising=False)
    run = tmp_path / "run"
    return [*TINY, "task._target_=hasty_robots.Hasty", "modules=[hasty_robots]", f"hydra.run.dir={run}"]


@pytest.mark.parametrize(
    ("when", "line", "error"),
    [
        ("step", "raises inside of NumPy", "ValueError: cannot reshape array of size 3 into shape (5,)"),
        (
            "evaluation",
            "raises inside of NumPy",
            "ValueError: cannot reshape array of size 3 into shape (5,)",
        ),
        ("construction", 'raise KeyError("leg")', "KeyError: 'leg'"),
    ],
)
def test_the_users_code_is_named(
    hasty: list[str], when: str, line: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *hasty, f"+task.when={when}"]) == 1
    told = capsys.readouterr().err.splitlines()
    place = f"{tmp_path / 'hasty_robots.py'}:{line_of(line)}"
    log = tmp_path / "run" / "run.log"
    begun = when != "construction"
    note = f"; the traceback is in {log}" if begun else ""
    assert told == [f"pgrobot: {place} raised {error}{note}"]
    assert log.exists() == begun
    if begun:
        text = log.read_text()
        assert "Traceback (most recent call last)" in text
        assert "hasty_robots.py" in text
        assert text.rstrip().endswith(error)
    assert not (tmp_path / "run" / "result.json").exists()


def test_what_goes_wrong_in_an_evaluation_is_told_alike(
    hasty: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *hasty, "+task.when=never"]) == 0
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("when: never", "when: evaluation"))
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--modules", "hasty_robots"]) == 1
    assert f"hasty_robots.py:{line_of('raises inside')} raised ValueError" in capsys.readouterr().err


def test_python_sees_the_cause(hasty: list[str]) -> None:
    with pytest.raises(FailureError, match=r"hasty_robots.py:\d+ raised KeyError") as told:
        start(prepare([*hasty, "+task.when=construction"]))
    assert isinstance(told.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("x = 1\n1 / 0\n", "broken_robots.py:2 raised ZeroDivisionError: division by zero"),
        ("def f(:\n", "broken_robots.py:1 raised SyntaxError: invalid syntax"),
        ("import no_such_module\n", "there is no module 'no_such_module'"),
    ],
)
def test_a_module_that_cannot_be_imported(
    code: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "broken_robots.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY, "task._target_=broken_robots.Robot", "modules=[broken_robots]"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("pgrobot: task._target_ names 'broken_robots.Robot', but ")
    assert sentence in told
    assert told.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_annotations_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vague_robots.py").write_text(ROBOT.replace("when: str", "when: Word"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (
        main(["train", "task._target_=vague_robots.Hasty", "+task.when=now", "modules=[vague_robots]"]) == 2
    )
    sentence = "The annotations of vague_robots.Hasty cannot be read: name 'Word' is not defined"
    assert capsys.readouterr().err == f"pgrobot: {sentence}\n"


def test_a_bug_shows_where_it_is_and_asks_to_be_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("pgrobot.learner.Learner.update", bug)
    assert main(["train", *TINY, f"hydra.run.dir={tmp_path / 'run'}"]) == 1
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert "ZeroDivisionError: a bug" in told
    assert told.splitlines()[-1].startswith("pgrobot: This was not foreseen.")
    assert "ZeroDivisionError: a bug" in (tmp_path / "run" / "run.log").read_text()


def test_blame_is_for_the_named_modules_only() -> None:
    def fail() -> None:
        raise LookupError("no")

    with (
        pytest.raises(FailureError, match=rf"{Path(__file__).name}:\d+ raised LookupError: no$"),
        blaming([__name__]),
    ):
        fail()
    with pytest.raises(LookupError), blaming(["other", __name__[:-1]]):
        fail()
    with pytest.raises(PgrobotError, match=r"^a sentence$"), blaming([__name__]):
        raise PgrobotError("a sentence")
    assert place_in(ValueError("never raised"), [__name__]) == ""


MISTAKES = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
import torch
from pgrobot.envs.hopper import Hopper
from pgrobot.objectives import FixedWeight
from pgrobot.simulation import Robot

@dataclass(frozen=True, kw_only=True)
class Flat(Hopper):
    def observation(self, simulation):
        return simulation.qpos

class Unfinished(Robot):
    def observation(self, simulation):
        return {}

@dataclass(frozen=True, kw_only=True)
class Modelless(Hopper):
    models = None

class Taskless:
    def __init__(self, **options):
        pass

class Empty(Taskless):
    def make(self, num_envs, costs, seed, threads):
        return None

class Remembering:
    parts = ("foot",)
    def bind(self, simulation):
        self.last = np.zeros((simulation.num_envs, 1))
        return self
    def __call__(self):
        return self.last
    def reset(self, ids):
        self.last[ids] = 0.0
    def state_dict(self):
        return {"last": self.last}
    def load_state_dict(self, state):
        self.last = state["last"]

class Refunding(Remembering):
    def __call__(self):
        return self.last - 0.5
    def state_dict(self):
        return {}

@dataclass(frozen=True)
class Rows(FixedWeight):
    weight: float
    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = True
    def __call__(self, policy, batch):
        return torch.exp(policy.here.log_prob(batch.action) - batch.log_prob) * batch.advantage, {}
"""
COST = "+constraint.foot={budget:1.0,limit:1.0,unit:%s,cost:{_target_:mistaken_robots.%s}}"


@pytest.mark.parametrize(
    ("overrides", "status", "sentence"),
    [
        (
            ["task._target_=mistaken_robots.Flat"],
            2,
            (
                "mistaken_robots.Flat.observation has to return a dict of observation groups, such as "
                "{'policy': array}, but returned float64 (4, 6)."
            ),
        ),
        (
            ["task._target_=mistaken_robots.Unfinished"],
            2,
            "task._target_: Unfinished has to define reward_terms, terms, which it does not",
        ),
        (
            ["task._target_=mistaken_robots.Modelless"],
            2,
            (
                "Modelless has no models: say which MJCF file is which version's, as in models: ClassVar = "
                """{"v1": "/path/to/robot.xml"}."""
            ),
        ),
        (
            ["task._target_=mistaken_robots.Taskless"],
            2,
            "task._target_=mistaken_robots.Taskless is no task: it has no method make(num_envs, costs, seed, threads)",
        ),
        (
            ["task._target_=mistaken_robots.Empty"],
            2,
            (
                "mistaken_robots.Empty.make has to make an environment, as pgrobot.types.Environment describes it, but "
                "made None, which has no 'spec'."
            ),
        ),
        (
            [COST % ("episode", "Remembering")],
            2,
            (
                "collector/environment/costs/foot/last is a numpy.ndarray, which a checkpoint cannot hold: a "
                "state_dict consists of tensors, numbers, texts, lists and dicts"
            ),
        ),
        (
            [COST % ("probability", "Refunding")],
            1,
            (
                "the cost of constraint 'foot' is negative in a step, but its unit=probability asks whether a sum that "
                "only grows exceeds its limit: use another unit, or a cost that is never negative"
            ),
        ),
        (
            ["+algorithm.objective.mine={_target_:mistaken_robots.Rows,weight:1.0}"],
            1,
            (
                "algorithm.objective.mine has to return a scalar tensor and a dict of scalar tensors, but its value "
                "is no scalar tensor (mistaken_robots.Rows)"
            ),
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    overrides: list[str],
    status: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is created where it can be known; none was not foreseen."""
    (tmp_path / "mistaken_robots.py").write_text(MISTAKES)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mistaken_robots", raising=False)
    run = tmp_path / "run"
    words = ["train", *TINY, "modules=[mistaken_robots]", f"hydra.run.dir={run}", *overrides]
    assert main(words) == status
    assert capsys.readouterr().err == f"pgrobot: {sentence}\n"
    assert run.exists() == (status == 1)


def test_a_cost_that_pays_back_is_measured_where_the_budget_limits_a_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mistaken_robots.py").write_text(MISTAKES)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mistaken_robots", raising=False)
    words = [
        *TINY,
        "modules=[mistaken_robots]",
        f"hydra.run.dir={tmp_path / 'run'}",
        COST % ("step", "Refunding"),
    ]
    cost = start(prepare(words)).evaluation["costs"]["foot"]
    assert (cost["mean"], cost["verdict"]) == (-0.5, "satisfied")
