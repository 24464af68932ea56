"""Calling a new library for the first time, in a process that may die of it.

The interface that ``native.py`` calls is torch's own and can fail in ways that no exception reports: with one build of
torch on a machine with a GPU, libraries for the CPU crashed as they were loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

Layout = tuple[str, tuple[int, ...], tuple[int, ...]]  # dtype, shape, strides
PROGRAM = f"import sys; from {__name__} import call; call(*sys.argv[1:])"
SECONDS = 120  # for what takes three: a process that hangs must not stop a training


def probe(path: Path, inputs: Sequence[torch.Tensor], outputs: int) -> None:
    """Call the library at ``path`` with zeros laid out like ``inputs``, in a process of its own.

    Raises:
        RuntimeError: it crashed, failed or hung there.
    """
    layouts = [(str(x.dtype).removeprefix("torch."), tuple(x.shape), x.stride()) for x in inputs]
    try:
        done = subprocess.run(
            (sys.executable, "-c", PROGRAM, str(path), json.dumps(layouts), str(outputs)),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True, text=True, check=False, timeout=SECONDS,
            start_new_session=True,  # Ctrl-C asks the training to stop, not this
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"a compiled library did not return within {SECONDS} s") from None
    if done.returncode < 0:
        raise RuntimeError(f"a compiled library crashed (signal {-done.returncode}) when it was tried")
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeError(f"a compiled library failed when it was tried: {said[-1]}")


def call(path: str, layouts: str, outputs: str) -> None:
    """What the other process does."""
    from pgrobot.compilation.native import NativeFunction

    told: list[Layout] = json.loads(layouts)
    zeros = [
        torch.empty_strided(shape, strides, dtype=getattr(torch, dtype)).zero_()
        for dtype, shape, strides in told
    ]
    NativeFunction(Path(path), (), range(len(zeros)), int(outputs))(*zeros)
