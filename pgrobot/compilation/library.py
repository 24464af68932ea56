"""Shared libraries of traced functions, compiled once per machine and kept in the user's cache directory.

A library is found by what it computes: the text of its graph and the layout of its inputs, together with everything
else that the compiler's output depends on. Tracing takes a tenth of a second and torch's compiler stack is imported
only when something has to be compiled, so a run whose libraries exist starts learning at once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from platformdirs import user_cache_path

from pgrobot.compilation.probe import probe
from pgrobot.compilation.trace import Traced

MANY = 1_000  # operations, which take a minute and more to compile
# Of many operations: by how many of them a value may be computed anew wherever it is read; 30 by default. Steps of a
# chain read each value several times, so code and time grow with the square; the libraries are as fast.
_SHORTER = {"realize_opcount_threshold": 8}

_logger = logging.getLogger(__name__)


def library(traced: Traced) -> Path:
    """The library of a traced function, compiled unless it exists.

    Raises:
        RuntimeError: no C++ compiler works, or what it makes does not run.
        OSError: no room for it.
    """
    path = _directory() / f"{_key(traced)}.so"
    if not path.exists():
        if traced.operations > MANY:
            _logger.warning(
                "Compiling an update step of %s operations takes a minute or more, once on this machine; compile=false "
                "does without, in slower steps",
                f"{traced.operations:,}",
            )
        _compile(traced, path)
    return path


def _directory() -> Path:
    """Where libraries are kept; for this process only where the user has no writable cache."""
    directory = user_cache_path("pgrobot") / "compiled"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return _temporary()
    return directory if os.access(directory, os.W_OK) else _temporary()


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="pgrobot-compiled-"))


def _key(traced: Traced) -> str:
    layout = [(str(x.dtype), tuple(x.shape), x.stride(), str(x.device)) for x in traced.example]
    parts = (
        traced.module.code,
        layout,
        torch.__version__,
        torch.get_num_threads(),
        _processor(),
        *_options(traced),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _options(traced: Traced) -> Mapping[str, int]:
    """Of torch's compiler, beside its defaults."""
    return _SHORTER if traced.operations > MANY else {}


def _processor() -> str:
    """What native code must not be carried away from: a home directory may be shared by unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _compile(traced: Traced, path: Path) -> None:
    """Compile into a directory beside ``path`` and move the library there in one step, once it has been seen to run."""
    import torch.export
    from torch._inductor import aot_compile

    with tempfile.TemporaryDirectory(dir=path.parent) as workplace, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's compiler stack warns of its own deprecated parts
        built = Path(workplace) / "function.so"
        exported = torch.export.export(traced.module, traced.example).module(check_guards=False)
        assert isinstance(exported, torch.fx.GraphModule)
        aot_compile(
            exported, traced.example, options={"aot_inductor.output_path": str(built), **_options(traced)}
        )
        probe(built, traced.example, traced.outputs)
        built.replace(path)
