"""Sauté and early termination: closed forms, the bare task where a policy is judged, and a problem of two states."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgrobot.assembly import build_environment
from pgrobot.collectors import StaggeredEnvironment
from pgrobot.configure import compose, validated
from pgrobot.constraints import Constraint
from pgrobot.constraints.tightening import Tightening
from pgrobot.envs.toys.world import Layout, Transition, WorldEnvironment
from pgrobot.errors import PgrobotError
from pgrobot.run import Surroundings, nobody, prepare, run, silent_console
from pgrobot.simulation.adapters import InfoCost
from pgrobot.simulation.variation import Strength
from pgrobot.simulation.wrappers import wrapped
from pgrobot.types import Environment, Step
from pgrobot.wrappers import EarlyTermination, Saute

GAMMA = 0.9
COSTS = ("a", "b", "c")
BUDGETS = (
    Constraint("a", 1.7, "episode", 0.0),
    Constraint("b", 1.2, "discounted", 0.0),
    Constraint("c", 0.1, "probability", 2.0),
)


@dataclass(frozen=True)
class Chance:
    """Costs and ends by chance, in episodes of at most twelve steps; the reward is what was observed."""

    @property
    def layout(self) -> Layout:
        return Layout("Chance", 1, np.array([-1.0]), np.array([1.0]), COSTS, 12, finite=False)

    def start(self, random: np.random.Generator) -> np.ndarray:
        return random.random(1)

    def draw(self, random: np.random.Generator) -> np.ndarray:
        return random.random(5)

    def observe(self, state: np.ndarray) -> np.ndarray:
        return state.copy()

    def advance(self, state: np.ndarray, action: np.ndarray, chance: np.ndarray) -> Transition:
        cost = np.round(2.0 * chance[:, :3] ** 3, 1)
        return Transition(chance[:, [3]], state[:, 0], cost, chance[:, 4] < 0.1)


@dataclass(frozen=True)
class TwoStates:
    """From state 0 or 1: a risk (an action above 0) pays 1 or 2 at a cost of 1 and leads to 0, safety leads to 1."""

    steps: int

    @property
    def layout(self) -> Layout:
        return Layout("Two", 1, np.array([-1.0]), np.array([1.0]), ("a",), self.steps, finite=True)

    def start(self, random: np.random.Generator) -> np.ndarray:
        return np.zeros(1)

    def draw(self, random: np.random.Generator) -> np.ndarray:
        return np.zeros(0)

    def observe(self, state: np.ndarray) -> np.ndarray:
        return state.copy()

    def advance(self, state: np.ndarray, action: np.ndarray, chance: np.ndarray) -> Transition:
        risk = action[:, 0] > 0.0
        paid = np.where(risk, 1.0 + state[:, 0], 0.0)
        return Transition(1.0 - risk[:, None], paid, risk[:, None].astype(float), np.zeros(len(risk), bool))


def chance(num_envs: int = 5, seed: int = 3) -> Environment:
    return WorldEnvironment(Chance(), num_envs, {name: InfoCost(np.inf) for name in COSTS}, seed)


def limited(
    kind: Callable[..., Any],
    environment: Environment,
    *,
    training: bool = True,
    annealing_steps: int = 100,
    budgets: Sequence[Constraint] = BUDGETS,
    **settings: Any,
) -> Environment:
    made = partial(kind, **{"unsafe_reward": -1.0, **settings})
    told = {
        "constraints": budgets,
        "cost_discount": GAMMA,
        "training": training,
        "annealing_steps": annealing_steps,
    }
    return wrapped(environment, {"limited": made}, 0, told)


def played(environment: Environment, steps: int = 40, seed: int = 0) -> list[Step]:
    environment.reset()
    return gone_on(environment, steps, seed)


def gone_on(environment: Environment, steps: int, seed: int = 0) -> list[Step]:
    random = np.random.default_rng(seed)
    return [environment.step(random.uniform(-1, 1, (environment.spec.num_envs, 1))) for _ in range(steps)]


def assert_same(one: Step, other: Step, but: Sequence[str] = ()) -> None:
    for field in ("reward", "terms", "cost", "terminated", "truncated", "censored"):
        if field not in but:
            assert np.array_equal(getattr(one, field), getattr(other, field)), field
    for field in ("obs", "next_obs"):
        for name, value in getattr(one, field).items():
            assert np.array_equal(value, getattr(other, field)[name]), field


def test_what_is_left_is_its_recursion_and_is_shown_before_and_after_an_end() -> None:
    environment = limited(Saute, chance())
    assert environment.spec.observation["policy"].names[1:] == ("remaining/a", "remaining/b", "remaining/c")
    z, spent = np.ones((5, 3)), np.zeros((5, 3))
    allowed, discount = np.array([1.7, 1.2, 2.0]), np.array([1.0, GAMMA, 1.0])
    first, ends, over = environment.reset()["policy"], 0, 0
    assert np.array_equal(first[:, 1:], z)
    age = np.zeros((5, 1))
    for step in gone_on(environment, 60):
        z = (z - step.cost / allowed) / discount
        spent += discount**age * step.cost
        np.testing.assert_allclose(step.next_obs["policy"][:, 1:], z, rtol=1e-9, atol=1e-12)
        assert np.array_equal(step.next_obs["policy"][:, 1:] < 0.0, spent > allowed)
        done = step.terminated | step.truncated
        z[done], spent[done], age = 1.0, 0.0, np.where(done[:, None], 0.0, age + 1.0)
        np.testing.assert_allclose(step.obs["policy"][:, 1:], z, rtol=1e-9, atol=1e-12)
        ends, over = ends + done.sum(), over + (step.terms[:, 1] != 0.0).sum()
    assert ends > 20
    assert over > 20


def test_each_of_those_that_count_is_measured_by_its_own_cost() -> None:
    """In the order in which they are named, whichever of the task's costs they are."""
    whole, two = limited(Saute, chance()), limited(Saute, chance(), costs=["c", "b"])
    assert two.spec.observation["policy"].names[1:] == ("remaining/c", "remaining/b")
    for all_of_them, some in zip(played(whole), played(two), strict=True):
        for told in ("obs", "next_obs"):
            expected = getattr(all_of_them, told)["policy"][:, [0, 3, 2]]
            assert np.array_equal(getattr(some, told)["policy"], expected)


