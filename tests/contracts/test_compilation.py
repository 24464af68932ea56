"""Compilation is an acceleration: where it does not work, everything still does, and one line says so."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pgrobot.compilation import Compiled, compiled
from pgrobot.compilation import probe as probing
from pgrobot.compilation.library import library
from pgrobot.compilation.probe import probe
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


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries are called here at once, so a process of its own for each would only take time."""
    monkeypatch.setattr("pgrobot.compilation.library.probe", lambda *_: None)


@pytest.mark.usefixtures("untried")
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


@pytest.mark.usefixtures("untried")
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


@pytest.mark.usefixtures("untried")
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


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with the interface of torch's that dies when it is started."""
    source = tmp_path_factory.mktemp("crashing") / "library.cpp"
    source.write_text(
        'extern "C" int AOTInductorModelContainerRun() { return 0; }\n'
        'extern "C" int AOTInductorModelContainerCreateWithDevice() { return *static_cast<volatile int *>(nullptr); }\n'
    )
    built = source.with_suffix(".so")
    subprocess.run(["g++", "-shared", "-fPIC", "-O0", str(source), "-o", str(built)], check=True)
    return built


def test_a_probe_passes_what_runs_and_survives_what_crashes_fails_or_hangs(
    cache: Path, crashing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.ones(3, 2).t()
    works = library(trace(double, (x,)))
    probe(works, (x,), 1)
    with pytest.raises(RuntimeError, match=r"crashed \(signal 11\)"):
        probe(crashing, (x,), 1)
    (tmp_path / "text.so").write_text("not a library")
    with pytest.raises(RuntimeError, match="failed when it was tried: OSError"):
        probe(tmp_path / "text.so", (x,), 1)
    monkeypatch.setattr(probing, "SECONDS", 0.01)
    with pytest.raises(RuntimeError, match=r"did not return within 0\.01 s"):
        probe(works, (x,), 1)


def test_where_compiled_libraries_crash_the_function_runs_as_it_is(
    cache: Path, crashing: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Seen with torch 2.11 on a machine with a GPU: the process that would train has to live on."""
    import torch._inductor

    def compile_badly(*_: object, options: dict[str, str]) -> None:
        shutil.copy(crashing, options["aot_inductor.output_path"])

    monkeypatch.setattr(torch._inductor, "aot_compile", compile_badly)
    monkeypatch.setattr(
        compiled, "_warn", compiled._warn.__wrapped__
    )  # one warning per process, and this is a test's
    x = torch.ones(3)
    step = Compiled(double, enabled=True)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(step(x)[0], double(x)[0])
    assert "Updates run uncompiled" in caplog.text
    assert "crashed (signal 11)" in caplog.text
    assert step.bound((x,)) is double
    assert not list(cache.iterdir()), "a library that crashes is not kept"
