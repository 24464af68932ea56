"""What the matrix of algorithms relies on: no two options are left out that are never tried together."""

from __future__ import annotations

import itertools
import math

import pytest
from pairwise import pairwise


@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (7, 3, 7), (3, 1, 4, 2), (2, 2, 2, 2, 2, 2)])
def test_every_two_options_meet(sizes: tuple[int, ...]) -> None:
    groups = {f"g{i}": [f"g{i}/{j}" for j in range(size)] for i, size in enumerate(sizes)}
    combinations = pairwise(groups)
    for combination in combinations:
        assert all(option in groups[name] for name, option in zip(groups, combination, strict=True))
    met = {pair for combination in combinations for pair in itertools.combinations(combination, 2)}
    for first, second in itertools.combinations(groups.values(), 2):
        assert set(itertools.product(first, second)) <= met
    most = math.prod(sorted(sizes)[-2:])
    assert len(set(combinations)) == len(combinations) <= 2 * most