def test_overspent_steps_alone_are_paid_otherwise_and_terms_sum_to_the_reward() -> None:
    bare, shaped = played(chance()), played(limited(Saute, chance(), unsafe_reward=-3.0))
    for plain, step in zip(bare, shaped, strict=True):
        unsafe = (step.next_obs["policy"][:, 1:] < 0.0).any(1)
        assert np.array_equal(step.reward, np.where(unsafe, -3.0, plain.reward))
        assert np.array_equal(step.terms[:, :1], plain.terms)
        np.testing.assert_allclose(step.terms.sum(1), step.reward, atol=1e-15)
        assert_same(plain, replace(step, obs=plain.obs, next_obs=plain.next_obs), but=("reward", "terms"))
        assert np.array_equal(step.next_obs["policy"][:, :1], plain.next_obs["policy"])


@pytest.mark.parametrize("kind", [Saute, EarlyTermination])
def test_a_policy_is_judged_on_the_bare_task(kind: Callable[..., Any]) -> None:
    """Sauté shows what is left there too, and nothing else is another."""
    judged, bare = limited(kind, chance(), training=False), chance()
    assert judged.spec.reward_terms == bare.spec.reward_terms
    for plain, step in zip(played(bare), played(judged), strict=True):
        shown = [{"policy": obs["policy"][:, :1]} for obs in (step.obs, step.next_obs)]
        assert_same(plain, replace(step, obs=shown[0], next_obs=shown[1]))
        assert step.telemetry.keys() == plain.telemetry.keys()
        assert step.obs["policy"].shape[1] == (4 if kind is Saute else 1)


def test_where_no_group_is_the_policys_what_is_left_is_one_by_itself() -> None:
    inner = chance()
    inner.spec = replace(inner.spec, observation={"image": replace(inner.spec.observation["policy"])})
    inner.restart = lambda ids: {"image": np.zeros((5, 1))}  # type: ignore[method-assign]
    environment = limited(Saute, inner)
    assert environment.spec.observation["remaining"].names == tuple(f"remaining/{name}" for name in COSTS)
    assert np.array_equal(environment.reset()["remaining"], np.ones((5, 3)))


def test_an_episode_that_never_exceeds_is_what_it_was_to_the_last_bit() -> None:
    """Also where the costs of several episodes together exceed, for each begins with nothing spent."""
    rich = tuple(replace(each, budget=30.0, limit=30.0, unit="episode") for each in BUDGETS)
    steps = played(limited(EarlyTermination, chance(), budgets=rich), 120)
    for plain, step in zip(played(chance(), 120), steps, strict=True):
        assert_same(plain, step, but=("terms",))
        assert np.array_equal(step.terms, np.pad(plain.terms, ((0, 0), (0, 1))))
        assert not step.telemetry["termination/over_budget"].any()
    assert sum(step.cost.sum() for step in steps) > 5 * 3 * 30.0


