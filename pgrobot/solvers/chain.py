"""Transforms one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from pgrobot.answers import check_call, check_shapes, name_of
from pgrobot.errors import PgrobotError
from pgrobot.solvers.transform import Layout, Link, Moments, Place, Transform


class Chain:
    """Transforms as one, in the order of their mapping, about one vector.

    See docs/derivations.md#first-order-steps.

    Args:
        links: by name; one of them makes a step of the gradient.
        layout: of the vector.
        vector: the parameters ``[P]``.

    Attributes:
        initial: what all of them remember before the first step, one after the other.

    Raises:
        PgrobotError: a link lacks something, stands in a wrong place, or is about parameters that are not there; or
            there is not exactly one optimiser.
    """

    def __init__(self, links: Mapping[str, Link], layout: Layout, vector: Tensor) -> None:
        _check_places(links)
        self._transforms = tuple(_transform(name, link.bound(layout, vector)) for name, link in links.items())
        initial = [tuple(transform.initial(vector)) for transform in self._transforms]
        for transform, moments in zip(self._transforms, initial, strict=True):
            _try(transform, moments, vector)
        self._parts = tuple(
            slice(*ends) for ends in itertools.pairwise(itertools.accumulate(map(len, initial), initial=0))
        )
        self.initial: Moments = tuple(moment for moments in initial for moment in moments)

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        """What to take from ``vector`` ``[P]``, and what is remembered then; ``update`` is the gradient ``[P]``."""
        after: Moments = ()
        for transform, part in zip(self._transforms, self._parts, strict=True):
            update, own = transform.step(update, moments[part], vector, rate)
            after += tuple(own)
        return update, after

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        """What would be remembered if every gradient had been ``factor`` ``[P]`` times what it was."""
        after: Moments = ()
        for transform, part in zip(self._transforms, self._parts, strict=True):
            after += tuple(transform.rescale(moments[part], factor))
        return after


def _check_places(links: Mapping[str, Link]) -> None:
    for name, link in links.items():
        if getattr(link, "place", None) not in get_args(Place) or not callable(getattr(link, "bound", None)):
            raise PgrobotError(
                f"{name} of the chain, {type(link).__name__}, has no place ({', '.join(get_args(Place))}) or no method "
                "bound: see pgrobot.solvers.Link"
            )
    optimizers = [name for name, link in links.items() if link.place == "optimizer"]
    if len(optimizers) != 1:
        found = f"has {' and '.join(optimizers)}" if optimizers else "has none"
        raise PgrobotError(
            f"a chain needs one optimiser, such as pgrobot.solvers.Adam, and the chain of "
            f"{', '.join(links) or 'nothing'} {found}"
        )
    for name in itertools.takewhile(lambda name: name != optimizers[0], links):
        if links[name].place == "after":
            raise PgrobotError(
                f"{name} of the chain, {type(links[name]).__name__}, changes steps, which {optimizers[0]} makes of "
                f"gradients: it has to follow {optimizers[0]}"
            )


def _try(transform: Transform, moments: Moments, vector: Tensor) -> None:
    """Refuse a transform that does not make an update of an update, and moments of moments.

    Raises:
        PgrobotError: names its class.
    """
    check_call(transform.step, "update", "moments", "vector", "rate")
    found: Any = transform.step(torch.zeros_like(vector), moments, vector, vector.new_zeros(()))
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], tuple | list):
        raise PgrobotError(
            f"{name_of(transform.step)} has to return an update and a tuple of what is remembered after it, not a "
            f"{type(found).__name__}"
        )
    shapes = {f"the moment {i}": tuple(moment.shape) for i, moment in enumerate(moments)}
    check_shapes(transform.step, (found[0], *found[1]), {"an update": tuple(vector.shape), **shapes})


def _transform(name: str, bound: Transform) -> Transform:
    for method in ("initial", "step", "rescale"):
        if not callable(getattr(bound, method, None)):
            raise PgrobotError(
                f"{name} of the chain, {type(bound).__name__}, has no method {method}: see pgrobot.solvers.Transform"
            )
    return bound
