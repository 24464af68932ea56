"""Two learners: a manager that sets goals for the task's reward, and a worker that is paid for reaching them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from pgrobot.errors import PgrobotError, nearest_divisor
from pgrobot.groups import POLICY, Selection, matching, selected
from pgrobot.learner import Learner
from pgrobot.policies import Policy
from pgrobot.policies.manager_worker import GOAL, TIME_LEFT, Manager, ManagerAndWorker, Pay
from pgrobot.ranges import above, at_least, list_of, text
from pgrobot.schemes.blueprint import Blueprint
from pgrobot.targets import nodes
from pgrobot.types import Action, Collector, Environment, EnvironmentSpec, ObservationGroup

MANAGER, WORKER = "manager", "worker"
POSITIONS = ("qpos/*", "*/qpos/*")  # what goals are about where nothing is said
Names = Annotated[
    Sequence[str],
    list_of(text("the name of an observation entry"), "a list of observation entries, such as [qpos/*]"),
]


@dataclass(frozen=True)
class ManagerWorker:
    """The manager draws a goal every ``every`` steps, and the worker acts on it; either has its own reward.

    Both are policies, critics and algorithms of the run's config, with streams of their own. The manager's reward and
    costs are sums over its decisions, discounted within; the worker's costs are those of its steps. Budgets are
    measured on the steps of the environment, so that both see the same excess.

    Attributes:
        every: steps of a goal, which ends earlier with its episode. It divides the horizon.
        goal: names of the entries that goals are about, or patterns of such, like ``qpos/*``; none: the positions
            (``qpos/…``) among what policies read, or all of it where nothing is called so.
        pay: of the worker, as of ``ManagerWorkerCollector``; likewise ``task_share`` and ``reached``.
    """

    every: Annotated[int, at_least(1)]
    goal: Names
    pay: Pay
    task_share: Annotated[float, at_least(0.0)]
    reached: Annotated[float, above(0.0)]
    acting: ClassVar[str] = MANAGER

    def learners(self, parts: Blueprint) -> dict[str, Learner]:
        self._check(parts)
        goals = self._entries(parts.spec)
        for_manager, for_worker = _of_manager(parts, goals), _of_worker(parts, goals)
        manager = Manager(for_manager.policy(MANAGER), _selected(goals, parts.spec)).to(parts.cfg.device)
        worker = for_worker.policy(WORKER)
        worker.origin = manager.origin  # of what both observe
        learners = {
            MANAGER: for_manager.learner(manager, MANAGER),
            WORKER: for_worker.learner(worker, WORKER),
        }
        if learners[MANAGER].critic.carry_size:
            raise PgrobotError(
                "scheme=manager_worker needs a critic without memory, as one would remember the padding of the "
                "manager's rollouts: use critic=mlp"
            )
        return learners

    def policy(self, policies: Mapping[str, Policy]) -> ManagerAndWorker:
        manager = policies[MANAGER]
        assert isinstance(manager, Manager)
        return ManagerAndWorker(manager, policies[WORKER], self.every)

    def collector(
        self, parts: Blueprint, environment: Environment, learners: Mapping[str, Learner]
    ) -> Collector:
        # here, for they import MuJoCo, which those who only want the learners need not have
        from pgrobot.collectors import SimulationCollector
        from pgrobot.collectors.manager_worker import ManagerWorkerCollector

        spec, cfg = environment.spec, parts.cfg
        policy = self.policy({name: learner.policy for name, learner in learners.items()})
        simulation = SimulationCollector(
            environment=environment,
            policy=policy,
            cost_columns=parts.cost_columns(spec.num_envs),
            horizon=cfg.horizon,
            generator=parts.stream("action_noise"),
            learner=MANAGER,
        )
        kinds = [column.partition("/")[0] for column in simulation.columns]
        sequence = learners[MANAGER].policy.sequence
        return ManagerWorkerCollector(
            simulation=simulation,
            policy=policy,
            discount=torch.tensor([cfg.algorithm.discounts[kind] for kind in kinds], dtype=torch.float64),
            pay=self.pay,
            task_share=self.task_share,
            reached=self.reached,
            rows=lambda needed: _rows(needed, cfg, spec.num_envs, sequence),
            entries=self._entries(spec),
            generator=parts.stream("following_goals", MANAGER),
            manager=MANAGER,
            worker=WORKER,
        )

    def _entries(self, spec: EnvironmentSpec) -> tuple[str, ...]:
        """Full names of what goals are about."""
        if self.goal:
            return matching("scheme.goal", self.goal, spec.widths)
        read = [name for name in spec.widths if name == POLICY or POLICY not in spec.observation]
        whole = matching("scheme.goal", [f"{name}/*" for name in read], spec.widths)
        now = [name for name in whole if "@" not in name]  # of a history, what is observed now
        positions = [name for name in now if "/qpos/" in f"/{name}"]
        return tuple(positions or now)

    def _check(self, parts: Blueprint) -> None:
        horizon, spec = parts.cfg.horizon, parts.spec
        if self.every > spec.max_episode_steps:
            raise PgrobotError(
                f"scheme.every={self.every} is longer than an episode, which has at most {spec.max_episode_steps} steps"
            )
        if horizon % self.every:
            raise PgrobotError(
                f"scheme.every={self.every} does not divide horizon={horizon}, with which goals end: the nearest that "
                f"does is {nearest_divisor(horizon, self.every)}"
            )
        taken = [name for name in (GOAL, TIME_LEFT) if name in spec.observation]
        if taken:
            raise PgrobotError(
                f"scheme=manager_worker shows its worker a group {taken[0]!r}, and {spec.name} has one of that name"
            )
        chosen = next((action for action in spec.actions if action.choices), None)
        if chosen:
            raise PgrobotError(
                f"scheme=manager_worker has one kind of policy for both levels, and goals are real numbers, but the "
                f"action {chosen.name!r} of {spec.name} is one of {chosen.choices} choices"
            )


def _selected(goals: Sequence[str], spec: EnvironmentSpec) -> Selection:
    return selected("scheme.goal", goals, spec.widths)


def _of_manager(parts: Blueprint, goals: Sequence[str]) -> Blueprint:
    """The parts of a learner whose actions are goals."""
    one = np.ones(len(goals))
    actions = Action.unitless(*goals)
    return replace(parts, spec=replace(parts.spec, actions=actions, action_low=-one, action_high=one))


def _of_worker(parts: Blueprint, goals: Sequence[str]) -> Blueprint:
    """The parts of a learner that is shown its goal, and whose policy and critic read it."""
    shown = {
        GOAL: ObservationGroup.numbered(GOAL, (len(goals),), "float32"),
        TIME_LEFT: ObservationGroup.numbered(TIME_LEFT, (1,), "float32"),
    }
    cfg = parts.cfg.copy()
    for reader in ("policy", "critic"):
        if "groups" in cfg[reader]:
            read = list(cfg[reader].groups)
            all_of_it = POLICY in read and POLICY not in parts.spec.observation
            cfg[reader].groups = read if all_of_it else [*read, *shown]
    spec = replace(parts.spec, observation={**parts.spec.observation, **shown})
    return replace(parts, cfg=cfg, spec=spec)


def _rows(needed: int, cfg: DictConfig, num_envs: int, sequence: int) -> int:
    """The least number of rows, of each environment, that minibatches and sequences divide; the horizon is one."""
    minibatches = [
        node["minibatch"] for _, node in nodes(OmegaConf.to_container(cfg.algorithm)) if "minibatch" in node
    ]
    fits = lambda rows: rows % sequence == 0 and all(rows * num_envs % size == 0 for size in minibatches)
    return next(rows for rows in range(needed, cfg.horizon + 1) if fits(rows))
