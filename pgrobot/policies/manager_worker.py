"""Two policies that act as one: a manager sets goals, and a worker acts on what is observed and on its goal.

A goal is a change of some entries of the observation, wished for within so many steps. It is drawn relative to where
they are and kept as the place to be reached, so that what is left of it is right at every step: the transition
``g' = s + g − s'`` of Nachum et al. (2018, arXiv 1805.08296).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions import Distribution
from pgrobot.groups import Selection
from pgrobot.normalizer import RunningMoments
from pgrobot.policies.policy import Acting, Policy

GOAL = "manager/goal"  # what is left of the goal, in deviations of the entries
TIME_LEFT = "manager/time_left"  # the share of its steps that is left, this one included
Pay = Literal[
    "progress", "distance"
]  # of the worker: how much nearer its goal it came, or how far it is, negative
_LEAST_VARIANCE = 1e-8  # of an entry that never varies, in its own unit squared


class Manager(Policy):
    """A policy that draws goals: a number for every entry, one of which is a deviation of that entry.

    The deviations are those of what was observed in all steps of training, however often goals were drawn; 1 at first,
    and never below 1e-4 of the entry's own unit. Like every normaliser they are frozen while experience is collected
    and learnt from.

    Args:
        policy: what draws.
        entries: what goals are about, ``G`` of them.

    Attributes:
        unit: what 1 of a goal is in each entry, ``[G]``.
        groups: the observation groups that it reads; none where its policy does not say.
    """

    unit: Tensor

    def __init__(self, policy: Policy, entries: Selection) -> None:
        super().__init__()
        self.policy, self.entries = policy, entries
        self.origin = policy.origin
        self.action_size, self.carry_size = policy.action_size, policy.carry_size
        self.sequence, self.shows = policy.sequence, policy.shows
        self.parameter_bounds = {f"policy.{name}": bounds for name, bounds in policy.parameter_bounds.items()}
        self.groups: tuple[str, ...] = getattr(policy, "groups", ())
        self.moments = RunningMoments(entries.width)
        self.register_buffer("unit", torch.ones(entries.width))

    @property
    def memory_size(self) -> int:
        return self.policy.memory_size

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        said: tuple[Distribution, Tensor] = self.policy(obs, carry, episode_start)
        return said

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        return self.policy.remember(carry, action)

    def show(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> Mapping[str, Tensor]:
        return self.policy.show(obs, carry, episode_start)

    def command(self, action: Tensor) -> Tensor:
        """Nothing of a goal goes to the environment: of width 0."""
        return action[..., :0]

    def wished(self, action: Tensor) -> Tensor:
        """The change of the entries that was drawn, in their own units, ``[…, G]``."""
        return self.unit * self.policy.command(action)

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        self.policy.merge(obs)
        self.moments.merge(self.entries(obs))
        self.unit.copy_(self.moments.variance.clamp(min=_LEAST_VARIANCE).sqrt())


class ManagerAndWorker(Acting):
    """Both as they act: in every ``every``-th step of an episode the manager draws a goal, on which the worker acts.

    It draws, side by side: the worker's action, the manager's, the place to be reached ``G``, and what the
    worker remembers once it has acted, which depends on the goal. It remembers the place to be reached, the steps that
    are left, and what either remembers; the manager from decision to decision.

    Args:
        manager: draws goals.
        worker: reads the groups ``GOAL`` and ``TIME_LEFT`` beside what is observed.
        every: steps of a goal.

    Attributes:
        groups: the observation groups of the environment that either reads; absent where one does not say.
    """

    def __init__(self, manager: Manager, worker: Policy, every: int) -> None:
        super().__init__()
        self.manager, self.worker, self.every = manager, worker, every
        self.origin = manager.origin
        goal = manager.entries.width
        self._drawn = (worker.action_size, manager.action_size, goal, worker.carry_size)
        self._kept = (goal, 1, manager.carry_size, worker.carry_size)
        self.action_size, self.carry_size = sum(self._drawn), sum(self._kept)
        of_worker: tuple[str, ...] = getattr(worker, "groups", ())
        if manager.groups and of_worker:
            read = (*manager.groups, *of_worker, *manager.entries.groups)
            self.groups = tuple(dict.fromkeys(name for name in read if name not in (GOAL, TIME_LEFT)))

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Ordered, Tensor]:
        place, left, of_manager, of_worker = self.kept(carry)
        decides = self.decides(carry, episode_start)
        left = torch.where(decides.unsqueeze(-1), float(self.every), left)
        goals, following = self.manager(obs, of_manager, episode_start)
        of_manager = torch.where(decides.unsqueeze(-1), following, of_manager)
        ordered = Ordered(goals, decides, place, left, obs, of_worker, episode_start, self)
        return ordered, torch.cat((place, left - 1.0, of_manager, of_worker), -1)

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        _, left, of_manager, _ = self.kept(carry)
        _, goal, place, of_worker = self.drawn(action)
        remembered = self.manager.remember(of_manager, goal)
        of_manager = torch.where(left == self.every - 1.0, remembered, of_manager)
        return torch.cat((place, left, of_manager, of_worker), -1)

    def command(self, action: Tensor) -> Tensor:
        return self.worker.command(self.drawn(action)[0])

    def drawn(self, action: Tensor) -> tuple[Tensor, ...]:
        """What was drawn: the worker's action, the manager's, the place to be reached, what the worker remembers."""
        return action.split(self._drawn, -1)

    def kept(self, carry: Tensor) -> tuple[Tensor, ...]:
        """What is kept: the place to be reached, steps left ``[…, 1]``, the manager's and the worker's memory."""
        return carry.split(self._kept, -1)

    def decides(self, carry: Tensor, episode_start: Tensor) -> Tensor:
        """Where a goal is drawn, ``[…]`` bool."""
        return episode_start | (self.kept(carry)[1].squeeze(-1) <= 0.0)

    def undecided(self, carry: Tensor) -> Tensor:
        """The same carry ``[…, H]``, of which the goal is over."""
        place, left, *others = self.kept(carry)
        return torch.cat((place, torch.zeros_like(left), *others), -1)

    def remaining(self, obs: Mapping[str, Tensor], place: Tensor) -> Tensor:
        """What is left of a goal ``[…, G]``, in deviations of the entries."""
        return (place - self.manager.entries(obs)) / self.manager.unit

    def told(self, obs: Mapping[str, Tensor], place: Tensor, left: Tensor) -> dict[str, Tensor]:
        """What the worker reads: all that is observed, and its goal."""
        return {**obs, GOAL: self.remaining(obs, place), TIME_LEFT: left / self.every}


@dataclass(frozen=True)
class Ordered:
    """What both draw from: the goal first, where one is due, and the action given the goal.

    It has no closed mean, entropy or divergence, as the worker is any function of the goal; nobody learns from it.
    """

    goals: Any  # the manager's distribution                                 […, G]
    decides: Tensor  # where a goal is due                                   […] bool
    held: Tensor  # the place to be reached where none is                    […, G]
    left: Tensor  # steps of the goal that are left, this one included       […, 1]
    obs: Mapping[str, Tensor]  #                                             […, D]
    memory: Tensor  # the worker's                                           […, H]
    episode_start: Tensor  #                                                 […] bool
    levels: ManagerAndWorker

    def sample(self, generator: torch.Generator) -> Tensor:
        goal = self.goals.sample(generator)
        place = self._place(goal)
        actions, memory = self._actions(place)
        return self._beside(actions.sample(generator), goal, place, memory)

    @property
    def deterministic(self) -> Tensor:
        goal = self.goals.deterministic
        place = self._place(goal)
        actions, memory = self._actions(place)
        return self._beside(actions.deterministic, goal, place, memory)

    def log_prob(self, action: Tensor) -> Tensor:
        done, goal, place, _ = self.levels.drawn(action)
        of_goal = torch.where(self.decides, self.goals.log_prob(goal), 0.0)
        of_action: Tensor = self._actions(place)[0].log_prob(done)
        return of_goal + of_action

    def _place(self, goal: Tensor) -> Tensor:
        manager = self.levels.manager
        wished = manager.entries(self.obs) + manager.wished(goal)
        return torch.where(self.decides.unsqueeze(-1), wished, self.held)

    def _actions(self, place: Tensor) -> tuple[Any, Tensor]:
        told = self.levels.told(self.obs, place, self.left)
        said: tuple[Any, Tensor] = self.levels.worker(told, self.memory, self.episode_start)
        return said

    def _beside(self, action: Tensor, goal: Tensor, place: Tensor, memory: Tensor) -> Tensor:
        return torch.cat((action, goal, place, self.levels.worker.remember(memory, action)), -1)


def _flatten(ordered: Ordered) -> tuple[list[Any], ManagerAndWorker]:
    return [getattr(ordered, name) for name in _TENSORS], ordered.levels


def _unflatten(tensors: Iterable[Any], levels: ManagerAndWorker) -> Ordered:
    return Ordered(**dict(zip(_TENSORS, tensors, strict=True)), levels=levels)


_TENSORS = ("goals", "decides", "held", "left", "obs", "memory", "episode_start")
pytree.register_pytree_node(Ordered, _flatten, _unflatten)