def test_an_episode_ends_for_good_in_the_step_that_exceeds_and_nowhere_else() -> None:
    """Each episode's sums by a loop; another one begins there, and what was reached is the successor."""
    environment = limited(EarlyTermination, chance())
    spent, fade, early = np.zeros((5, 3)), np.ones((5, 3)), 0
    for step in played(environment, 80):
        spent += fade * step.cost
        fade *= [1.0, GAMMA, 1.0]
        over = (spent > [1.7, 1.2, 2.0]).any(1)
        assert np.array_equal(step.telemetry["termination/over_budget"][:, 0], over)
        assert (step.terminated[over]).all()
        assert not step.truncated[over].any()
        assert np.array_equal(step.reward == -1.0, over)
        done = step.terminated | step.truncated
        assert (step.obs["policy"][done] != step.next_obs["policy"][done]).all()
        assert np.array_equal(step.obs["policy"][~done], step.next_obs["policy"][~done])
        spent[done], fade[done], early = 0.0, 1.0, early + over.sum()
    assert early > 20


@pytest.mark.parametrize("kind", [Saute, EarlyTermination])
def test_it_goes_on_from_its_state(kind: Callable[..., Any]) -> None:
    one, other = limited(kind, chance()), limited(kind, chance(seed=9))
    played(one, 7)
    other.load_state_dict(one.state_dict())
    for step, same in zip(gone_on(one, 20), gone_on(other, 20), strict=True):
        assert_same(step, same)


TIGHTENED = (
    replace(BUDGETS[0], schedule=Tightening(5.0, 0.5)),
    replace(BUDGETS[1], schedule=Tightening(2.4, 1.0)),
    replace(BUDGETS[2], schedule=Tightening(1.0, 0.5)),
)


@pytest.mark.parametrize("kind", [Saute, EarlyTermination])
def test_an_episode_may_spend_what_the_schedule_says_where_it_begins(kind: Callable[..., Any]) -> None:
    """By a loop over environments; after 100 steps of five environments the budgets are the last ones."""
    environment = limited(kind, chance(), budgets=TIGHTENED, annealing_steps=500)
    random = np.random.default_rng(0)
    allowed, spent, age = np.tile([5.0, 2.4, 2.0], (5, 1)), np.zeros((5, 3)), np.zeros((5, 1))
    environment.reset()
    early, seen = 0, set()
    for t in range(1, 161):
        step = environment.step(random.uniform(-1, 1, (5, 1)))
        spent += np.array([1.0, GAMMA, 1.0]) ** age * step.cost
        over = (spent > allowed).any(1)
        if kind is Saute:
            z = (allowed - spent) / allowed / np.array([1.0, GAMMA, 1.0]) ** (age + 1)
            np.testing.assert_allclose(step.next_obs["policy"][:, 1:], z, rtol=1e-9, atol=1e-12)
            assert np.array_equal(step.reward == -1.0, over)
        else:
            assert np.array_equal(step.telemetry["termination/over_budget"][:, 0], over)
        done, share = step.terminated | step.truncated, 5 * t / 500
        # costs are tenths, and may equal the last one
        first = 1.7 if share >= 0.5 else 5.0 + (1.7 - 5.0) * (share / 0.5)
        allowed[done] = [first, 2.4 - 1.2 * min(share, 1.0), 2.0]
        spent[done], age = 0.0, np.where(done[:, None], 0.0, age + 1.0)
        early, seen = early + over.sum(), seen | set(allowed[:, 0].round(3))
    assert early > 20
    assert len(seen) > 8
    assert np.allclose(allowed, [1.7, 1.2, 2.0])


@pytest.mark.parametrize("kind", [Saute, EarlyTermination])
def test_a_schedule_goes_on_from_its_state_and_counts_in_training_alone(kind: Callable[..., Any]) -> None:
    one, other = (limited(kind, chance(seed=seed), budgets=TIGHTENED, annealing_steps=500) for seed in (3, 9))
    played(one, 30)
    other.load_state_dict(one.state_dict())
    for step, same in zip(gone_on(one, 60), gone_on(other, 60), strict=True):
        assert_same(step, same)
    own: Any = one.environment  # type: ignore[attr-defined]
    own.load_own_state({key: own.own_state()[key] for key in ("spent", "fade")})
    assert (own.own_state()["allowed"].numpy() == [1.7, 1.2, 2.0]).all(), "an older state: the last budgets"
    judged, last = (
        limited(kind, chance(), training=False, budgets=budgets) for budgets in (TIGHTENED, BUDGETS)
    )
    for step, same in zip(played(judged), played(last), strict=True):
        assert_same(step, same)


