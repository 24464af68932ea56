"""Compiling the hot functions, with an eager path that computes the same where no compiler works."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_logger = logging.getLogger(__name__)


def compiled(function: Callable[Parameters, Result], *, enabled: bool) -> Callable[Parameters, Result]:
    """Return ``function`` compiled into one native call, or itself where that is not asked for.

    Compilation happens at the first call. Where it fails, for want of a working C++ compiler, that call and all later
    ones run uncompiled and one warning says so. The wrapper is C++ too: at minibatches of tens of rows the Python
    between two kernels costs more than they do.
    """
    if not enabled:
        return function
    from torch._dynamo.exc import BackendCompilerFailed  # a second of imports that an eager run does without

    chosen = torch.compile(function, fullgraph=True, dynamic=False, options={"cpp_wrapper": True})

    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        nonlocal chosen
        try:
            return chosen(*args, **kwargs)
        except BackendCompilerFailed as error:
            _warn(str(error).strip().splitlines()[0])
            chosen = function
            return function(*args, **kwargs)

    return call


@functools.cache  # several functions are compiled, and fail alike
def _warn(cause: str) -> None:
    _logger.warning("Updates run uncompiled, with the same results but slower: %s", cause)
