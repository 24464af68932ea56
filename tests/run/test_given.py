"""Environments given from Python: they train, evaluate and resume like a task, and what cannot be given is refused."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit

import pgrobot
from pgrobot import given as giving
from pgrobot.cli import main
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.run import Result
from pgrobot.same_spaces import first_difference
from pgrobot.simulation.model_files import digest
from pgrobot.types import ROW, EnvironmentSpec

from .conftest import assert_equal, metrics, state

SHORT: dict[str, Any] = {
    "debug": "tiny", "num_envs": 2, "horizon": 16, "total_steps": 128, "compile": False, "quiet": True, "threads": 1,
    "algorithm.policy_solver.minibatch": 32, "checkpoint.every": 64,
    "evaluation": {"every": 64, "episodes": 2, "final_episodes": 2},
}  # fmt: skip
ALONE = {"num_envs": 1, "horizon": 32, "evaluation.num_envs": 1}


class Point(gymnasium.Env[Any, Any]):
    """A point that is pushed along a line; a push costs what it is."""

    action_space: spaces.Space[Any] = spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, width: int = 2) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (width,), np.float64)
        self.width = width
        self.closed = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-1.0, 1.0, self.width)
        return self.x.copy(), {}

    def step(self, action: Any) -> Any:
        self.x[1] += 0.1 * action[0]
        self.x[0] += 0.1 * self.x[1]
        return self.x.copy(), -abs(float(self.x[0])), False, False, {"cost": abs(float(action[0]))}

    def close(self) -> None:
        self.closed = True


def make_point() -> gymnasium.Env[Any, Any]:
    return TimeLimit(Point(), 20)


def make_long() -> gymnasium.Env[Any, Any]:
    return TimeLimit(Point(), 30)


def make_wide() -> gymnasium.Env[Any, Any]:
    return TimeLimit(Point(3), 20)


class Turned(Point):
    """Pushes half as far."""

    action_space = spaces.Box(-0.5, 0.5, (1,))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run to look at, or to copy."""
    return train(tmp_path_factory.mktemp("given") / "run", env=make_point, constraint=["cost"])


@pytest.fixture
def run(finished: Result, tmp_path: Path) -> Path:
    """The same, with half of its steps still to do."""
    copy = Path(shutil.copytree(finished.path, tmp_path / "run"))
    (copy / "result.json").unlink()
    shutil.copy(copy / "checkpoints" / "step_64.pt", copy / "checkpoints" / "last.pt")
    return copy


def train(directory: Path, **settings: Any) -> Result:
    return pgrobot.train(**{**SHORT, "hydra.run.dir": directory, **settings})


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("Hopper-v5", lambda: gymnasium.make("Hopper-v5")),
        ("CartPole-v1", gymnasium.spec("CartPole-v1")),
    ],
)
def test_what_is_given_is_the_task_that_it_builds_to_the_last_bit(
    name: str, env: Any, tmp_path: Path
) -> None:
    few = {"total_steps": 32, "checkpoint.every": 32}
    named = train(tmp_path / "named", task="gymnasium", **{"task.id": name}, **few)
    given = train(tmp_path / "given", env=env, **few)
    assert_equal(metrics(given.path), metrics(named.path))
    for key in ("learners", "collector", "best"):
        assert_equal(state(given.path)[key], state(named.path)[key])
    for key in ("return", "other_mode", "judged"):
        assert_equal(given.evaluation[key], named.evaluation[key])


def test_a_run_says_where_its_environment_came_from(finished: Result) -> None:
    note = json.loads((finished.path / "manifest.json").read_text(encoding="utf-8"))["environment"]
    source = digest(Path(__file__).read_bytes())
    assert note["env"] == {
        "kind": "factory", "name": f"{__name__}.make_point", "file": __file__, "sha256": source,
    }  # fmt: skip
    assert "again, as env=" in note["origin"]
    config = (finished.path / "config.yaml").read_text()
    assert "_target_: pgrobot.simulation.adapters.GivenTask\n  name: make_point" in config
    assert finished.verdicts.keys() == {"cost"}, "what an info reports can be limited"


def test_its_policy_is_loaded_without_the_environment(finished: Result) -> None:
    action = pgrobot.load(finished.path).act(np.zeros(2))
    assert action.shape == (1,)


