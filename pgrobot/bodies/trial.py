"""Trying a part of a network once, as it is made: what is wrong with one of a user's own is told by its name."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pgrobot.bodies.body import Body
from pgrobot.errors import PgrobotError

ROWS = 2


def check_sizes(path: str, part: nn.Module, sizes: Sequence[str]) -> None:
    """Refuse a part that does not say how wide what it reads, draws or remembers is.

    Raises:
        PgrobotError: names the size and the part by its key.
    """
    for size in sizes:
        if not isinstance(getattr(part, size, None), int):
            raise PgrobotError(
                f"{path} is a {type(part).__name__}, which has no whole number {size}: set it when it is made"
            )


def try_body(path: str, body: Body, inputs: int) -> None:
    """Refuse a body that does not say what it is, or that does not make features as wide as it says.

    Args:
        path: its key, for the message.
        body: as it was made.
        inputs: width of what it reads.

    Raises:
        PgrobotError: names its class, and what is wrong.
    """
    check_sizes(path, body, ("width", "carry_size", "sequence"))
    x, carry, start = torch.zeros(ROWS, inputs), torch.zeros(ROWS, body.carry_size), starts()
    features, after = answer(path, body, {"x": x, "carry": carry, "episode_start": start})
    check_shape(path, body, "features", features, body.width)
    check_shape(path, body, "a carry", after, body.carry_size)


def answer(path: str, part: nn.Module, arguments: dict[str, Tensor]) -> tuple[Any, Any]:
    """What a part's ``forward`` returns, which are two things.

    Raises:
        PgrobotError: it does not take so many arguments, or returns something else.
    """
    name, told = type(part).__name__, ", ".join(arguments)
    try:
        inspect.signature(part.forward).bind(*arguments.values())
    except TypeError as error:
        raise PgrobotError(f"{path} is a {name}, whose forward has to take ({told}): {error}") from error
    with torch.no_grad():
        found = part(*arguments.values())
    if not isinstance(found, tuple) or len(found) != 2:
        shown = f"{len(found)} things" if isinstance(found, tuple) else f"a {type(found).__name__}"
        raise PgrobotError(
            f"{path} is a {name}, whose forward has to return a pair, of what it says and the next carry, not {shown}"
        )
    return found


def check_shape(path: str, part: nn.Module, what: str, found: Any, width: int) -> None:
    """Refuse what is not a tensor ``[ROWS, width]``; raises PgrobotError."""
    wanted = f"[…, {width}]"
    if not isinstance(found, Tensor):
        told = f"a {type(found).__name__}"
    elif tuple(found.shape) != (ROWS, width):
        told = f"[{', '.join(['…', *map(str, found.shape[1:])])}]"
    else:
        return
    raise PgrobotError(
        f"{path} is a {type(part).__name__}, whose forward has to return {what} {wanted}, not {told}"
    )


def check_repeatable(path: str, network: nn.Module) -> None:
    """Refuse layers that say something else of the same state each time they learn from it.

    Raises:
        PgrobotError: names the network by its key, and the layer.
    """
    for name, part in network.named_modules():
        if isinstance(part, nn.modules.dropout._DropoutNd | nn.modules.batchnorm._BatchNorm):  # noqa: SLF001
            raise PgrobotError(
                f"{path}.{name} is nn.{type(part).__name__}, which says something else of the same state each time, so "
                "that what learns would not be what acted: leave it out; weight_decay in a solver's chain and layer "
                "norm do without chance"
            )


def starts() -> Tensor:
    """Episodes that begin, ``[ROWS]``."""
    return torch.ones(ROWS, dtype=torch.bool)
