"""What every algorithm keeps to, under every multiplier and with every policy, built as a run builds it.

Any two of the three meet in some triple; not all triples are tried, for what breaks nearly always takes two.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from pairwise import pairwise
from torch import Tensor, nn

import pgrobot
from pgrobot.configure import Assembly, build, build_policy, options
from pgrobot.diagnostics import term_gradients
from pgrobot.learner import Learner
from pgrobot.schemes import LEARNER
from pgrobot.types import Metrics, Rollout, State

GROUPS = ("algorithm", "multiplier", "policy")
OFFERED = options([])
# what learns from demonstrations needs a file of the robot's, and has its contract in tests/demonstrations
OPTIONS = {group: [name for name in OFFERED[group] if name not in ("clone", "dapg")] for group in GROUPS}
TRIPLES = pairwise(OPTIONS)
SMALL = {
    "task": "hopper",
    "tracker": "none",
    "compile": False,
    "num_envs": 4,
    "horizon": 8,
    "algorithm.critic_solver.minibatch": 16,
    "policy.hidden": [4],
    "critic.hidden": [4],
}
# less of the same: two passes of two minibatches, or two epochs of the critic
_MINIBATCHES = {"algorithm.passes": 2, "algorithm.policy_solver.minibatch": 16}
_EPOCHS = {"algorithm.critic_solver.epochs": 2}
_TWO_STEPS = {
    "algorithm.policy_solver.improvement.minibatch": 16,
    "algorithm.policy_solver.improvement.epochs": 2,
    "algorithm.policy_solver.projection.epochs": 2,
}
_IN_MINIBATCHES = ("ppo", "geppo", "p3o", "ipo", "focops")
LESS = {
    algorithm: _MINIBATCHES if algorithm.startswith(_IN_MINIBATCHES) else _EPOCHS
    for algorithm in OPTIONS["algorithm"]
} | {"cup": _EPOCHS | _TWO_STEPS}

# where a policy acts that cannot on the small task
PLACES: dict[str, dict[str, Any]] = {"categorical": {"task": "gymnasium", "task.id": "CartPole-v1"}}
# what a policy has to be for rollouts as small as these
SIZES: dict[str, dict[str, Any]] = {"recurrent": {"policy.sequence": 4, "policy.units": 4}}


@functools.cache
def _composed(settings: tuple[tuple[str, Any], ...]) -> DictConfig:
    return pgrobot.compose(**{**SMALL, **dict(settings)})


def composed(**settings: Any) -> DictConfig:
    """What a user gets who types the settings beside a small task; not to be written to."""
    return _composed(tuple(settings.items()))


def config(algorithm: str, multiplier: str, policy: str) -> DictConfig:
    """The config of a triple, put together from one composition per option: they do not depend on each other."""
    cfg = copy.deepcopy(composed(algorithm=algorithm, **LESS[algorithm], **PLACES.get(policy, {})))
    cfg.multiplier = composed(algorithm="a2c", multiplier=multiplier).multiplier
    acting = composed(algorithm="a2c", policy=policy, **SIZES.get(policy, {}))
    cfg.policy, cfg.critic.groups = (
        acting.policy,
        acting.critic.groups,
    )  # a policy may show something to critics
    return cfg


@contextmanager
def opened(cfg: DictConfig) -> Iterator[Assembly]:
    assembly = build(cfg, 1)
    try:
        yield assembly
    finally:
        assembly.environment.close()


def inner(assembly: Assembly) -> Learner:
    learner = assembly.learners[LEARNER].learner
    assert isinstance(learner, Learner)
    return learner


def iterate(assembly: Assembly) -> tuple[Rollout, Metrics]:
    rollout = assembly.collector.collect()[LEARNER]
    metrics = assembly.learners[LEARNER].update(rollout)
    assert metrics["guard/skipped_updates"] == 0.0
    assert all(math.isfinite(value) for value in metrics.values())
    return rollout, metrics


def state(assembly: Assembly) -> State:
    return copy.deepcopy(
        {"learner": inner(assembly).state_dict(), "collector": assembly.collector.state_dict()}
    )


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Bit for bit, whatever the nesting."""
    if dataclasses.is_dataclass(one):
        one, other = (
            {field.name: getattr(value, field.name) for field in dataclasses.fields(one)}
            for value in (one, other)
        )
    if isinstance(one, Mapping):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{index}")
    elif isinstance(one, Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, np.ndarray):
        assert np.array_equal(one, other), where
    else:
        assert one == other, where


