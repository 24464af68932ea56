"""Every figure of one look at a policy, against slopes, units and cycles that are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from actuated import posed, spec_of
from torch import Tensor
from toys import TargetWorld, make, make_policy

from pgrobot.diagnostics import Sensitivity, sensitivity_pictures
from pgrobot.diagnostics.actuators import Actuators
from pgrobot.diagnostics.curvature import gradient_agreement
from pgrobot.diagnostics.gait import BINS, Gait
from pgrobot.diagnostics.influence import integrated_gradients
from pgrobot.diagnostics.states import States
from pgrobot.figures import Axis, Panel
from pgrobot.objectives import Ratio
from pgrobot.pictures import Table
from pgrobot.randomness import stream
from pgrobot.solvers import PolicySnapshot
from pgrobot.types import Action, EnvironmentSpec, Metrics, ObservationGroup, Rollout

STEPS, ROBOTS, TURN, DT = 26, 4, 0.45, 0.02
SENSORS = ("cos", "sin", "noise", "idle", "slope")
MOTORS = (Action("hip", "-25 N·m", 0), Action("knee", "40 N·m", 0))
SCALE = torch.tensor([-25.0, 40.0]).double()


@dataclass(frozen=True)
class Look:
    """What one look said, and what it looked at."""

    metrics: Metrics
    tables: dict[str, Table]
    panels: dict[str, list[Panel]]
    states: States
    gait: Gait
    snapshot: PolicySnapshot
    slopes: Tensor  # per deviation, by finite differences, policy units, [B, J, D]

    def strongest(self) -> list[tuple[int, int]]:
        """Actuator and entry of the rows of the table."""
        names = [action.name for action in MOTORS]
        return [(names.index(str(r[0])), SENSORS.index(str(r[1]))) for r in self.tables["pairs"].rows]


def walked() -> Tensor:
    """Robots whose first two sensors go round, ``[T, N, 5]``."""
    draw = torch.randn(STEPS, ROBOTS, 3, generator=stream(8, "sensors")).double()
    angle = TURN * torch.arange(STEPS).double().unsqueeze(-1) + 1.3 * torch.arange(ROBOTS)
    circle = torch.stack((2.0 * angle.cos(), 0.3 * angle.sin()), -1)
    return torch.cat((circle, draw * torch.tensor([0.2, 1.0, 3.0]) + torch.tensor([0.0, 5.0, -4.0])), -1)


def spec() -> EnvironmentSpec:
    group = replace(ObservationGroup.numbered("policy", (len(SENSORS),)), names=SENSORS)
    return replace(spec_of(*MOTORS), observation={"policy": group}, control_dt=DT)


def rollout() -> Rollout:
    whole = make(TargetWorld(ROBOTS, 0, length=STEPS + 1), horizon=STEPS)[0].collect()["robot"]
    return replace(whole, obs={"policy": walked()}, carry=torch.zeros(STEPS, ROBOTS, 0).double())


def problem() -> PolicySnapshot:
    """Of a policy whose motors ignore ``idle``, with a unit that says nothing and two at their end."""
    policy = make_policy({"policy": len(SENSORS)}, 2, (8,)).double()
    with torch.no_grad():
        policy.output.weight.mul_(60.0)
        first = policy.body.layers[0]
        first.weight[:, 3] = 0.0
        first.weight[0] = 0.0
        first.bias[5:7] = 80.0
    obs = walked().flatten(0, 1)
    generator = stream(2, "acts")
    with torch.no_grad():
        here, _ = policy({"policy": obs}, torch.zeros(len(obs), 0), torch.zeros(len(obs), dtype=torch.bool))
        action = here.sample(generator)
    advantage = torch.randn(len(obs), generator=generator).double() + (action - here.mean)[:, 0]
    nothing = torch.zeros(len(obs), 0).double()
    return posed(policy, obs, action, advantage, {}, nothing, {"s": Ratio(1.0)})


@pytest.fixture(scope="module")
def look() -> Look:
    drawn: list[list[Panel]] = []

    def panels(shown: Sequence[Panel], caption: str, *, stacked: bool) -> Table:
        del caption, stacked
        drawn.append(list(shown))
        return Table((), ())

    snapshot, seen, known = problem(), rollout(), spec()
    stub: Any = type("Stub", (), {"snapshot": lambda self, rollout: {"policy": snapshot}})()
    diagnostic = Sensitivity(1, False, 10_000, spec=known, iterations=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensitivity_pictures, "panels", panels)
        metrics = diagnostic(0, {"a": stub}, {"a": seen})
    pictures: Any = diagnostic.pictures()
    states = States.of(seen, snapshot.copied(), known, Actuators.of(known, 64), 10_000)
    with torch.no_grad():
        ways = 1e-5 * torch.eye(len(SENSORS)).double()
        slopes = [(states.action(states.x + w) - states.action(states.x - w)) / 2e-5 for w in ways]
    spread = walked().flatten(0, 1).std(0, correction=0)
    return Look(
        metrics=metrics,
        tables={name: pictures[f"sensitivity/{name}"] for name in ("pairs", "by_phase")},
        panels=dict(zip(("map", "gait"), drawn, strict=True)),
        states=states,
        gait=Gait.of(states, seen.episode_start),
        snapshot=snapshot,
        slopes=torch.stack(slopes, -1) * spread,
    )


def test_the_steepest_way_is_told_on_average_and_at_most(look: Look) -> None:
    steepest = torch.linalg.matrix_norm(look.slopes, 2)
    assert float(steepest.max()) > 1.5 * float(steepest.mean())
    assert look.metrics["sensitivity/lipschitz/mean"] == pytest.approx(float(steepest.mean()), rel=1e-5)
    assert look.metrics["sensitivity/lipschitz/max"] == pytest.approx(float(steepest.max()), rel=1e-5)


def test_one_sensor_of_five_is_unused_and_units_are_of_two_kinds(look: Look) -> None:
    assert look.metrics["sensitivity/unused"] == pytest.approx(1 / 5)
    assert look.metrics["units/dead"] == pytest.approx(3 / 8)
    assert look.metrics["units/saturated"] == pytest.approx(2 / 8)


def test_attributions_add_up_to_the_action(look: Look) -> None:
    with torch.no_grad():
        whole = look.states.action(look.states.x) - look.states.action(
            look.states.mean.expand_as(look.states.x)
        )
    torch.testing.assert_close(integrated_gradients(look.states).sum(-1), whole, rtol=0, atol=1e-3)
    assert look.metrics["sensitivity/completeness_gap"] < 1e-3 < 0.1 < float(whole.abs().max())


def test_the_period_is_in_seconds_and_the_plane_holds_a_share(look: Look) -> None:
    assert look.metrics["gait/period"] == pytest.approx(DT * 2.0 * math.pi / TURN, rel=0.05)
    assert look.metrics["gait/advance"] > 0.95
    # two of five numbers, each of variance 1
    assert look.metrics["gait/variance"] == pytest.approx(2 / 5, abs=0.05)


def test_minibatches_are_of_robots_and_not_of_steps(look: Look) -> None:
    agreement = look.metrics["gradient/policy/agreement"]
    assert agreement == gradient_agreement(look.snapshot, ROBOTS)
    assert agreement != pytest.approx(gradient_agreement(look.snapshot, STEPS))


def test_pairs_are_told_in_newton_metres(look: Look) -> None:
    table = look.tables["pairs"]
    assert table.columns == ("actuator", "entry", "unit", "slope", "strength", "attribution", "deviation")
    assert len(table.rows) == 2 * len(SENSORS)
    assert {row[2] for row in table.rows} == {"N·m"}
    shares = integrated_gradients(look.states).abs().mean(0)
    deviation = walked().flatten(0, 1).std(0, correction=0)
    for (j, d), row in zip(look.strongest(), table.rows, strict=True):
        size = abs(float(SCALE[j]))
        assert row[3:] == pytest.approx(
            (
                float(look.slopes[:, j, d].mean() * SCALE[j]),
                float(look.slopes[:, j, d].square().mean().sqrt()) * size,
                float(shares[j, d]) * size,
                float(deviation[d]),
            ),
            rel=1e-5,
            abs=1e-6,
        )


def by_bin(look: Look, values: Tensor) -> list[float]:
    """Means over the states of each sixteenth of the cycle; the cycle begins where the plane's first axis points."""
    z = (look.states.x - look.states.mean) / look.states.spread
    point = z @ look.gait.plane
    turns = (torch.atan2(point[:, 1], point[:, 0]) / (2.0 * math.pi)) % 1.0
    return [float(values[(turns >= b / BINS) & (turns < (b + 1) / BINS)].mean()) for b in range(BINS)]


