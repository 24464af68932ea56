"""Compiling the hot functions, with an eager path that computes the same where no compiler is found."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_logger = logging.getLogger(__name__)


def compiled(function: Callable[Parameters, Result], *, enabled: bool) -> Callable[Parameters, Result]:
    """Return ``function`` compiled into one native call, or itself where that is not asked for or not possible.

    The wrapper is C++ too: at minibatches of tens of rows the Python between two kernels costs more than they do.
    """
    if not enabled:
        return function
    if not compiler_found():
        _logger.warning("No C++ compiler was found, so updates run without compilation: same results, slower")
        return function
    options: dict[str, Any] = {"cpp_wrapper": True}
    return torch.compile(function, fullgraph=True, dynamic=False, options=options)


def compiler_found() -> bool:
    """Whether ``torch.compile`` has a C++ compiler to call."""
    from torch._inductor import config  # imports the compiler's machinery, which an eager run does without

    candidates = config.cpp.cxx if isinstance(config.cpp.cxx, (list, tuple)) else (config.cpp.cxx,)
    return any(name and shutil.which(name) for name in candidates)
