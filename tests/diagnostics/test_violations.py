"""Violations by part against a loop over environments and steps, and maps of episodes made by hand."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as Pixels

from pgrobot.diagnostics import ViolationMap, Violations
from pgrobot.types import EnvironmentSpec, Metrics, Rollout, Step

from .test_episodes import NOBODY, PARTS, rollout, spec

LIMIT = spec(1).max_episode_steps


def made(amounts: Mapping[str, torch.Tensor], age: torch.Tensor) -> Rollout:
    """A rollout of which only ``violation/<cost>`` [T, N, J] and ages [T, N] matter."""
    steps, envs = age.shape
    blank = rollout(torch.zeros(steps, envs, 4), torch.zeros(steps, envs, dtype=torch.bool))
    telemetry = {**blank.telemetry, **{f"violation/{cost}": value for cost, value in amounts.items()}}
    return replace(blank, age=age, telemetry=telemetry)


def look(known: EnvironmentSpec, every: int = 1, parts: int = 64) -> Violations:
    return Violations(every, parts, spec=known, iterations=9)


def told(happened: Rollout) -> Metrics:
    return look(spec(happened.age.shape[1]))(0, NOBODY, {"robot": happened})


def naive(happened: Rollout) -> Metrics:
    metrics: Metrics = {}
    for cost, parts in PARTS.items():
        for j, part in enumerate(parts):
            amounts, phases, environments = [], [], set()
            for t in range(happened.age.shape[0]):
                for n in range(happened.age.shape[1]):
                    amount = float(happened.telemetry[f"violation/{cost}"][t, n, j])
                    if amount > 0.0 and happened.weight[t, n] > 0.0:
                        amounts.append(amount)
                        phases.append(int(happened.age[t, n]) / LIMIT)
                        environments.add(n)
            name = f"violation/{cost}/{part}"
            metrics[f"{name}/environments"] = len(environments) / happened.age.shape[1]
            if amounts:
                metrics[f"{name}/size"] = sum(amounts) / len(amounts)
                metrics[f"{name}/largest"] = max(amounts)
                metrics[f"{name}/phase"] = sum(phases) / len(phases)
    return metrics


def test_by_hand() -> None:
    knee = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 3.0]])  # [T, N]
    torque = torch.stack((torch.zeros(4, 3), knee), -1)
    age = torch.tensor([[7, 0, 10], [8, 1, 11], [60, 2, 12], [10, 3, 80]])
    assert told(made({"speed": torch.zeros(4, 3, 1), "torque": torque}, age)) == {
        "violation/speed/speed/environments": 0.0,
        "violation/torque/hip/environments": 0.0,
        "violation/torque/knee/environments": pytest.approx(2 / 3),
        "violation/torque/knee/size": 2.0,
        "violation/torque/knee/largest": 3.0,
        "violation/torque/knee/phase": pytest.approx((10 + 60 + 80) / 3 / LIMIT),
    }


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_it_equals_the_loop(share: float) -> None:
    generator = torch.Generator().manual_seed(1)
    violated = {
        cost: torch.rand(9, 5, len(parts), generator=generator)
        * (torch.rand(9, 5, len(parts), generator=generator) < share)
        for cost, parts in PARTS.items()
    }
    happened = made(violated, torch.randint(0, LIMIT, (9, 5), generator=generator))
    weight = (torch.rand(9, 5, generator=generator) < 0.7).float()
    for one in (happened, replace(happened, weight=weight)):
        assert told(one) == pytest.approx(naive(one))


def test_what_is_no_number_is_no_violation_and_what_is_infinite_has_no_size() -> None:
    torque = torch.tensor([[[math.nan, math.inf]], [[1.0, 1.0]]])  # [T=2, N=1, J=2]
    found = told(made({"speed": torch.zeros(2, 1, 1), "torque": torque}, torch.zeros(2, 1, dtype=torch.long)))
    assert all(map(math.isfinite, found.values()))
    assert found["violation/torque/hip/size"] == 1.0
    assert found["violation/torque/knee/environments"] == 1.0
    assert "violation/torque/knee/size" not in found


def test_what_counts_has_no_size() -> None:
    known = replace(spec(1), counted=("torque",))
    ones = torch.ones(2, 1, 1)
    happened = made({"speed": ones, "torque": ones.expand(2, 1, 2)}, torch.zeros(2, 1, dtype=torch.long))
    found = look(known)(0, NOBODY, {"robot": happened})
    for part, words in {
        "speed/speed": {"environments", "phase", "size", "largest"},
        "torque/hip": {"environments", "phase"},
        "torque/knee": {"environments", "phase"},
    }.items():
        begin = f"violation/{part}/"
        assert {name.removeprefix(begin) for name in found if name.startswith(begin)} == words
    watch = ViolationMap(known)
    telemetry = {"violation/speed": np.full((1, 1), 2.0), "violation/torque": np.ones((1, 2))}
    watch(replace(BLANK, telemetry=telemetry), np.array([True]), np.array([0]))
    first = {row[1]: row for row in watch.table().rows if row[2] == 0.0}
    assert first["speed"][3:5] == (1.0, 2.0)
    assert first["knee"][3] == 1.0
    assert math.isnan(float(first["knee"][4]))


def test_several_learners_and_no_costs() -> None:
    happened = made({}, torch.zeros(2, 1, dtype=torch.long))
    both = look(spec(1))(0, {"a": None, "b": None}, {"b": happened})
    assert all(key.startswith("b/violation/") for key in both)
    assert look(replace(spec(1), violations={}))(0, NOBODY, {"robot": happened}) == {}


def test_how_often_and_how_many() -> None:
    happened = made({}, torch.zeros(2, 1, dtype=torch.long))
    seen = [bool(look(spec(1), every)(i, NOBODY, {"r": happened})) for every in (0, 2) for i in (0, 1, 2)]
    assert seen == [False, False, False, True, False, True]
    first = look(spec(1), parts=1)(0, NOBODY, {"r": happened})
    assert first == {key: value for key, value in told(happened).items() if "knee" not in key}


def episode_steps(limit: int) -> tuple[EnvironmentSpec, ViolationMap]:
    """Two environments: 0 lives 2 steps and violates by its knee in the second; 1 lives to the limit, by its hip in the
    last step."""
    known = replace(spec(2), max_episode_steps=limit)
    watch = ViolationMap(known)
    for t in range(limit):
        torque = np.array([[0.0, 4.0 * (t == 1)], [1.0 * (t == limit - 1), 0.0]])
        step = replace(BLANK, telemetry={"violation/speed": np.zeros((2, 1)), "violation/torque": torque})
        counted = np.array([t < 2, True])
        watch(step, counted, np.full(counted.sum(), t))
    return known, watch


ROW = np.zeros(2)
BLANK = Step({}, {}, ROW, ROW[:, None], ROW[:, None], ROW > 0, ROW > 0, ROW > 0, {}, {})


def test_a_map_says_where_and_when() -> None:
    _, watch = episode_steps(4)
    assert watch.violated
    table = watch.table()
    assert table.columns == ("constraint", "part", "time", "share", "size", "steps")
    assert [row[:4] for row in table.rows if row[1] == "knee"] == [
        ("torque", "knee", 0.0, 0.0),
        ("torque", "knee", 0.01, 0.5),
        ("torque", "knee", 0.02, 0.0),
        ("torque", "knee", 0.03, 0.0),
    ]
    assert [row[5] for row in table.rows if row[1] == "hip"] == [2.0, 2.0, 1.0, 1.0]
    hip = [row for row in table.rows if row[1] == "hip"]
    assert [row[3] for row in hip] == [0.0, 0.0, 0.0, 1.0]
    assert math.isnan(float(hip[0][4]))
    assert hip[3][4] == 1.0
    assert [row[4] for row in table.rows if row[1] == "knee"][1] == 4.0


def test_long_episodes_are_binned() -> None:
    _, watch = episode_steps(120)
    rows = [row for row in watch.table().rows if row[1] == "knee"]
    assert len(rows) == 40  # of three steps each
    assert rows[0][2:] == (0.0, 0.2, 4.0, 5.0)
    assert rows[1][2:4] == (0.03, 0.0)
    assert sum(float(row[5]) for row in rows) == 122.0


def test_a_time_that_no_episode_lived_to_see_is_unknown() -> None:
    watch = ViolationMap(replace(spec(2), max_episode_steps=4))
    step = replace(
        BLANK, telemetry={"violation/speed": np.ones((2, 1)), "violation/torque": np.zeros((2, 2))}
    )
    watch(step, np.array([True, False]), np.array([0]))
    speed = [row[3] for row in watch.table().rows if row[0] == "speed"]
    assert speed[0] == 1.0
    assert all(math.isnan(float(share)) for share in speed[1:])
    with Pixels.open(io.BytesIO(watch.image().png)) as image:
        assert image.format == "PNG"


def test_nothing_violated() -> None:
    watch = ViolationMap(spec(2))
    step = replace(
        BLANK, telemetry={"violation/speed": np.zeros((2, 1)), "violation/torque": np.zeros((2, 2))}
    )
    watch(step, np.array([True, True]), np.array([0, 0]))
    assert not watch.violated
