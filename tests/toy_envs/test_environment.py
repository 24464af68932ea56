"""Small worlds keep the environment's contract, and do what their tables and matrices say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pgrobot.collectors import ActionMap
from pgrobot.configure import build_environment, compose, validated
from pgrobot.constraints import Constraint, CostColumns
from pgrobot.envs.toys import LQR, GaussianBandit, SoftmaxBandit, TabularMDP, TMaze
from pgrobot.envs.toys.cells import bounds, chosen
from pgrobot.errors import PgrobotError
from pgrobot.simulation.adapters import InfoCost
from pgrobot.types import Action, Environment, EnvironmentSpec, Step

WORLDS = ("gaussian_bandit", "softmax_bandit", "mdp", "lqr", "lqg", "t_maze")


def make(task: str, num_envs: int, *overrides: str, seed: int = 3) -> Environment:
    return build_environment(validated(compose([f"task={task}", *overrides])), num_envs, seed, 1)


def play(environment: Environment, actions: np.ndarray) -> list[Step]:
    return [environment.step(action) for action in actions]


def same(first: Sequence[Step], second: Sequence[Step], columns: slice = slice(None)) -> bool:
    def flat(step: Step) -> list[np.ndarray]:
        return [step.obs["policy"], step.next_obs["policy"], step.reward, step.terminated, step.truncated]

    return all(
        np.array_equal(a[columns], b)
        for x, y in zip(first, second, strict=True)
        for a, b in zip(flat(x), flat(y), strict=True)
    )


def actions_for(environment: Environment, steps: int) -> np.ndarray:
    shape = (steps, environment.spec.num_envs, environment.spec.action_low.size)
    return np.random.default_rng(0).uniform(0, 2, shape)


@pytest.mark.parametrize("task", WORLDS)
def test_an_environment_depends_neither_on_its_neighbours_nor_on_their_number(task: str) -> None:
    five, two = make(task, 5), make(task, 2)
    np.testing.assert_array_equal(five.reset()["policy"][:2], two.reset()["policy"])
    actions = actions_for(five, 60)
    assert same(play(five, actions), play(two, actions[:, :2]), slice(0, 2))


@pytest.mark.parametrize("task", WORLDS)
def test_a_saved_world_goes_on_bit_for_bit(task: str) -> None:
    environment = make(task, 3)
    actions = actions_for(environment, 120)
    play(environment, actions[:60])
    saved = environment.state_dict()
    expected = play(environment, actions[60:])
    other = make(task, 3, seed=4)
    other.load_state_dict(saved)
    assert same(play(other, actions[60:]), expected)
    with pytest.raises(PgrobotError, match="do not fit"):
        make(task, 2).load_state_dict(saved)


@pytest.mark.parametrize("task", WORLDS)
def test_an_episode_ends_at_its_limit_at_the_latest_and_begins_anew(task: str) -> None:
    environment = make(task, 4)
    limit = environment.spec.max_episode_steps
    age = np.zeros(4, int)
    for step in play(environment, actions_for(environment, 2 * limit + 3)):
        age += 1
        done = step.terminated | step.truncated
        assert not (step.terminated & step.truncated).any()
        assert (age[~done] < limit).all()
        assert (age[step.truncated] == limit).all()
        running = ~done
        np.testing.assert_array_equal(step.obs["policy"][running], step.next_obs["policy"][running])
        age[done] = 0
    with pytest.raises(PgrobotError, match="takes actions"):
        environment.step(np.zeros((4, 7)))


def test_only_a_finite_problem_terminates_at_its_time_limit() -> None:
    tables: dict[str, Any] = {
        "transition": [[[1.0], [1.0]]],
        "reward": [[0.0, 1.0]],
        "costs": {},
        "start": [1.0],
        "max_episode_steps": 3,
    }
    for finite in (True, False):
        environment = TabularMDP(name="two", finite=finite, **tables).make(1, {}, 0, 1)
        steps = play(environment, np.full((6, 1, 1), 1.5))
        assert [bool(s.terminated[0]) for s in steps] == [False, False, finite] * 2
        assert [bool(s.truncated[0]) for s in steps] == [False, False, not finite] * 2
        assert [float(s.reward[0]) for s in steps] == [1.0] * 6


def test_a_bandit_is_one_step_and_pays_what_it_says() -> None:
    action = np.array([[-1.0], [0.7], [3.0]])
    step = make("gaussian_bandit", 3).step(action)
    np.testing.assert_allclose(step.reward, -((action[:, 0] - 0.7) ** 2), rtol=1e-15)
    assert step.terminated.all()
    assert not step.truncated.any()
    environment = make("softmax_bandit", 4, "task.noise=0")
    step = environment.step(np.array([[0.5], [1.0], [2.999], [9.0]]))
    assert step.reward.tolist() == [0.2, -0.5, 1.0, 0.4]


def test_the_noise_of_a_bandit_has_the_deviation_asked_for() -> None:
    environment = make("softmax_bandit", 2, "task.noise=0.5")
    reward = np.array([environment.step(np.full((2, 1), 2.5)).reward for _ in range(4000)])
    assert reward.mean() == pytest.approx(1.0, abs=4 * 0.5 / np.sqrt(8000))
    assert reward.std() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("choices", [2, 3, 5, 11])
def test_every_bin_of_a_policy_is_a_choice(choices: int) -> None:
    """Bins in policy units, by their centres or from end to end, in float32 as the collector has them."""
    low, high = bounds(choices)
    spec = EnvironmentSpec("cells", 1, {}, low, high, Action.unitless("a"), (), (), {}, {}, False, 1, 1.0)
    to_environment = ActionMap.of(spec)
    centres = (2 * np.arange(choices) + 1) / choices - 1
    ends = np.linspace(-1, 1, choices)
    for bins in (centres, ends):
        actions = to_environment(bins[:, None].astype(np.float32))
        assert chosen(actions, choices).tolist() == list(range(choices))
    assert chosen(np.array([[-0.1], [choices + 0.1]]), choices).tolist() == [0, choices - 1]


def test_a_process_moves_as_its_tables_say() -> None:
    environment = make("mdp", 2000)
    mdp = environment.world  # type: ignore[attr-defined]
    model = TabularMDP(**options("mdp")).model
    observed = environment.reset()["policy"]
    np.testing.assert_allclose(observed.mean(0), [0.6, 0.4, 0.0], atol=4 * np.sqrt(0.24 / 2000))
    assert mdp.layout.observation == 3
    counts, ends, visits = np.zeros((3, 2, 3)), np.zeros((3, 2)), np.zeros((3, 2))
    random = np.random.default_rng(1)
    for _ in range(40):
        state = observed.argmax(1)
        choice = random.integers(0, 2, len(state))
        step = environment.step(choice[:, None] + random.random((len(state), 1)))
        np.testing.assert_array_equal(step.reward, model.reward.numpy()[state, choice])
        successor = step.next_obs["policy"].argmax(1)
        np.add.at(visits, (state, choice), 1)
        np.add.at(ends, (state, choice), step.terminated)
        going = ~step.terminated
        np.add.at(counts, (state[going], choice[going], successor[going]), 1)
        observed = step.obs["policy"]
    expected = model.transition.numpy()
    tolerance = 4.5 * np.sqrt(0.25 / visits)
    assert (np.abs(counts / visits[..., None] - expected) < tolerance[..., None]).all()
    assert (np.abs(ends / visits - (1 - expected.sum(-1))) < tolerance).all()
    assert ends[0].sum() == 0, "a whole row never ends the episode"


def test_the_sign_of_a_maze_is_shown_once_and_pays_at_the_fork() -> None:
    """A step is right by chance half of the time, whatever is done there without the sign."""
    environment = make("t_maze", 400, "task.length=4")
    observed = [environment.reset()["policy"]]
    side = observed[0][:, 0].copy()
    assert set(side) == {-1.0, 1.0}
    assert side.mean() == pytest.approx(0.0, abs=4 / np.sqrt(400))
    turns = np.linspace(-1.0, 1.0, 400)[:, None]
    for walked in range(1, 4):
        step = environment.step(-turns)
        assert not step.reward.any()
        assert not step.terminated.any()
        np.testing.assert_array_equal(step.obs["policy"], [[0.0, walked / 4]] * 400)
    last = environment.step(turns)
    np.testing.assert_array_equal(last.reward, np.sign(turns[:, 0]) == side)
    assert last.terminated.all()
    for turn in (-1.0, 0.0, 1.0):  # both sides are met at the fork alike
        environment.reset()
        steps = play(environment, np.full((4, 400, 1), turn))
        assert steps[-1].reward.mean() == pytest.approx(0.5 * (turn != 0.0), abs=4 * 0.5 / np.sqrt(400))


def options(task: str) -> dict[str, Any]:
    cfg = validated(compose([f"task={task}"])).task
    return {str(key): value for key, value in cfg.items() if key != "_target_"}


def test_a_cost_is_a_column_of_the_tables() -> None:
    environment = make("mdp", 2, "constraint=cost")
    assert environment.spec.costs == ("cost",)
    step = environment.step(np.array([[0.5], [1.5]]))
    assert step.cost.tolist() == [[0.0], [1.0]]
    columns = CostColumns([Constraint("cost", 1.0, "episode", 1.0)], 2)
    assert columns(step.cost, np.zeros(2, bool)).shape == (2, 1)


def test_linear_dynamics_and_a_quadratic_cost() -> None:
    environment = make("lqg", 400)
    state = environment.reset()["policy"]
    np.testing.assert_allclose(state.std(0), [1.0, 0.5], rtol=0.15)
    action = np.random.default_rng(0).standard_normal((400, 1))
    step = environment.step(action)
    lqr = LQR(**options("lqg"))
    expected = state @ np.array(lqr.dynamics).T + action @ np.array(lqr.control).T
    noise = step.next_obs["policy"] - expected
    np.testing.assert_allclose(noise.std(0), lqr.noise, rtol=0.15)
    cost = (state**2) @ np.array(lqr.state_cost) + (action**2) @ np.array(lqr.action_cost)
    np.testing.assert_allclose(step.reward, -cost, rtol=1e-12)


BAD = [
    (lambda: GaussianBandit(name="b", centre=float("nan")), "centre"),
    (lambda: SoftmaxBandit(name="b", values=[1.0], noise=0.0), "values"),
    (lambda: SoftmaxBandit(name="b", values=[1.0, 2.0], noise=-1.0), "noise"),
    (lambda: altered("mdp", start=[0.5, 0.4, 0.0]), "start"),
    (lambda: altered("mdp", reward=[[0.0, 1.0]]), "reward"),
    (lambda: altered("mdp", reward=[[0.0, 1.0], [0.0], [1.0, 1.0]]), "reward"),
    (lambda: altered("mdp", costs={"heat": [[0.0]]}), "costs.heat"),
    (lambda: altered("mdp", transition=[[[0.8, 0.4, 0.0]] * 2] * 3), "transition"),
    (lambda: altered("mdp", max_episode_steps=0), "max_episode_steps"),
    (lambda: altered("lqr", control=[[0.0], [1.0], [1.0]]), "control"),
    (lambda: altered("lqr", noise=[-0.1, 0.0]), "noise"),
    (lambda: altered("lqr", action_cost=[0.0]), "action_cost"),
    (lambda: TMaze(name="t", length=0), "length"),
]


def altered(task: str, **changes: Any) -> object:
    return {"mdp": TabularMDP, "lqr": LQR}[task](**{**options(task), **changes})


@pytest.mark.parametrize(("build", "names"), BAD, ids=[names for _, names in BAD])
def test_a_bad_option_is_refused_by_name(build: Any, names: str) -> None:
    with pytest.raises(PgrobotError, match=rf"task\.{names} has to"):
        build()


def test_a_cost_that_a_world_does_not_charge_is_refused() -> None:
    with pytest.raises(PgrobotError, match="charges no cost 'heat'"):
        TabularMDP(**options("mdp")).make(1, {"heat": InfoCost()}, 0, 1)
    with pytest.raises(PgrobotError, match="measured in a robot"):
        make("lqr", 1, "constraint=torque")
    with pytest.raises(PgrobotError, match="num_envs"):
        GaussianBandit(name="b", centre=0.0).make(0, {}, 0, 1)


def test_worlds_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        GaussianBandit(name="b", centre=0.0).centre = 1.0  # type: ignore[misc]
