"""The task of a run whose environment was given from Python, as its config has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pgrobot.errors import PgrobotError
from pgrobot.ranges import at_least
from pgrobot.simulation.costs import Cost
from pgrobot.types import Environment


@dataclass(frozen=True, kw_only=True)
class GivenTask:
    """An environment that no config can build: who goes on with its run gives it again.

    Attributes:
        name: what was given, ``my_module.make_env``.
        max_episode_steps: where episodes are truncated; 0: where they are by themselves.
    """

    name: str
    max_episode_steps: Annotated[int, at_least(0)]

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> Environment:
        """Refuse.

        Raises:
            PgrobotError: always.
        """
        given = f" ({self.name})" if self.name else ""
        raise PgrobotError(
            f"task=python is an environment given from Python{given}, which has to be given again there, by env=: "
            "pgrobot.train(env=…), pgrobot.train(resume=…, env=…) or pgrobot.evaluate(…, env=…)"
        )
