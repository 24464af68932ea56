"""Reading the words of a verb."""

from __future__ import annotations

import argparse
from typing import NoReturn

from pgrobot.errors import PgrobotError


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise PgrobotError(f"{self.prog}: {message} (see {self.prog} --help)")
