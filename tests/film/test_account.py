"""What a film tells beside its picture is what happened, and what evaluations would say of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toys import ABOVE, TargetWorld

from pgrobot.constraints import Constraint
from pgrobot.film.account import Account
from pgrobot.film.panel import panel
from pgrobot.film.shot import MOST_EFFORTS, Shot, Take
from pgrobot.types import Action, Step

UP, DOWN = np.array([[1.5]]), np.array([[-1.0]])


def account(unit: str, **of_spec: object) -> tuple[Account, TargetWorld]:
    world = TargetWorld(1, 0)
    world.spec = replace(world.spec, **of_spec)
    world.reset()
    return Account(world.spec, [Constraint("above", 0.25, unit, 1.0)], 0.5), world


@pytest.mark.parametrize(
    ("unit", "value", "allowed"),
    [("episode", 2.0, 0.25), ("step", 2 / 3, 0.25), ("discounted", 1.25, 0.25), ("probability", 2.0, 1.0)],
)
def test_every_unit_is_counted_as_its_budget_is(unit: str, value: float, allowed: float) -> None:
    kept, world = account(unit)
    for action in (UP, DOWN, UP):
        kept.add(world.step(action))
    (spending,) = kept.spendings
    assert (spending.value, spending.allowed) == pytest.approx((value, allowed))
    assert not spending.within
    assert spending.violates


def test_an_episode_is_told_to_its_end_and_the_next_one_begins_at_nothing() -> None:
    kept, world = account("episode")
    rewards = []
    for _ in range(world.spec.max_episode_steps):
        step = world.step(UP)
        rewards.append(step.reward[0])
        kept.add(step)
    assert (kept.episode, kept.total) == (1, pytest.approx(sum(rewards)))
    assert kept.spendings[0].value == 8.0
    step = world.step(DOWN)
    kept.add(step)
    assert (kept.episode, kept.total) == (2, pytest.approx(step.reward[0]))
    assert kept.spendings[0].value == 0.0


def test_a_violation_of_one_step_is_shown_for_a_quarter_of_a_second() -> None:
    kept, world = account("episode", control_dt=0.1)
    shown = []
    for action in (DOWN, UP, DOWN, DOWN, DOWN):
        since = kept.time
        kept.add(world.step(action))
        now = kept.violates({"motor", "other"}, since)
        shown.append((kept.violations, now, kept.violates({"other"}, -1.0)))
    lit, dark = (("above",), False, False), ((), False, False)
    assert shown == [dark, (("above",), True, False), lit, lit, dark], (
        "beside a live torque only as it happens"
    )


def test_a_torque_is_marked_in_the_frame_in_which_it_violates() -> None:
    world = TargetWorld(1, 0)
    world.spec = replace(world.spec, control_dt=0.01)
    actions = iter([DOWN, UP, DOWN, DOWN, DOWN, DOWN])
    take = Take(Shot("Target", "", world, lambda obs, start: next(actions), [ABOVE], 1.0))
    marked = []
    for time in (0.01, 0.03, 0.05, 0.06):
        take.until(time)
        marked.append(take.look().efforts[0].violates)
    assert marked == [False, True, False, False]


@pytest.mark.parametrize(
    ("limit", "told"), [(0.0, "never, 10 % of episodes may"), (3.0, "at most, 10 % of episodes may exceed")]
)
def test_a_budget_on_the_share_of_episodes_does_not_read_as_a_fall(limit: float, told: str) -> None:
    spec = replace(TargetWorld(1, 0).spec)
    kept = Account(spec, [Constraint("fall", 0.1, "probability", limit)], 1.0)
    assert kept.spendings[0].unit == told


def test_the_parts_are_named_where_there_are_several() -> None:
    parts = tuple(f"joint{j}" for j in range(6))
    kept, world = account("episode", violations={"above": parts})

    def step(amounts: list[float]) -> Step:
        return replace(world.step(UP), telemetry={"violation/above": np.array([amounts])})

    kept.add(step([0, 1, 0, 0, 0, 0]))
    assert kept.violations == ("above: joint1",)
    kept.add(step([1, 1, 1, 1, 1, 0]))
    assert kept.violations == ("above: joint1, joint0, joint2 and 2 more",)


class Limbs(TargetWorld):
    """Any number of actuators, driven to their numbers."""

    def __init__(self, count: int) -> None:
        super().__init__(1, 0)
        self.spec = replace(
            self.spec,
            actions=Action.unitless(*(f"a{a}" for a in range(count))),
            action_low=np.full(count, -np.inf),
            action_high=np.full(count, np.inf),
            costs=(),
            violations={},
            highest_cost={},
        )

    def step(self, action: np.ndarray) -> Step:
        return replace(super().step(np.zeros((1, 1))), cost=np.zeros((1, 0)), telemetry={})


@pytest.mark.parametrize("count", [0, 3, 4000])
def test_of_any_number_of_actuators_the_largest_efforts_are_shown(count: int) -> None:
    limbs = Limbs(count)
    driven = np.arange(count, dtype=np.float64)[None] * np.where(np.arange(count) % 2, 1, -1)
    take = Take(Shot("limbs", "", limbs, lambda obs, start: driven, [], 1.0))
    take.step()
    moment = take.look()
    shown = range(max(count - MOST_EFFORTS, 0), count)
    assert [effort.name for effort in moment.efforts] == [f"a{a}" for a in shown]
    assert [effort.value for effort in moment.efforts] == driven[0, shown].tolist()
    assert moment.actuators == count
    for width, height in ((320, 480), (640, 320)):
        assert panel(moment, width, height).shape == (height, width, 3)


def test_a_panel_shows_every_change() -> None:
    kept, world = account("episode")
    take = Take(Shot("Target", "agent", TargetWorld(1, 0), lambda obs, start: UP, [ABOVE], 1.0))
    take.step()
    kept.add(world.step(UP))
    moment = replace(take.look(), spendings=kept.spendings, speed_of="speed")
    page = panel(moment, 320, 480)
    (spent,), (effort,) = moment.spendings, moment.efforts
    changes = (
        {"title": "Other"},
        {"subtitle": "other"},
        {"time": 3.0},
        {"episode": 2},
        {"total": 7.0},
        {"speed": 1.0},
        {"spendings": (replace(spent, value=0.1),)},
        {"spendings": (replace(spent, allowed=100.0),)},
        {"efforts": (replace(effort, value=-effort.value),)},
        {"efforts": (replace(effort, violates=not effort.violates),)},
    )
    for change in changes:
        assert not np.array_equal(panel(replace(moment, **change), 320, 480), page), change
