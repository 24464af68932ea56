"""Words of Stable-Baselines3, CleanRL and their like, and what pgrobot calls the same."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection, Mapping
from importlib import resources

import yaml

from pgrobot.errors import nearest

_ALIKE = 0.84  # of two words, from which on one is taken for a slip of the other


@functools.cache
def words() -> Mapping[str, str]:
    """What pgrobot calls another library's word, which is written without anything but letters."""
    text = resources.files(__package__).joinpath("words.yaml").read_text(encoding="utf-8")
    return {word: ours for ours, theirs in yaml.safe_load(text).items() for word in theirs}


def hint(word: str) -> str:
    """What pgrobot calls a word of another library, as the end of a sentence; empty for any other word."""
    ours = words().get(_letters(word))
    return f"pgrobot calls it {ours}" if ours else ""


def suggestion(word: str, known: Collection[str]) -> str:
    """What may have been meant: pgrobot's name for another library's word, else the nearest of the valid names.

    A word that is not quite one of either is taken for the one that it is more like. Hydra's own keys, ``_target_``
    and its like, are told of to a word that begins as they do alone.
    """
    if told := hint(word):
        return told
    letters = _letters(word)
    slip = next(iter(difflib.get_close_matches(letters, words(), n=1, cutoff=_ALIKE)), "")
    ours = max((_likeness(letters, _letters(name)) for name in known), default=0.0)
    shown = known if word.startswith("_") else [name for name in known if not name.startswith("_")]
    return hint(slip) if slip and _likeness(letters, slip) > ours else nearest(word, shown)


def _letters(word: str) -> str:
    return re.sub(r"[^a-z]", "", word.lower())


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
