"""What several processes that train one policy have to agree on, and a process that trains alone already does."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class Reduce(Protocol):
    """Makes of what each process has what all of them have.

    It is asked at six places: for the gradient before it is bounded, for Fisher products and the values of a line
    search, for the rows that normalisers merge, for the advantages whose moments centre and scale them, for the
    costs that are measured, and for means of which a loss is no linear function (``everywhere``). All processes then
    move alike, and their parameters stay equal.

    Attributes:
        local: whether no other process is asked: a compiled step may hold it then, and two threads may ask at once.
    """

    local: bool

    def mean(self, x: Tensor) -> Tensor:
        """The mean over the processes, each of which holds as many rows."""
        ...

    def gather(self, x: Tensor) -> Tensor:
        """Every process's environments beside each other: ``[T, N, …]`` to ``[T, N · processes, …]``."""
        ...

    def own(self, x: Tensor) -> Tensor:
        """This process's part of what was gathered."""
        ...


class Alone:
    """One process: everything is what it is."""

    local = True

    def mean(self, x: Tensor) -> Tensor:
        return x

    def gather(self, x: Tensor) -> Tensor:
        return x

    def own(self, x: Tensor) -> Tensor:
        return x


ALONE = Alone()


def everywhere(reduce: Reduce, x: Tensor) -> Tensor:
    """A mean over this process's rows, as one over the rows of all, for a loss ``f`` of it that is not linear.

    The gradient of ``f(everywhere(x))`` is ``f'`` at the mean of all times the gradient of this process's own ``x``, so
    that the mean of the gradients over the processes, which solvers take, is that of ``f`` of the mean of all. Whoever
    trains alone gets ``x`` itself.
    """
    if reduce.local:
        return x
    found: Tensor = _Everywhere.apply(x, reduce)
    return found


class _Everywhere(torch.autograd.Function):
    """A function of its own, so that other processes are handed numbers, whatever transforms of torch are under way."""

    @staticmethod
    def forward(x: Tensor, reduce: Reduce) -> Tensor:
        return reduce.mean(x.clone())

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        del ctx
        return gradients[0], None
