"""Categories: numbers that are learnt for each of them, and what tells none of them is refused."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from problems import make_batch
from toys import GAUSSIAN, numbers

from pgrobot.acting import Actor, undrawn
from pgrobot.action_map import ActionMap
from pgrobot.bodies import Mlp
from pgrobot.configure import build, compose, validated
from pgrobot.critics import NetworkCritic
from pgrobot.errors import PgrobotError
from pgrobot.inputs import check_origins
from pgrobot.policies import NetworkPolicy
from pgrobot.randomness import stream
from pgrobot.types import ObservationGroup, Widths

GROUPS = {"policy": 2, "goal": 3, "task": 1}
WIDTHS = Widths("World", {name: ObservationGroup.numbered(name, (size,)) for name, size in GROUPS.items()})
MLP = functools.partial(Mlp, hidden=[6], activation="tanh")
ALL = ("policy", "goal", "task")


def policy_of(embedding: dict[str, Any], groups: tuple[str, ...] = ALL) -> NetworkPolicy:
    return NetworkPolicy(
        WIDTHS, numbers(1), groups, MLP, GAUSSIAN, 10.0, stream(0, "policy"), embedding=embedding
    )


def observed(goal: int, task: float, rows: int = 2) -> dict[str, torch.Tensor]:
    one_hot = torch.eye(3)[goal].expand(rows, 3)
    return {"policy": torch.ones(rows, 2), "goal": one_hot, "task": torch.full((rows, 1), task)}


def test_a_category_is_its_row_whichever_way_it_is_told() -> None:
    policy = policy_of({"goal": 4, "task": [20, 2]})
    goal, task = policy.beside.known
    for g, t in ((0, 0), (2, 17)):
        x = policy.inputs(observed(g, float(t)))
        assert torch.equal(x[0], torch.cat((goal.weight[g], task.weight[t], torch.ones(2))))
    assert policy.reads.groups == ("policy",), "what tells a category is not normalised"
    assert policy.groups == ALL


def test_no_embedding_is_what_there_was() -> None:
    one, other = (
        policy_of({}),
        NetworkPolicy(WIDTHS, numbers(1), ALL, MLP, GAUSSIAN, 10.0, stream(0, "policy")),
    )
    assert [*one.state_dict()] == [*other.state_dict()]
    assert all(
        torch.equal(*both)
        for both in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_only_the_rows_of_categories_that_were_met_are_learnt() -> None:
    policy = policy_of({"task": [5, 2]}, ("policy", "task"))
    obs = observed(0, 3.0)
    distribution, _ = policy(obs, torch.zeros(2, 0), torch.zeros(2, dtype=torch.bool))
    make_batch(distribution, distribution.mean.detach() + 1.0, torch.ones(2)).log_prob.sum().backward()
    moved = policy.beside.known[0].weight.grad.abs().sum(-1) > 0.0  # type: ignore[union-attr]
    assert moved.tolist() == [False, False, False, True, False]


def test_the_first_id_is_no_origin() -> None:
    """Numbers of 16 and more are measured from the first one; ids are not."""
    policy = policy_of({"task": [40, 2]})
    policy.origin.fix({"policy": np.full((1, 2), 100.0), "goal": np.eye(3)[:1], "task": np.array([[30.0]])})
    assert policy.origin.reader().origin("task").size == 0
    assert policy.origin.reader().origin("policy").tolist() == [100.0, 100.0]
    critic = NetworkCritic(
        WIDTHS, ["reward"], ALL, MLP, 10.0, stream(0, "critic"), embedding={"task": [40, 2]}
    )
    check_origins(policy, critic)
    with pytest.raises(PgrobotError, match=r"name it in policy\.embedding, too"):
        check_origins(policy_of({}), critic)


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        (
            {"task": 20.0},
            r"'task' is read as a category, and is 20.0: it has to be a whole number from 0 to 19",
        ),
        ({"task": -1.0}, "is -1.0: it has to be a whole number from 0 to 19"),
        ({"task": 2.5}, "is 2.5: it has to be a whole number"),
        ({"goal": [0.0, 0.0, 0.0]}, r"is \[0.0, 0.0, 0.0\]: it has to be one-hot of 3"),
        ({"goal": [1.0, 1.0, 0.0]}, "one of its numbers is 1, and all others are 0"),
        ({"goal": [0.5, 0.5, 0.0]}, "one-hot of 3"),
    ],
)
def test_what_tells_no_category_is_refused_where_it_comes_in(spoilt: dict[str, Any], sentence: str) -> None:
    policy = policy_of({"goal": 4, "task": [20, 2]})
    obs = {
        **observed(1, 3.0),
        **{name: torch.tensor(value).expand(2, GROUPS[name]) for name, value in spoilt.items()},
    }
    policy.check(observed(1, 3.0))
    with pytest.raises(PgrobotError, match=sentence):
        policy.check(obs)
    groups = {name: ObservationGroup.numbered(name, (size,)) for name, size in GROUPS.items()}
    one = np.ones(1)
    bounds = ActionMap(0.0 * one, one, -one, one, np.zeros(0, int), 0.0 * one)
    actor = Actor(policy, groups, bounds, 2)
    with pytest.raises(PgrobotError, match=sentence):
        actor({name: value.numpy() for name, value in obs.items()}, np.ones(2, bool), undrawn)


@pytest.mark.parametrize(
    ("embedding", "groups", "sentence"),
    [
        ({"goals": 4}, ALL, "^policy.embedding.goals names 'goals', which this task does not observe"),
        (
            {"goal": 4},
            ("policy",),
            "^policy.embedding.goal embeds 'goal', which policy.groups does not read by that name",
        ),
        ({"task": 4}, ALL, r"a single number: policy.embedding.task=\[ids,4\]"),
        ({"goal": [3, 4]}, ALL, "of a one-hot row it is policy.embedding.goal=4"),
    ],
)
def test_what_is_no_category_is_refused(
    embedding: dict[str, Any], groups: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        policy_of(embedding, groups)


def test_a_goal_among_several_is_embedded_from_a_config_and_learnt() -> None:
    overrides = [
        "task=mdp", "policy=binned", "policy.bins=2", "tracker=none", "compile=false", "num_envs=8", "horizon=8",
        "constraint=none", "+policy.embedding.policy=2", "+critic.embedding.policy=2",
    ]  # fmt: skip
    assembly = build(validated(compose(overrides)), 1)
    before = assembly.policy.beside.known[0].weight.clone()
    assembly.learners["robot"].update(assembly.collector.collect()["robot"])
    assert not torch.equal(before, assembly.policy.beside.known[0].weight)
