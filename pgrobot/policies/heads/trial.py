"""Trying a head once, as it is made."""

from __future__ import annotations

import torch

from pgrobot.bodies.trial import ROWS, answer, check_shape, starts
from pgrobot.errors import PgrobotError
from pgrobot.policies.heads.head import Head

MEMBERS = ("sample", "log_prob", "entropy", "kl", "mean", "deterministic", "std")


def try_head(path: str, head: Head, seen: int) -> None:
    """Refuse a head that does not make a distribution of what it says that it draws.

    Args:
        path: its key, for the message.
        head: as it was made.
        seen: width of what the policy observes.

    Raises:
        PgrobotError: names its class, and what is wrong.
    """
    arguments = {
        "numbers": torch.zeros(ROWS, head.outputs),
        "seen": torch.zeros(ROWS, seen),
        "carry": torch.zeros(ROWS, head.carry_size),
        "episode_start": starts(),
    }
    distribution, carry = answer(path, head, arguments)
    missing = [member for member in MEMBERS if not hasattr(distribution, member)]
    if missing:
        raise PgrobotError(
            f"{path} is a {type(head).__name__}, whose forward has to return a distribution, not a "
            f"{type(distribution).__name__}, which has no {missing[0]!r}: see pgrobot.distributions.Distribution"
        )
    with torch.no_grad():
        check_shape(path, head, "a distribution of actions", distribution.deterministic, head.action_size)
    check_shape(path, head, "a carry", carry, head.carry_size)
