"""A request to stop reaches every job of a sweep, also where it cannot be written down."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pgrobot.run.stop import SIGNALS, SharedStop


@pytest.mark.parametrize("place", [".", "no such directory"])
def test_the_next_job_knows_what_the_last_one_heard_until_it_is_forgotten(tmp_path: Path, place: str) -> None:
    file = tmp_path / place / ".stop"
    with SharedStop(file, SIGNALS) as stop:
        assert stop.signal == 0
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.signal == signal.SIGTERM
    following = SharedStop(file, SIGNALS)
    assert (following.signal, following.exit_code) == (signal.SIGTERM, 143)
    assert SharedStop(tmp_path / "other", SIGNALS).signal == 0
    following.forget()
    assert SharedStop(file, SIGNALS).signal == 0