def test_slopes_over_the_cycle_are_those_of_their_own_pair(look: Look) -> None:
    table, pairs = look.tables["by_phase"], look.strongest()
    assert table.columns == ("actuator", "entry", "unit", "phase", "slope")
    assert len(table.rows) == BINS * len(pairs)
    for index, (j, d) in enumerate(pairs):
        rows = table.rows[index * BINS : (index + 1) * BINS]
        assert {row[:3] for row in rows} == {(MOTORS[j].name, SENSORS[d], "N·m")}
        assert [row[3] for row in rows] == [b / BINS for b in range(BINS)]
        expected = by_bin(look, look.slopes[:, j, d] * SCALE[j])
        assert [row[4] for row in rows] == pytest.approx(expected, rel=1e-4, abs=1e-5, nan_ok=True)


def test_the_map_is_sensors_by_motors(look: Look) -> None:
    slope, attribution = look.panels["map"]
    assert (list(slope.rows), list(slope.columns)) == (list(SENSORS), ["hip", "knee"])
    assert (slope.scale, attribution.scale) == ("N·m per deviation", "N·m")
    assert (slope.signed, attribution.signed) == (True, False)
    expected = (look.slopes.mean(0) * SCALE.unsqueeze(-1)).T
    torch.testing.assert_close(torch.from_numpy(slope.values), expected, rtol=1e-5, atol=1e-6)
    shares = (integrated_gradients(look.states).abs().mean(0) * SCALE.abs().unsqueeze(-1)).T
    torch.testing.assert_close(torch.from_numpy(attribution.values), shares)


