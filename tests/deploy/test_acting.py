"""A trained policy reads observations in every form, keeps its memory, and refuses in a sentence what is none."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from remembering import Elman
from torch import Tensor
from toys import GAUSSIAN, TargetWorld, make_policy

from pgrobot.bodies import Mlp
from pgrobot.deploy import TrainedPolicy
from pgrobot.deploy.observations import ObservationReader
from pgrobot.distributions import Gaussian
from pgrobot.errors import PgrobotError
from pgrobot.policies import NetworkPolicy, Policy
from pgrobot.randomness import stream
from pgrobot.run.evaluation import DETERMINISTIC, actor, at_rest
from pgrobot.simulation.adapters.actions import as_action, bounds, entries, form
from pgrobot.simulation.adapters.spaces import groups, parts, rows
from pgrobot.types import Action, ActionForm, EnvironmentSpec, ObservationGroup

SPEC = TargetWorld(1, 0).spec


def trained(policy: Policy, spec: EnvironmentSpec = SPEC) -> TrainedPolicy:
    return TrainedPolicy(policy, spec, Path("best.pt"), 1)


class Drops(Policy):
    """Drops out while it is in training."""

    action_size = 1
    carry_size = 0

    def __init__(self) -> None:
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        mean = self.dropout(obs["policy"])[..., :1]
        return Gaussian(mean, torch.zeros_like(mean)), carry


def test_an_evaluation_drops_nothing_out_and_leaves_the_policy_in_training() -> None:
    policy = Drops()
    policy.dropout.eval()
    with at_rest(policy):
        assert not any(module.training for module in policy.modules())
        obs = torch.ones(50, 2)
        mean = policy({"policy": obs}, torch.zeros(50, 0), torch.ones(50, dtype=torch.bool))[0].deterministic
        assert torch.equal(mean, obs[:, :1])
    assert (policy.training, policy.dropout.training) == (True, False)


class Looks(Policy):
    """Reads two groups: a camera's brightness and two numbers."""

    action_size = 1
    carry_size = 0
    groups = ("policy", "camera")

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        mean = obs["camera"].float().mean((-3, -2, -1)).unsqueeze(-1) / 255 + obs["policy"][..., :1]
        return Gaussian(mean, torch.zeros_like(mean)), carry


SEEN = replace(
    SPEC,
    observation={
        "policy": SPEC.observation["policy"],
        "camera": ObservationGroup.numbered("camera", (2, 2, 3), "uint8"),
        "critic": ObservationGroup.numbered("critic", (5,)),
    },
)


@pytest.mark.parametrize("remembers", [True, False])
def test_it_remembers_as_an_evaluation_does_where_episodes_end(remembers: bool) -> None:
    world = TargetWorld(3, 0)
    network = Elman(1) if remembers else make_policy()
    policy, judged = trained(network), actor(network, world.spec, DETERMINISTIC, stream(0, "noise"))
    obs, start, state = world.reset(), np.ones(3, bool), None
    for _ in range(20):
        action = judged(obs, start)
        assert np.array_equal(policy.act(obs["policy"]), action)
        predicted, state = policy.predict(obs["policy"], state, start, deterministic=True)
        assert np.array_equal(predicted, action)
        step = world.step(action)
        start = step.terminated | step.truncated
        policy.reset(start)
        obs = step.obs
    assert (state is not None) == remembers


def test_one_is_a_row_of_many() -> None:
    policy, one = trained(Elman(1)), trained(Elman(1))
    obs = np.random.default_rng(0).normal(size=(5, 3, 2))
    for row in obs:
        assert one.act(row[0]) == pytest.approx(policy.act(row)[0], rel=1e-6)
    assert one.act(obs[0, 0]).shape == (1,)
    assert one.act(obs[0, :1]).shape == (1, 1)
    one.reset()
    assert one.act(obs[0]).shape == (3, 1)


def test_resets_before_an_act_add_up() -> None:
    first, then = np.full((3, 2), 0.5), np.ones((3, 2))

    def after(*masks: list[bool]) -> np.ndarray:
        policy = trained(Elman(1))
        policy.act(first)
        for mask in masks:
            policy.reset(mask)
        acted: np.ndarray = policy.act(then)
        return acted

    assert np.array_equal(after([True, False, False], [False, True, False]), after([True, True, False]))
    assert not np.array_equal(after([True, True, False]), after([False, True, False]))


