"""Reading the words of a verb."""

from __future__ import annotations

import argparse
import sys
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
