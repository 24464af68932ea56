"""The usual scheme: one policy acts in all environments, and learns from all that it meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pgrobot.learner import Learner
from pgrobot.policies import Policy
from pgrobot.schemes.blueprint import Blueprint
from pgrobot.types import Collector, Environment

LEARNER = "robot"


@dataclass(frozen=True)
class Single:
    """One learner, named ``robot``."""

    acting: ClassVar[str] = LEARNER

    def learners(self, parts: Blueprint) -> dict[str, Learner]:
        return {LEARNER: parts.learner(parts.policy())}

    def policy(self, policies: Mapping[str, Policy]) -> Policy:
        return policies[LEARNER]

    def collector(
        self, parts: Blueprint, environment: Environment, learners: Mapping[str, Learner]
    ) -> Collector:
        # here, for it imports MuJoCo, which those who only want the learners need not have
        from pgrobot.collectors import SimulationCollector

        return SimulationCollector(
            environment=environment,
            policy=learners[LEARNER].policy,
            cost_columns=parts.cost_columns(environment.spec.num_envs),
            horizon=parts.cfg.horizon,
            generator=parts.stream("action_noise"),
            learner=LEARNER,
        )
