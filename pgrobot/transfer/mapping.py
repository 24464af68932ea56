"""A network's state, put in the order of the inputs and outputs of another one that has some of them by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgrobot.bodies import Body
from pgrobot.errors import PgrobotError
from pgrobot.types import State

NEW = -1  # where it would stand in the source


def places_of(wanted: Sequence[str], known: Sequence[str]) -> Tensor:
    """Where each name stands first among others, ``[W]``; ``NEW`` where it does not."""
    at = {name: len(known) - 1 - index for index, name in enumerate(reversed(known))}
    return torch.tensor([at.get(name, NEW) for name in wanted], dtype=torch.int64)


def taken(source: Tensor, fresh: Tensor, index: Tensor, dim: int) -> Tensor:
    """Along a dimension what ``index`` names of the source, and where it says ``NEW`` what ``fresh`` has there."""
    made = fresh.clone()
    old = index != NEW
    return made.index_copy_(
        dim, old.nonzero().squeeze(-1), source.index_select(dim, index[old]).to(made.dtype)
    )


def moments_taken(source: State, fresh: State, index: Tensor, prefix: str) -> State:
    """Running moments ``[D]`` by entry; those of new entries begin anew, which takes a count of every entry."""
    count = source[f"{prefix}count"]
    whole = count.dim() == 0 and bool((index != NEW).all())
    counts = count.expand(source[f"{prefix}mean"].shape)
    return {
        f"{prefix}count": count.clone()
        if whole
        else taken(counts, torch.zeros(len(index)).to(count), index, 0),
        **{
            f"{prefix}{name}": taken(source[f"{prefix}{name}"], fresh[f"{prefix}{name}"], index, 0)
            for name in ("mean", "m2")
        },
    }


@dataclass(frozen=True)
class InputMap:
    """Where what a network reads stands in another one.

    Attributes:
        read: of every observed entry, its place there, ``[D]``; ``NEW``: it has none.
        told: likewise of what is read beside observations, which is not normalised, ``[W]``; places count from there.
        width: of what the other one observes.
    """

    read: Tensor
    told: Tensor
    width: int

    @property
    def columns(self) -> Tensor:
        """Of everything that is read, observed first: ``[D + W]``."""
        return torch.cat((self.read, torch.where(self.told == NEW, NEW, self.told + self.width)))


def with_inputs(source: State, fresh: State, body: Body, inputs: InputMap) -> State:
    """The state of a network with other inputs, which computes of those that it has what the source does.

    New inputs have weights of zero; whatever is not about inputs is the source's. ``body`` is the new network's.

    Raises:
        PgrobotError: the body does not say which of its weights are its inputs'.
    """
    if not (body.input_weights or body.passes_inputs):
        raise PgrobotError(
            f"a {type(body).__name__} does not say which of its weights are those of its inputs: set input_weights"
        )
    state = dict(source)
    for name in ("offset", "scale"):
        key = f"normalizer.{name}"
        state[key] = taken(source[key], fresh[key], inputs.read, 0)
    state |= moments_taken(source, fresh, inputs.read, "normalizer.moments.")
    reading = [f"body.{name}" for name in body.input_weights]
    for key in (*reading, *["output.weight"] * body.passes_inputs):
        old, new = source[key], fresh[key]
        columns = inputs.columns
        rest = new.shape[1] - len(columns)  # what a memory says, behind the inputs
        kept = torch.arange(old.shape[1] - rest, old.shape[1])
        shape = (old.shape[0], new.shape[1])
        state[key] = taken(old, old.new_zeros(shape), torch.cat((columns, kept)), 1)
    return state


def with_outputs(state: State, fresh: Mapping[str, Tensor], index: Tensor) -> State:
    """The state of a network with other outputs; new ones have weights of zero and the bias that they began with."""
    weight = state["output.weight"]
    return {
        **state,
        "output.weight": taken(weight, weight.new_zeros(len(index), weight.shape[1]), index, 0),
        "output.bias": taken(state["output.bias"], fresh["output.bias"], index, 0),
    }