@pytest.mark.parametrize("kind", [Saute, EarlyTermination])
def test_an_episode_that_others_cut_leaves_nothing_spent(kind: Callable[..., Any]) -> None:
    """Ages are spread by cuts from outside, after which an environment begins anew alone."""
    rich = tuple(replace(each, budget=30.0, limit=30.0) for each in BUDGETS[:2])
    environment = limited(kind, chance(), budgets=rich)
    played(environment, 4)
    inner: Any = environment.environment  # type: ignore[attr-defined]
    before = inner.own_state()["spent"]
    environment.restart(np.array([1, 3]))
    spent, fade = (inner.own_state()[key] for key in ("spent", "fade"))
    assert before[[1, 3]].any()
    assert np.array_equal(spent[[0, 2, 4]], before[[0, 2, 4]])
    assert not spent[[1, 3]].any()
    assert (fade[[1, 3]] == 1.0).all()
    spread = StaggeredEnvironment(limited(kind, chance()), np.random.default_rng(0))
    assert any(step.censored.any() for step in played(spread))


@pytest.mark.parametrize("kind", [Saute, EarlyTermination])
def test_a_step_that_broke_is_neither_paid_otherwise_nor_an_end_for_good(kind: Callable[..., Any]) -> None:
    """Its episode is cut there, whatever it had spent."""
    poor = (Constraint("a", 0.5, "episode", 0.0),)
    inner = chance()
    advance = inner.step

    def broken(action: np.ndarray) -> Step:
        step, all_of_them = advance(action), np.ones(5, bool)
        return replace(
            step,
            cost=np.ones_like(step.cost),
            terminated=~all_of_them,
            truncated=all_of_them,
            censored=all_of_them,
        )

    inner.step = broken  # type: ignore[method-assign]
    environment = limited(kind, inner, budgets=poor)
    environment.reset()
    step = environment.step(np.zeros((5, 1)))
    assert not step.terms[:, 1].any()
    assert not step.terminated.any()
    assert step.truncated.all()


def test_a_budget_that_is_spent_at_the_time_limit_ends_the_episode_for_good() -> None:
    """A truncated step would have a value after it."""

    class Endless(TwoStates):
        @property
        def layout(self) -> Layout:
            return replace(super().layout, finite=False)

    rich = (Constraint("a", 6.5, "episode", 0.0),)
    world = WorldEnvironment(Endless(7), 2, {"a": InfoCost(1.0)}, 0)
    environment = limited(EarlyTermination, world, budgets=rich)
    environment.reset()
    steps = [environment.step(np.array([[1.0], [-1.0]])) for _ in range(7)]
    assert steps[-1].terminated[0]
    assert not steps[-1].truncated[0]
    assert steps[-1].truncated[1]
    assert steps[-1].reward[0] == -1.0


@pytest.mark.parametrize("kind", [Saute, EarlyTermination])
@pytest.mark.parametrize("budget", [1.0, 2.0, 3.0])
def test_who_earns_the_most_keeps_the_budget_and_earns_what_it_allows(
    kind: Callable[..., Any], budget: float
) -> None:
    """Of all 2^7 ways through seven steps of two states, by themselves and under the budget."""
    ways = np.array(list(itertools.product((-1.0, 1.0), repeat=7)))
    world = WorldEnvironment(TwoStates(7), len(ways), {"a": InfoCost(1.0)}, 0)
    environment = limited(kind, world, budgets=(Constraint("a", budget, "episode", 0.0),))
    environment.reset()
    running, earned, spent = np.ones(len(ways), bool), np.zeros(len(ways)), np.zeros(len(ways))
    for t in range(7):
        step = environment.step(ways[:, [t]])
        earned, spent = earned + running * step.reward, spent + running * step.cost[:, 0]
        running &= ~step.terminated
    risks = (ways > 0.0).cumsum(1)
    own = np.where(
        ways > 0.0, 1.0 + (np.pad(ways, ((0, 0), (1, 0)), constant_values=1.0)[:, :-1] < 0.0), 0.0
    ).sum(1)
    best = own[risks[:, -1] <= budget].max()
    assert earned.max() == best
    assert (spent[earned == best] <= budget).all()
    assert own.max() > best


