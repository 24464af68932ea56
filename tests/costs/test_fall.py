"""A fall: the step that ends an episode for good, counted once, and what share of episodes it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
import yaml
from hydra.utils import get_class

import pgrobot.conf
from pgrobot.configure import build, compose, validated
from pgrobot.constraints import Constraint, CostColumns, measure
from pgrobot.envs.costs import Fall
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment

CONF = Path(pgrobot.conf.__path__[0])
FALLS = ("ant", "hopper", "humanoid", "inverteddoublependulum", "invertedpendulum", "walker2d")
STANDS = ("halfcheetah", "humanoidstandup", "pusher", "reacher", "swimmer")
ENVS, LIMIT = 16, 25
FALLS_SELDOM = Constraint("fall", 0.1, "probability", 0.0)


def make(task: str, envs: int, **options: Any) -> BatchEnvironment:
    node = yaml.safe_load((CONF / "task" / f"{task}.yaml").read_text())
    node.pop("defaults", None)
    node = node | {key: float(value) if value in (".inf", "inf") else value for key, value in node.items()}
    robot = get_class(node.pop("_target_"))(**(node | options))
    environment: BatchEnvironment = robot.make(envs, {"fall": Fall("", -np.inf, np.inf)}, seed=0, threads=1)
    return environment


def fallen(environment: BatchEnvironment, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cost, whether an episode ended for good, and whether it ended at all, under random actions, ``[T, N]`` each."""
    environment.reset()
    spec, random = environment.spec, np.random.default_rng(1)
    taken = []
    for _ in range(steps):
        step = environment.step(random.uniform(spec.action_low, spec.action_high, (spec.num_envs, 3)))
        assert np.array_equal(step.telemetry["violation/fall"], step.cost)
        taken.append((step.cost[:, 0], step.terminated, step.terminated | step.truncated))
    cost, terminated, done = (np.stack(each) for each in zip(*taken, strict=True))
    return cost, terminated, done


@pytest.mark.parametrize("task", FALLS)
def test_robots_that_fall_have_a_part_to_name(task: str) -> None:
    (parts,) = make(task, 1).spec.violations.values()
    assert len(parts) == 1


def test_a_fall_costs_one_in_the_step_that_ends_the_episode_and_the_time_limit_nothing() -> None:
    cost, terminated, done = fallen(make("hopper", ENVS, max_episode_steps=LIMIT), 200)
    assert np.array_equal(cost, terminated)
    assert 0 < terminated.sum() < done.sum()


def test_a_broken_simulation_has_not_fallen() -> None:
    environment = make("hopper", 2)
    environment.reset()
    environment.simulation.batch.field("qvel")[1, 0] = np.nan
    step = environment.step(np.zeros((2, 3)))
    assert list(step.failures) == [1]
    assert step.cost.tolist() == [[0.0], [0.0]]
    environment.simulation.batch.field("qpos")[:, 1] = 0.1  # the torso on the ground
    assert environment.step(np.zeros((2, 3))).cost.tolist() == [[1.0], [1.0]]


def measured(cost: np.ndarray, done: np.ndarray) -> float:
    """What a multiplier is told of a rollout in which every episode begins."""
    columns = CostColumns((FALLS_SELDOM,), ENVS)
    pay, paid = np.zeros((*cost.shape, 1)), np.zeros((*cost.shape, 1), dtype=bool)
    for t in range(len(cost)):
        paid[t] = columns.paid
        pay[t] = columns(cost[t][:, None], done[t])
    assert np.array_equal(pay[..., 0], cost), "it pays in the step of the fall"
    found = measure(
        torch.tensor(pay),
        torch.tensor(done),
        torch.zeros(done.shape, dtype=torch.bool),
        torch.tensor(ages(done)),
        torch.tensor(paid),
        (FALLS_SELDOM,),
        0.99,
        LIMIT,
    )
    return float(found.cost)


def ages(done: np.ndarray) -> np.ndarray:
    """Steps that the running episode had done before each step ``[T, N]``, of episodes that begin with the first."""
    age = np.zeros(done.shape, dtype=int)
    for t in range(1, len(age)):
        age[t] = np.where(done[t - 1], 0, age[t - 1] + 1)
    return age


@pytest.mark.parametrize("seed", range(3))
def test_of_whole_episodes_the_estimate_is_the_share_that_fell(seed: int) -> None:
    random, age = np.random.default_rng(seed), np.zeros(ENVS, dtype=int)
    cost, done, fell = np.zeros((120, ENVS)), np.zeros((120, ENVS), dtype=bool), []
    for t in range(120):
        falls = (random.random(ENVS) < 0.05) | ((t == 119) & (age < LIMIT - 1))
        cost[t], done[t] = falls, falls | (age == LIMIT - 1)
        fell += cost[t, done[t]].tolist()
        age = np.where(done[t], 0, age + 1)
    share = np.mean(fell)
    assert 0.0 < share < 1.0
    assert measured(cost, done) == pytest.approx(share, abs=1e-12)


def test_of_a_rollout_it_is_who_falls_at_an_age_among_those_who_live_to_it() -> None:
    cost, _, done = fallen(make("hopper", ENVS, max_episode_steps=LIMIT), 110)
    age = ages(done)
    stays = [1.0 - cost[age == a].mean() for a in range(LIMIT)]
    assert measured(cost, done) == pytest.approx(1.0 - np.prod(stays), abs=1e-12)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        *((task, {}) for task in STANDS),
        *((task, {"terminate_when_unhealthy": False}) for task in ("ant", "hopper", "humanoid", "walker2d")),
    ],
)
def test_a_robot_whose_episodes_no_fall_ends_is_refused(task: str, options: dict[str, Any]) -> None:
    sentence = r"^no fall ends an episode of \w+-v5, so it cannot be constrained by fall: say of a body when it lies, "
    with pytest.raises(
        PgrobotError, match=sentence + r"by \S+ and \S+ or leave it out with ~constraint\.fall\.$"
    ):
        make(task, 1, **options)


def test_the_end_of_another_library_s_episode_may_be_its_success_and_is_no_fall() -> None:
    overrides = ["task=gymnasium", "task.id=Hopper-v5", "constraint=[fall]", "debug=tiny", "tracker=none"]
    with pytest.raises(PgrobotError, match=r"constraint 'fall' is measured in a pgrobot robot.*info"):
        build(validated(compose(overrides)), 1)


def test_the_registered_robots_report_it() -> None:
    import pgrobot.envs  # noqa: F401

    hopper = gymnasium.make("pgrobot/Hopper-v5", costs={"fall": {}})
    hopper.reset(seed=1)
    falls, terminated = [], False
    while not terminated:
        *_, terminated, _, info = hopper.step(np.ones(3, dtype=np.float32))
        falls.append(info["cost/fall"])
    assert falls == [0.0] * (len(falls) - 1) + [1.0]