def test_every_group_has_to_be_finite() -> None:
    spec = replace(
        SPEC, observation={name: ObservationGroup.numbered(name, (2,)) for name in ("first", "second")}
    )
    body = partial(Mlp, hidden=(4,), activation="tanh")
    widths = {"first": 2, "second": 2}
    network = NetworkPolicy(
        widths, spec.actions, ("first", "second"), body, GAUSSIAN, 10.0, stream(0, "policy")
    )
    policy = TrainedPolicy(network, spec, Path("best.pt"), 1)
    for broken in ("first", "second"):
        shown = {name: np.full(2, np.nan if name == broken else 0.0) for name in widths}
        with pytest.raises(
            PgrobotError, match=rf"the observation is not finite: nan in {broken}/0, {broken}/1"
        ):
            policy.act(shown)


def test_its_memory_is_of_as_many_environments_as_it_acts_for() -> None:
    policy = trained(Elman(1))
    policy.reset([True, False])  # nothing was remembered yet
    policy.act(np.full((3, 2), 0.5))
    with pytest.raises(PgrobotError, match=r"remembers 3 environments and is shown 2: reset\(\) it first"):
        policy.act(np.zeros((2, 2)))
    for mask in ([True, False], np.ones(3), np.ones((3, 1), bool)):
        with pytest.raises(PgrobotError, match=r"reset\(mask\) takes 3 truth values"):
            policy.reset(mask)
    first = policy.act(np.ones((3, 2)))
    policy.reset(np.True_)
    again = trained(Elman(1)).act(np.ones((3, 2)))
    assert np.array_equal(policy.act(np.ones((3, 2))), again)
    assert not np.array_equal(first, again)
    with pytest.raises(PgrobotError, match=r"the state is \(2, 3\), and of 3 environments it is \(3, 3\)"):
        policy.predict(np.zeros((3, 2)), np.zeros((2, 3)))
    with pytest.raises(PgrobotError, match="episode_start has to be 3 truth values"):
        policy.predict(np.zeros((3, 2)), episode_start=[True])


def test_what_is_handed_out_is_the_callers() -> None:
    policy = trained(Elman(1))
    obs = np.ones((2, 2))
    first = policy.act(obs)
    kept = first.copy()
    _, state = policy.predict(obs)
    policy.act(obs)
    policy.predict(obs, state)
    assert np.array_equal(first, kept)
    assert np.array_equal(obs, np.ones((2, 2)))


def test_draws_are_those_of_its_seed() -> None:
    policy = trained(make_policy())
    obs = np.zeros((4, 2))
    first = [policy.act(obs, deterministic=False) for _ in range(2)]
    policy.seed(0)
    assert np.array_equal(first, [policy.act(obs, deterministic=False) for _ in range(2)])
    policy.seed(1)
    assert not np.array_equal(first[0], policy.act(obs, deterministic=False))
    assert not np.array_equal(*first)
    before = torch.get_rng_state()
    assert np.array_equal(policy.act(obs), policy.predict(obs, deterministic=True)[0])
    policy.predict(obs)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("seed", [-1, "x", None, 1.5, True])
def test_what_is_no_seed_is_told(seed: Any) -> None:
    with pytest.raises(
        PgrobotError, match=re.escape(f"seed has to be a whole number of at least 0, not {seed!r}")
    ):
        trained(make_policy()).seed(seed)


@pytest.mark.parametrize("deterministic", ["no", None, 1])
def test_whether_actions_are_drawn_is_a_truth_value(deterministic: Any) -> None:
    policy = trained(make_policy())
    for act in (policy.act, policy.predict):
        with pytest.raises(PgrobotError, match="deterministic has to be True or False, not"):
            act(np.zeros(2), deterministic=deterministic)
    assert policy.act(np.zeros(2), np.True_) == policy.act(np.zeros(2))  # type: ignore[arg-type]


def test_a_pickled_one_goes_on_from_where_it_was() -> None:
    policy, obs = trained(Elman(1)), np.full((3, 2), 0.5)
    policy.act(obs, deterministic=False)
    copy = pickle.loads(pickle.dumps(policy))
    for _ in range(3):
        assert np.array_equal(copy.act(obs, deterministic=False), policy.act(obs, deterministic=False))
    policy.reset()
    assert not np.array_equal(copy.act(obs), policy.act(obs)), "each remembers by itself"


def test_every_type_of_real_numbers_is_read() -> None:
    policy = trained(make_policy())
    expected = policy.act(np.array([1.0, 0.0]))
    for observation in ([1, 0], [True, False], np.array([1, 0], np.float16), torch.tensor([1.0, 0.0])):
        assert np.array_equal(policy.act(observation), expected)


def test_an_origin_is_subtracted_before_single_precision() -> None:
    network = make_policy()
    network.origin.fix({"policy": np.array([[4.5e6, 0.0]])})
    policy = trained(network)
    assert not np.array_equal(policy.act([4.5e6 + 1e-3, 0.0]), policy.act([4.5e6, 0.0]))