@pytest.mark.parametrize(
    ("kind", "budgets", "settings", "words"),
    [
        (Saute, (), {}, r"wrapper\.saute acts on what is limited, and nothing is"),
        (
            Saute,
            BUDGETS,
            {"costs": ["d"]},
            r"wrapper\.saute\.costs names 'd', which is no constraint: valid: a, b, c",
        ),
        (
            EarlyTermination,
            (replace(BUDGETS[0], unit="step", budget=0.5),),
            {},
            r"unit=step limits a mean over steps: constraint\.a\.unit=episode constraint\.a\.budget=6 is",
        ),
        (
            Saute,
            (replace(BUDGETS[2], limit=0.0),),
            {},
            r"constraint\.c\.limit=0 lets an episode spend nothing: wrapper=\[",
        ),
        (
            Saute,
            (replace(BUDGETS[0], budget=0.0),),
            {},
            r"constraint\.a\.budget=0 lets an episode spend nothing",
        ),
    ],
)
def test_what_says_nothing_of_an_episode_is_refused(
    kind: Callable[..., Any], budgets: Sequence[Constraint], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(PgrobotError, match=words):
        limited(kind, chance(), budgets=budgets, **settings)


def test_a_name_that_is_observed_already_and_a_discount_that_nothing_is_left_of_are_refused() -> None:
    with pytest.raises(PgrobotError, match=r"shows 'remaining/a', which Chance observes already"):
        limited(Saute, limited(Saute, chance()))
    for discount, words in ((0.0, "0"), (1e-4, "0.0001")):  # 1e48 is beyond float32, which rollouts are in
        told = {
            "constraints": BUDGETS[1:2],
            "cost_discount": discount,
            "training": True,
            "annealing_steps": 1,
        }
        with pytest.raises(
            PgrobotError, match=rf"divides by algorithm\.discounts\.cost={words} in each of 12"
        ):
            wrapped(chance(), {"saute": partial(Saute, unsafe_reward=-1.0)}, 0, told)
    with pytest.raises(PgrobotError, match=r"wrapper\.saute\.costs must be all, or a list of constraints"):
        validated(compose(["wrapper=[saute]", "wrapper.saute.costs=speed"]))


def test_a_run_trains_on_one_task_and_is_judged_on_the_other(tmp_path: Path) -> None:
    lines = [
        "debug=tiny", "task=hopper", "num_envs=4", "horizon=16", "total_steps=256", "threads=1", "report=false",
        "algorithm.policy_solver.minibatch=32", "constraint=[torque]", "constraint.torque.unit=episode",
        "constraint.torque.budget=3", "multiplier=none", "wrapper=[saute,early_termination]",
        "wrapper.early_termination.unsafe_reward=-2",
    ]  # fmt: skip
    request = prepare([*lines, f"hydra.run.dir={tmp_path}"])
    training, judged = (
        build_environment(request.cfg, 2, 0, 1, strength=each) for each in (Strength.SCHEDULED, Strength.FULL)
    )
    assert training.spec.reward_terms == (*judged.spec.reward_terms, "saute", "early_termination")
    assert training.spec.observation == judged.spec.observation
    spent = prepare(
        [*lines, "constraint.torque.unit=discounted", "algorithm.discounts.cost=0.96", "hydra.run.dir=x"]
    )
    faded = build_environment(spent.cfg, 2, 0, 1)
    faded.reset()
    faded.step(np.zeros((2, 3)))
    assert (faded.environment.own_state()["fade"] == 0.96).all(), "by the costs' discount"  # type: ignore[attr-defined]
    result = run(request, Surroundings(("pytest",), "", "", 1, silent_console(), nobody))
    assert result.exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert max(row.get("termination/over_budget", 0.0) for row in rows) == 1.0
    assert all(
        row["episode_length/mean"] < row.get("evaluation/length", 1000)
        for row in rows
        if "episode_length/mean" in row
    )
    told = json.loads((tmp_path / "result.json").read_text())
    assert told["costs"]["torque"]["mean"] > 4.5, "episodes go on where they would have ended"
    names = json.loads((tmp_path / "spec.json").read_text())["observation"]["policy"]["names"]
    assert names[-1] == "remaining/torque"
