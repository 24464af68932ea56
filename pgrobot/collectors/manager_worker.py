"""Experience of a manager and its worker: what both do together, told to each as it learns from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pgrobot.collectors.decisions import DecisionRollout, Spans, decisions
from pgrobot.collectors.showing import with_shown
from pgrobot.collectors.simulation import SimulationCollector
from pgrobot.policies.manager_worker import GOAL, TIME_LEFT, ManagerAndWorker, Pay
from pgrobot.types import Rollout, State


class ManagerWorkerCollector:
    """Lets the two act as one policy, and makes a rollout for each of what they did.

    The worker's has every step; its reward is its own. The manager's has a row for every goal. Goals end with a
    rollout, so that all of them were drawn by the manager that learns from them, and values are those of states in
    which one is drawn.

    Args:
        simulation: steps the environments by ``policy``.
        policy: the two together.
        discount: γ of each column, ``[C]``.
        pay: what the worker is paid in a step: ``progress``, by how much the distance to its goal shrank, or
            ``distance``, what is left of it, negative. It is the root mean square over the entries, in deviations.
        task_share: what of the task's reward is added to that.
        reached: the distance below which a goal counts as reached.
        rows: how many rows the manager's rollout has, of the number that is needed.
        entries: names of what goals are about, ``G``.
        generator: draws the goals that would follow where an estimate has to go on.
        manager: name of the learner; likewise ``worker``.

    Attributes:
        failures, ended: as of ``SimulationCollector``.
    """

    def __init__(
        self,
        simulation: SimulationCollector,
        policy: ManagerAndWorker,
        discount: Tensor,
        pay: Pay,
        task_share: float,
        reached: float,
        rows: Callable[[int], int],
        entries: tuple[str, ...],
        generator: torch.Generator,
        manager: str,
        worker: str,
    ) -> None:
        self.failures: tuple[str, ...] = ()
        self.ended = 0
        self._simulation = simulation
        self._policy = policy
        self._discount = discount
        self._pay = pay
        self._task_share = task_share
        self._reached = reached
        self._rows = rows
        self._entries = entries
        self._generator = generator
        self._names = manager, worker

    @torch.no_grad()
    def collect(self) -> dict[str, Rollout]:
        """Collect one rollout, and tell it to both."""
        simulation = self._simulation
        simulation.carry = self._policy.undecided(simulation.carry)
        (steps,) = simulation.collect().values()
        self.failures, self.ended = simulation.failures, simulation.ended
        manager, worker = self.told(steps, simulation.carry)
        return dict(zip(self._names, (manager, worker), strict=True))

    @torch.no_grad()
    def told(self, steps: Rollout, following: Tensor) -> tuple[DecisionRollout, Rollout]:
        """What either learns from.

        Args:
            steps: of the two as one policy, ``[T, N]``; the first has a goal drawn.
            following: what they remember after the last one, ``[N, H]``.
        """
        policy = self._policy
        done, goal, place, _ = policy.drawn(steps.action)
        _, left, of_manager, of_worker = policy.kept(steps.carry)
        begins = policy.decides(steps.carry, steps.episode_start)
        left = torch.where(begins.unsqueeze(-1), float(policy.every), left)
        obs = policy.told(steps.obs, place, left)
        carries = torch.cat((steps.carry[1:], following[None]))
        *_, after_manager, after_worker = policy.kept(carries)
        next_obs = self._next(steps, place, left, carries)
        after = policy.remaining(steps.next_obs, place)
        before, after = (x.square().mean(-1).sqrt() for x in (obs[GOAL], after))
        own = before - after if self._pay == "progress" else -after
        reward = steps.reward.clone()
        reward[..., 0] = own + self._task_share * steps.reward[..., 0]
        acted, _ = policy.worker(obs, of_worker, steps.episode_start)
        worker = replace(
            steps,
            obs=obs,
            next_obs=next_obs,
            following_obs=self._following(steps, next_obs),
            action=done,
            log_prob=acted.log_prob(done),
            reward=reward,
            carry=of_worker,
        )
        spans = Spans.of(begins, self._rows)
        rows = {name: spans.at_first(value) for name, value in steps.obs.items()}
        drawn, memory = spans.at_first(goal), spans.at_first(of_manager)
        decided, _ = policy.manager(rows, memory, spans.at_first(steps.episode_start))
        wished = policy.manager.wished(drawn)
        shown = with_shown(replace(steps, carry=of_manager), policy.manager, after_manager)
        manager = decisions(
            replace(steps, obs=shown.obs, next_obs=shown.next_obs, following_obs=shown.following_obs),
            spans,
            action=drawn,
            log_prob=decided.log_prob(drawn),
            carry=memory,
            discount=self._discount,
            telemetry={
                "goal/distance": (distance := spans.at_last(after).unsqueeze(-1)),
                "goal/reached": (distance < self._reached).float(),
                **{f"goal/{name}": wished[..., [g]] for g, name in enumerate(self._entries)},
            },
        )
        return manager, with_shown(worker, policy.worker, after_worker)

    def _next(self, steps: Rollout, place: Tensor, left: Tensor, carry: Tensor) -> dict[str, Tensor]:
        """What the worker would read after each step, were its episode to go on.

        Where its goal is over and the rollout shows no other, as it does in the next step of the same episode, one is
        drawn: the value of that is what the worker can expect.
        """
        policy = self._policy
        told = policy.told(steps.next_obs, place, left - 1.0)
        last = torch.zeros_like(steps.done)
        last[-1] = True
        over = (left.squeeze(-1) <= 1.0) | (last & ~steps.done)
        rows = {name: value[over] for name, value in steps.next_obs.items()}
        within = torch.zeros(int(over.sum()), dtype=torch.bool)
        goals, _ = policy.manager(rows, policy.kept(carry)[2][over], within)
        told[GOAL][over] = policy.manager.wished(goals.sample(self._generator)) / policy.manager.unit
        told[TIME_LEFT][over] = 1.0
        return told

    def _following(self, steps: Rollout, next_obs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the worker would read after the rollout: where its episode ended, a new one's goal is drawn."""
        policy, ended = self._policy, steps.done[-1]
        told = {name: value[-1:].clone() for name, value in next_obs.items()}
        first = {name: value[0, ended] for name, value in steps.following_obs.items()}
        begins = torch.ones(int(ended.sum()), dtype=torch.bool)
        goals, _ = policy.manager(first, torch.zeros(len(begins), policy.manager.carry_size), begins)
        wished = policy.manager.wished(goals.sample(self._generator)) / policy.manager.unit
        for name, value in {**first, GOAL: wished, TIME_LEFT: torch.ones(len(begins), 1)}.items():
            told[name][0, ended] = value
        return told

    def restart(self) -> None:
        """Cut the running episodes, and begin new ones everywhere."""
        self._simulation.restart()

    def state_dict(self) -> State:
        """The simulation's, and the stream of the goals that would follow."""
        return {
            "simulation": self._simulation.state_dict(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        self._simulation.load_state_dict(state["simulation"])
        self._generator.set_state(state["generator"])
