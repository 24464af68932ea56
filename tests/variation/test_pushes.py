"""Pushes: when, how hard and where to, each in its own world."""

from __future__ import annotations

import io
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
from scipy import stats
from varied_worlds import FIVE, actions, config, followed, plan, robot, same, vary

from pgrobot.errors import PgrobotError
from pgrobot.run.robustness import _at, swept
from pgrobot.simulation.variation import Strength
from pgrobot.simulation.variation.pushes import Pushes

DT = 0.008  # of a step of Hopper
OFTEN = {"impulse": [1.0, 4.0], "interval": [3 * DT, 6 * DT], "axes": ["x", "z"]}
STEPS = 40


def shown(environment: Any) -> np.ndarray:
    found: np.ndarray = environment._observation["privileged"]
    return found


@pytest.mark.parametrize(
    ("node", "strength"),
    [(OFTEN | {"impulse": 0.0}, Strength.FULL), (OFTEN, Strength.NOMINAL)],
    ids=["nothing", "nominal"],
)
def test_pushes_of_no_size_are_as_good_as_none_to_the_last_bit(
    node: dict[str, Any], strength: Strength
) -> None:
    pushed, plain = vary({"push": node}, 4, strength), robot().make(4, {}, 0, 1)
    pushed.reset(), plain.reset()
    taken = actions(plain, 60)
    left, right = followed(pushed, taken), followed(plain, taken)
    assert right["terminated"].any()
    assert same(left, right)
    assert not left["variation/push"].any()


def test_what_is_shown_is_the_force_of_the_step_to_come() -> None:
    """Against simulations that are pushed so by hand."""
    environment = vary({"push": OFTEN | {"body": "thigh"}, "mass": FIVE["mass"]}, 3)
    environment.reset()
    assert environment.spec.observation["privileged"].names[-2:] == ("push/x", "push/z")
    batch, body, pushes = environment.simulation.batch, environment.model.body("thigh").id, 0
    copies = [batch.get_data(i) for i in range(3)]
    models = [environment.simulation.model_of(i) for i in range(3)]
    for action in actions(environment, STEPS):
        coming = shown(environment)[:, -2:].copy()
        step = environment.advance(action)
        for i, (model, data) in enumerate(zip(models, copies, strict=True)):
            data.ctrl[:] = action[i]
            data.xfrc_applied[body, [0, 2]] = coming[i] * (1.0 / DT)
            mujoco.mj_step(model, data, batch.frame_skip)
            assert np.allclose(batch.field("qpos")[i], data.qpos, rtol=1e-12, atol=1e-13)
            assert np.allclose(batch.field("qvel")[i], data.qvel, rtol=1e-9, atol=1e-11)
        assert np.allclose(step.telemetry["variation/push"][:, 0], np.linalg.norm(coming, axis=1), rtol=1e-14)
        assert not batch.field("xfrc_applied").any(), "a push is over with its step"
        pushes += int((coming != 0.0).any(axis=1).sum())
    assert 3 * STEPS / 6 - 3 <= pushes <= 3 * STEPS / 3


def test_a_robot_that_flies_freely_takes_the_velocity() -> None:
    """Momentum is kept but for the push and for weight, whatever the own masses are."""
    node = {"velocity": 2.0, "interval": 0.05, "axes": ["x", "y"]}
    ant = robot("ant")
    environment = vary({"push": node, "mass": FIVE["mass"]}, 2, of=ant)
    qpos = np.tile(environment.model.qpos0, (2, 1))
    qpos[:, 2] = 20.0
    environment.set_state(np.arange(2), qpos, np.zeros((2, environment.model.nv)))
    assert not shown(environment)[:, -2:].any()
    environment.advance(np.zeros((2, 8)))
    drawn = shown(environment)[:, -2:].copy()
    assert np.allclose(np.linalg.norm(drawn, axis=1), 2.0, rtol=1e-12)
    velocity = []
    for _ in range(2):
        for i in range(2):
            model, data = environment.simulation.model_of(i), environment.simulation.batch.get_data(i)
            mujoco.mj_forward(model, data)
            mujoco.mj_subtreeVel(model, data)
            velocity.append(data.subtree_linvel[1].copy())
        environment.advance(np.zeros((2, 8)))
    change = np.array(velocity[2:]) - np.array(velocity[:2])
    assert np.allclose(change[:, :2], drawn, rtol=1e-2, atol=1e-2)
    assert np.allclose(change[:, 2], -9.81 * 0.05, rtol=1e-2)


