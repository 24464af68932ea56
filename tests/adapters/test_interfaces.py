"""Environments that do not keep to Gymnasium's interface, or not to what they declare: a sentence each, or accepted."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import NormalizeObservation, NormalizeReward, TransformReward
from hypothesis import given, settings
from hypothesis import strategies as st

from pgrobot.collectors import ActionMap
from pgrobot.errors import PgrobotError
from pgrobot.simulation.adapters import GymnasiumTask, InfoCost
from pgrobot.types import Environment

ID = "toys/Own-v0"


class Own(gymnasium.Env[Any, Any]):
    """Whatever a test needs: attributes replace the usual answers."""

    metadata = {"render_modes": []}  # noqa: RUF012
    observation_space: Any = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space: Any = spaces.Box(-1.0, 1.0, (2,), np.float64)
    answer: Any = (np.zeros(3), 0.0, False, False, {"cost": 0.0})
    start: Any = (np.zeros(3), {})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self.start

    def step(self, action: np.ndarray) -> Any:
        return self.answer


def but(**changes: Any) -> Any:
    """The usual answer to a step, but for some of it."""
    names = ("observation", "reward", "terminated", "truncated", "info")
    return tuple(changes.get(name, usual) for name, usual in zip(names, Own.answer, strict=True))


@pytest.fixture
def make() -> Iterator[Callable[..., Environment]]:
    def make(
        wrap: Callable[[Any], Any] = lambda env: env, limit: int | None = 5, **attributes: Any
    ) -> Environment:
        kind = type("Own", (Own,), attributes)
        gymnasium.register(ID, lambda: wrap(kind()), max_episode_steps=5, disable_env_checker=True)
        kwargs = {} if limit == 5 else {"max_episode_steps": limit}
        return GymnasiumTask(id=ID, kwargs=kwargs).make(2, {"cost": InfoCost()}, 0, 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield make
    gymnasium.registry.pop(ID, None)


def first_step(environment: Environment) -> Any:
    assert sum(environment.spec.widths[group] for group in environment.spec.observation)
    environment.reset()
    return environment.step(np.zeros((2, environment.spec.action_low.size)))


def old_reset(self: Any) -> Any:
    return np.zeros(3), {}


STEP = r"toys/Own-v0 does not keep to Gymnasium's step\(action\) -> \(observation, reward, .*, info\): "
RESET = r"toys/Own-v0 does not keep to Gymnasium's reset\(seed=…, options=…\) -> \(observation, info\): "


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        (
            {"answer": (np.zeros(3), 0.0, False, {})},
            STEP + r"ValueError: not enough values .*expected 5, got 4",
        ),
        ({"answer": None}, STEP + "TypeError: cannot unpack"),
        ({"start": np.zeros(3)}, RESET + r"it returned float64 \(3,\)"),
        ({"start": np.zeros(2)}, RESET + r"it returned float64 \(2,\)"),
        ({"start": (np.zeros(3), None)}, RESET + "it returned a tuple of 2"),
        ({"reset": old_reset}, RESET + "TypeError: .* unexpected keyword argument 'seed'"),
        ({"answer": but(info=None)}, STEP + "info is None"),
        ({"answer": but(terminated="no")}, STEP + "terminated is 'no'"),
        ({"answer": but(truncated=None, terminated=np.zeros(2, bool))}, STEP + r"terminated is bool \(2,\)"),
        ({"answer": but(reward=None)}, "the reward of toys/Own-v0 has to be a number, not None"),
        ({"answer": but(reward="1")}, "the reward of toys/Own-v0 has to be a number, not '1'"),
        (
            {"answer": but(reward=np.zeros(2))},
            r"the reward of toys/Own-v0 has to be a number, not float64 \(2,\)",
        ),
        ({"answer": but(info={"cost": None})}, r"info\['cost'\] of toys/Own-v0 has to be a number, not None"),
        (
            {"answer": but(observation=np.zeros(1))},
            r"toys/Own-v0 declares observation as float32 \(3,\), and returned float64 \(1,\): its observation_space",
        ),
        ({"answer": but(observation=np.zeros((3, 1)))}, r"float32 \(3,\), and returned float64 \(3, 1\)"),
        ({"start": (np.zeros(4), {})}, r"float32 \(3,\), and returned float64 \(4,\)"),
        ({"answer": but(observation=np.array(["a"] * 3))}, r"float32 \(3,\), and returned <U1 \(3,\)"),
        ({"answer": but(observation=None)}, r"float32 \(3,\), and returned None"),
        (
            {
                "observation_space": spaces.Dict(a=spaces.Box(0, 1), b=spaces.Discrete(3)),
                "start": ({"a": [0.0]}, {}),
            },
            "declares observation as a dict of a, b, and returned a dict of a",
        ),
        (
            {
                "observation_space": spaces.Dict(a=spaces.Box(0, 1), b=spaces.Discrete(3)),
                "start": ({"a": [0.0], "b": 3}, {}),
            },
            r"declares observation\['b'\] as Discrete\(3\), and returned 3",
        ),
        ({"start": (np.full(3, np.nan), {})}, "begins an episode with an observation that is not finite"),
        ({"dt": None}, "dt of toys/Own-v0 has to be a number, not None"),
        ({"dt": 0.0}, "dt of toys/Own-v0 has to be a positive number, not 0"),
        (
            {"metadata": {"render_fps": 0}},
            r"metadata\['render_fps'\] of toys/Own-v0 has to be a positive number, not 0",
        ),
        (
            {"metadata": {"render_fps": None}},
            r"metadata\['render_fps'\] of toys/Own-v0 has to be a number, not None",
        ),
        ({"limit": 0}, "cannot build toys/Own-v0 with .*max_episode_steps.*positive"),
        ({"limit": -3}, "cannot build toys/Own-v0 with .*max_episode_steps.*positive"),
        ({"limit": "many"}, "cannot build toys/Own-v0 with .*max_episode_steps.*integer"),
        ({"limit": -1}, r"toys/Own-v0 has no time limit.*\+task.kwargs.max_episode_steps=1000"),
        (
            {"observation_space": spaces.Box(0, 255, (48, 48, 3), np.uint8)},
            r"observes an image, uint8 \(48, 48, 3\), which a network of 6,912 inputs would not see as one",
        ),
        ({"observation_space": spaces.Dict(a=spaces.Box(0, 1, (84, 84)))}, r"an image, float32 \(84, 84\)"),
        ({"observation_space": spaces.Box(0, 255, (2, 2), np.uint8)}, r"an image, uint8 \(2, 2\)"),
    ],
)
def test_what_an_environment_does_wrong_is_told_in_a_sentence(
    attributes: dict[str, Any], sentence: str, make: Callable[..., Environment]
) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        first_step(make(**attributes))


def test_numbers_may_stand_in_an_array(make: Callable[..., Environment]) -> None:
    ones = np.ones(1, np.float32)
    step = first_step(
        make(answer=but(reward=ones, info={"cost": ones}, terminated=np.bool_(True), truncated=[0]))
    )
    assert (step.reward.tolist(), step.cost.tolist()) == ([1.0, 1.0], [[1.0], [1.0]])
    assert (step.terminated.tolist(), step.truncated.tolist()) == ([True, True], [False, False])


def test_numbers_keep_their_fractions_whatever_is_declared(make: Callable[..., Environment]) -> None:
    seen = np.array([0.25, 4.5e6 + 0.125, -3.0])
    environment = make(observation_space=spaces.Box(0, 9, (3,), np.int64), answer=but(observation=seen))
    np.testing.assert_array_equal(first_step(environment).next_obs["policy"], [seen, seen])


@pytest.mark.parametrize("shape", [(4, 3), (32, 32)])
def test_a_table_of_numbers_is_flattened(shape: tuple[int, int], make: Callable[..., Environment]) -> None:
    table = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    space = spaces.Box(-np.inf, np.inf, shape)
    step = first_step(make(observation_space=space, start=(table, {}), answer=but(observation=table)))
    np.testing.assert_array_equal(step.obs["policy"][0], table.ravel())


def test_an_environment_that_fills_one_buffer_loses_nothing(make: Callable[..., Environment]) -> None:
    buffer = np.zeros(3)

    def reset(self: Any, *, seed: int | None = None, options: Any = None) -> Any:
        buffer[:] = 0.0
        return buffer, {}

    def step(self: Any, action: np.ndarray) -> Any:
        buffer[:] += 1.0
        return buffer, 0.0, bool(buffer[0] == 2.0), False, {"cost": 0.0}

    environment = make(reset=reset, step=step)
    start = environment.reset()["policy"]
    steps = [environment.step(np.zeros((2, 2))) for _ in range(2)]  # both instances share the buffer
    assert start.tolist() == [[0.0] * 3] * 2
    assert [step.next_obs["policy"][:, 0].tolist() for step in steps] == [[1.0, 2.0], [1.0, 2.0]]
    assert steps[0].obs["policy"][:, 0].tolist() == [1.0, 0.0]


def frozen(environment: Any) -> Any:
    wrapped = NormalizeObservation(environment)
    wrapped.update_running_mean = False
    return wrapped


@pytest.mark.parametrize(
    ("wrap", "named"),
    [
        (NormalizeObservation, "NormalizeObservation"),
        (NormalizeReward, "NormalizeReward"),
        (lambda env: TransformReward(NormalizeReward(env), lambda reward: 2 * reward), "NormalizeReward"),
    ],
)
def test_wrappers_with_statistics_of_their_own_are_refused(
    wrap: Callable[[Any], Any], named: str, make: Callable[..., Environment]
) -> None:
    sentence = rf"toys/Own-v0 is wrapped in {named}, whose statistics .* begin anew in every evaluation: leave it out"
    with pytest.raises(PgrobotError, match=sentence):
        make(wrap)


@pytest.mark.parametrize("wrap", [frozen, lambda env: TransformReward(env, lambda reward: 2 * reward)])
def test_wrappers_that_stay_as_they_are_are_none_of_our_business(
    wrap: Callable[[Any], Any], make: Callable[..., Environment]
) -> None:
    assert not first_step(make(wrap)).failures


KINDS = (np.float64, np.float32, np.float16, np.int64, np.int32, np.int8, np.uint8)
FINITE = st.floats(-49984.0, 49984.0, width=16)


@st.composite
def boxes(draw: st.DrawFn) -> spaces.Box:
    """Boxes of every type of number, bounded, half-bounded, unbounded, or with the type's own extremes as bounds."""
    kind = draw(st.sampled_from(KINDS))
    real = np.issubdtype(kind, np.floating)
    extremes = np.finfo(kind) if real else np.iinfo(kind)
    least, most = float(extremes.min), float(extremes.max)
    low, high = [], []
    for _ in range(draw(st.integers(1, 3))):
        pair = sorted(float(np.clip(draw(FINITE), least, most)) for _ in range(2))
        ends = [(pair[0], least, -np.inf if real else least), (pair[1], most, np.inf if real else most)]
        low.append(draw(st.sampled_from(ends[0])))
        high.append(draw(st.sampled_from(ends[1])))
    bounds = [
        np.array(ends).astype(kind) if real else np.array([exact(end, kind) for end in ends], kind)
        for ends in (low, high)
    ]
    return spaces.Box(*bounds, dtype=kind)


