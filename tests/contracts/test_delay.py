"""What is late is the log shifted: of actions and of observations, in every episode by its own number of steps."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from logged import Logged, actions, assert_goes_on, assert_same, played

from pgrobot.errors import PgrobotError
from pgrobot.simulation.wrappers import innermost, wrapped
from pgrobot.types import Environment, Step
from pgrobot.wrappers import Delay


def late(num_envs: int = 3, seed: int = 0, choices: int = 0, **settings: Any) -> Environment:
    given = {"actions": 0, "observations": 0} | settings
    return wrapped(Logged(num_envs, choices), {"delay": partial(Delay, **given)}, seed)


def told(environment: Environment) -> np.ndarray:
    """What the robot did, ``[T, N, 1]``."""
    world = innermost(environment)
    assert isinstance(world, Logged)
    return np.stack(world.told)


def episodes(steps: list[Step], i: int) -> list[range]:
    """At which times the whole episodes of an environment were."""
    ends = [t + 1 for t, step in enumerate(steps) if (step.terminated | step.truncated)[i]]
    return [range(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]


def test_no_delay_is_none_to_the_last_bit() -> None:
    none, plain = late(), Logged()
    assert none.spec.left_behind == ("delay",)
    assert np.array_equal(none.reset()["policy"], plain.reset()["policy"])
    for one, other in zip(played(none, actions(12)), played(plain, actions(12)), strict=True):
        assert_same(one, other)
    assert np.array_equal(told(none), told(plain))


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_actions_are_the_log_shifted_within_an_episode(delay: int) -> None:
    """What happens is what would without delay under the shifted actions, to the last bit."""
    delayed, plain = late(actions=delay), Logged()
    delayed.reset(), plain.reset()
    chosen = actions(30)
    steps = played(delayed, chosen)
    shifted = np.zeros_like(chosen)
    for i in range(3):
        for episode in [*episodes(steps, i), range(episodes(steps, i)[-1].stop, 30)]:
            shifted[episode, i] = np.concatenate((np.zeros((delay, 1)), chosen[episode, i]))[: len(episode)]
    assert np.array_equal(told(delayed), shifted)
    for one, other in zip(steps, played(plain, shifted), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_observations_are_the_log_shifted_within_an_episode(delay: int) -> None:
    delayed, plain = late(observations=delay), Logged()
    shown, bare = ([each.reset()] for each in (delayed, plain))
    steps, others = (played(each, actions(30)) for each in (delayed, plain))
    shown += [step.obs for step in steps]
    bare += [step.obs for step in others]
    assert np.array_equal(told(delayed), told(plain))
    for group in ("policy", "image"):
        for i in range(3):
            for episode in episodes(others, i):
                log = [bare[t][group][i] for t in episode] + [others[episode[-1]].next_obs[group][i]]
                expected = np.stack([log[max(age - delay, 0)] for age in range(len(log))])
                assert np.array_equal([shown[t][group][i] for t in episode], expected[:-1])
                found = [steps[t].next_obs[group][i] for t in episode]
                assert np.array_equal(found, expected[1:])
                assert found[0].dtype == bare[0][group].dtype


def test_a_range_is_drawn_from_at_every_start_each_number_as_often() -> None:
    """Found from what was done and shown: each episode has one of the delays, and of both their own."""
    environment = late(10, actions=[1, 3], observations=[0, 2])
    chosen, first = actions(300, 10), environment.reset()
    steps = played(environment, chosen)
    shown = [first, *(step.obs for step in steps)]
    done, found = told(environment), []
    for i in range(4, 10):
        for episode in episodes(steps, i):
            lag = next(d for d in range(1, 5) if done[episode[d], i] != 0.0)
            assert np.array_equal(
                done[episode[lag] : episode.stop, i], chosen[episode[0] : episode.stop - lag, i]
            )
            ages = np.array([shown[t]["policy"][i, 2] for t in episode])
            behind = len(episode) - 1 - int(ages[-1])
            assert np.array_equal(ages, np.maximum(np.arange(len(episode)) - behind, 0))
            found.append((lag, behind))
    pairs, counts = np.unique(found, axis=0, return_counts=True)
    assert pairs.tolist() == [[lag, behind] for lag in (1, 2, 3) for behind in (0, 1, 2)]
    assert (np.abs(counts / len(found) - 1 / 9) < 0.06).all()


def test_neither_more_environments_nor_the_other_delay_change_one() -> None:
    few, many = (late(n, actions=[0, 3], observations=[0, 3]) for n in (2, 4))
    few.reset(), many.reset()
    for one, other in zip(played(few, actions(30, 2)), played(many, actions(30, 4)), strict=True):
        assert_same(one, other, slice(2))
    alone = late(2, actions=[0, 3])
    alone.reset()
    played(alone, actions(30, 2))
    assert np.array_equal(told(alone), told(few))


def test_only_what_began_anew_forgets() -> None:
    environment = late(actions=2, observations=1)
    environment.reset()
    chosen = actions(4)
    *_, last = played(environment, chosen[:3])
    shown = environment.restart(np.array([1]))
    for group, value in shown.items():
        assert np.array_equal(value[[0, 2]], last.obs[group][[0, 2]])
    assert shown["policy"][1].tolist() == [1.0, 2.0, 0.0]
    assert np.array_equal(last.obs["policy"][:, 2], [2.0, 2.0, 2.0]), "what was returned stays as it was"
    environment.step(chosen[3])
    assert told(environment)[-1, 1] == 0.0
    assert told(environment)[-1, 0] == chosen[1, 0]


def test_before_anything_arrives_a_choice_is_the_first() -> None:
    environment = late(choices=3, actions=1)
    environment.reset()
    played(environment, np.full((2, 3, 1), 2.0))
    assert told(environment)[:, 0, 0].tolist() == [0.0, 2.0]


def test_it_goes_on_to_the_last_bit() -> None:
    assert_goes_on({"delay": partial(Delay, actions=[0, 3], observations=[0, 3])})


@pytest.mark.parametrize("key", ["actions", "observations"])
def test_a_delay_as_long_as_an_episode_is_refused(key: str) -> None:
    late(**{key: [0, 39]})
    with pytest.raises(
        PgrobotError, match=f"^wrapper.delay.{key} is up to 40 steps, .* Target .* less than 40$"
    ):
        late(**{key: [0, 40]})