def test_times_sizes_and_directions_are_drawn_evenly() -> None:
    node = {"impulse": [1.0, 4.0], "interval": [10 * DT, 400 * DT], "axes": ["x", "y", "z"]}
    physics = robot().make(64, {}, 0, 1).simulation.batch
    pushes = Pushes(plan({"push": node}).pushes, physics, 3)
    pushes.begin(np.arange(64), np.ones((64, 1)))
    times: list[list[int]] = [[] for _ in range(64)]
    for t in range(4000):
        for i in np.flatnonzero(pushes.shown.any(axis=1)).tolist():
            times[i].append(t)
        pushes.act()
        pushes.rest()
    found = np.empty((20_000, 3))
    for row in found:
        pushes._draw(0, 0)
        row[:] = pushes._drawn[0, 0]
    size = np.linalg.norm(found, axis=1)
    assert stats.kstest(size, stats.uniform(1.0, 3.0).cdf).pvalue > 0.01
    for axis in range(3):  # Archimedes: each coordinate of a point on the sphere is uniform
        assert stats.kstest(found[:, axis] / size, stats.uniform(-1.0, 2.0).cdf).pvalue > 0.01
    assert stats.kstest([each[0] for each in times], stats.uniform(9.5, 391.0).cdf).pvalue > 0.01
    gaps = np.concatenate([np.diff(each) for each in times])
    assert (gaps.min(), gaps.max()) == (10, 400) or (gaps.min() >= 10 and gaps.max() <= 400)
    early = np.concatenate(
        [np.diff(each)[:4] for each in times]
    )  # later ones are cut off where they are long
    assert stats.kstest(early, stats.uniform(9.5, 391.0).cdf).pvalue > 0.01


def test_a_push_is_its_own_worlds() -> None:
    few, many, alone = (
        vary({"push": OFTEN, "mass": FIVE["mass"]}, 2),
        vary({"push": OFTEN, "mass": FIVE["mass"]}, 4),
        vary({"mass": FIVE["mass"]}, 2),
    )
    for environment in (few, many, alone):
        environment.reset()
    assert np.array_equal(shown(few)[:, :4], shown(alone)), (
        "what is drawn of masses does not depend on pushes"
    )
    taken = actions(many, STEPS)
    left, right = followed(few, taken[:, :2]), followed(many, taken)
    assert all(np.array_equal(left[name], right[name][:, :2]) for name in left)
    few.restart(np.array([1]))
    one, other = followed(few, taken[:8, :2]), followed(many, taken[:8])
    assert all(np.array_equal(one[name][:, 0], other[name][:, 0]) for name in one)
    assert not np.array_equal(one["obs/policy"][:, 1], other["obs/policy"][:, 1])


def test_a_resumed_world_is_pushed_as_it_would_have_been() -> None:
    nodes = {"push": OFTEN | {"schedule": {"steps": 200, "start": 0.5}}, "mass": FIVE["mass"]}
    environment = vary(nodes, 3, Strength.SCHEDULED)
    environment.reset()
    taken = actions(environment, 2 * STEPS)
    followed(environment, taken[:STEPS])
    torch.save(environment.state_dict(), buffer := io.BytesIO())
    buffer.seek(0)
    resumed = vary(nodes, 3, Strength.SCHEDULED)
    resumed.reset()
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    left, right = followed(environment, taken[STEPS:]), followed(resumed, taken[STEPS:])
    assert left.keys() == right.keys()
    assert all(np.array_equal(left[name], right[name]) for name in left)
    assert left["terminated"].any()
    assert left["variation/push/strength"].min() < 1.0
    assert (left["variation/push"] > 0.0).any()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("variation.push.impulse=-1", r"variation\.push\.impulse begins at -1, and a push is at least 0"),
        ("variation.push.interval=[0,1]", r"variation\.push\.interval begins at 0 s: it has to be above 0"),
        ("variation.push.axes=[x,w]", r"variation\.push\.axes must be a list of some of x, y and z"),
        ("+variation.push.velocity=1", r"variation\.push needs one of impulse and velocity, not both"),
        ("+variation.push.scale=1", r"variation\.push is a push, which has no key 'scale'"),
        ("+variation.mass.follows=push", r"variation\.mass\.follows=push is no other entry"),
    ],
)
def test_a_push_that_means_nothing_is_refused(line: str, sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        config("task=hopper", "variation=[mass,push]", line)


def test_a_body_that_is_not_there_or_does_not_move_is_not_pushed() -> None:
    with pytest.raises(
        PgrobotError, match=r"variation\.push\.body: the model has no body 'torsoo': did you mean"
    ):
        vary({"push": OFTEN | {"body": "torsoo"}}, 1)
    with pytest.raises(PgrobotError, match=r"variation\.push\.body: body 'world' does not move"):
        vary({"push": OFTEN | {"body": "world"}}, 1)


def test_a_sweep_takes_the_size_of_a_push() -> None:
    cfg = config("task=hopper", "variation=[mass,push]", "evaluation.variation=false")
    (axis,) = swept(["variation.push=0,5"], cfg)
    world = _at(cfg, [axis], {"push": 5.0})
    assert dict(world.variation.push) == {
        "body": "",
        "interval": [2.0, 5.0],
        "axes": ["x", "y"],
        "impulse": [5.0, 5.0],
    }
    still = _at(cfg, [], {}).variation
    assert (list(still.push.impulse), list(still.mass.scale)) == ([0.0, 0.0], [1.0, 1.0])