def test_episodes_of_another_length_are_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="pgrobot"):
        told = pgrobot.evaluate(run, env=make_long)
    assert f"env=make_long has episodes of 30 steps, and {run} of 20." in caplog.messages
    assert told["episode_length"]["mean"] == 30.0


def test_an_evaluation_takes_the_environment_again(finished: Result) -> None:
    told = pgrobot.evaluate(finished, env=make_point)
    assert told["judged"]["repeats"] == "all"
    assert_equal(told["return"], finished.evaluation["return"])
    for again in (
        lambda: pgrobot.evaluate(finished),
        lambda: pgrobot.train(resume=finished.path, total_steps=256, quiet=True),
    ):
        with pytest.raises(
            PgrobotError, match=r"given from Python \(make_point\), which has to be given again"
        ):
            again()


@pytest.mark.parametrize("words", [["evaluate"], ["train"], ["variance"]])
def test_the_command_line_says_that_it_cannot_give_one(
    words: list[str], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(run.rglob("*"))
    assert main([*words, f"resume={run}" if words == ["train"] else str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "given from Python (make_point), which has to be given again there, by env=: pgrobot.train(" in line
    )
    assert sorted(run.rglob("*")) == before


def test_it_is_not_played_in_a_sentence(finished: Result, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", str(finished.path), "--film"]) == 2
    assert (
        "was trained in an environment given from Python, which pgrobot play cannot build"
        in capsys.readouterr().err
    )


def test_a_resumed_run_goes_on_bit_for_bit(finished: Result, run: Path) -> None:
    resumed = pgrobot.train(resume=run, env=make_point, quiet=True)
    assert_equal(metrics(run), metrics(finished.path))
    assert_equal(state(run), state(finished.path))
    assert_equal(resumed.evaluation["return"], finished.evaluation["return"])
    (again,) = json.loads((run / "manifest.json").read_text())["resumed"]
    assert again["environment"]["env"]["name"].endswith("make_point")


def test_two_environments_in_one_process_leave_each_other_alone(finished: Result, tmp_path: Path) -> None:
    wide = train(tmp_path / "wide", env=make_wide)
    again = train(tmp_path / "again", env=make_point, constraint=["cost"])
    assert_equal(metrics(again.path), metrics(finished.path))
    assert metrics(wide.path) != metrics(again.path)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (make_wide, r"observes float64 \(3,\) as 'policy', not float64 \(2,\)"),
        (lambda: TimeLimit(Turned(), 20), r"has least actions of \[-0.5\], not \[-1.0\]"),
    ],
)
def test_other_spaces_are_refused(other: Callable[[], Any], words: str, run: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(PgrobotError, match=f"^env=.* has other spaces than {run}: it {words}$"):
        pgrobot.train(resume=run, env=other, quiet=True)
    with pytest.raises(PgrobotError, match=f"^env=.* has other spaces than {run}: it {words}$"):
        pgrobot.evaluate(run, env=other)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    with pytest.raises(
        PgrobotError, match=f"evaluation_env=.* has other spaces than env=make_point: it {words}"
    ):
        train(tmp_path / "new", env=make_point, evaluation_env=other)
    assert not (tmp_path / "new").exists()


def test_spaces_of_one_width_are_not_the_same() -> None:
    """Five numbers, five choices, two and three choices; choices from 7; a row and a matrix of actions."""

    def spec(observation: gymnasium.Space[Any], action: gymnasium.Space[Any]) -> EnvironmentSpec:
        class Fixed(gymnasium.Env[Any, Any]):
            observation_space, action_space = observation, action

            def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
                return observation.sample(), {}

            def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
                return observation.sample(), 0.0, False, False, {}

        make = lambda: TimeLimit(Fixed(), 9)
        return giving.spec_of(giving.given("env", make), pgrobot.compose(env=make))

    box, push = spaces.Box(-1.0, 1.0, (5,), np.float64), spaces.Box(-1.0, 1.0, (2,))
    one = spec(spaces.Discrete(5), push)
    assert first_difference(one, one) == ""
    assert "observes all as numbers (5,), not all as choices among [5] from [0]" in first_difference(
        spec(box, push), one
    )
    assert "among [2, 3] from [0, 0], not" in first_difference(spec(spaces.MultiDiscrete([2, 3]), push), one)
    assert "among [5] from [7], not" in first_difference(spec(spaces.Discrete(5, start=7), push), one)
    matrix = spec(spaces.Discrete(5), spaces.Box(-1.0, 1.0, (1, 2)))
    assert first_difference(matrix, one) == "has a shape of actions of (1, 2), not (2,)"
    from_three = spec(box, spaces.Discrete(4, start=3))
    assert "has least choices of (3,), not (0,)" in first_difference(
        from_three, spec(box, spaces.Discrete(4))
    )
    old = replace(one, parts=(), action_form=ROW)
    assert first_difference(matrix, old) == "", "a spec of an older version does not tell"


def test_another_function_with_the_same_spaces_is_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="pgrobot"):
        pgrobot.evaluate(run, env=lambda: TimeLimit(Point(), 20))
    assert any("make_point, and goes on with" in line for line in caplog.messages)


@pytest.mark.parametrize("changed", ["file", "options"])
def test_what_changed_is_told(
    changed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = deepcopy(gymnasium.spec("Pendulum-v1"))
    spec.max_episode_steps = 20
    env = make_point if changed == "file" else spec
    run = train(tmp_path / "run", env=env)
    if changed == "file":
        monkeypatch.setattr("pgrobot.given.digest", lambda _: "another")
    spec.kwargs["g"] = 9.81
    with caplog.at_level(logging.WARNING, logger="pgrobot"):
        pgrobot.evaluate(run, env=env)
    assert f"is not what {run.path} had: its {changed} changed" in caplog.text


def test_an_evaluation_may_take_place_elsewhere(tmp_path: Path) -> None:
    class Icy(Point):
        def step(self, action: Any) -> Any:
            return super().step(0.1 * action)

    def make_icy() -> Any:
        return TimeLimit(Icy(), 20)

    run = train(tmp_path / "run", env=make_point, evaluation_env=make_icy)
    plain = train(tmp_path / "plain", env=make_point)
    assert run.evaluation["return"] != plain.evaluation["return"]
    assert_equal(pgrobot.evaluate(run, env=make_icy)["return"], run.evaluation["return"])
    with pytest.raises(PgrobotError, match=r"was given evaluation_env=.*make_icy beside env=: give it again"):
        pgrobot.train(resume=run.path, env=make_point, total_steps=256, quiet=True)


def test_one_environment_trains_beside_another_and_stays_open(tmp_path: Path) -> None:
    trained, judged = make_point(), make_point()
    run = train(tmp_path / "run", env=trained, evaluation_env=judged, **ALONE)
    assert not trained.unwrapped.closed
    assert not judged.unwrapped.closed
    assert_equal(pgrobot.evaluate(run, env=judged)["return"], run.evaluation["return"])
    many = train(tmp_path / "many", env=make_point, **ALONE)
    assert_equal(metrics(run.path), metrics(many.path))
    with pytest.raises(
        PgrobotError, match=r"evaluation_env= is env= itself, .* evaluation=\{'alone': True\}"
    ):
        train(tmp_path / "same", env=trained, evaluation_env=trained, **ALONE)
    lonely = train(
        tmp_path / "lonely", env=trained, evaluation_env=trained, **ALONE, **{"evaluation.alone": True}
    )
    assert_equal(metrics(lonely.path), metrics(many.path))


def test_a_factory_that_fails_late_fails_a_run_that_can_go_on(tmp_path: Path) -> None:
    left = [make_point, make_point]

    def failing() -> Any:
        return left.pop()()

    with pytest.raises(FailureError, match="env=failing raised IndexError: pop from empty list"):
        train(tmp_path / "run", env=failing)
    resumed = pgrobot.train(resume=tmp_path / "run", env=make_point, quiet=True)
    whole = train(tmp_path / "whole", env=make_point)
    assert_equal(metrics(resumed.path), metrics(whole.path))


def raising() -> Any:
    raise FileNotFoundError("no robot at port 7")


ONE = make_point()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"env": 3}, r"env= is 3: give a function that builds a gymnasium.Env, env=make_env"),
        ({"env": "Hopper-v5"}, r"env=gymnasium.spec\('Hopper-v5'\)"),
        ({"env": lambda: None}, r"env=<lambda> returned None, and has to return a gymnasium.Env"),
        ({"env": lambda: ONE}, r"env=<lambda> returned the same environment twice"),
        ({"env": lambda: TimeLimit(ONE, 9), **ALONE}, r"env=<lambda> returned the same environment twice"),
        ({"env": raising}, r"env=raising raised FileNotFoundError: no robot at port 7"),
        ({"env": lambda seed: ONE}, r"env=<lambda> is called without arguments, and needs 'seed'"),
        ({"env": partial(TimeLimit, ONE)}, r"env=TimeLimit is called without .* needs 'max_episode_steps'"),
        ({"env": Point}, r"Point has no time limit, .* task=\{\"max_episode_steps\": 1000\}"),
        ({"env": gymnasium.Env}, r"env=Env has no observation_space"),
        ({"env": make_point, "task": "hopper"}, r"env= is the task, and so is task=hopper"),
        ({"eval_env": make_point}, r"train has no keyword 'eval_env': did you mean 'evaluation_env'"),
        ({"environment": ONE}, r"train has no keyword 'environment': .*env"),
        ({"evaluation_env": make_point}, r"evaluation_env= stands beside env="),
        ({"env": ONE}, r"env= is one environment, .* evaluation_env="),
        ({"env": ONE, "evaluation_env": make_point}, r"env= is one environment, and num_envs=2: .* num_envs=1"),
        ({"env": make_point, "evaluation_env": ONE}, r"evaluation_env= is one environment, and evaluation.num_envs=0"),
        ({"env": make_point, "constraint": ["torque"]}, r"constraint 'torque' is measured in a pgrobot robot"),
        ({"env": make_point, "task": {"max_episode_steps": -1}}, r"task.max_episode_steps must be a whole number"),
        ({"task": "python"}, r"task=python is an environment given from Python, which"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_in_is_refused_before_anything_is_created(
    settings: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(PgrobotError, match=words) as caught:
        train(tmp_path / "run", **settings)
    assert not isinstance(caught.value, FailureError)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_several_environments_in_one_are_refused(tmp_path: Path) -> None:
    several = gymnasium.vector.SyncVectorEnv([make_point, make_point])
    for env in (several, lambda: several):
        with pytest.raises(
            PgrobotError, match="SyncVectorEnv, which is several environments, and pgrobot steps num_envs"
        ):
            train(tmp_path / "run", env=env)


def test_a_run_of_a_task_takes_no_env(run: Path) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["task"] = {
        "_target_": "pgrobot.simulation.adapters.GymnasiumTask",
        "id": "Pendulum-v1",
        "kwargs": {},
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    for given in (
        lambda: pgrobot.evaluate(run, env=make_point),
        lambda: pgrobot.train(resume=run, env=make_point),
    ):
        with pytest.raises(PgrobotError, match=f"^{run} was not trained with env="):
            given()


def test_the_config_can_be_composed() -> None:
    cfg = pgrobot.compose(env=make_point, task={"max_episode_steps": 7}, num_envs=4)
    assert (cfg.task.name, cfg.task.max_episode_steps) == ("make_point", 7)


class Single(Point):
    """Declares and shows its numbers in single precision."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=seed)[0].astype(np.float32), {}

    def step(self, action: Any) -> Any:
        x, *rest = super().step(action)
        return x.astype(np.float32), *rest


def test_the_type_of_numbers_is_no_other_space(finished: Result) -> None:
    told = pgrobot.evaluate(finished, env=lambda: TimeLimit(Single(), 20))
    assert np.isfinite(told["return"]["mean"])


class Pair(Point):
    """Takes a dict of actions."""

    action_space = gymnasium.spaces.Dict(push=gymnasium.spaces.Box(-1.0, 1.0, (1,)))


def test_a_dict_of_actions_is_told_what_to_do_about_it() -> None:
    with pytest.raises(
        PgrobotError, match=r"push: Box\); .*: flatten them by a gymnasium.ActionWrapper of your own"
    ):
        pgrobot.train(env=lambda: TimeLimit(Pair(), 10), **SHORT)


def test_one_environment_for_an_evaluation_of_several_is_told(finished: Result) -> None:
    with pytest.raises(PgrobotError, match=r"give a function that builds them, env=make_env$"):
        pgrobot.evaluate(finished, env=make_point())
