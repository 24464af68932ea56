"""What several processes that train one policy have to agree on, and a process that trains alone already does."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Reduce(Protocol):
    """Makes of what each process has what all of them have.

    It is asked at five places: for the gradient before it is bounded, for Fisher products and the values of a line
    search, for the rows that normalisers merge, for the advantages whose moments centre and scale them, and for the
    costs that are measured. All processes then move alike, and their parameters stay equal.

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
