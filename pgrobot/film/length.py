"""How long a film may be."""

from __future__ import annotations

from pgrobot.errors import PgrobotError

FPS = 30
SHORTEST, LONGEST = 1.0 / FPS, 600.0  # seconds


def frame_count(seconds: float) -> int:
    """Frames of a film of a length; raises PgrobotError where there can be none."""
    if not SHORTEST <= seconds <= LONGEST:
        raise PgrobotError(f"a film lasts from 1/{FPS} s to {LONGEST:g} s, not {seconds:g} s")
    return round(seconds * FPS)
