"""Terms that keep to the policy that a run began as, what stays frozen, and a critic that learns alone."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
import torch
from torch.func import grad
from toys import GAUSSIAN, TargetWorld, make, make_critic, make_policy, numbers

from pgrobot.bodies import Gru, Mlp
from pgrobot.errors import PgrobotError
from pgrobot.frozen import freeze_parts
from pgrobot.learner import Learner
from pgrobot.objectives import ClippedRatio, KLToPrior, L2ToPrior, Objective
from pgrobot.policies import NetworkPolicy, Policy
from pgrobot.policies.heads.state_std import StateStdHead
from pgrobot.randomness import stream
from pgrobot.solvers import (
    Adam,
    FirstOrderSolver,
    GaussNewtonFisher,
    NaturalGradientSolver,
    PolicyProblem,
    WeightDecay,
)
from pgrobot.solvers.rates import Constant
from pgrobot.solvers.steps import KLRadius
from pgrobot.solvers.trust_region import LineSearch
from pgrobot.types import Rollout

FOREVER = float("inf")
SURROGATE = ClippedRatio(1.0, 0.2)


def policies() -> dict[str, Policy]:
    head = functools.partial(StateStdHead, log_std=-0.5, log_std_bounds=(-4.0, 1.0))
    gru = functools.partial(Gru, units=3, hidden=(4,), activation="tanh", sequence=8)
    observation = {"policy": 2}
    return {
        "gaussian": make_policy(),
        "state_std": make_policy(head=head),
        "recurrent": NetworkPolicy(
            observation, numbers(1), ("policy",), gru, GAUSSIAN, 10.0, stream(0, "policy")
        ),
    }


def taught(policy: Policy, updates: int, **changes: Any) -> tuple[Rollout, Learner]:
    """A learner after some updates, and what it learns from next."""
    collector, learner = make(TargetWorld(4, 0), policy=policy, **changes)
    for _ in range(updates):
        learner.update(collector.collect()["robot"])
    return collector.collect()["robot"], learner


def with_term(learner: Learner, term: Objective) -> PolicyProblem:
    """The learner's problem with that term alone."""
    return learner.problem.with_terms({"prior": term})


@pytest.mark.parametrize("name", policies())
@pytest.mark.parametrize("term", [KLToPrior(0.7, FOREVER), L2ToPrior(0.7, FOREVER)])
def test_at_the_prior_a_term_is_zero_and_flat(name: str, term: Objective) -> None:
    rollout, learner = taught(policies()[name], 2)
    learner.begin()
    problem, batch = with_term(learner, term), learner.pose(rollout).policy
    vector = learner.policy_vector.vector
    assert float(problem.loss(vector, batch)[0]) == 0.0
    slope = grad(lambda v: problem.loss(v, batch)[0])(vector)
    moved = grad(lambda v: problem.loss(v, batch)[0])(vector + 0.1)
    assert float(moved.abs().max()) > 1e-3, "and nowhere else"
    # through time a derivative is taken of other kernels than those that the prior is asked by
    rounding = 1e-6 if name == "recurrent" and isinstance(term, KLToPrior) else 0.0
    assert float(slope.abs().max()) <= rounding * float(moved.abs().max())


def test_the_prior_is_the_policy_that_the_run_began_as() -> None:
    """Its parameters and its normaliser, whatever the policy has become."""
    began = make_policy()
    began.merge({"policy": torch.randn(64, 2) * 3.0 + 1.0})
    kept = copy.deepcopy(began)
    terms = {"surrogate": SURROGATE, "prior": KLToPrior(0.1, FOREVER)}
    rollout, learner = taught(began, 3, terms=terms)
    batch = learner.pose(rollout).policy
    rows = batch.obs, batch.carry, batch.episode_start
    with torch.no_grad():
        said, now = kept(*rows)[0], learner.policy(*rows)[0]
        value = learner.problem.contributions(learner.policy_vector.vector, batch)["prior"]
        torch.testing.assert_close(value, -0.1 * said.kl(now).mean())
    assert float(value) < 0.0


