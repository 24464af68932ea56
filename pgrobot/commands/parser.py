"""Reading the words of a verb."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pgrobot.errors import PgrobotError


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise PgrobotError(f"{self.prog}: {message} (see {self.prog} --help)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End after a page of help, which is on its way then: whether anybody reads it shows here."""
        sys.stdout.flush()
        super().exit(status, message)

    def add_run(self) -> None:
        """Take a run directory and the modules that its config names, in any order: see ``parse_run``."""
        self.add_argument("run", nargs="?", help="a run directory")
        self.add_argument(
            "--modules", nargs="*", default=[], help="your own modules that the run's config names"
        )

    def parse_run(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse; the last word after ``--modules`` is the run where nothing else is: ``--modules mine RUN``.

        Raises:
            PgrobotError: words that mean nothing here, or no run.
        """
        asked = self.parse_intermixed_args(words)
        if asked.run is None and len(asked.modules) > 1:
            *asked.modules, asked.run = asked.modules
        if asked.run is None:
            self.error("the following arguments are required: run")
        asked.run = Path(asked.run)
        return asked
