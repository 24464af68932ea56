"""Compilation is an acceleration: where it does not work, everything still does, and one line says so."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pgrobot.compilation import compiled


def double(x: torch.Tensor) -> torch.Tensor:
    return 2 * x.sin()


def test_not_asked_for_is_the_function_itself() -> None:
    assert compiled(double, enabled=False) is double


@pytest.mark.parametrize("compiler", ["/bin/false", "/nowhere/c++"], ids=["broken", "missing"])
def test_without_a_working_compiler_the_function_runs_as_it_is(compiler: str, tmp_path: Path) -> None:
    program = """
import logging, torch
logging.basicConfig(format="%(message)s")
from pgrobot.compilation import compiled
step = compiled(lambda x: 2 * x.sin(), enabled=True)
x = torch.linspace(0, 1, 5)
assert torch.equal(step(x), 2 * x.sin()) and torch.equal(step(x), 2 * x.sin())
"""
    surroundings = os.environ | {"CXX": compiler, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=surroundings
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "uncompiled" in line]
    assert len(lines) == 1
    assert "No working C++ compiler found" in lines[0]


def test_other_errors_are_not_taken_for_a_missing_compiler(caplog: pytest.LogCaptureFixture) -> None:
    def fails(x: torch.Tensor) -> torch.Tensor:
        return x @ torch.ones(3)

    with caplog.at_level(logging.WARNING), pytest.raises(RuntimeError):
        compiled(fails, enabled=True)(torch.ones(2))
    assert "uncompiled" not in caplog.text
