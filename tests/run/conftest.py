"""Runs of a second, in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from pgrobot import checkpoint
from pgrobot.overrides import quote
from pgrobot.run import Request, Result, Surroundings, nobody, prepare, run, silent_console

# Hopper falls soon, so its evaluations are short; 4 iterations of 64 steps.
TINY = [
    "debug=tiny", "task=hopper", "num_envs=4", "horizon=16", "total_steps=256", "threads=1",
    "algorithm.policy_solver.minibatch=32", "evaluation.every=128", "checkpoint.every=128",
]  # fmt: skip

Train = Callable[..., Result]
Finished = Callable[..., Path]


def tiny_request(directory: Path, *overrides: str) -> Request:
    return prepare([*TINY, *overrides, f"hydra.run.dir={directory}"])


def start(request: Request) -> Result:
    return run(request, Surroundings(("pytest",), "", "", 0, silent_console(), nobody))


@pytest.fixture
def train(tmp_path: Path) -> Train:
    def train(name: str, *overrides: str) -> Result:
        return start(tiny_request(tmp_path / name, *overrides))

    return train


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Finished runs by their overrides, each made once: to be looked at, or copied."""

    @cache
    def finished(*overrides: str) -> Path:
        return start(tiny_request(tmp_path_factory.mktemp("finished") / "run", *overrides)).path

    return finished


@pytest.fixture
def finished_run(finished: Finished, tmp_path: Path) -> Path:
    """A finished run that a test may do to what it likes."""
    return Path(shutil.copytree(finished(), tmp_path / "run"))


@pytest.fixture
def resume() -> Train:
    def resume(directory: Path, *overrides: str) -> Result:
        return start(prepare([f"resume={quote(str(directory))}", *overrides]))

    return resume


def metrics(run_directory: Path) -> list[dict[str, Any]]:
    """Every line of metrics, without what a clock said."""
    lines = [json.loads(line) for line in (run_directory / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if not key.startswith("time/")} for line in lines]


def state(run_directory: Path, name: str = "last") -> dict[str, Any]:
    """A checkpoint without what differs between equal runs: the clock."""
    content = checkpoint.load(run_directory / "checkpoints" / f"{name}.pt")
    del content["clock"]
    return content


def assert_equal(one: Any, other: Any, where: str = "") -> None:
    """Bit for bit, whatever the nesting."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_equal(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f"{where}/{index}")
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, where
        assert one.shape == other.shape, where
        assert torch.allclose(one, other, rtol=0.0, atol=0.0, equal_nan=True), where
    else:
        assert one == other, where
