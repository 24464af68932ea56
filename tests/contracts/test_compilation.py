"""Compilation is an acceleration: where it does not work, everything still does, and one line says so."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pgrobot.compilation import Compiled
from pgrobot.compilation.library import library
from pgrobot.compilation.trace import trace


def double(x: torch.Tensor) -> tuple[torch.Tensor]:
    return (2 * x.sin(),)


def test_not_asked_for_is_the_function_itself() -> None:
    assert Compiled(double, enabled=False).bound((torch.ones(2),)) is double


@pytest.mark.parametrize("compiler", ["/bin/false", "/nowhere/c++"], ids=["broken", "missing"])
def test_without_a_working_compiler_the_function_runs_as_it_is(compiler: str, tmp_path: Path) -> None:
    program = """
import logging, torch
logging.basicConfig(format="%(message)s")
from pgrobot.compilation import Compiled
step = Compiled(lambda x: (2 * x.sin(),), enabled=True)
x = torch.linspace(0, 1, 5)
assert torch.equal(step(x)[0], 2 * x.sin()) and torch.equal(step(x)[0], 2 * x.sin())
"""
    surroundings = os.environ | {
        "CXX": compiler,
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "torch"),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=surroundings
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "uncompiled" in line]
    assert len(lines) == 1
    assert "No working C++ compiler found" in lines[0]


def test_other_errors_are_not_taken_for_a_missing_compiler(caplog: pytest.LogCaptureFixture) -> None:
    def fails(x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x @ torch.ones(3),)

    with caplog.at_level(logging.WARNING), pytest.raises(RuntimeError):
        Compiled(fails, enabled=True)(torch.ones(2))
    assert "uncompiled" not in caplog.text


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of compiled libraries."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "pgrobot" / "compiled"


def test_a_library_is_compiled_once_and_reads_what_it_captured_anew(cache: Path) -> None:
    """Derivatives inside, buffers changed in place between calls, two layouts: always what the function computes."""
    offset = torch.tensor([1.0, -1.0, 0.5])

    def function(x: torch.Tensor, flag: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gradient = torch.func.grad(lambda y: ((y + offset).tanh().square() * flag).sum())(x)
        return gradient, gradient.sum()

    compiled = Compiled(function, enabled=True)
    for rows in (2, 5, 2):
        x, flag = torch.randn(rows, 3), torch.arange(rows * 3).view(rows, 3) % 2 == 0
        offset.mul_(-0.7)
        torch.testing.assert_close(tuple(compiled(x, flag)), function(x, flag))
    libraries = sorted(cache.glob("*"))
    assert [path.suffix for path in libraries] == [".so", ".so"], (
        "one per layout, and nothing left beside them"
    )
    written = [path.stat().st_mtime_ns for path in libraries]
    again = Compiled(function, enabled=True)
    torch.testing.assert_close(tuple(again(x, flag)), function(x, flag))
    assert [path.stat().st_mtime_ns for path in sorted(cache.glob("*"))] == written, "found, not made again"


def test_a_library_belongs_to_what_it_computes(cache: Path) -> None:
    """A number in the function, a layout or a function of the same shape: each has a library of its own."""
    x = torch.linspace(-1.0, 1.0, 12)
    for factor in (2.0, 3.0):
        (value,) = Compiled(lambda x, factor=factor: (factor * x.sin(),), enabled=True)(x)
        torch.testing.assert_close(value, factor * x.sin())
    square = x.view(3, 4)
    compiled = Compiled(lambda x: (x.cumsum(0),), enabled=True)
    for layout in (square, square.t().contiguous().t()):
        torch.testing.assert_close(compiled(layout)[0], square.cumsum(0))
    assert len(list(cache.iterdir())) == 4


def test_a_damaged_library_is_made_again(cache: Path) -> None:
    x = torch.ones(3)
    path = library(trace(double, (x,)))
    path.write_bytes(b"not a library")
    compiled = Compiled(double, enabled=True)
    torch.testing.assert_close(compiled(x)[0], double(x)[0])
    assert compiled.bound((x,)) is not double
    assert path.stat().st_size > 1000


def test_without_a_place_for_libraries_it_still_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    x = torch.ones(3)
    compiled = Compiled(double, enabled=True)
    torch.testing.assert_close(compiled(x)[0], double(x)[0])
    assert compiled.bound((x,)) is not double