@pytest.mark.parametrize(
    ("observation", "sentence"),
    [
        (np.zeros(3), "observation 'policy' has the shape (3,); the policy reads (2,), or (N, …)"),
        (np.zeros((4, 3)), "has the shape (4, 3); the policy reads (2,)"),
        (np.zeros((1, 2, 2)), "has the shape (1, 2, 2); the policy reads (2,)"),
        (
            0.0,
            "has the shape (); the policy reads (2,), or (N, …) of so many environments: policy/0, policy/1",
        ),
        (np.array([0.0, np.nan]), "the observation is not finite: nan in policy/1"),
        (np.array([[0.0, 0.0], [np.inf, 0.0]]), "the observation is not finite: inf in policy/0 of row 1"),
        (np.zeros(2, complex), "observation 'policy' has to be numbers, not complex128"),
        (["a", "b"], "observation 'policy' has to be numbers, not <U1"),
        ([[0.0], [0.0, 1.0]], "observation 'policy' has to be numbers, not a list"),
        (None, "observation 'policy' has to be numbers, not a NoneType"),
        ({"polcy": np.zeros(2)}, "there is no observation 'polcy': did you mean 'policy'?"),
        ({}, "the observation lacks 'policy', which the policy reads"),
        (np.zeros((0, 2)), "observation 'policy' is of no environment: its shape is (0, 2)"),
        ([1e39, 0.0], "the observation is not finite in single precision: 1e+39 in policy/0"),
        (
            np.zeros(2, object),
            "has to be numbers, not an array of objects: give it a type of numbers, .astype(float)",
        ),
    ],
)
def test_what_it_cannot_read_is_told(observation: Any, sentence: str) -> None:
    policy = trained(make_policy())
    policy.act(np.zeros((2, 2)))
    with pytest.raises(PgrobotError, match=re.escape(sentence)):
        policy.act(observation)


def test_several_groups_are_a_dict_of_those_that_are_read() -> None:
    policy = trained(Looks(), SEEN)
    picture = np.full((2, 2, 3), 255, np.uint8)
    whole = {"policy": np.zeros(2), "camera": picture, "critic": np.full(5, np.nan)}
    assert policy.act(whole) == policy.act({"policy": np.zeros(2), "camera": picture}) == [2.0]
    assert policy.act({name: value[None] for name, value in whole.items()}).shape == (1, 1)
    for observation, sentence in {
        "an array": (np.zeros(2), "the policy reads 'policy', 'camera': give a dict of them, not a ndarray"),
        "one": ({"policy": np.zeros(2)}, "the observation lacks 'camera', which the policy reads"),
        "floats": (whole | {"camera": picture / 255}, "'camera' has to be an image of uint8, not float64"),
        "other": (whole | {"camra": picture}, "there is no observation 'camra': did you mean 'camera'?"),
        "numbers": (whole | {"camera": picture[None]}, "parts of an observation are of different numbers of"),
    }.values():
        with pytest.raises(PgrobotError, match=re.escape(sentence)):
            policy.act(observation)


SPACES = (
    spaces.Box(-1, 1, (3,)),
    spaces.Box(-1, 1, (2, 3), np.float64),
    spaces.Box(0, 9, (), np.int64),
    spaces.Discrete(4, start=-2),
    spaces.MultiDiscrete([3, 2], start=[1, -1]),
    spaces.MultiDiscrete([[3, 2], [2, 2]]),
    spaces.MultiBinary(3),
    spaces.Dict(b=spaces.Discrete(3), a=spaces.Dict(y=spaces.Box(-1, 1, (2,)), x=spaces.MultiBinary((2, 2)))),
    spaces.Dict(eye=spaces.Box(0, 255, (2, 2, 3), np.uint8), body=spaces.Box(-1, 1, (2,))),
    spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (2,)))),
)


def batched(space: spaces.Space, observations: list[Any]) -> Any:
    match space:
        case spaces.Dict():
            return {key: batched(child, [seen[key] for seen in observations]) for key, child in space.items()}
        case spaces.Tuple():
            return tuple(
                batched(child, [seen[i] for seen in observations]) for i, child in enumerate(space.spaces)
            )
    return np.stack([np.asarray(seen) for seen in observations])