def moved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def everything_else(assembly: Assembly, rollout: Rollout) -> Any:
    """What an update has no business with."""
    return copy.deepcopy(
        (
            rollout,
            assembly.collector.state_dict(),
            {name: part.state_dict() for name, part in assembly.diagnostics.items()},
            torch.get_rng_state(),
            np.random.get_state(),  # noqa: NPY002, the global stream is to stay untouched
            random.getstate(),
        )
    )


@contextmanager
def frozen_until_merged(module: Any, rollout: Rollout) -> Iterator[None]:
    """The module normalises by what it knew before the update, and afterwards by the rollout's observations too."""
    normalizer = module.normalizer
    before = copy.deepcopy(normalizer.state_dict())
    merged = copy.deepcopy(normalizer)
    merged.merge(getattr(module, "low", module).reads(rollout.obs))
    uses = []

    def check(*_: Any) -> None:
        # what is looked at after the merge, such as how far it moved the policy, sees the merged one
        now = dict(normalizer.state_dict())
        known = before if torch.equal(now["moments.count"], before["moments.count"]) else merged.state_dict()
        assert_same(now, dict(known))
        uses.append(known is before)

    hook = normalizer.register_forward_pre_hook(check)
    yield
    hook.remove()
    assert uses == sorted(uses, reverse=True), "nothing is learnt from once it has merged"
    assert any(uses), "it learns through its normaliser"
    assert_same(dict(normalizer.state_dict()), dict(merged.state_dict()))


def parameters(module: nn.Module) -> set[str]:
    return {name for name, _ in module.named_parameters()}


@pytest.mark.parametrize(("algorithm", "multiplier", "policy"), TRIPLES, ids=map("-".join, TRIPLES))
def test_an_update_keeps_its_contract(algorithm: str, multiplier: str, policy: str) -> None:
    cfg = config(algorithm, multiplier, policy)
    with opened(cfg) as assembly:
        learner = inner(assembly)
        start = state(assembly)["learner"]
        rollout = assembly.collector.collect()[LEARNER]
        others = everything_else(assembly, rollout)
        with frozen_until_merged(learner.policy, rollout), frozen_until_merged(learner.critic, rollout):
            metrics = assembly.learners[LEARNER].update(rollout)
        assert metrics["guard/skipped_updates"] == 0.0
        assert_same(everything_else(assembly, rollout), others, "untouched")
        first = state(assembly)

        rollout, metrics = iterate(assembly)
        second = state(assembly)
        modules = {"policy": learner.policy, "critic": learner.critic}
        # in the first update the critic's zero output hides its other layers
        for part, posed in learner.snapshot(rollout).items():
            gradient = torch.stack(list(term_gradients(posed).values())).sum(0)
            for name, where in posed.parameters.slices.items():
                assert bool((gradient[where] != 0.0).any()), f"{part}.{name} receives no gradient"
        for part, module in modules.items():
            names = parameters(module)
            unmoved = names - moved(start[part], second["learner"][part])
            assert not unmoved, f"{part}: {unmoved} did not move"

    with opened(cfg) as again:
        iterate(again)
        assert_same(state(again), first, "the same seed")
        cfg.seed = 2
        another = build_policy(cfg, again.environment.spec).state_dict()
        assert moved(start["policy"], another), "another seed is another start"
    cfg.seed = 1 if policy in PLACES else 2  # Gymnasium's episodes are replayed from the run's own seed
    with opened(cfg) as restored:
        inner(restored).load_state_dict(copy.deepcopy(first["learner"]))
        restored.collector.load_state_dict(copy.deepcopy(first["collector"]))
        assert_same(iterate(restored), (rollout, metrics), "restored")
        assert_same(state(restored), second, "restored")


