"""Pushes at random times, in ``N`` simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pgrobot.errors import PgrobotError, nearest
from pgrobot.randomness import component_seed
from pgrobot.simulation.auto_reset import streams
from pgrobot.simulation.batch import Physics
from pgrobot.simulation.model import body_names
from pgrobot.simulation.read_only import ReadOnlyModel
from pgrobot.simulation.variation.push import AXES, VELOCITY, Push
from pgrobot.types import State


class Pushes:
    """``P`` pushes, each again and again from a stream of its own in every environment.

    A push is a constant force for one step, at the centre of mass of its body, of the impulse that was drawn. The next
    one is drawn when it is over, so what is drawn depends on the environment's own episodes alone.

    Args:
        pushes: by name.
        physics: of the simulations.
        seed: of the streams.

    Attributes:
        names: of what is shown of them, such as ``push/x``.

    Raises:
        PgrobotError: the model has no such body, or it does not move.
    """

    def __init__(self, pushes: Mapping[str, Push], physics: Physics, seed: int) -> None:
        model, num_envs = physics.models.shared, len(physics.state)
        self._pushes = list(pushes.values())
        self._body = [_body(f"variation.{name}.body", push.body, model) for name, push in pushes.items()]
        self._physics, self._force = physics, physics.field("xfrc_applied")  # [N, bodies, 6]
        self._dt = float(model.opt.timestep) * physics.frame_skip
        self._randoms = {
            name: streams(component_seed(seed, f"variation/{name}"), num_envs) for name in pushes
        }
        self.names = tuple(f"{name}/{AXES[axis]}" for name, push in pushes.items() for axis in push.axes)
        shape = (num_envs, len(pushes))
        self._wait = np.ones(shape, np.int64)  # steps until each acts
        self._drawn = np.zeros((*shape, 3))  # what it is then, in its own unit
        self._strength = np.ones(shape)
        self._acted = np.zeros(shape)  # its size in the last step
        self._kept: list[tuple[int, int, np.ndarray]] = []

    def begin(self, ids: np.ndarray, strength: np.ndarray) -> None:
        """Draw the first pushes of the episodes that begin in environments ``ids``, so strong ``[n, P]``."""
        self._strength[ids] = strength
        for i in ids.tolist():
            for p in range(len(self._pushes)):
                self._draw(i, p)

    def act(self) -> None:
        """Push, in the step that follows, where it is time to."""
        self._kept = []
        rows, which = np.nonzero(self._wait == 0)
        if not rows.size:
            return
        for i, p in zip(rows.tolist(), which.tolist(), strict=True):
            body, push = self._body[p], self._pushes[p]
            self._kept.append((i, body, self._force[i, body].copy()))
            mass = self._mass(i, body) if push.kind == VELOCITY else 1.0
            self._force[i, body, :3] += self._strength[i, p] * self._drawn[i, p] * (mass / self._dt)

    def rest(self) -> None:
        """After that step: nothing pushes, and the next pushes are drawn."""
        acted = self._wait == 0
        self._acted = np.where(acted, self._strength * np.linalg.norm(self._drawn, axis=-1), 0.0)
        self._wait -= 1
        for i, body, before in reversed(self._kept):
            self._force[i, body] = before
        for i, p in np.argwhere(acted).tolist():
            self._draw(i, p)
            self._wait[i, p] -= 1

    @property
    def shown(self) -> np.ndarray:
        """The pushes that act in the step to come, ``[N, K]`` in their own units; 0 where none does."""
        coming = np.where((self._wait == 0)[..., None], self._strength[..., None] * self._drawn, 0.0)
        return np.concatenate([coming[:, p, list(push.axes)] for p, push in enumerate(self._pushes)], axis=1)

    def telemetry(self) -> dict[str, np.ndarray]:
        """The sizes of those that acted in the last step, ``[N, 1]`` by name; 0 where none did."""
        return {name: self._acted[:, [p]] for p, name in enumerate(self._randoms)}

    def state_dict(self) -> State:
        """What is drawn, when it acts, and the streams."""
        return {
            "wait": torch.from_numpy(self._wait.copy()),
            "drawn": torch.from_numpy(self._drawn.copy()),
            "random": {
                name: [random.bit_generator.state for random in randoms]
                for name, randoms in self._randoms.items()
            },
        }

    def load_state_dict(self, state: State, strength: np.ndarray) -> None:
        """Continue from ``state``, pushing so strongly ``[N, P]``."""
        self._wait[:], self._drawn[:] = state["wait"].numpy(), state["drawn"].numpy()
        self._strength[:] = strength
        for name, randoms in self._randoms.items():
            for random, saved in zip(randoms, state["random"][name], strict=True):
                random.bit_generator.state = saved

    def _draw(self, i: int, p: int) -> None:
        """Draw when the next push acts, how large it is, and where it points."""
        push, random = self._pushes[p], self._randoms[list(self._randoms)[p]][i]
        when, size = random.random(2)
        direction = random.standard_normal(len(push.axes))
        soonest, latest = push.interval
        self._wait[i, p] = max(1, round((soonest + when * (latest - soonest)) / self._dt))
        size = push.low + size * (push.high - push.low)
        self._drawn[i, p] = 0.0
        self._drawn[i, p, list(push.axes)] = size * direction / np.linalg.norm(direction)

    def _mass(self, i: int, body: int) -> float:
        """The mass of the whole robot that a body belongs to."""
        models = self._physics.models
        mass = models.field("body_subtreemass")
        return float(mass[i if len(mass) > 1 else 0, models.shared.body_rootid[body]])


def _body(key: str, name: str, model: ReadOnlyModel) -> int:
    names: Sequence[str] = body_names(model)
    if name and name not in names:
        raise PgrobotError(f"{key}: the model has no body {name!r}: {nearest(name, names)}")
    body = names.index(name) if name else 1
    if body >= model.nbody or model.body_weldid[body] == 0:
        raise PgrobotError(
            f"{key}: body {names[min(body, model.nbody - 1)]!r} does not move, so nothing can push it"
        )
    return body