def test_l2_sp_is_half_the_squared_distance() -> None:
    terms = {"surrogate": SURROGATE, "prior": L2ToPrior(0.3, FOREVER)}
    policy = make_policy()
    began = torch.cat([p.detach().reshape(-1) for p in policy.parameters()]).clone()
    rollout, learner = taught(policy, 3, terms=terms)
    vector, batch = learner.policy_vector.vector, learner.pose(rollout).policy
    problem = with_term(learner, L2ToPrior(0.3, FOREVER))
    away = (vector - began).double()
    assert float(away.norm()) > 0.01
    torch.testing.assert_close(problem.loss(vector, batch)[0].double(), 0.3 * 0.5 * away.square().sum())
    slope = grad(lambda v: problem.loss(v, batch)[0])(vector)
    torch.testing.assert_close(slope.double(), 0.3 * away)


def test_a_weight_falls_by_the_same_with_every_update() -> None:
    terms = {"surrogate": SURROGATE, "prior": KLToPrior(0.3, 7.0)}
    collector, learner = make(TargetWorld(4, 0), terms=terms)
    told = [learner.update(collector.collect()["robot"])["objective/prior/weight"] for _ in range(9)]
    assert told == [0.3 * (1.0 - k / 7.0) for k in range(8)] + [0.0]
    assert KLToPrior(0.3, FOREVER).adapt(0.3, 1.0) == 0.3
    assert KLToPrior(0.0, 3.0).adapt(0.0, 1.0) == 0.0


def state(learner: Learner) -> dict[str, Any]:
    return copy.deepcopy(learner.state_dict())


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize("term", [KLToPrior(0.0, FOREVER), L2ToPrior(0.0, 5.0)])
def test_a_term_of_no_weight_changes_nothing(term: Objective) -> None:
    _, without = taught(make_policy(), 3, terms={"surrogate": SURROGATE})
    _, with_one = taught(make_policy(), 3, terms={"surrogate": SURROGATE, "prior": term})
    for part in ("policy", "critic", "policy_solver", "critic_solver", "average"):
        assert_same(state(without)[part], state(with_one)[part])


def test_a_prior_is_resumed_from_the_state_alone() -> None:
    """Mid-way, into a learner whose policy is another one."""
    terms = {"surrogate": SURROGATE, "prior": KLToPrior(0.5, 6.0)}
    collector, learner = make(TargetWorld(4, 0), terms=terms, critic_warmup=1)
    for _ in range(2):
        learner.update(collector.collect()["robot"])
    _, again = make(TargetWorld(4, 0), terms=terms, critic_warmup=1, seed=5)
    held = again.problem.prior.vector
    again.load_state_dict(state(learner))
    assert again.problem.prior.vector is held, "which a compiled step has taken hold of"
    for _ in range(2):
        rollout = collector.collect()["robot"]
        assert learner.update(rollout) == again.update(rollout)
    assert_same(state(learner), state(again))


def test_a_critic_that_learns_alone_leaves_the_policy_as_it_is() -> None:
    """To the last bit, its normaliser included; then the policy begins to learn, and the critic has learnt."""
    collector, learner = make(TargetWorld(4, 0), critic_warmup=2)
    before = state(learner)
    for done in range(4):
        metrics = learner.update(collector.collect()["robot"])
        now = state(learner)
        still = done < 2
        for part in ("policy", "policy_solver", "weights"):
            if still:
                assert_same(before[part], now[part])
        assert torch.equal(before["policy"]["output.weight"], now["policy"]["output.weight"]) == still
        assert (metrics["policy/kl_normalizer"] == 0.0) == still
        assert not torch.equal(before["critic"]["output.weight"], now["critic"]["output.weight"])
        assert not torch.equal(before["critic"]["normalizer.offset"], now["critic"]["normalizer.offset"])
        assert metrics["policy/kl"] == 0.0 or not still
        before = now


def test_a_warm_up_in_midway_is_resumed_to_the_last_bit() -> None:
    collector, learner = make(TargetWorld(4, 0), critic_warmup=3)
    for _ in range(2):
        learner.update(collector.collect()["robot"])
    _, again = make(TargetWorld(4, 0), critic_warmup=3, seed=5)
    again.load_state_dict(state(learner))
    for _ in range(3):
        rollout = collector.collect()["robot"]
        assert learner.update(rollout) == again.update(rollout)
    assert_same(state(learner), state(again))


