"""What a part of one's own returns is looked at where it is called, and a mistake is told by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from toys import TargetWorld, make

from pgrobot.answers import (
    check_call,
    check_columns,
    check_diagnostic,
    diagnosed,
    joined,
    metrics_of,
    with_column_of,
)
from pgrobot.errors import PgrobotError
from pgrobot.estimators import Estimate, EstimatorInput
from pgrobot.estimators.estimator import estimated
from pgrobot.loop import train
from pgrobot.solvers import SGD
from pgrobot.solvers.chain import Chain
from pgrobot.solvers.transform import Forgetful, Moments, Place, Uniform
from pgrobot.types import Rollout

T, N, C = 3, 2, 4
GIVEN = EstimatorInput(
    *(torch.zeros(T, N, C) for _ in range(3)),
    *(torch.zeros(T, N, 1, dtype=torch.bool) for _ in range(2)),
    torch.zeros(T, N),
    torch.ones(C),
)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda _: None, "an advantage, a target, a weight, not None"),
        (lambda g: g.reward, r"an advantage, a target, a weight, not a tensor \[3, 2, 4\]"),
        (lambda g: (g.reward, g.reward), "an advantage, a target, a weight, not a tuple of 2"),
        (
            lambda g: Estimate(g.reward[..., 0], g.reward, g.log_ratio),
            r"an advantage \[3, 2, 4\], not a tensor \[3, 2\]",
        ),
        (lambda g: Estimate(g.reward, g.reward, g.reward), r"a weight \[3, 2\], not a tensor \[3, 2, 4\]"),
    ],
)
def test_an_estimator(answer: Callable[[EstimatorInput], Any], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=f"test_answers.<lambda> has to return {sentence}"):
        estimated(answer, GIVEN)


class Step(Forgetful, Uniform):
    place: ClassVar[Place] = "after"

    def __init__(self, answer: Callable[[torch.Tensor, Moments], Any]) -> None:
        self._answer = answer

    def step(self, update: torch.Tensor, moments: Moments, vector: torch.Tensor, rate: torch.Tensor) -> Any:
        return self._answer(update, moments)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda update, _: update, "an update and a tuple of what is remembered after it, not a Tensor"),
        (lambda update, moments: (update[:1], moments), r"an update \[5\], not a tensor \[1\]"),
        (lambda update, _: (update, (update,)), "an update, not a tuple of 2"),
    ],
)
def test_a_transform(answer: Callable[[torch.Tensor, Moments], Any], sentence: str) -> None:
    vector = torch.ones(5)
    with pytest.raises(PgrobotError, match=f"test_answers.Step.step has to return {sentence}"):
        Chain({"sgd": SGD(0.0), "own": Step(answer)}, {"w": vector.shape}, vector)
    Chain(
        {"sgd": SGD(0.0), "own": Step(lambda update, moments: (update, moments))}, {"w": vector.shape}, vector
    )


class Bonus:
    column = "bonus/own"

    def __init__(self, answer: Callable[[Rollout], Any]) -> None:
        self._answer = answer

    def __call__(self, rollout: Rollout) -> Any:
        return self._answer(rollout)


def test_an_intrinsic_reward() -> None:
    collector, _ = make(TargetWorld(4, 0))
    rollout = collector.collect()["robot"]
    reward = rollout.reward[..., 0]
    found = with_column_of(Bonus(lambda r: r.with_column("bonus/own", reward, episodic=True)), rollout)  # type: ignore[arg-type]
    assert found.columns[-1] == "bonus/own"
    for answer, told in (
        (lambda r: r, "not columns reward, cost/above"),
        (
            lambda r: r.with_column("bonus/other", reward, episodic=True),
            "not columns reward, cost/above, bonus/other",
        ),
        (lambda _: None, "not None"),
    ):
        with pytest.raises(
            PgrobotError, match=r"the column 'bonus/own' has to be \[\d+, 4\], not \[\d+, 4, 1\]"
        ):
            rollout.with_column("bonus/own", reward.unsqueeze(-1), episodic=True)
        with pytest.raises(PgrobotError, match=rf"test_answers.Bonus has to return the rollout .* {told}"):
            with_column_of(Bonus(answer), rollout)  # type: ignore[arg-type]


def test_metrics() -> None:
    assert metrics_of(lambda: {"a": 1.0, "b": 2}) == {"a": 1.0, "b": 2}
    with pytest.raises(PgrobotError, match=r"has to return a dict of metrics, .* for none, not None"):
        metrics_of(lambda: None)
    with pytest.raises(PgrobotError, match=r"has to return numbers, but 'a' is a tensor \[\]"):
        metrics_of(lambda: {"a": torch.zeros(())})


def test_a_diagnostic_is_called_with_three_arguments() -> None:
    check_call(lambda iteration, learners, experience: {}, "iteration", "learners", "experience")
    with pytest.raises(
        PgrobotError, match=r"has to take \(iteration, learners, experience\): too many positional"
    ):
        check_call(lambda iteration: {}, "iteration", "learners", "experience")


class Quiet:
    """A diagnostic that remembers nothing."""

    def __init__(self, answer: Callable[[], Any] = dict) -> None:
        self._answer = answer

    def __call__(self, iteration: int, learners: Any, experience: Any) -> Any:
        return self._answer()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None: ...


def test_a_diagnostic_has_a_state() -> None:
    check_diagnostic(Quiet())
    with pytest.raises(PgrobotError, match="has no method 'state_dict': one that remembers nothing returns"):
        check_diagnostic(lambda iteration, learners, experience: {})


def test_a_diagnostic_does_not_replace_a_metric() -> None:
    collector, learner = make(TargetWorld(4, 0))
    own: Any = Quiet(lambda: {"policy/std": 1e9})
    with pytest.raises(PgrobotError, match="Quiet returns a metric 'policy/std', which there is already"):
        next(iter(train(collector, {"robot": learner}, range(1), [own])))
    assert joined({"a": 1.0}, own, {"b": 2.0}) == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, torch.linalg.LinAlgError])
def test_linear_algebra_that_fails_in_a_diagnostic_ends_no_run(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> Any:
        raise error("did not converge")

    found: Any = Quiet(fails)
    assert diagnosed(found, 0, {}, {}) == {}
    assert "Quiet has nothing to tell of this iteration: did not converge" in caplog.text


@pytest.mark.parametrize("column", ["reward", "cost/above", "bonus/", "", None])
def test_an_intrinsic_reward_has_a_column_of_its_own(column: Any) -> None:
    one: Any = Bonus(lambda r: r)
    check_columns([one])
    with pytest.raises(PgrobotError, match="have the same column 'bonus/own'"):
        check_columns([one, one])
    one.column = column
    with pytest.raises(
        PgrobotError, match=r"Bonus.column is .*: the column of an intrinsic reward is bonus/<name>"
    ):
        check_columns([one])
