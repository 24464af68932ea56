"""Experience from demonstrations: episodes that were shown, instead of a simulation's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pgrobot.collectors.simulation import CostColumns
from pgrobot.demonstrations import Demonstrations, LearntRows, as_learnt
from pgrobot.errors import PgrobotError
from pgrobot.groups import TIME
from pgrobot.policies import Policy
from pgrobot.types import EnvironmentSpec, Rollout, State


class DemonstrationCollector:
    """Hands out ``N`` episodes side by side, each followed by another one, all of them once in an order that is drawn.

    A step of a rollout is a step that was shown. What acted is not known, so ``log_prob`` is that of the policy as it
    is, and there is no telemetry.

    Args:
        demonstrations: of the robot; their costs are those of the columns, in their order.
        spec: of the environments; ``N`` is their number.
        policy: whose origin reads what was shown.
        cost_columns: the budgeted columns.
        horizon: ``T``.
        generator: random stream of the orders.
        learner: name of the learner that receives the rollouts.
        exhausted: whether there is nothing left to learn from them.

    Attributes:
        failures: none.
        ended: episodes that ended in the last rollout.
    """

    def __init__(
        self,
        demonstrations: Demonstrations,
        spec: EnvironmentSpec,
        policy: Policy,
        cost_columns: CostColumns,
        horizon: int,
        generator: torch.Generator,
        learner: str,
        exhausted: Callable[[], bool],
    ) -> None:
        self.failures: tuple[str, ...] = ()
        self.ended = 0
        self._shown = demonstrations
        self._spec = spec
        self._policy = policy
        self._cost_columns = cost_columns
        self._horizon = horizon
        self._generator = generator
        self._learner = learner
        self._exhausted = exhausted
        self._sha256 = demonstrations.sha256
        self._age = demonstrations.age
        self._read: LearntRows | None = None  # of the first rollout on, when the origin is fixed
        self._ends = torch.tensor([rows.stop for rows in demonstrations.episodes])
        self._begins = torch.tensor([rows.start for rows in demonstrations.episodes])
        self._deck: list[int] = []  # episodes that are still to be dealt
        self._next: list[int] = []
        self._last: list[int] = []
        self.carry = torch.zeros(0)
        self.restart()

    @property
    def exhausted(self) -> bool:
        """Whether the run ends here."""
        return self._exhausted()

    @torch.no_grad()
    def collect(self) -> dict[str, Rollout]:
        """The next ``T`` steps of all ``N`` episodes, and of those that follow them."""
        shown, rows = self._shown, self._rows()
        read = self._read or as_learnt(shown, self._spec, self._policy.origin)
        self._read, age = read, self._age
        obs = {name: value[rows] for name, value in read.obs.items()}
        next_obs = {name: value[rows] for name, value in read.next_obs.items()}
        limit = self._spec.max_episode_steps
        obs[TIME], next_obs[TIME] = ((age[rows] + i).unsqueeze(-1) / limit for i in (0.0, 1.0))
        after = torch.tensor(self._next)
        following_obs = {name: value[after].unsqueeze(0) for name, value in read.obs.items()}
        following_obs[TIME] = age[after].view(1, -1, 1) / limit
        done = shown.done[rows]
        columns, paid = self._columns(shown.cost[rows].numpy(), done.numpy())
        shape = rows.shape
        carry, log_prob = self._along(obs, read.action[rows], shown.episode_start[rows])
        self.ended = int(done.sum())
        rollout = Rollout(
            obs=obs,
            next_obs=next_obs,
            following_obs=following_obs,
            action=read.action[rows],
            log_prob=log_prob,
            reward=torch.cat((shown.reward[rows].unsqueeze(-1), columns), -1).float(),
            terminated=shown.terminated[rows],
            truncated=shown.truncated[rows],
            censored=torch.zeros(shape, dtype=torch.bool),
            episode_start=shown.episode_start[rows],
            age=age[rows],
            paid=paid,
            carry=carry,
            weight=torch.ones(shape),
            duration=torch.ones(shape),
            episodic=torch.ones(1 + columns.shape[-1], dtype=torch.bool),
            columns=("reward", *(f"cost/{name}" for name in self._spec.costs)),
            telemetry={},
        )
        return {self._learner: rollout}

    def restart(self) -> None:
        """Begin other episodes everywhere."""
        count = self._spec.num_envs
        self._cost_columns.restart()
        self._next, self._last = [0] * count, [0] * count
        for env in range(count):
            self._deal(env)
        self.carry = torch.zeros(count, self._policy.carry_size)

    def _deal(self, env: int) -> None:
        """Begin another episode; when all have been dealt they are shuffled again."""
        if not self._deck:
            self._deck = torch.randperm(len(self._begins), generator=self._generator).tolist()
        episode = self._deck.pop()
        self._next[env], self._last[env] = int(self._begins[episode]), int(self._ends[episode])

    def _rows(self) -> Tensor:
        """Which rows are handed out next, ``[T, N]``."""
        rows = torch.empty(self._horizon, len(self._next), dtype=torch.int64)
        for env in range(len(self._next)):
            t = 0
            while t < self._horizon:
                count = min(self._horizon - t, self._last[env] - self._next[env])
                rows[t : t + count, env] = torch.arange(self._next[env], self._next[env] + count)
                self._next[env] += count
                t += count
                if self._next[env] == self._last[env]:
                    self._deal(env)
        return rows

    def _columns(self, cost: np.ndarray, done: np.ndarray) -> tuple[Tensor, Tensor]:
        """The budgeted columns ``[T, N, K]``, and which had paid before each step."""
        columns, paid = np.empty_like(cost), np.empty(cost.shape, bool)
        for t in range(len(cost)):
            paid[t] = self._cost_columns.paid
            columns[t] = self._cost_columns(cost[t], done[t])
        return torch.from_numpy(columns), torch.from_numpy(paid)

    def _along(self, obs: dict[str, Tensor], action: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """What the policy would remember before each step, ``[T, N, H]``, and its log-likelihood of the actions."""
        if not self._policy.carry_size:
            carry = torch.zeros(*start.shape, 0)
            return carry, self._policy(obs, carry, start)[0].log_prob(action)
        said, carries = self._policy.along(obs, self.carry, start, action)
        self.carry = carries[-1]
        return carries[:-1], said.log_prob(action)

    def state_dict(self) -> State:
        """The episodes under way and those that are still to come, and whose they are."""
        return {
            "sha256": self._sha256,
            "cost_columns": self._cost_columns.state_dict(),
            "deck": list(self._deck),
            "next": list(self._next),
            "last": list(self._last),
            "carry": self.carry.clone(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``.

        Raises:
            PgrobotError: it is of other demonstrations.
        """
        if state["sha256"] != self._sha256:
            raise PgrobotError(
                f"{self._shown.source} holds other demonstrations than those that the run learnt from until now: a run "
                "that goes on needs the same file, and one with others begins anew"
            )
        self._cost_columns.load_state_dict(state["cost_columns"])
        self._deck, self._next, self._last = (list(state[name]) for name in ("deck", "next", "last"))
        self.carry = state["carry"].clone()
        self._generator.set_state(state["generator"])
