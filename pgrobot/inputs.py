"""What a network reads of all that is observed: numbers, and beside them images and what stands for categories."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn

from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.groups import POLICY, Selection, selected
from pgrobot.ranges import Keys, MappingOf, Range, is_whole
from pgrobot.types import Widths

WHITE = 255.0  # the largest number in an image, which is read as 1
FAR = 16  # observations below it are never measured from an origin


def _is_size(value: Any) -> bool:
    sizes = value if isinstance(value, list) else [value]
    return 1 <= len(sizes) <= 2 and all(is_whole(size) and size >= 1 for size in sizes)


_SIZE = Range(
    _is_size,
    lambda value: [int(size) for size in value] if isinstance(value, list) else int(value),
    lambda value: (
        "is how many numbers stand for a category, of which one-hot rows tell how many there are, or [ids,numbers] for "
        f"an id that is a whole number: it cannot be {shown(value)}"
    ),
)
Embeddings = Annotated[Mapping[str, Any], MappingOf(Keys("goal"), _SIZE)]


class Embedding(nn.Module):
    """Numbers that are learnt for each of some categories, in place of what says which one it is.

    Args:
        name: of the group or entry that says it.
        part: the group, and the place of the entry in it; or -1: all of the group.
        ids: how many categories there are.
        size: how many numbers stand for one.
        one_hot: whether it is a row of as many numbers, one of which is 1; else it is a whole number from 0.
        generator: the random stream of the numbers, which are standard normal at first.
    """

    def __init__(
        self,
        name: str,
        part: tuple[str, int],
        ids: int,
        size: int,
        one_hot: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.name, self.part, self.ids, self.size, self.one_hot = name, part, ids, size, one_hot
        self.weight = nn.Parameter(torch.randn(ids, size, generator=generator))

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Of observations ``[…, D]``: ``[…, size]``."""
        told = self.told(obs)
        rows = told if self.one_hot else (told == torch.arange(self.ids, device=told.device)).to(told.dtype)
        return rows.to(self.weight.dtype) @ self.weight

    def told(self, obs: Mapping[str, Tensor]) -> Tensor:
        """What says which category it is: ``[…, ids]``, or ``[…, 1]``."""
        group, at = self.part
        return obs[group] if at < 0 else obs[group][..., at : at + 1]

    def drawn(self, rows: int, random: np.random.Generator) -> np.ndarray:
        """What says so many categories, each as likely as any other: ``[rows, ids]``, or ``[rows, 1]``."""
        ids = random.integers(0, self.ids, rows)
        return np.eye(self.ids)[ids] if self.one_hot else ids[:, None].astype(np.float64)

    def check(self, obs: Mapping[str, Tensor]) -> None:
        """Refuse observations that say no category; what is not a number somebody else will refuse.

        Raises:
            PgrobotError: names one of them.
        """
        told = self.told(obs).flatten(0, -2)
        told = told[told.isfinite().all(-1)]
        if self.one_hot:
            wrong = ((told != 0.0) & (told != 1.0)).any(-1) | (told.sum(-1) != 1.0)
            words = f"one-hot of {self.ids}: one of its numbers is 1, and all others are 0"
        else:
            wrong = ((told != told.round()) | (told < 0.0) | (told >= self.ids)).squeeze(-1)
            words = f"a whole number from 0 to {self.ids - 1}"
        if bool(wrong.any()):
            found = [float(f"{number:g}") for number in told[wrong][0].tolist()]
            raise PgrobotError(
                f"the observation {self.name!r} is read as a category, and is {found if self.one_hot else found[0]}: "
                f"it has to be {words}"
            )


