"""A pure function of tensors, compiled where a C++ compiler works and as it is where none does."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from pgrobot.compilation.library import library
from pgrobot.compilation.native import NativeFunction
from pgrobot.compilation.trace import Traced, trace

Function = Callable[..., Sequence[Tensor]]
Layout = tuple[tuple[torch.dtype, torch.Size, tuple[int, ...]], ...]

MOST = 10_000  # operations, which take some ten minutes to compile; steps of a chunk have some fifty to three hundred

_logger = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()  # tracing patches torch itself while it lasts


class Compiled:
    """A pure function from tensors to a sequence of tensors.

    Compilation happens once per layout of the arguments (dtypes, shapes, strides) and is remembered on disk between
    processes. Where it fails, for want of a working C++ compiler, or where the function has more than ``MOST``
    operations, one warning says so and the function runs as it is.

    What the function reads besides its arguments, such as a module's buffers, is read anew at every call, as long as it
    is changed in place. Python numbers are read once, when it is traced.

    Args:
        function: no side effects, no control flow that depends on the values of tensors.
        enabled: False never compiles.
    """

    def __init__(self, function: Function, *, enabled: bool) -> None:
        self._function = function
        self._enabled = enabled
        self._bound: dict[Layout, Function] = {}

    def __call__(self, *arguments: Tensor) -> Sequence[Tensor]:
        return self.bound(arguments)(*arguments)

    def bound(self, arguments: Sequence[Tensor]) -> Function:
        """The function for arguments that are laid out exactly like these: what is returned does not check it again."""
        if not self._enabled:
            return self._function
        layout = tuple((tensor.dtype, tensor.shape, tensor.stride()) for tensor in arguments)
        if layout not in self._bound:
            with _one_at_a_time:
                self._bound[layout] = self._compile(arguments)
        return self._bound[layout]

    def reads(self, arguments: Sequence[Tensor]) -> Sequence[int]:
        """Which arguments laid out like these the function reads; the others may be anything in a call of it."""
        bound = self.bound(arguments)
        return bound.reads if isinstance(bound, NativeFunction) else range(len(arguments))

    def _compile(self, arguments: Sequence[Tensor]) -> Function:
        graph = trace(self._function, arguments)
        if graph.operations > MOST:
            _logger.warning(
                "An update step of %s operations is not compiled, which would take longer than a run should wait: it "
                "runs as it is, with the same results but slower; chunks of fewer steps (policy.sequence) have fewer",
                f"{graph.operations:,}",
            )
            return self._function
        try:
            return _load(graph, library(graph))
        except (RuntimeError, OSError) as error:
            _warn(str(error).strip().splitlines()[0])
            self._enabled = False
            return self._function


def _load(graph: Traced, path: Path) -> NativeFunction:
    """Load a library; one that is damaged is compiled again."""
    try:
        return NativeFunction(path, graph.captured, graph.reads, graph.outputs)
    except OSError:
        path.unlink()
        return NativeFunction(library(graph), graph.captured, graph.reads, graph.outputs)


@functools.cache  # several functions are compiled, and fail alike
def _warn(cause: str) -> None:
    _logger.warning("Updates run uncompiled, with the same results but slower: %s", cause)
