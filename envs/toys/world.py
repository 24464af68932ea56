"""N copies of a small world stepped together: what they charge, observe and remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation import Cost
from pgrobot.simulation.adapters import InfoCost
from pgrobot.simulation.auto_reset import AutoReset, EpisodeClock
from pgrobot.types import Action, EnvironmentSpec, Observation, ObservationGroup, State, Step


@dataclass(frozen=True, slots=True)
class Layout:
    """The sizes and names of a world.

    Attributes:
        name: what users call it.
        observation: width ``D`` of the only observation group, ``policy``.
        action_low, action_high: bounds ``[A]`` of the action space, infinite where there is none.
        costs: what it charges, ``K`` names.
        max_episode_steps: its time limit.
        finite: nothing follows the time limit (the last step terminates); else it only cuts (it truncates).
    """

    name: str
    observation: int
    action_low: np.ndarray
    action_high: np.ndarray
    costs: tuple[str, ...]
    max_episode_steps: int
    finite: bool


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of ``N`` worlds; ``state`` is the successor's, also where the episode ended."""

    state: np.ndarray  # [N, S]
    reward: np.ndarray  # [N]
    cost: np.ndarray  # [N, K]
    terminated: np.ndarray  # [N] bool


class Dynamics(Protocol):
    """A world as pure functions of its state, a row of ``S`` float64 numbers."""

    @property
    def layout(self) -> Layout:
        """Sizes and names."""
        ...

    def start(self, random: np.random.Generator) -> np.ndarray:
        """Draw the first state of an episode, ``[S]``."""
        ...

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """Draw what chance adds to one step of one world, ``[E]``."""
        ...

    def observe(self, state: np.ndarray) -> np.ndarray:
        """What is seen of the states ``[N, S]``: ``[N, D]``."""
        ...

    def advance(self, state: np.ndarray, action: np.ndarray, chance: np.ndarray) -> Transition:
        """One step from ``[N, S]`` by the actions ``[N, A]``, with what was drawn ``[N, E]``."""
        ...


class WorldEnvironment(AutoReset):
    """``N`` environments of one world. Environment ``i`` draws from a stream of its own, whatever ``N`` is.

    Args:
        world: the dynamics.
        num_envs: N.
        costs: those of the constraints, each of which has to be one that the world charges, by name.
        seed: of all streams.

    Raises:
        PgrobotError: fewer than one environment, or a cost that the world does not charge.
    """

    def __init__(self, world: Dynamics, num_envs: int, costs: Mapping[str, Cost], seed: int) -> None:
        if num_envs < 1:
            raise PgrobotError(f"num_envs has to be at least 1, got {num_envs}.")
        layout = world.layout
        self.world = world
        self.spec = EnvironmentSpec(
            name=layout.name,
            num_envs=num_envs,
            observation={"policy": ObservationGroup.numbered("policy", (layout.observation,))},
            action_low=layout.action_low,
            action_high=layout.action_high,
            actions=Action.unitless(*(f"action{a}" for a in range(layout.action_low.size))),
            reward_terms=("reward",),
            costs=tuple(costs),
            violations={},
            highest_cost={name: cost.highest for name, cost in costs.items() if isinstance(cost, InfoCost)},
            can_fall=False,
            max_episode_steps=layout.max_episode_steps,
            control_dt=1.0,
        )
        self._finite = layout.finite
        self._charged = [_column(layout, name, cost) for name, cost in costs.items()]
        self._clock = EpisodeClock(num_envs, layout.max_episode_steps, seed)
        self._state = self._started(np.arange(num_envs))

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in worlds ``ids``."""
        self._clock.begin(ids)
        self._state = self._state.copy()  # it may be what was observed
        self._state[ids] = self._started(ids)
        return {"policy": self.world.observe(self._state)}

    def advance(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, and leave an ended episode as it ended.

        Raises:
            PgrobotError: the action has another shape.
        """
        self.check_action(action)
        chance = np.stack([self.world.draw(random) for random in self._clock.randoms])
        transition = self.world.advance(self._state, action, chance)
        over = self._clock.tick()
        terminated = transition.terminated | (over & self._finite)
        self._state = transition.state
        seen = {"policy": self.world.observe(self._state)}
        return Step(
            obs=seen,
            next_obs=seen,
            reward=transition.reward,
            terms=transition.reward[:, None],
            cost=transition.cost[:, self._charged],
            terminated=terminated,
            truncated=over & ~terminated,
            censored=np.zeros_like(over),
            telemetry={},
            failures={},
        )

    def state_dict(self) -> State:
        """States, ages of the episodes and random streams."""
        return {
            "state": torch.from_numpy(self._state.copy()),
            **self._clock.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict``.

        Raises:
            PgrobotError: the state is of another world or number of them.
        """
        self.check_saved("worlds", "their states are {}", state["state"], self._state)
        self._state = state["state"].numpy().copy()
        self._clock.load_state_dict(state)

    def close(self) -> None:
        """Nothing to release."""

    def _started(self, ids: np.ndarray) -> np.ndarray:
        """First states of new episodes in worlds ``ids``, ``[n, S]``."""
        states = [self.world.start(self._clock.randoms[i]) for i in ids]
        return np.stack(states)


def _column(layout: Layout, name: str, cost: Cost) -> int:
    """Where a constraint's cost stands among those that the world charges.

    Raises:
        PgrobotError: it is measured in a robot, or the world charges none of this name.
    """
    if not isinstance(cost, InfoCost):
        raise PgrobotError(
            f"constraint '{name}' is measured in a robot, which {layout.name} is not: it can be limited only in a "
            "cost that it charges itself (constraint=cost), or in none (constraint=[])."
        )
    if name not in layout.costs:
        raise PgrobotError(f"{layout.name} charges no cost '{name}': {nearest(name, layout.costs)}")
    return layout.costs.index(name)
