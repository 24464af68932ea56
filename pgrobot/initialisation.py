"""What of another run a new one begins as, as its config says it; reading that run is ``pgrobot.transfer``'s."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pgrobot.errors import PgrobotError
from pgrobot.ranges import Range, at_least, described, is_number, is_whole, list_of, one_of, text

KEPT = "kept"
POLICY, CRITIC = "policy", "critic"

_checkpoint = described(
    lambda value: isinstance(value, str) or is_whole(value), str, "best, last, a step or a path"
)
_log_std = Range(
    lambda value: value == KEPT or (is_number(value) and math.isfinite(value)),
    lambda value: KEPT if value == KEPT else float(value),
    lambda value: f"must be {KEPT} or a number, such as -0.5, not {value!r}",
)


@dataclass(frozen=True)
class Initialisation:
    """The keys of the config's node ``initialise``.

    Attributes:
        run: the directory of a run, whose policy this one begins as; empty: it begins anew.
        checkpoint: of that run.
        parts: what is taken over: the policy, with its normaliser and origin, and the critic.
        log_std: what log-deviations that are parameters begin at, or that they are kept.
        critic_warmup: iterations in which the critic alone learns.
        freeze: parts of policy and critic, by their dotted names, that stay what they are.

    Raises:
        PgrobotError: there is no run, and something is said of one; or the policy is left out.
    """

    run: Annotated[str, text("a run directory")]
    checkpoint: Annotated[str, _checkpoint]
    parts: Annotated[
        Sequence[str], list_of(one_of(POLICY, CRITIC), "a list of parts, such as [policy,critic]")
    ]
    log_std: Annotated[Any, _log_std]
    critic_warmup: Annotated[int, at_least(0)]
    freeze: Annotated[
        Sequence[str], list_of(text("the name of a part"), "a list of parts, such as [policy.body]")
    ]

    def __post_init__(self) -> None:
        told = {
            key: value
            for key, value in vars(self).items()
            if key != "run" and value != ANEW[key] and not (key == "parts" and set(value) == set(ANEW[key]))
        }
        if told and not self.run:
            key, value = next(iter(told.items()))
            typed = f"[{','.join(value)}]" if isinstance(value, list) else value
            raise PgrobotError(
                f"initialise.{key}={typed} is of a run that this one begins as: add initialise.run=<run>"
            )
        if POLICY not in self.parts:
            raise PgrobotError(
                f"initialise.parts=[{','.join(self.parts)}] leaves out the policy: use [policy] or [policy,critic]"
            )

    def takes(self, part: str) -> bool:
        """Whether a part of another run is taken over, with the statistics of its normaliser."""
        return bool(self.run) and part in self.parts

    def check(self, terms: Sequence[str], iterations: float) -> None:
        """Refuse what would never do anything in a run of so many iterations.

        Args:
            terms: of the objective, by their paths, that keep to a prior.
            iterations: of the run.

        Raises:
            PgrobotError: there is no prior, which names the first term; or the policy would never learn.
        """
        if self.critic_warmup >= iterations:
            raise PgrobotError(
                f"initialise.critic_warmup={self.critic_warmup} lets the critic alone learn in all of the run's "
                f"{math.ceil(iterations)} iterations, and the policy in none: use fewer, or more total_steps"
            )
        if terms and not self.run:
            raise PgrobotError(
                f"{terms[0]} keeps to the policy that a run begins as, and this one begins anew: add "
                f"initialise.run=<run>, or leave it out with ~{terms[0]}"
            )


ANEW: dict[str, Any] = {
    "run": "",
    "checkpoint": "best",
    "parts": [POLICY, CRITIC],
    "log_std": KEPT,
    "critic_warmup": 0,
    "freeze": [],
}