@pytest.mark.parametrize(
    "choice",
    [
        [OPTIONS[group][(index + shift) % len(OPTIONS[group])] for shift, group in enumerate(GROUPS)]
        for index in range(max(map(len, OPTIONS.values())))
    ],
    ids="-".join,
)
def test_a_triple_is_what_a_user_composes(choice: Sequence[str]) -> None:
    algorithm, multiplier, policy = choice
    own = composed(algorithm=algorithm, **LESS[algorithm]).multiplier._target_
    if own == "pgrobot.constraints.Unconstrained":  # it keeps to the budgets by itself, and refuses a price
        multiplier = "none"
    if own == "pgrobot.constraints.Switching":  # it is that multiplier
        multiplier = "crpo"
    typed = composed(
        algorithm=algorithm,
        multiplier=multiplier,
        policy=policy,
        **LESS[algorithm],
        **PLACES.get(policy, {}),
        **SIZES.get(policy, {}),
    )
    assert typed == config(algorithm, multiplier, policy)


@pytest.mark.parametrize(
    ("num_envs", "horizon", "choice"),
    [(1, 1, triple) for triple in TRIPLES]
    + [
        (*size, (algorithm, "pid", "gaussian"))
        for size in ((1, 8), (8, 1))
        for algorithm in OPTIONS["algorithm"]
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value),
)
def test_smallest_sizes(num_envs: int, horizon: int, choice: tuple[str, str, str]) -> None:
    """One environment, one step, and both; minibatches have to divide what is left."""
    cfg = config(*choice)
    cfg.num_envs, cfg.horizon = num_envs, horizon
    if "sequence" in cfg.policy.body:
        cfg.policy.body.sequence = horizon
    rows = num_envs * horizon
    policy = cfg.algorithm.policy_solver
    parts = (policy[part] for part in ("improvement", "projection") if part in policy)
    for solver in (policy, *parts, cfg.algorithm.critic_solver):
        if "minibatch" in solver:
            solver.minibatch = rows
    with opened(cfg) as assembly:
        before = state(assembly)["learner"]
        for _ in range(3):
            iterate(assembly)
        after = state(assembly)["learner"]
        assert after["updates"] == 3
        assert moved(before["critic"], after["critic"])
        shift = max(
            float((after["policy"][name] - before["policy"][name]).abs().max())
            for name in parameters(assembly.policy)
        )
        # a single row has no advantage over the others; what is left is how Adam enlarges rounding
        assert shift > 1e-4 if rows * cfg.algorithm.memory > 1 else shift < 1e-3


@functools.cache
def without_costs(algorithm: str, multiplier: str) -> State:
    """What is learnt in two updates where nothing is limited."""
    cfg = config(algorithm, multiplier, "gaussian")
    cfg.constraint = composed(algorithm="a2c", constraint="none").constraint
    with opened(cfg) as assembly:
        for _ in range(2):
            rollout, _ = iterate(assembly)
        assert rollout.columns == ("reward",)
        return {part: inner(assembly).state_dict()[part] for part in ("policy", "critic")}


@pytest.mark.parametrize("multiplier", OPTIONS["multiplier"])
@pytest.mark.parametrize("algorithm", OPTIONS["algorithm"])
def test_nothing_is_limited(algorithm: str, multiplier: str) -> None:
    """K = 0: whatever would price costs finds none, and is its absence to the last bit."""
    assert_same(without_costs(algorithm, multiplier), without_costs(algorithm, "none"))


