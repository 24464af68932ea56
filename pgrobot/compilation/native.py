"""Calling a compiled library.

torch's own loader keeps the interpreter locked during a call. A call through ``ctypes`` does not, so the policy and the
critic, which are fitted side by side, each get a core.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch._C import _aoti  # what the Python code that torch's compiler generates calls libraries with

_tensors_to_handles: Any = _aoti.unsafe_alloc_void_ptrs_from_tensors
_handles_to_tensors: Any = _aoti.alloc_tensors_by_stealing_from_void_ptrs
_pointer_of: Any = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
_capsule_of: Any = ctypes.pythonapi.PyCapsule_New
_capsule_of.restype, _capsule_of.argtypes = (
    ctypes.py_object,
    (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
)


class NativeFunction:
    """The function in a library made by torch's ahead-of-time compiler, through that library's C interface.

    Args:
        path: the library.
        captured: its first inputs, the same at every call.
        reads: which arguments of a call follow.
        outputs: how many tensors it returns.

    Raises:
        OSError: the library cannot be loaded.
        RuntimeError: it refuses to start.
    """

    def __init__(self, path: Path, captured: Sequence[Tensor], reads: Sequence[int], outputs: int) -> None:
        loaded = ctypes.CDLL(str(path))
        self.reads = tuple(reads)
        self._captured = tuple(captured)
        self._inputs = ctypes.c_void_p * (len(captured) + len(reads))
        self._outputs = ctypes.c_void_p * outputs
        self._container = ctypes.c_void_p()
        self._run = loaded.AOTInductorModelContainerRun
        self._run.argtypes = (
            ctypes.c_void_p, self._inputs, ctypes.c_size_t, self._outputs, ctypes.c_size_t,
            ctypes.c_void_p, ctypes.c_void_p,
        )  # fmt: skip
        create = loaded.AOTInductorModelContainerCreateWithDevice
        if create(ctypes.byref(self._container), ctypes.c_size_t(1), b"cpu", None):
            raise RuntimeError(f"the compiled library {path} does not start")

    def __call__(self, *arguments: Tensor) -> Sequence[Tensor]:
        """Run it; what it reads, and outputs, are laid out as when it was traced.

        Raises:
            RuntimeError: it reports an error, which it has printed.
        """
        handles = _tensors_to_handles(
            (*self._captured, *[arguments[i] for i in self.reads])
        )  # the callee takes them over
        inputs = self._inputs(*[_pointer_of(handle, None) for handle in handles])
        outputs = self._outputs()
        if self._run(self._container, inputs, len(inputs), outputs, len(outputs), None, None):
            raise RuntimeError("a compiled function failed; compile=false runs it uncompiled")
        tensors: Sequence[Tensor] = _handles_to_tensors([_capsule_of(p, None, None) for p in outputs])
        return tensors
