"""Where observations are measured from: what single precision would not resolve beside a large offset."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from pgrobot.types import Observation, State

_LEAST = 16.0  # single precision resolves a millionth of what is smaller


class Origin(nn.Module):
    """A constant of every entry of an observation that is subtracted in float64, before the cast to float32.

    The first observation of the first environment fixes it: an entry whose absolute value is 16 or more there is
    measured from that value, any other from zero, as it is. A position that is told in a world's coordinates, such as
    4.5 million metres, keeps its millimetres so; of an entry below 16, float32 resolves a millionth anyway. No spread
    is looked at: a first observation does not show it, and rounding noise about a constant has a very small one.

    It is part of the policy, so that whoever loads one sees what it saw in training.

    See docs/derivations.md#origins-of-observations.

    Args:
        observation: width of each observation group but images, which are left as they are.
    """

    fixed: Tensor
    value: Tensor

    def __init__(self, observation: Mapping[str, int]) -> None:
        super().__init__()
        ends = np.cumsum([0, *observation.values()]).tolist()
        self._where = {name: slice(*part) for name, part in zip(observation, pairwise(ends), strict=True)}
        self.register_buffer("fixed", torch.zeros((), dtype=torch.bool))
        self.register_buffer("value", torch.zeros(ends[-1], dtype=torch.float64))
        self._adopted: dict[str, Mapping[int, float]] = {}

    def adopt(self, origins: Mapping[str, Mapping[int, float]]) -> None:
        """Take the origin of some entries from elsewhere, by group and place: no first observation fixes those."""
        for group, places in origins.items():
            self._adopted[group] = {**self._adopted.get(group, {}), **places}

    @torch.no_grad()
    def fix(self, obs: Observation) -> None:
        """Fix it by a first observation, ``[N, D]`` of each group, unless it is fixed."""
        if self.fixed:
            return
        for name, where in self._where.items():
            first = torch.from_numpy(np.asarray(obs[name][0], np.float64))
            far = first.isfinite() & (first.abs() >= _LEAST)
            self.value[where] = torch.where(far, first, 0.0)
            for place, origin in self._adopted.get(name, {}).items():
                self.value[where][place] = origin
        self.fixed.fill_(1)

    def reader(self) -> Reader:
        """What reads observations by the origin as it is at present."""
        values = {name: self.value[where].numpy().copy() for name, where in self._where.items()}
        return Reader({name: value for name, value in values.items() if value.any()})

    def _load_from_state_dict(self, state_dict: State, prefix: str, *rest: object) -> None:
        """A state without an origin is one of a policy that measured everything from zero."""
        state_dict.setdefault(f"{prefix}fixed", torch.ones((), dtype=torch.bool))
        state_dict.setdefault(f"{prefix}value", torch.zeros_like(self.value))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Reader:
    """Casts observations to what policies read; the only place where that is done.

    Args:
        origins: ``[D]`` by group; a group without one is measured from zero.
    """

    def __init__(self, origins: Mapping[str, np.ndarray]) -> None:
        self._origins = origins

    def origin(self, group: str) -> np.ndarray:
        """The origin ``[D]`` of a group; empty where it is measured from zero."""
        return self._origins.get(group, np.zeros(0))

    def __call__(self, group: str, value: np.ndarray, out: np.ndarray) -> None:
        """Write observations ``[N, D]`` of a group, measured from their origin, into float32 rows ``out``.

        Images have no origin: their rows are written into rows of their own type, as they are.
        """
        origin = self._origins.get(group)
        if origin is None:
            out[...] = value  # casts, and copies out of the environment's buffers, in one call
        else:
            np.subtract(value, origin, out=out, dtype=np.float64, casting="same_kind")
