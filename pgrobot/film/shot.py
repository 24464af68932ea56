"""One robot acting in its environment, as the frames of a film: picture and moment, at the film's own pace."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pgrobot.constraints.budgets import Constraint
from pgrobot.episodes import Act
from pgrobot.film.account import Account
from pgrobot.film.gauges import Effortmeter, Speedometer
from pgrobot.film.moment import Effort, Moment
from pgrobot.film.scene import Scene
from pgrobot.types import Environment

MOST_EFFORTS = 12  # actuators that are shown: those of the largest effort so far
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Shot:
    """What a film shows.

    Attributes:
        title: the robot.
        subtitle: whose actions these are.
        environment: it alone, or the first of several is shown.
        act: chooses the actions.
        constraints: what its costs are held against.
        gamma: the discount of costs.
    """

    title: str
    subtitle: str
    environment: Environment
    act: Act
    constraints: Sequence[Constraint]
    gamma: float


class Take:
    """A shot while it is taken: it advances by whole steps of control.

    Attributes:
        time: simulated seconds since it began.
    """

    def __init__(self, shot: Shot) -> None:
        self._shot = shot
        spec = shot.environment.spec
        self._account = Account(spec, shot.constraints, shot.gamma)
        self._obs = shot.environment.reset()
        self._start = np.ones(spec.num_envs, dtype=bool)
        self._effortmeter = Effortmeter(shot.environment)
        self._speedometer = Speedometer(shot.environment)
        self._steps = 0
        self._efforts = np.zeros(len(spec.actions))
        self._largest = np.zeros(len(spec.actions))
        self._speed = math.nan
        self._since = 0.0  # when what was advanced last began, by the account

    @property
    def time(self) -> float:
        return self._steps * self._shot.environment.spec.control_dt

    def until(self, time: float) -> bool:
        """Advance to the last step that is over by then; tells whether there was any."""
        dt, before, since = self._shot.environment.spec.control_dt, self._steps, self._account.time
        while (self._steps + 1) * dt <= time * (1.0 + 1e-9):
            self.step()
            self._since = since
        return self._steps > before

    @property
    def ended(self) -> bool:
        """Whether an episode ended with the last step: the environment is in the next one already."""
        return self._steps > 0 and bool(self._start[0])

    def step(self) -> None:
        """Advance by one step."""
        self._since = self._account.time
        action = self._shot.act(self._obs, self._start)
        step = self._shot.environment.step(action)
        self._account.add(step)
        self._obs, self._start = step.obs, step.terminated | step.truncated
        self._efforts = self._effortmeter(step, action)
        self._largest = np.maximum(self._largest, np.abs(self._efforts))
        self._steps += 1

    def look(self) -> Moment:
        """What is to be told now."""
        shot, account = self._shot, self._account
        if not self._start[0]:  # else a new episode has begun, whose robot stood somewhere else a step ago
            self._speed = self._speedometer()
        return Moment(
            title=shot.title,
            subtitle=shot.subtitle,
            time=self.time,
            episode=account.episode,
            total=account.total,
            speed=self._speed,
            speed_of=self._speedometer.title,
            effort=self._effortmeter.title,
            efforts=self._shown(),
            actuators=len(self._efforts),
            spendings=account.spendings,
            violations=account.violations,
        )

    def _shown(self) -> tuple[Effort, ...]:
        ranges = np.abs(self._effortmeter.ranges())
        limits = np.where(self._efforts < 0.0, ranges[:, 0], ranges[:, 1])
        chosen = np.sort(np.argsort(-self._largest, kind="stable")[:MOST_EFFORTS])
        names = self._shot.environment.spec.actuators
        return tuple(
            Effort(
                names[a],
                float(self._efforts[a]),
                float(limits[a] if 0.0 < limits[a] < math.inf else max(self._largest[a], TINY)),
                self._account.violates(self._effortmeter.parts[a], self._since),
            )
            for a in chosen
        )


def frames(take: Take, scene: Scene, fps: int, count: int) -> Iterator[tuple[np.ndarray, Moment]]:
    """Picture and moment of ``count`` frames; what has not moved since the last one is not drawn again."""
    picture, moment = scene.picture(ended=False), take.look()
    yield picture, moment
    for k in range(1, count):
        if take.until(k / fps):
            picture, moment = scene.picture(ended=take.ended), take.look()
        yield picture, moment