def test_the_picture_of_a_cycle_has_its_torques_and_its_slopes(look: Look) -> None:
    action, slope = look.panels["gait"]
    along = action.columns
    assert isinstance(along, Axis)
    assert (along.low, along.high) == (0.0, 1.0)
    with torch.no_grad():
        torques = look.states.action(look.states.x) * SCALE
    for j, motor in enumerate(MOTORS):
        assert action.rows[j] == motor.name
        assert action.values[j].tolist() == pytest.approx(by_bin(look, torques[:, j]), nan_ok=True)
    pairs = look.strongest()
    assert list(slope.rows) == [f"{SENSORS[d]} → {MOTORS[j].name}" for j, d in pairs]
    for (j, d), values in zip(pairs, slope.values, strict=True):
        expected = by_bin(look, look.slopes[:, j, d] * SCALE[j])
        assert values.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5, nan_ok=True)


def test_a_jump_between_episodes_is_no_step_of_the_gait() -> None:
    """Robots on all sides of a circle, which fall at once and begin again some way back."""
    start = torch.zeros(60, 4, dtype=torch.bool)
    start[6::11] = True
    angle = torch.where(start, -2.5, 0.3).double().cumsum(0) + 0.5 * math.pi * torch.arange(4)
    obs = torch.stack((angle.cos(), angle.sin()), -1)
    policy = make_policy({"policy": 2}, 1, ()).double()
    seen = make(TargetWorld(4, 0, length=61), horizon=60)[0].collect()["robot"]
    seen = replace(seen, obs={"policy": obs}, carry=torch.zeros(60, 4, 0).double())
    one = Actuators.of(spec_of(Action("motor", "", 0)), 1)
    gait = Gait.of(States.of(seen, policy, spec(), one, 10_000), start)
    assert gait.advance == 1.0
    assert gait.steps == pytest.approx(2.0 * math.pi / 0.3)
