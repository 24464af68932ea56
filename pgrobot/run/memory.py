"""Runs that no memory of this machine can hold, refused before they begin, and told where one begins all the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from pgrobot.errors import PgrobotError

# Bytes, and less than any task takes: what is refused has no chance.
OF_A_STEP = (
    64  # an observation, the next one, an action, its probability, a reward, an age, a value, an advantage
)
OF_AN_ENVIRONMENT = 512  # the state of a simulation
OF_A_WEIGHT = 16  # itself, its gradient and two moments
REMEDY = "use fewer num_envs, a shorter horizon or smaller networks"


def check_memory(job: Mapping[str, Any]) -> None:
    """Refuse a job whose rollouts, environments or networks cannot fit.

    Raises:
        PgrobotError: the least that they take is more than there is.
    """
    least, there = least_memory(job), physical_memory()
    if least > there:
        raise PgrobotError(
            f"num_envs={job['num_envs']} and horizon={job['horizon']} with these networks take at least "
            f"{_gigabytes(least)} of memory, and this machine has {_gigabytes(there)}: {REMEDY}"
        )


def least_memory(job: Mapping[str, Any]) -> int:
    """Bytes that a run takes at the very least."""
    layers = [job[part].get("body", {}).get("hidden") or [] for part in ("policy", "critic")]
    weights = sum(one * other for sizes in layers for one, other in pairwise(sizes))
    rows = job["num_envs"] * job["horizon"]
    return int(rows * OF_A_STEP + job["num_envs"] * OF_AN_ENVIRONMENT + weights * OF_A_WEIGHT)


def physical_memory() -> int:
    """Bytes of the whole machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def within_memory() -> Iterator[None]:
    """Say in a sentence that memory ran out, which NumPy, torch and MuJoCo each say in words of their own.

    Raises:
        PgrobotError: it did.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ValueError) as error:
        words = " ".join(str(error).split())
        if not isinstance(error, MemoryError) and not any(sign in words for sign in _SIGNS):
            raise
        raise PgrobotError(f"The memory does not suffice: {REMEDY} ({words})") from error


_SIGNS = ("bad_alloc", "can't allocate memory", "not enough memory")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.0f} GB"
