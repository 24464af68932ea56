"""Covering arrays: every two options of different groups together at least once, in few combinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def pairwise(groups: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Combinations, one option of every group each, in which every pair of options of two groups appears.

    Greedy: each combination begins with the first pair that is still missing, and every other group adds the option
    with the most missing pairs to what was chosen. The same groups always give the same combinations.

    Args:
        groups: at least two, their options by name.
    """
    names = list(groups)
    missing = {
        frozenset(((first, a), (second, b)))
        for i, first in enumerate(names)
        for second in names[i + 1 :]
        for a in groups[first]
        for b in groups[second]
    }
    place = {(name, option): (i, j) for i, name in enumerate(names) for j, option in enumerate(groups[name])}
    combinations = []
    while missing:
        chosen = dict(min(missing, key=lambda pair: sorted(place[part] for part in pair)))
        for name in names:
            if name not in chosen:
                chosen[name] = max(
                    groups[name],
                    key=lambda option: sum(
                        frozenset(((name, option), other)) in missing for other in chosen.items()
                    ),
                )
        missing -= {frozenset((a, b)) for a in chosen.items() for b in chosen.items() if a != b}
        combinations.append(tuple(chosen[name] for name in names))
    return combinations
