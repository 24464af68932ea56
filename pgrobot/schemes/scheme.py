"""What a scheme is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pgrobot.learner import Learner
from pgrobot.policies import Acting, Policy
from pgrobot.schemes.blueprint import Blueprint
from pgrobot.types import Collector, Environment


class Scheme(Protocol):
    """Who collects for whom: a run's learners, and the collector that hands each of them its rollouts.

    Attributes:
        acting: name of the learner whose rollouts tell the task's own reward, which is shown first.
    """

    @property
    def acting(self) -> str: ...

    def learners(self, parts: Blueprint) -> dict[str, Learner]:
        """The learners by name, as they are before training."""
        ...

    def policy(self, policies: Mapping[str, Policy]) -> Acting:
        """Who is evaluated, judged and shown: one of the learners' policies, or several put together."""
        ...

    def collector(
        self, parts: Blueprint, environment: Environment, learners: Mapping[str, Learner]
    ) -> Collector:
        """What collects experience in ``environment`` for the learners that ``learners`` made."""
        ...
