"""What a film tells beside its picture, at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """What one actuator does.

    Attributes:
        name: the actuator's, or the joint's that it drives.
        value: signed, in the unit of all.
        limit: what a full bar is: the most that it can give in this direction, or the most so far where that is not
            known.
        violates: whether the joint has violated a constraint since the moment before.
    """

    name: str
    value: float
    limit: float
    violates: bool


@dataclass(frozen=True, slots=True)
class Spending:
    """What the running episode has spent of one budget.

    Attributes:
        name: the constraint's.
        value: so far.
        allowed: what may be spent; with a budget on the share of episodes, what none of the others exceeds.
        unit: of both, in words.
        violates: whether it has just cost something.
    """

    name: str
    value: float
    allowed: float
    unit: str
    violates: bool

    @property
    def within(self) -> bool:
        """Whether it is within what is allowed."""
        return self.value <= self.allowed


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of a film.

    Attributes:
        title: the robot.
        subtitle: whose actions these are.
        time: seconds since the film began.
        episode: the number of the running one, from 1.
        total: the return of the running episode.
        speed: in m/s; NaN where it is not known.
        speed_of: what has that speed; empty where nothing ever tells.
        effort: of what ``efforts`` are, with its unit.
        efforts: of the actuators that are shown.
        actuators: how many there are.
        spendings: of all budgets.
        violations: what has just been violated, and where: ``torque: knee``.
    """

    title: str
    subtitle: str
    time: float
    episode: int
    total: float
    speed: float
    speed_of: str
    effort: str
    efforts: tuple[Effort, ...]
    actuators: int
    spendings: tuple[Spending, ...]
    violations: tuple[str, ...]
