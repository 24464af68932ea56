"""Ages that are spread: in every environment one episode is cut at a length of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pgrobot.errors import PgrobotError
from pgrobot.simulation.contract import check_observation
from pgrobot.simulation.wrappers import WrappedEnvironment, innermost
from pgrobot.types import Environment, Observation, State, Step

GOLDEN = (5.0**0.5 - 1.0) / 2.0
LEFT, LIMIT, TURN = "stagger", "stagger_limit", "stagger_turn"  # its own keys in the environment's state


class StaggeredEnvironment(WrappedEnvironment):
    """An environment whose episodes are not all of one age, however regularly they end.

    Environments that begin together and end at the same time limit go in lock-step: a rollout that is shorter than an
    episode then shows a few ages only, and what an episode spends cannot be told from it. Here every episode of
    environment ``i`` after a reset is cut after ``1 + ⌊u_i L⌋`` of the ``L`` steps of the time limit, until one has
    lived so long: robots that fall at first often learn to stand all at once, and would go in lock-step from then on.
    The turns ``u_i = u_0 + i φ mod 1``, with the golden section φ, are each uniform, lie as evenly in [0, 1) as any
    sequence can of which every beginning should (the discrepancy of any N of them is of the order log N / N), and do
    not depend on N. The cut is censored: it is none of the task's ends.

    An episode that the environment truncates by itself before that shows a limit of its own, such as one far below that
    which it was registered with, and from then on ``L`` is that one.

    Args:
        environment: has to have ``restart``.
        random: draws ``u_0``.

    Raises:
        PgrobotError: the environment cannot begin single episodes anew.
    """

    def __init__(self, environment: Environment, random: np.random.Generator) -> None:
        super().__init__(environment)
        if not hasattr(innermost(environment), "restart"):
            raise PgrobotError(
                f"{self.spec.name} has no method restart(ids), by which training with num_envs above 1 and a horizon "
                "shorter than an episode begins new episodes in some environments: see pgrobot.types.Environment."
            )
        self._turn = (random.random() + GOLDEN * np.arange(self.spec.num_envs)) % 1.0
        self._limit = np.full(self.spec.num_envs, self.spec.max_episode_steps, dtype=np.int64)
        self._left = np.zeros_like(self._limit)  # steps until the cut; 0 where there was one

    def reset(self) -> Observation:
        """Start a new episode everywhere, each with a cut ahead of it."""
        self._left = self._lengths()
        return self.environment.reset()

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in environments ``ids``, which is not cut."""
        self._left[ids] = 0
        return self.environment.restart(ids)

    def step(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, in the units of the action space.

        Raises:
            PgrobotError: what ``restart`` returned is not what all environments observe.
        """
        step = self.environment.step(action)
        if not self._left.any():
            return step
        # A step that ends its episode by itself just there is censored as well: were it not, the steps that are
        # counted at this age would be those that end.
        cut = self._left == 1
        ended = step.terminated | step.truncated
        again = ended & (self._left > 1)
        shown = again & step.truncated & ~step.terminated & ~step.censored
        self._limit = np.where(shown, self._lengths() - self._left + 1, self._limit)
        self._left = np.where(again, self._lengths(), np.maximum(self._left - 1, 0))
        if not cut.any():
            return step
        early = cut & ~ended
        obs = self._restarted(np.flatnonzero(early)) if early.any() else step.obs
        return replace(step, obs=obs, truncated=step.truncated | early, censored=step.censored | cut)

    def _lengths(self) -> np.ndarray:
        """Steps of an episode until its cut ``[N]``; 0 where that is the limit, which needs none."""
        length = 1 + (self._turn * self._limit).astype(np.int64)
        return np.where(length < self._limit, length, 0)

    def _restarted(self, ids: np.ndarray) -> Observation:
        """What all environments observe once those of ``ids`` began anew; one row alone would be broadcast to all."""
        obs = self.environment.restart(ids)
        check_observation(self.spec, "what restart(ids) returned", obs)
        return obs

    def state_dict(self) -> State:
        """The environment's, how far every environment is from its cut, the limits that were shown, and the turns.

        All of it lies side by side, as in every checkpoint that there ever was.
        """
        own = {LEFT: self._left, LIMIT: self._limit, TURN: self._turn}
        return self.environment.state_dict() | {key: torch.from_numpy(v.copy()) for key, v in own.items()}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        others = {key: value for key, value in state.items() if key not in (LEFT, LIMIT, TURN)}
        self.environment.load_state_dict(others)
        self._left[:], self._limit[:], self._turn[:] = (state[key].numpy() for key in (LEFT, LIMIT, TURN))
