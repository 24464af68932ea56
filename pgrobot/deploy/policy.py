"""A trained policy that acts, with its memory kept inside."""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgrobot.acting import Actor, Draw, drawn, undrawn
from pgrobot.action_map import ActionMap
from pgrobot.concurrency import one_torch_thread
from pgrobot.deploy.observations import ObservationReader
from pgrobot.errors import PgrobotError, shown
from pgrobot.policies import Acting
from pgrobot.randomness import stream
from pgrobot.types import ActionForm, EnvironmentSpec


class TrainedPolicy:
    """Observations as an environment shows them in, actions as it takes them out; NumPy's arrays both.

    What it remembers between steps it keeps, for as many environments as it last acted for; ``reset`` tells it where
    episodes begin. One object is for one thread; a copy of it, pickled too, goes on by itself from where it was.

    Args:
        policy: as it was trained; nothing changes it.
        spec: of the environment that it was trained in.
        checkpoint: where it came from.
        step: environment steps after which it was saved.
        seed: of what it draws.

    Attributes:
        policy, spec, checkpoint, step: as given.
        groups: the observation groups that it reads.
        read: what reads them.
    """

    def __init__(
        self, policy: Acting, spec: EnvironmentSpec, checkpoint: Path, step: int, seed: int = 0
    ) -> None:
        self.policy, self.spec, self.checkpoint, self.step = policy, spec, checkpoint, step
        self.groups: tuple[str, ...] = tuple(getattr(policy, "groups", spec.observation))
        self.read = ObservationReader(spec, self.groups)
        self._to_environment = ActionMap.of(spec)
        self._start = np.ones(1, bool)  # where an episode begins
        self._actor = self._made(1)
        self.reset()
        self.seed(seed)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self.spec.name}, {self.checkpoint} of step {self.step:,}>"

    def __getstate__(self) -> dict[str, Any]:
        """What a copy needs; its buffers it makes itself."""
        left_out = ("_actor", "_noise")
        kept = {key: value for key, value in self.__dict__.items() if key not in left_out}
        return {**kept, "carry": self._actor.carry.clone(), "drawn": self._noise.get_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        carry, drawn_so_far = state.pop("carry"), state.pop("drawn")
        self.__dict__.update(state)
        self._actor = self._made(len(carry))
        self._actor.carry = carry
        self._noise = torch.Generator()
        self._noise.set_state(drawn_so_far)

    def act(self, observation: Any, deterministic: bool = True) -> Any:
        """Act on what one environment shows, or ``N`` side by side.

        Args:
            observation: an array ``(D,)`` or ``(N, D)``, or a dict of such by group, of any type of real numbers; or
                what an environment of another library shows.
            deterministic: the mean action, or the most likely of choices; else one that is drawn.

        Returns:
            The action in the environment's own units and form, within its bounds: ``(A,)`` or ``(N, A)``; of choices
            whole numbers.

        Raises:
            PgrobotError: the observation is of other groups, another width or type, of no environment or not finite; or
                of another number of environments than it remembers; or ``deterministic`` is no truth value.
        """
        draw = self._draw(deterministic)
        rows, single = self.read(observation)
        self._resized(len(next(iter(rows.values()))))
        with one_torch_thread():
            action = self._actor(rows, self._start, draw)
        self._start[:] = False
        return self._sent(action, single)

    def reset(self, mask: Any = None) -> None:
        """Begin new episodes: nothing that was remembered counts any more.

        Args:
            mask: ``(N,)`` bool, in which of the environments, or one truth value for all; in all by default, and then
                their number may change.

        Raises:
            PgrobotError: the mask is of another number of environments than it acts for.
        """
        if mask is None:
            self._start[:] = True
            return
        where = np.asarray(mask)
        fits = where.shape in (self._start.shape, ()) or self._start.all()
        if where.dtype != bool or not fits:
            raise PgrobotError(
                f"reset(mask) takes {len(self._start)} truth values, one for each environment that the policy acts "
                f"for, not {where.dtype} {where.shape}"
            )
        if not self._start.all():
            self._start |= where

    def seed(self, seed: int) -> None:
        """Draw anew from the stream of a seed, where actions are drawn.

        Raises:
            PgrobotError: it is no whole number of at least 0.
        """
        self._noise = stream(_whole(seed), "action_noise")

    def predict(
        self,
        observation: Any,
        state: np.ndarray | None = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, np.ndarray | None]:
        """Act as policies of Stable-Baselines3 do, which hand their memory out and take it back.

        Args:
            observation: as of ``act``.
            state: what the last call returned, ``(N, H)``; None: nothing is remembered.
            episode_start: ``(N,)`` bool, where the state is forgotten; None: nowhere.
            deterministic: as of ``act``, but False by default.

        Returns:
            The action, as of ``act``, and the state ``(N, H)``; None for a policy without memory. What ``act``
            remembers is left as it is.

        Raises:
            PgrobotError: as of ``act``, or the state is of another shape.
        """
        draw = self._draw(deterministic)
        rows, single = self.read(observation)
        count = len(next(iter(rows.values())))
        actor = self._made(count)
        start = np.full(count, state is None)
        if state is not None:
            if np.shape(state) != tuple(actor.carry.shape):
                raise PgrobotError(
                    f"the state is {np.shape(state)}, and of {count} environments it is {tuple(actor.carry.shape)}"
                )
            actor.carry = torch.from_numpy(np.array(state, dtype=np.float32))
        if episode_start is not None:
            if np.shape(episode_start) not in ((count,), ()):
                raise PgrobotError(
                    f"episode_start has to be {count} truth values, not {np.shape(episode_start)}"
                )
            start |= np.asarray(episode_start, dtype=bool)
        with one_torch_thread():
            action = actor(rows, start, draw)
        return self._sent(action, single), actor.carry.numpy().copy() if self.policy.carry_size else None

    def _draw(self, deterministic: Any) -> Draw:
        if not isinstance(deterministic, bool | np.bool_):
            raise PgrobotError(f"deterministic has to be True or False, not {shown(deterministic)}")
        return undrawn if deterministic else drawn(self._noise)

    def _made(self, count: int) -> Actor:
        return Actor(self.policy, self.read.groups, self._to_environment, count)

    def _resized(self, count: int) -> None:
        """Make ready for so many environments.

        Raises:
            PgrobotError: it remembers something of another number of them.
        """
        if count == len(self._start):
            return
        if self.policy.carry_size and not self._start.all():
            raise PgrobotError(
                f"the policy remembers {len(self._start)} environments and is shown {count}: reset() it first"
            )
        self._start = np.ones(count, bool)
        self._actor = self._made(count)

    def _sent(self, action: np.ndarray, single: bool) -> Any:
        """Actions ``[N, A]`` in the environment's own form."""
        sent = as_sent(self.spec.action_form, action)
        if not single:
            return sent
        form = self.spec.action_form
        # a Discrete's is an int; a Box's is an array, be it of no dimension
        chosen = not form.shape and form.start
        return sent[0].item() if chosen else np.asarray(sent[0])


def _whole(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise PgrobotError(f"seed has to be a whole number of at least 0, not {shown(seed)}")
    return int(seed)


def as_sent(form: ActionForm, action: np.ndarray) -> np.ndarray:
    """Actions ``[N, A]`` float64 as an environment takes them, ``[N, …]``."""
    dtype = np.dtype(form.dtype)
    whole = action if dtype.kind == "f" else np.rint(action)
    sent = whole.astype(dtype).reshape(len(action), *form.shape)
    return sent + np.reshape(form.start, sent.shape[1:]).astype(dtype) if form.start else sent