class Beside(nn.Module):
    """What stands beside the normalised numbers that a body reads: images first, then what stands for categories.

    Args:
        images: shape by group, in the order in which they are read.
        embeddings: of categories.
        observation: widths of what is observed, which say why a body of numbers cannot see an image.

    Attributes:
        width: how many numbers that is.
        known: the embeddings.
    """

    def __init__(
        self,
        images: Mapping[str, tuple[int, ...]],
        embeddings: Sequence[Embedding],
        observation: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.images = dict(images)
        self._why = {
            name: str(observation.unseen(name)) for name in images if isinstance(observation, Widths)
        }
        self.embeddings = nn.ModuleList(embeddings)
        self.known = tuple(embeddings)
        self.width = sum(map(math.prod, self.images.values())) + sum(one.size for one in embeddings)

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Of observations: ``[…, width]``."""
        seen = [obs[group].flatten(-len(shape)) / WHITE for group, shape in self.images.items()]
        return torch.cat((*seen, *(one(obs) for one in self.known)), -1)

    def unseen(self, group: str) -> PgrobotError:
        """Why a body of numbers cannot see the image of a group."""
        return PgrobotError(self._why[group])

    def check(self, obs: Mapping[str, Tensor]) -> None:
        """Refuse observations that say no category; raises PgrobotError."""
        for one in self.known:
            one.check(obs)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that any of it is in."""
        return (*self.images, *(one.part[0] for one in self.known))

    @property
    def categories(self) -> dict[str, dict[int, float]]:
        """By group the places that tell categories, each with the origin 0 that it is measured from."""
        places: dict[str, dict[int, float]] = {}
        for one in self.known:
            group, at = one.part
            entries = range(one.ids) if one.one_hot else (max(at, 0),)
            places.setdefault(group, {}).update(dict.fromkeys(entries, 0.0))
        return places


@dataclass(frozen=True, slots=True)
class Reading:
    """What a network reads of all that is observed.

    Attributes:
        numbers: what is normalised.
        beside: what is not.
    """

    numbers: Selection
    beside: Beside

    @classmethod
    def of(
        cls,
        owner: str,
        names: Sequence[str],
        observation: Mapping[str, int],
        embedding: Mapping[str, Any],
        generator: torch.Generator,
    ) -> Reading:
        """What ``groups`` select, images among them, but for what ``embedding`` names, which stands for categories.

        Args:
            owner: who reads it, for messages: ``policy`` or ``critic``.
            names: of groups and entries, in the order in which they are read.
            observation: as of ``selected``.
            embedding: how many numbers stand for a category, by the name of what tells it; of a whole number how many
                there are, too.
            generator: the random stream of those numbers.

        Raises:
            PgrobotError: as ``selected``; or what shall be embedded is not read, or tells no categories.
        """
        images = _images(names, observation)
        plain = [name for name in names if name not in images and not (images and name == POLICY)]
        numbers = selected(f"{owner}.groups", plain, observation) if plain or not images else Selection((), 0)
        embeddings = []
        for name, size in embedding.items():
            part, numbers = _taken(owner, name, numbers, observation)
            embeddings.append(Embedding(name, part, *_sizes(owner, name, size, part, observation), generator))
        if not numbers.parts:
            numbers = Selection((), 0, _rows(images, embeddings))
        return cls(numbers, Beside(images, embeddings, observation))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that any of it is in."""
        return tuple(dict.fromkeys((*self.numbers.groups, *self.beside.groups)))


def _images(names: Sequence[str], observation: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The images among what is read; ``policy`` is all of them where there is nothing else."""
    known = observation.images if isinstance(observation, Widths) else {}
    found = {name: known[name] for name in names if name in known}
    if found or not known or POLICY not in names:
        return found
    beside = observation.beside if isinstance(observation, Widths) else ()
    return {} if any(group not in beside for group in observation) else dict(known)


def _taken(
    owner: str, name: str, numbers: Selection, observation: Mapping[str, int]
) -> tuple[tuple[str, int], Selection]:
    """Where a name leads that is embedded, and what else is read."""
    key = f"{owner}.embedding.{name}"
    part = selected(key, [name], observation).parts[0]
    if part not in numbers.parts:
        read = [group if at < 0 else f"{group}/{at}" for group, at in numbers.parts]
        raise PgrobotError(
            f"{key} embeds {name!r}, which {owner}.groups does not read by that name: name it there, too; "
            f"{nearest(name, read)}"
        )
    parts = tuple(other for other in numbers.parts if other != part)
    return part, Selection(parts, numbers.width - (observation[part[0]] if part[1] < 0 else 1))


def _sizes(
    owner: str, name: str, size: Any, part: tuple[str, int], observation: Mapping[str, int]
) -> tuple[int, int, bool]:
    """How many categories there are, how many numbers stand for one, and whether it is told by a one-hot row."""
    width = observation[part[0]] if part[1] < 0 else 1
    told = list(size) if isinstance(size, Sequence) else [size]
    if len(told) == 1 and width == 1:
        raise PgrobotError(
            f"{owner}.embedding.{name}={told[0]} does not say how many categories there are, and {name!r} is a single "
            f"number: {owner}.embedding.{name}=[ids,{told[0]}]"
        )
    if len(told) == 2 and width > 1:
        raise PgrobotError(
            f"{owner}.embedding.{name}={told} is for an id that is one whole number, and {name!r} has {width} numbers: "
            f"of a one-hot row it is {owner}.embedding.{name}={told[1]}"
        )
    return (width, told[0], True) if len(told) == 1 else (told[0], told[1], False)


def _rows(images: Mapping[str, tuple[int, ...]], embeddings: Sequence[Embedding]) -> tuple[str, int]:
    """A group with as many rows as is read, and of how many dimensions one of them is."""
    for group, shape in images.items():
        return group, len(shape)
    return embeddings[0].part[0], 1


def check_origins(policy: nn.Module, critic: nn.Module) -> None:
    """Refuse categories of a critic that a policy would have measured from an origin.

    Raises:
        PgrobotError: names them.
    """
    own = getattr(policy, "beside", None)
    kept = own.categories if isinstance(own, Beside) else {}
    read = getattr(critic, "beside", None)
    for one in read.known if isinstance(read, Beside) else ():
        if not one.one_hot and one.ids > FAR and one.part[0] not in kept:
            raise PgrobotError(
                f"critic.embedding.{one.name} embeds {one.name!r}, of {one.ids} ids, which the policy does not know "
                "for ids and may measure from its first value: name it in policy.embedding, too, or have it told by "
                "one-hot rows"
            )
