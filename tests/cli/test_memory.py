"""Memory that does not suffice is told in one sentence, whoever asks for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pgrobot.errors import PgrobotError
from pgrobot.run import memory
from pgrobot.run.memory import check_memory, within_memory


def bad_alloc() -> None:
    raise ValueError("std::bad_alloc")


@pytest.mark.parametrize(
    "allocate",
    [lambda: np.empty((1 << 58,)), lambda: torch.empty((1 << 58,)), bad_alloc],
    ids=["numpy", "torch", "mujoco"],
)
def test_every_library_says_the_same(allocate: object) -> None:
    with (
        pytest.raises(PgrobotError, match="The memory does not suffice: use fewer num_envs"),
        within_memory(),
    ):
        allocate()  # type: ignore[operator]


@pytest.mark.parametrize("error", [ValueError("no"), RuntimeError("no"), PgrobotError("no"), KeyError("no")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error), match="no"), within_memory():
        raise error


def test_only_what_cannot_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"num_envs": 4, "horizon": 8, "policy": {"body": {"hidden": [10, 20, 30]}}, "critic": {}}
    least = 4 * 8 * memory.OF_A_STEP + 4 * memory.OF_AN_ENVIRONMENT + (200 + 600) * memory.OF_A_WEIGHT
    assert memory.least_memory(job) == least
    monkeypatch.setattr(memory, "physical_memory", lambda: least)
    check_memory(job)
    monkeypatch.setattr(memory, "physical_memory", lambda: least - 1)
    with pytest.raises(PgrobotError, match="num_envs=4 and horizon=8 with these networks take at least"):
        check_memory(job)
