"""N copies of a small world stepped together: time limit, same-step auto-reset, true next observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation import Cost
from pgrobot.simulation.adapters import InfoCost
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


class WorldEnvironment:
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
        sequences = (np.random.SeedSequence(seed, spawn_key=(i,)) for i in range(num_envs))
        self._randoms = [np.random.default_rng(sequence) for sequence in sequences]
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._state = self._started(np.arange(num_envs))

    def reset(self) -> Observation:
        """Start a new episode everywhere; the streams go on."""
        self._elapsed[:] = 0
        self._state = self._started(np.arange(self.spec.num_envs))
        return {"policy": self.world.observe(self._state)}

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in worlds ``ids``."""
        self._elapsed[ids] = 0
        self._state[ids] = self._started(ids)
        return {"policy": self.world.observe(self._state)}

    def step(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, and begin anew where an episode ended.

        Raises:
            PgrobotError: the action has another shape.
        """
        wanted = (self.spec.num_envs, self.spec.action_low.size)
        if action.shape != wanted:
            raise PgrobotError(f"{self.spec.name} takes actions {wanted}, got {action.shape}.")
        chance = np.stack([self.world.draw(random) for random in self._randoms])
        transition = self.world.advance(self._state, action, chance)
        self._elapsed += 1
        over = self._elapsed >= self.spec.max_episode_steps
        terminated = transition.terminated | (over & self._finite)
        ended = terminated | over
        self._state = transition.state.copy()
        self._state[ended] = self._started(np.flatnonzero(ended))
        self._elapsed[ended] = 0
        return Step(
            obs={"policy": self.world.observe(self._state)},
            next_obs={"policy": self.world.observe(transition.state)},
            reward=transition.reward,
            terms=transition.reward[:, None],
            cost=transition.cost[:, self._charged],
            terminated=terminated,
            truncated=ended & ~terminated,
            censored=np.zeros_like(ended),
            telemetry={},
            failures={},
        )

    def state_dict(self) -> State:
        """States, ages of the episodes and random streams."""
        return {
            "state": torch.from_numpy(self._state.copy()),
            "elapsed": torch.from_numpy(self._elapsed.copy()),
            "random": [random.bit_generator.state for random in self._randoms],
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict``.

        Raises:
            PgrobotError: the state is of another world or number of them.
        """
        found, wanted = tuple(state["state"].shape), self._state.shape
        if found != wanted:
            raise PgrobotError(
                f"the saved worlds do not fit {self.spec.name} with num_envs={self.spec.num_envs}: "
                f"their states are {found} instead of {wanted}."
            )
        self._state = state["state"].numpy().copy()
        self._elapsed = state["elapsed"].numpy().copy()
        for random, saved in zip(self._randoms, state["random"], strict=True):
            random.bit_generator.state = saved

    def close(self) -> None:
        """Nothing to release."""

    def _started(self, ids: np.ndarray) -> np.ndarray:
        """First states of new episodes in worlds ``ids``, ``[n, S]``."""
        states = [self.world.start(self._randoms[i]) for i in ids]
        return np.stack(states) if states else np.empty((0, self._state.shape[1]))


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