WHOLE = {"algorithm.policy_solver.minibatch": 32, "algorithm.passes": 1, "algorithm.normalisation": "raw"}
RMSPROP = {
    "algorithm/optimizer@algorithm.policy_solver.chain.optimizer": "rmsprop",
    "algorithm/rate@algorithm.critic_solver.rate": "constant",
    "algorithm.policy_solver.rate.initial": 3e-3,
    "algorithm.critic_solver.rate.initial": 1e-3,
    "algorithm.critic_solver.epochs": 4,
}
ESTIMATOR = "algorithm/estimator"
# name: (one way to say it, another, how far the parameters may differ)
NULLS: dict[str, tuple[dict[str, Any], dict[str, Any], float]] = {
    **{
        f"V-trace of the acting policy's own experience is GAE, {algorithm}": (
            {"algorithm": algorithm, ESTIMATOR: "vtrace", **LESS[algorithm], "algorithm.passes": 1},
            {"algorithm": algorithm, ESTIMATOR: "gae", **LESS[algorithm], "algorithm.passes": 1},
            1e-12,  # two roundings of a ratio of one
        )
        for algorithm in ("a2c", "npg", "ppo", "reinforce")
    },
    "PPO in one step on the whole rollout is A2C": (
        {"algorithm": "ppo", **WHOLE, **RMSPROP},
        {"algorithm": "a2c", "algorithm.normalisation": "raw"},
        1e-12,
    ),
    "GePPO of one policy is PPO": (
        {
            "algorithm": "geppo",
            "algorithm.memory": 1,
            "algorithm.sample_weights.rollouts": 1.0,
            "algorithm/rate@algorithm.policy_solver.rate": "linear",
            "algorithm/rate@algorithm.critic_solver.rate": "linear",
            **LESS["geppo"],
        },
        {**LESS["ppo"], ESTIMATOR: "vtrace", "algorithm.estimator.pg_rho_bar": math.inf},
        1e-12,  # two roundings of a ratio of one
    ),
    "one λ for both is GAE": (
        {**LESS["ppo"], ESTIMATOR: "td_lambda", "algorithm.estimator.lam": 0.95},
        {**LESS["ppo"], ESTIMATOR: "gae"},
        0.0,
    ),
    "as many steps as there are is Monte-Carlo": (
        {"algorithm": "a2c", ESTIMATOR: "n_step", "algorithm.estimator.n": 8},
        {"algorithm": "a2c", ESTIMATOR: "monte_carlo"},
        1e-12,
    ),
    "GAE without decay is Monte-Carlo": (
        {"algorithm": "a2c", "algorithm.estimator.lam": 1.0},
        {"algorithm": "a2c", ESTIMATOR: "monte_carlo"},
        1e-12,
    ),
    "a state discount of one is none": (
        {"algorithm": "reinforce", "algorithm.state_discount": True, "algorithm.discounts.reward": 1.0},
        {"algorithm": "reinforce", "algorithm.discounts.reward": 1.0},
        0.0,
    ),
}


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Networks and rollouts of float64: what differs in single precision by more than rounding differs here."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", NULLS)
def test_two_ways_to_say_the_same(name: str) -> None:
    first, second, tolerance = NULLS[name]
    learnt = []
    for settings in (first, second):
        with opened(composed(**settings)) as assembly:
            start = inner(assembly).state_dict()["policy"]
            for _ in range(3):
                iterate(assembly)
            end = inner(assembly).state_dict()
            assert all(end["policy"][key].dtype == torch.float64 for key in parameters(assembly.policy))
            assert moved(start, end["policy"]) >= parameters(assembly.policy)
            learnt.append(
                {
                    f"{part}.{key}": end[part][key]
                    for part in ("policy", "critic")
                    for key in parameters(getattr(inner(assembly), part))
                }
            )
    for key, value in learnt[0].items():
        difference = float((value - learnt[1][key]).abs().max())
        assert difference <= tolerance, f"{key} differs by {difference}"
