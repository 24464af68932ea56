from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from pgrobot.constraints import Constraint
from pgrobot.episodes import evaluate, summary, verdicts
from pgrobot.errors import PgrobotError
from pgrobot.types import Action, Environment, EnvironmentSpec, Observation, ObservationGroup, State, Step

GAMMA = 0.9


class Scripted:
    """Environment ``i`` plays episodes of given lengths; step ``t`` of its episode ``e`` rewards 100 i + 10 e + t."""

    def __init__(
        self,
        lengths: list[list[int]],
        longest: int = 50,
        breaks: tuple[int, int] = (0, 0),
        can_fall: bool = False,
    ) -> None:
        self._lengths, self._breaks = (
            lengths,
            breaks,
        )  # the environment and its episode that breaks as it ends
        envs = len(lengths)
        self._episode, self._age = np.zeros(envs, dtype=int), np.zeros(envs, dtype=int)
        self._resets = 0
        self.spec = EnvironmentSpec(
            name="Scripted-v0",
            num_envs=envs,
            observation={"policy": ObservationGroup.numbered("policy", (2,))},
            action_low=-np.ones(1),
            action_high=np.ones(1),
            actions=Action.unitless("motor"),
            reward_terms=("step",),
            costs=("one", "age"),
            violations={},
            highest_cost={"one": 1.0, "age": float(longest)},
            can_fall=can_fall,
            max_episode_steps=longest,
            control_dt=0.1,
        )

    def _obs(self) -> Observation:
        return {"policy": np.stack([self._episode, self._age], axis=1)}

    def reset(self) -> Observation:
        self._resets += 1
        assert self._resets == 1
        return self._obs()

    def step(self, action: np.ndarray) -> Step:
        assert np.array_equal(action[:, 0], self._age)  # it acts on what it saw
        envs = np.arange(len(self._lengths))
        reward = 100.0 * envs + 10.0 * self._episode + self._age
        cost = np.stack([np.ones(len(envs)), self._age.astype(float)], axis=1)
        self._age += 1
        length = np.array([own[e % len(own)] for own, e in zip(self._lengths, self._episode, strict=True)])
        done = self._age == length
        before = self._obs()
        env, number = self._breaks
        self._episode += done
        self._age[done] = 0
        return Step(
            obs=self._obs(),
            next_obs=before,
            reward=reward,
            terms=reward[:, None],
            cost=cost,
            terminated=done & (envs % 2 == 0),
            truncated=done & (envs % 2 == 1),
            censored=np.zeros_like(done),
            telemetry={},
            failures={env: "a simulation broke"} if done[env] and before["policy"][env, 0] == number else {},
        )

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None: ...

    def close(self) -> None: ...


def act(obs: Observation, start: np.ndarray) -> np.ndarray:
    assert np.array_equal(start, obs["policy"][:, 1] == 0)  # it is told where an episode begins
    return obs["policy"][:, 1:].astype(float)


def test_every_environment_gives_its_share_in_order() -> None:
    lengths = [[3, 1, 4], [20, 2], [1]]
    environment: Environment = Scripted(lengths)
    episodes = evaluate(act, environment, 7, GAMMA)
    played = [(0, 0, 3), (0, 1, 1), (0, 2, 4), (1, 0, 20), (1, 1, 2), (2, 0, 1), (2, 1, 1)]
    assert episodes.lengths.tolist() == [length for *_, length in played]
    for row, (env, number, length) in enumerate(played):
        age = np.arange(length)
        assert episodes.returns[row] == (100 * env + 10 * number + age).sum()
        assert episodes.costs[row].tolist() == [length, age.sum()]
        assert episodes.discounted[row] == pytest.approx([(GAMMA**age).sum(), (GAMMA**age * age).sum()])
    assert episodes.failures == ("a simulation broke",)


def test_whoever_watches_is_told_every_step_of_the_episodes_that_count_with_its_age() -> None:
    lengths = [[3, 1, 4], [20, 2], [1]]
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}

    def watch(step: Step, counted: np.ndarray, age: np.ndarray) -> None:
        assert len(step.reward) == len(counted) == 3
        for env, steps in zip(np.flatnonzero(counted), age, strict=True):
            seen[env].append(int(steps))

    episodes = evaluate(act, Scripted(lengths), 7, GAMMA, [watch])
    assert seen == {0: [0, 1, 2, 0, 0, 1, 2, 3], 1: [*range(20), 0, 1], 2: [0, 0]}
    assert episodes.returns.tolist() == evaluate(act, Scripted(lengths), 7, GAMMA).returns.tolist()


def test_what_a_step_costs_is_looked_at_in_the_episodes_that_count() -> None:
    """The second environment plays longer episodes, and dearer steps, after the one that counts."""
    episodes = evaluate(act, Scripted([[9], [4, 30]], longest=30), 2, GAMMA)
    assert (episodes.least.tolist(), episodes.most.tolist()) == ([1.0, 0.0], [1.0, 8.0])