NATURAL: Any = functools.partial(
    NaturalGradientSolver, fisher=GaussNewtonFisher(1.0), damping=0.1, iterations=10, tolerance=1e-10,
    step=KLRadius(Constant(0.01)), acceptance=LineSearch(10, 0.8),
)  # fmt: skip
ADAM: Any = functools.partial(
    FirstOrderSolver, chain={"optimizer": Adam(0.9, 0.999, 1e-8), "decay": WeightDecay(0.5, "all")},
    rate=Constant(1e-2), minibatch=32, epochs=2, target_kl=FOREVER, gradient_metric="gradient/policy_norm",
    compile_steps=False,
)  # fmt: skip


FROZEN = [
    ["policy.body", "policy.normalizer"],
    ["policy.head.log_std"],
    ["policy.body.layers.0.weight", "policy.output.bias"],
]


@pytest.mark.parametrize("solver", [NATURAL, ADAM], ids=["natural", "adam_and_decay"])
@pytest.mark.parametrize("names", FROZEN)
def test_what_is_frozen_stays_to_the_last_bit(names: list[str], solver: Any) -> None:
    policy = make_policy(hidden=(8, 8))
    policy.merge({"policy": torch.randn(64, 2)})
    frozen = {key for key in policy.state_dict() if any(f"policy.{key}".startswith(name) for name in names)}
    assert frozen
    freeze_parts("policy", policy, names)
    collector, learner = make(TargetWorld(4, 0), policy=policy)
    own = solver(vector=learner.policy_vector.vector, problem=learner.problem, generator=stream(0, "shuffle"))
    learner.policy_solver = own
    before = state(learner)["policy"]
    for _ in range(2):
        learner.update(collector.collect()["robot"])
    after = state(learner)["policy"]
    same = {key for key in before if torch.equal(before[key], after[key])}
    assert frozen <= same
    assert "output.weight" not in same
    assert frozen.isdisjoint(learner.policy_vector.slices), "no gradient has an entry for them"


def test_freezing_changes_nothing_of_the_gradient_of_the_others() -> None:
    """Nor of what the policy says: a constant is the same number in the same place."""
    rollout, whole = taught(make_policy(hidden=(8,)), 0)
    policy = make_policy(hidden=(8,))
    freeze_parts("policy", policy, ["policy.body"])
    _, part = taught(policy, 0)
    slopes = []
    for learner in (whole, part):
        batch = learner.pose(rollout).policy
        slopes.append(
            learner.policy_vector.views(
                grad(lambda v, learner=learner, batch=batch: learner.problem.loss(v, batch)[0])(
                    learner.policy_vector.vector
                )
            )
        )
    assert slopes[1].keys() == {"head.log_std", "output.weight", "output.bias"}
    for name, slope in slopes[1].items():
        assert torch.equal(slope, slopes[0][name])


BAD = {
    "policy.bodi": "names 'policy.bodi', which is no part of the policy: did you mean 'policy.body'",
    "policy": "which is all of the policy: did you mean 'policy.head' or 'policy.body'",
    "elbow": "which is no part of the policy: valid: policy.body",
    "policy.body.layers.7": "did you mean 'policy.body.layers.0'",
    "policy.body,policy.head,policy.output": "leaves the policy nothing to learn",
}  # fmt: skip


@pytest.mark.parametrize("names", BAD)
def test_unknown_parts_are_refused_with_the_nearest(names: str) -> None:
    with pytest.raises(PgrobotError) as refused:
        freeze_parts("policy", make_policy(), names.split(","))
    assert BAD[names] in str(refused.value)


def test_what_returns_rescale_cannot_be_frozen() -> None:
    critic = make_critic(["reward"])
    for name in ("critic", "critic.output", "critic.output.weight"):
        with pytest.raises(PgrobotError, match=r"valid: critic\.body, critic\.normalizer|returns"):
            freeze_parts("critic", critic, [name], critic.rescaled)
    freeze_parts("critic", critic, ["critic.body"], critic.rescaled)
    assert {name for name, _ in critic.named_parameters()} == {"output.weight", "output.bias"}
    assert isinstance(critic.body, Mlp)
