"""What a network reads, entry by entry: their names, and what is said of each."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pgrobot.groups import WHOLE, Selection, full_name
from pgrobot.inputs import Beside
from pgrobot.types import Widths

Origins = dict[str, dict[int, float]]  # by group and place


def readers(module: nn.Module) -> dict[str, Selection]:
    """What each network in a module reads, by the network's name in it."""
    found = {name: getattr(part, "reads", None) for name, part in module.named_modules()}
    return {name: reads for name, reads in found.items() if isinstance(reads, Selection)}


def beside(module: nn.Module) -> list[str]:
    """The images and categories that networks in a module read beside numbers, by their names."""
    found = [part for part in module.modules() if isinstance(part, Beside)]
    return [name for part in found for name in (*part.images, *(one.name for one in part.known))]


def places(reads: Selection, observation: Widths) -> list[tuple[str, int]]:
    """The group of every entry that is read, and its place there."""
    return [
        (group, i) for group, at in reads.parts for i in (range(observation[group]) if at == WHOLE else (at,))
    ]


def names(reads: Selection, observation: Widths) -> list[str]:
    """The names of the entries that are read; of a group that the environment does not show, the group's."""
    return [
        name
        for group, at in reads.parts
        for name in (
            [group]
            if group not in observation
            else observation.names(group)
            if at == WHOLE
            else [observation.names(group)[at]]
        )
    ]


def entries(reads: Selection, value: Tensor, observation: Widths) -> Tensor:
    """What is said of all that is observed, ``[D]``, of the entries that are read."""
    begins, begin = {}, 0
    for group, width in observation.items():
        begins[group], begin = begin, begin + width
    return value[[begins[group] + i for group, i in places(reads, observation)]]


def by_group(where: Sequence[tuple[str, int]], value: Sequence[float]) -> Origins:
    """What is said of entries, by their groups and places."""
    found: Origins = {}
    for (group, i), each in zip(where, value, strict=True):
        found.setdefault(group, {})[i] = each
    return found


def known_origins(value: Tensor, theirs: Widths, ours: Widths) -> Origins:
    """The origin of every entry of ours that is theirs as well: of the same group, or of another one by its name."""
    said: dict[str, float] = {}
    listed = [(group, name) for group in theirs for name in theirs.names(group)]
    for (group, name), each in zip(listed, value.tolist(), strict=True):
        said[full_name(group, name)] = each
        said.setdefault(name, each)
    found: Origins = {}
    for group in ours:
        for i, name in enumerate(ours.names(group)):
            known = said.get(full_name(group, name), said.get(name))
            if known is not None:
                found.setdefault(group, {})[i] = known
    return found