def exact(bound: float, kind: Any) -> int:
    """A bound of an integer type, which float64 may round past its end."""
    return int(min(max(int(bound), int(np.iinfo(kind).min)), int(np.iinfo(kind).max)))


@given(space=boxes(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_every_action_lies_in_its_box(space: spaces.Box, data: st.DataObject) -> None:
    """Whatever the policy draws: the clip is exact in the space's own type."""
    sent: list[Any] = []

    class Watched(Own):
        action_space = space

        def step(self, action: np.ndarray) -> Any:
            sent.append(action)
            return self.answer

    gymnasium.registry.pop(ID, None)
    gymnasium.register(ID, Watched, max_episode_steps=5, disable_env_checker=True)
    environment = GymnasiumTask(id=ID, kwargs={}).make(1, {}, 0, 1)
    to_environment = ActionMap.of(environment.spec)
    drawn = st.one_of(st.sampled_from([-1.0, 0.0, 1.0, -0.94, 0.6]), st.floats(-1e4, 1e4, width=32))
    size = environment.spec.action_low.size
    environment.reset()
    environment.step(to_environment(np.array([[data.draw(drawn) for _ in range(size)]], np.float32)))
    assert space.contains(sent[0]), (sent[0], space.low, space.high)
    gymnasium.registry.pop(ID)
