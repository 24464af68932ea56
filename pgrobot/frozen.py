"""Parts of a network that stay what they are: constants, which no vector of parameters holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from pgrobot.errors import PgrobotError, nearest
from pgrobot.normalizer import ObservationNormalizer


def freeze(module: nn.Module) -> None:
    """Make its parameters constants, which no solver moves, and its normalisers ones that merge nothing.

    A constant stands in the module's state by the name that it had. It has no gradient, and takes no part in the norm
    of one, in a Fisher product or in a step.
    """
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            _make_constant(part, name, parameter)
        if isinstance(part, ObservationNormalizer):
            part.held = True


def freeze_parts(owner: str, module: nn.Module, names: Iterable[str], moved: Sequence[str] = ()) -> None:
    """Freeze the parts of a policy or a critic that a config names.

    Args:
        owner: what its own name is, ``policy`` or ``critic``.
        module: it.
        names: dotted names of modules in it or of their parameters, each beginning with the owner's.
        moved: names of modules in it that something else than a solver moves.

    Raises:
        PgrobotError: there is no such part, nothing in it could be frozen, something else moves it, or nothing would be
            left to learn.
    """
    asked = list(names)
    valid = {f"{owner}.{name}" for name, _ in module.named_parameters()} | {
        f"{owner}.{name}"
        for name, part in module.named_modules()
        if name and (isinstance(part, ObservationNormalizer) or next(part.parameters(), None) is not None)
    }
    valid = {name for name in valid if not any(_below(name, f"{owner}.{each}") for each in moved)}
    parts = dict(module.named_modules())
    for name in asked:
        if name not in valid:
            raise PgrobotError(
                f"initialise.freeze names {name!r}, {_why(owner, name, moved)}: {_near(name, valid)}"
            )
        path = name.removeprefix(f"{owner}.")
        if path in parts:
            freeze(parts[path])
            continue
        where, _, parameter = path.rpartition(".")
        _make_constant(parts[where], parameter, parts[where].get_parameter(parameter))
    if asked and next(module.parameters(), None) is None:
        raise PgrobotError(
            f"initialise.freeze=[{','.join(asked)}] leaves the {owner} nothing to learn: leave out one of them"
        )


def _why(owner: str, name: str, moved: Sequence[str]) -> str:
    if name == owner:
        return f"which is all of the {owner}" if not moved else f"of which returns rescale {owner}.{moved[0]}"
    if any(_below(name, f"{owner}.{each}") for each in moved):
        return "which follows the scale of the returns"
    return f"which is no part of the {owner}"


def _near(name: str, valid: Iterable[str]) -> str:
    """The nearest parts, or the coarsest."""
    near = nearest(name, valid)
    if near.startswith("did you mean"):
        return near
    return nearest(name, [each for each in valid if each.count(".") == 1])


def _below(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")


def _make_constant(part: nn.Module, name: str, parameter: nn.Parameter) -> None:
    delattr(part, name)
    part.register_buffer(name, parameter.detach())