@given(st.sampled_from(SPACES), st.integers(0, 9))
def test_what_a_space_shows_is_read_as_in_training(space: spaces.Space, seed: int) -> None:
    found = groups("own", space)
    read = ObservationReader(replace(SPEC, observation=found, parts=parts(space)), tuple(found))
    space.seed(seed)
    shown = [space.sample() for _ in range(3)]
    trained_on = [rows("own", space, observation) for observation in shown]
    for observation, expected in zip(shown, trained_on, strict=True):
        told, single = read(observation)
        assert single
        assert told.keys() == expected.keys()
        for name, value in told.items():
            assert np.array_equal(value[0], expected[name])
    told, single = read(batched(space, shown))
    assert not single
    for name, value in told.items():
        assert np.array_equal(value, np.stack([row[name] for row in trained_on]))
    by_group, _ = read(trained_on[0])
    assert all(np.array_equal(value[0], trained_on[0][name]) for name, value in by_group.items())


@pytest.mark.parametrize(
    ("space", "observation", "sentence"),
    [
        (spaces.Discrete(3), 3, "observation 'policy' is [[3]]; it has to be whole numbers from [0] to [2]"),
        (spaces.Discrete(3, start=1), 0.5, "it has to be whole numbers from [1] to [3]"),
        (spaces.MultiDiscrete([3, 2]), [0, -1], "it has to be whole numbers from [0, 0] to [2, 1]"),
        (spaces.Dict(a=spaces.Discrete(3)), {"b": 0}, "there is no observation 'b'"),
        (SPACES[7], {"b": 0, "a": {"x": np.zeros((2, 2))}}, "the observation lacks 'a/y'"),
        (SPACES[9], (0,), "the observation lacks '1'"),
    ],
)
def test_what_no_space_shows_is_told(space: spaces.Space, observation: Any, sentence: str) -> None:
    found = groups("own", space)
    read = ObservationReader(replace(SPEC, observation=found, parts=parts(space)), tuple(found))
    with pytest.raises(PgrobotError, match=re.escape(sentence)):
        read(observation)


def test_a_row_of_choices_is_as_many_environments() -> None:
    space = spaces.Discrete(4)
    read = ObservationReader(replace(SPEC, observation=groups("own", space), parts=parts(space)), ("policy",))
    for observation, count in (([2], 1), ([0, 1, 0, 0], 4), (np.eye(4)[:3], 3)):
        told, single = read(observation)
        assert (told["policy"].shape, single) == ((count, 4), False)
    told, single = read(2)
    assert (told["policy"].tolist(), single) == ([[0, 0, 1, 0]], True)
    with pytest.raises(
        PgrobotError, match=re.escape("has the shape (1, 1); the policy reads whole numbers of")
    ):
        read([[2]])
    with pytest.raises(PgrobotError, match="has to be numbers, not a list"):
        read([[2], [1, 0]])


class Says(Policy):
    """Always the same numbers."""

    carry_size = 0

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self.numbers, self.action_size = numbers, len(numbers)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        mean = torch.tensor(self.numbers).expand(*obs["policy"].shape[:-1], self.action_size)
        return Gaussian(mean, torch.zeros_like(mean)), carry


@pytest.mark.parametrize(
    ("space", "numbers"),
    [
        (spaces.Box(-2, 2, (2,)), (0.5, 3.0)),
        (spaces.Box(-2, 2, (1, 2), np.float64), (0.1, -3.0)),
        (spaces.Box(-2, 2, (2,), np.int64), (0.8, -0.1)),
        (spaces.Box(-2, 2, ()), (0.5,)),
        (spaces.Discrete(4, start=-2), (3.0,)),
        (spaces.MultiDiscrete([3, 2], start=[1, -1]), (2.0, 0.0)),
        (spaces.MultiBinary((1, 2)), (1.0, 0.0)),
    ],
    ids=str,
)
def test_it_acts_in_the_form_of_the_space(space: Any, numbers: tuple[float, ...]) -> None:
    low, high, choices = bounds(space)
    actions = entries(None, low, high, choices)
    spec = replace(SPEC, action_low=low, action_high=high, actions=actions, action_form=form(space))
    policy = trained(Says(*numbers), spec)
    judged = actor(policy.policy, replace(spec, num_envs=1), DETERMINISTIC, stream(0, "noise"))
    expected = as_action(space, judged({"policy": np.zeros((1, 2))}, np.ones(1, bool))[0])
    acted = policy.act(np.zeros(2))
    assert np.array_equal(acted, expected)
    assert space.contains(acted)
    assert isinstance(acted, int) if isinstance(space, spaces.Discrete) else acted.dtype == space.dtype
    many = policy.act(np.zeros((3, 2)))
    assert many.shape == (3, *space.shape)
    assert many.dtype == space.dtype


def test_an_action_is_within_bounds() -> None:
    spec = replace(SPEC, actions=Action.unitless("motor"), action_form=ActionForm((1,), "float32", ()))
    assert trained(Says(1e9), spec).act(np.zeros(2)) == np.float32(2.0)
