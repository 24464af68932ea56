"""Whether a module can take over what another one has learnt: by what both read, and by the shapes of their states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from pgrobot.errors import PgrobotError
from pgrobot.transfer.differences import different_entries
from pgrobot.transfer.entries import beside, names, readers
from pgrobot.types import Widths

ORIGIN = "origin."


def different_reads(
    mine: nn.Module, theirs: nn.Module, here: Widths, there: Widths, name: str, other: str
) -> Iterator[str]:
    """In what the networks of both read differently; a module that does not say what it reads, in all that there is."""
    ours, wanted = readers(mine), readers(theirs)
    for path in ours.keys() & wanted.keys():
        yield from different_entries(names(ours[path], here), names(wanted[path], there), name, other)
    yield from different_entries(beside(mine), beside(theirs), name, other)
    if not ours:
        one, all_of = ([entry for group in x for entry in x.names(group)] for x in (here, there))
        yield from different_entries(one, all_of, name, other)


def check_shapes(refused: str, word: str, module: nn.Module, learnt: Mapping[str, Tensor]) -> None:
    """What is left where two of the same description are not of the same shape: parts of the user's own."""
    ours = {key: value for key, value in module.state_dict().items() if not key.startswith(ORIGIN)}
    for key in (*learnt, *ours):
        one, other = (tuple(x[key].shape) if key in x else None for x in (ours, learnt))
        if one != other and not key.endswith("moments.count"):
            has, had = ("nothing" if shape is None else list(shape) for shape in (one, other))
            raise PgrobotError(f"{refused}: {word}.{key} is {had} there and {has} here")
