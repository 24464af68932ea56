"""What a check of the laboratory is, and what it finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

Numbers = float | np.ndarray | Tensor


@dataclass(frozen=True, slots=True)
class Outcome:
    """One number that the code computed, beside what it has to be.

    Attributes:
        name: what was computed.
        estimate: by the code that trains.
        exact: by a closed form, an enumeration or an identity.
        error: their distance.
        tolerance: the greatest distance that passes.
    """

    name: str
    estimate: float
    exact: float
    error: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether the error is within its tolerance; what is not a number never is."""
        return self.error <= self.tolerance


class Check(Protocol):
    """A question with exact answers. What it needs, worlds included, is its fields."""

    def run(self) -> Sequence[Outcome]:
        """Compute and compare, the same every time."""
        ...


def compare(name: str, estimate: Numbers, exact: Numbers, tolerance: float) -> Outcome:
    """Compare two arrays of one shape entry by entry; the outcome shows the entry that is farthest off.

    Args:
        name: what was computed.
        estimate: by the code that trains, any shape.
        exact: of the same shape.
        tolerance: the greatest absolute difference that passes.
    """
    estimates, exacts = _flat(estimate), _flat(exact)
    if estimates.shape != exacts.shape or not estimates.size:
        raise ValueError(f"{name}: {estimates.shape} numbers cannot be compared with {exacts.shape}")
    errors = np.abs(estimates - exacts)
    worst = int(np.argmax(np.where(np.isnan(errors), math.inf, errors)))
    return Outcome(name, float(estimates[worst]), float(exacts[worst]), float(errors[worst]), tolerance)


def _flat(numbers: Numbers) -> np.ndarray:
    array = numbers.detach().numpy() if isinstance(numbers, torch.Tensor) else np.asarray(numbers)
    return array.astype(np.float64).ravel()
