"""Compilation is an acceleration: where it does not work, everything still does, and one line says so."""

from __future__ import annotations

import logging
import shutil
import subprocess
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


def test_an_argument_that_is_not_read_may_be_anything() -> None:
    def second_of_three(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor]:
        del a
        return (b + len(c),)

    laid_out = (torch.ones(4), torch.arange(3.0), torch.ones(2))
    step = Compiled(second_of_three, enabled=True)
    assert tuple(step.reads(laid_out)) == (1,)
    (said,) = step.bound(laid_out)(torch.full((7,), torch.nan), laid_out[1], torch.zeros(0))
    assert torch.equal(said, laid_out[1] + 2.0)
    assert tuple(Compiled(second_of_three, enabled=False).reads(laid_out)) == (0, 1, 2)


@pytest.mark.parametrize("compiler", ["/bin/false", "/nowhere/c++"], ids=["broken", "missing"])
def test_without_a_working_compiler_the_function_runs_as_it_is(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch._inductor.config as inductor

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "torch"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    step, x = Compiled(double, enabled=True), torch.linspace(0, 1, 5)
    with (
        caplog.at_level(logging.WARNING),
        inductor.patch({"cpp.cxx": (compiler,)}),
    ):  # as from the variable CXX
        assert torch.equal(step(x)[0], double(x)[0])
        assert torch.equal(step(x)[0], double(x)[0])
    (line,) = (line for line in caplog.messages if "uncompiled" in line)
    assert "No working C++ compiler found" in line


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


offset = torch.tensor([1.0, -1.0, 0.5])
X, FLAG = torch.linspace(-1.0, 1.0, 12).view(3, 4).t(), torch.arange(12).view(4, 3) % 2 == 0


def derived(x: torch.Tensor, flag: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A derivative inside, and a buffer that is changed in place between calls."""
    gradient = torch.func.grad(lambda y: ((y + offset).tanh().square() * flag).cumsum(0).sum())(x)
    return gradient, gradient.sum()


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of ``derived``, alone in a cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("pgrobot.compilation.library.probe", lambda *_: None)
        return library(trace(derived, (X, FLAG)))


@pytest.mark.usefixtures("untried")
def test_a_library_is_compiled_once_and_reads_what_it_captured_anew(
    ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Laid out by columns beside by rows: always what the function computes."""
    cache = ready.parent
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parents[1]))
    compiled = Compiled(derived, enabled=True)
    for _ in range(3):
        x = torch.randn(3, 4).t()
        offset.mul_(-0.7)
        torch.testing.assert_close(tuple(compiled(x, FLAG)), derived(x, FLAG))
        assert compiled.bound((x, FLAG)) is not derived
    assert sorted(cache.iterdir()) == [ready], "nothing is left beside it"
    written = ready.stat().st_mtime_ns
    again = Compiled(derived, enabled=True)
    torch.testing.assert_close(tuple(again(x, FLAG)), derived(x, FLAG))
    assert again.bound((x, FLAG)) is not derived
    assert sorted(cache.iterdir()) == [ready]
    assert ready.stat().st_mtime_ns == written, "found, not made again"


@pytest.fixture
def copied(ready: Path, monkeypatch: pytest.MonkeyPatch, untried: None) -> None:
    """A compiler that takes no time, for it knows but one function."""
    import torch._inductor

    def copy(*_: object, options: dict[str, str]) -> None:
        shutil.copy(ready, options["aot_inductor.output_path"])

    monkeypatch.setattr(torch._inductor, "aot_compile", copy)


@pytest.mark.usefixtures("copied")
def test_a_library_belongs_to_what_it_computes(cache: Path) -> None:
    """A number in the function, a layout or a function of the same shape: each has a library of its own."""
    x = torch.linspace(-1.0, 1.0, 12)
    square = x.view(3, 4)
    traced = [
        *(trace(lambda x, factor=factor: (factor * x.sin(),), (x,)) for factor in (2.0, 3.0)),
        trace(lambda x: (2.0 * x.cos(),), (x,)),
        *(trace(double, (y,)) for y in (square, square.t().contiguous().t(), x.double())),
    ]
    paths = [library(each) for each in traced]
    assert sorted(paths) == sorted(cache.iterdir())
    assert len(set(paths)) == len(traced)
    square_and_turned = Compiled(double, enabled=True)
    assert square_and_turned.bound((square,)) is not square_and_turned.bound((square.t().contiguous().t(),))
    assert library(trace(double, (square + 1.0,))) == paths[3], "it does not depend on what the tensors hold"


@pytest.mark.usefixtures("cache", "untried")
def test_what_takes_long_to_compile_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch._inductor

    others = []

    def at_once(*_: object, options: dict[str, str]) -> None:
        Path(options.pop("aot_inductor.output_path")).touch()
        others.append(options)

    monkeypatch.setattr(torch._inductor, "aot_compile", at_once)
    traced = trace(derived, (X, FLAG))
    assert 5 < traced.operations < 50
    with caplog.at_level(logging.WARNING):
        few = library(traced)
        assert not caplog.text
        monkeypatch.setattr("pgrobot.compilation.library.MANY", traced.operations - 1)
        assert library(traced) == library(traced) != few
    assert others == [{}, {"realize_opcount_threshold": 8}]
    (line,) = caplog.messages
    assert line.startswith(
        f"Compiling an update step of {traced.operations} operations takes a minute or more, once on"
    )
    assert "compile=false does without" in line


def test_what_takes_too_long_to_compile_runs_as_it_is(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    operations = trace(derived, (X, FLAG)).operations
    step = Compiled(derived, enabled=True)
    monkeypatch.setattr(compiled, "MOST", operations - 1)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert step.bound((X, FLAG)) is derived
    (line,) = caplog.messages
    assert f"An update step of {operations} operations is not compiled" in line
    assert "(policy.sequence)" in line
    assert not cache.exists()


@pytest.mark.usefixtures("copied")
def test_a_damaged_library_is_made_again(cache: Path) -> None:
    path = library(trace(derived, (X, FLAG)))
    path.write_bytes(b"not a library")
    compiled = Compiled(derived, enabled=True)
    torch.testing.assert_close(tuple(compiled(X, FLAG)), derived(X, FLAG))
    assert compiled.bound((X, FLAG)) is not derived
    assert path.stat().st_size > 1000


@pytest.mark.usefixtures("copied")
def test_without_a_place_for_libraries_it_still_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    compiled = Compiled(derived, enabled=True)
    torch.testing.assert_close(tuple(compiled(X, FLAG)), derived(X, FLAG))
    assert compiled.bound((X, FLAG)) is not derived


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
    ready: Path, crashing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = trace(derived, (X, FLAG)).example
    probe(ready, inputs, 2)
    with pytest.raises(RuntimeError, match=r"crashed \(signal 11\)"):
        probe(crashing, inputs, 2)
    (tmp_path / "text.so").write_text("not a library")
    with pytest.raises(RuntimeError, match="failed when it was tried: OSError"):
        probe(tmp_path / "text.so", inputs, 2)
    monkeypatch.setattr(probing, "SECONDS", 0.01)
    with pytest.raises(RuntimeError, match=r"did not return within 0\.01 s"):
        probe(ready, inputs, 2)


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