def test_an_environment_that_has_given_its_share_spoils_nothing_by_breaking() -> None:
    """The second environment breaks in its second episode, while the first is still in the only one that counts."""
    lengths = [[30], [2], [30]]
    spoiling = evaluate(act, Scripted(lengths, breaks=(1, 1)), 3, GAMMA)
    assert spoiling.failures == ()
    told = summary(spoiling, (Constraint("one", 100.0, "episode", 1.0),), 0.95, "student-t")
    assert (told["failures"], told["costs"]["one"]["verdict"]) == (0, "satisfied")
    assert evaluate(act, Scripted(lengths, breaks=(1, 0)), 3, GAMMA).failures == ("a simulation broke",)
    assert evaluate(act, Scripted(lengths, breaks=(1, 1)), 6, GAMMA).failures == ("a simulation broke",)


def test_fewer_episodes_than_environments() -> None:
    episodes = evaluate(act, Scripted([[30], [2], [1]]), 2, GAMMA)
    assert episodes.lengths.tolist() == [30, 2]


def test_short_episodes_are_not_preferred() -> None:
    """Lengths 1 and 49 are equally frequent; the first 100 episodes to finish would nearly all be short."""
    random = np.random.default_rng(0)
    lengths = [random.choice([1, 49], 25).tolist() for _ in range(20)]
    episodes = evaluate(act, Scripted(lengths), 100, GAMMA)
    assert episodes.lengths.tolist() == [length for own in lengths for length in own[:5]]


def test_no_episodes_are_refused() -> None:
    with pytest.raises(PgrobotError, match="episodes=0 has to be at least 1"):
        evaluate(act, Scripted([[1]]), 0, GAMMA)


def test_episodes_that_do_not_end_are_refused() -> None:
    with pytest.raises(PgrobotError, match=r"Scripted-v0 has episodes longer than its limit of 50 steps"):
        evaluate(act, Scripted([[51]]), 1, GAMMA)


def test_the_summary_is_what_result_json_holds() -> None:
    limited = (Constraint("one", 25.0, "episode", 1.0), Constraint("age", 0.5, "probability", 30.0))
    episodes = replace(evaluate(act, Scripted([[3, 20, 9], [7, 8, 2]]), 6, GAMMA), failures=())
    told = json.loads(json.dumps(summary(episodes, limited, 0.95, "student-t"), allow_nan=False))
    assert told["return"]["episodes"] == 6
    low, high = told["return"]["ci95"]
    assert low < told["return"]["mean"] == episodes.returns.mean() < high
    assert told["episode_length"] == {"mean": pytest.approx(49 / 6), "min": 2, "limit": 50}
    assert told["costs"]["age"]["episode_length"] == told["episode_length"]["mean"]
    assert told["costs"].keys() == {"one", "age"}
    assert {"mean", "upper95", "budget", "unit", "verdict"} <= told["costs"]["one"].keys()
    one, age = verdicts(episodes, limited, 0.95, "student-t").values()
    assert (told["costs"]["one"]["mean"], told["costs"]["one"]["verdict"]) == (one.mean, "satisfied")
    assert one.mean == pytest.approx(49 / 6)
    assert age.mean == pytest.approx(2 / 6)  # lengths 20 and 9 add up to more than 30
    assert told["failures"] == 0


def test_a_simulation_that_broke_leaves_no_budget_satisfied() -> None:
    episodes = evaluate(act, Scripted([[3, 20, 9], [7, 8, 2]]), 6, GAMMA)
    for budget, verdict in ((25.0, "undecided"), (1.0, "violated")):
        told = summary(episodes, (Constraint("one", budget, "episode", 1.0),), 0.95, "student-t")
        assert told["failures"] == len(episodes.failures) == 1
        assert told["costs"]["one"]["verdict"] == verdict
        assert told["costs"]["one"]["upper"] == math.inf


def lived(steps: int, unit: str, **values: float) -> list[str]:
    """Warnings about episodes that all last ``steps`` of 50, some a step more or less, under budgets for `one`."""
    lengths = [[steps, steps + 1, steps - 1]] * 40
    limited = tuple(Constraint(name, budget, unit, 1e3) for name, budget in values.items())
    told = summary(evaluate(act, Scripted(lengths), 120, GAMMA), limited, 0.95, "student-t")
    return [sentence for sentence in told["warnings"] if "ending it early" in sentence]


@pytest.mark.parametrize("unit", ["episode", "discounted", "probability"])
def test_a_policy_that_keeps_an_episode_budget_by_living_short_carries_a_warning(unit: str) -> None:
    (sentence,) = lived(20, unit, one=100.0 if unit != "probability" else 0.5)
    assert sentence.startswith("one: episodes end after 20 of 50 steps, and a budget per episode is kept by")
    assert "the constraint `fall`" in sentence
    assert "constraint.one.unit=step" in sentence
    assert lived(26, unit, one=100.0 if unit != "probability" else 0.5) == [], "more than half"


def test_a_budget_per_step_is_not_kept_by_living_short() -> None:
    assert lived(20, "step", one=2.0) == []
    assert lived(20, "episode", one=100.0, age=500.0)[0].startswith("one, age: ")
