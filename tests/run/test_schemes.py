"""A scheme and wrappers of the user's own: two policies that share the environments, trained, resumed and judged."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import pgrobot
from pgrobot.assembly import build_learners
from pgrobot.collectors import StaggeredEnvironment
from pgrobot.configure import build, build_environment, compose, search_path, validated
from pgrobot.errors import PgrobotError
from pgrobot.learner import Learner

from .conftest import TINY, Train, metrics, state
from .test_resume import assert_same_run, interrupt_at

MODULE = """
from __future__ import annotations
from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal
import torch
from torch.utils import _pytree as pytree
from pgrobot.bodies import Mlp
from pgrobot.collectors import SimulationCollector
from pgrobot.policies import Policy
from pgrobot.ranges import inside

class Pair(Policy):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second
        self.action_size, self.carry_size = first.action_size, first.carry_size
        self.origin = second.origin = first.origin

    def forward(self, obs, carry, episode_start):
        halves = [{name: x.chunk(2)[i] for name, x in obs.items()} for i in range(2)]
        found = [
            policy(half, carry.chunk(2)[i], episode_start.chunk(2)[i])
            for i, (policy, half) in enumerate(zip((self.first, self.second), halves, strict=True))
        ]
        return pytree.tree_map(lambda *x: torch.cat(x), *(each for each, _ in found)), torch.cat([c for _, c in found])

class Shared:
    def __init__(self, collector, names):
        self.collector, self.names = collector, names

    def collect(self):
        (rollout,) = self.collector.collect().values()
        halves = {}
        for i, name in enumerate(self.names):
            cut = lambda x: x.chunk(2, 1)[i] if isinstance(x, torch.Tensor) and x.dim() > 1 else x
            parts = {f.name: getattr(rollout, f.name) for f in fields(rollout)}
            halves[name] = replace(rollout, **{
                key: {k: cut(v) for k, v in x.items()} if isinstance(x, dict) else cut(x) for key, x in parts.items()
            })
        return halves

    def __getattr__(self, name):
        return getattr(self.collector, name)

@dataclass(frozen=True)
class Twins:
    acting: Literal["left", "right"]

    def learners(self, parts):
        return {name: parts.learner(parts.policy(name), name) for name in ("left", "right")}

    def policy(self, policies):
        return policies[self.acting]

    def collector(self, parts, environment, learners):
        pair = Pair(*(learner.policy for learner in learners.values()))
        costs = parts.cost_columns(environment.spec.num_envs)
        noise = parts.stream("action_noise")
        return Shared(SimulationCollector(environment, pair, costs, parts.cfg.horizon, noise, "both"), list(learners))

@dataclass(frozen=True)
class Headless(Twins):
    def learners(self, parts):
        return {"somebody": parts.learner(parts.policy())}

class Scaled:
    def __init__(self, environment, factor: Annotated[float, inside(0.0, 10.0)], offset: float = 0.0):
        self.environment, self.factor, self.offset = environment, factor, offset

    def __getattr__(self, name):
        return getattr(self.environment, name)

    def step(self, action):
        step = self.environment.step(action)
        return replace(step, reward=self.factor * step.reward + self.offset)

def nothing(environment):
    return None

class InFives(Mlp):
    sequence = 5
"""

AS_SCHEME = ["scheme=twins", "~scheme.acting", "scheme._target_=own_schemes.Scaled"]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The module, and a config folder with an option of the group ``scheme``."""
    (tmp_path / "own_schemes.py").write_text(MODULE)
    (tmp_path / "conf" / "scheme").mkdir(parents=True)
    (tmp_path / "conf" / "scheme" / "twins.yaml").write_text("_target_: own_schemes.Twins\nacting: right\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield ["modules=[own_schemes]", *search_path([str(tmp_path / "conf")])]
    sys.modules.pop("own_schemes", None)


def test_two_learners_train_resume_and_are_judged_by_the_one_that_acts(
    own: list[str], train: Train, resume: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = [*own, "scheme=twins", "total_steps=128", "constraint=[speed]"]
    whole = train("whole", *twins)
    with monkeypatch.context() as patch:
        interrupt_at(64, signal.SIGINT, patch)
        train("parts", *twins)
    resume(tmp_path / "parts", *own)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")

    first = metrics(tmp_path / "whole")[0]
    for name in ("left", "right"):
        assert {f"{name}/policy/kl", f"{name}/cost/speed/mean", f"{name}/reward/forward/mean"} <= first.keys()
    saved = state(tmp_path / "whole", "best")
    assert saved["acting"] == "right"
    left, right = (saved["learners"][name]["policy"] for name in ("left", "right"))
    assert any(not torch.equal(left[key], right[key]) for key in left)

    again = pgrobot.evaluate(whole, modules=["own_schemes"])
    assert again["return"] == whole.evaluation["return"]
    saved["learners"]["left"], saved["learners"]["right"] = (
        saved["learners"]["right"],
        saved["learners"]["left"],
    )
    path = tmp_path / "swapped.pt"
    torch.save(saved, path)
    other = pgrobot.evaluate(whole, checkpoint=str(path), modules=["own_schemes"])
    assert other["return"]["mean"] != again["return"]["mean"]


def test_every_learner_has_streams_of_its_own(own: list[str]) -> None:
    """Weights, shuffles and whatever else is random: else twins would be one policy trained twice."""
    cfg = validated(compose([*TINY, *own, "scheme=twins"]))
    environment = build_environment(cfg, 4, 0, 1)
    made, again = (build_learners(cfg, environment.spec, 1) for _ in range(2))
    environment.close()

    def random_parts(learner: Learner) -> dict[str, torch.Tensor]:
        solvers = {"policy": learner.policy_solver, "critic": learner.critic_solver}
        vectors = {"policy weights": learner.policy_vector, "critic weights": learner.critic_vector}
        shuffles = {f"{name} shuffle": solver.state_dict()["generator"] for name, solver in solvers.items()}
        return {name: parameters.vector.clone() for name, parameters in vectors.items()} | shuffles

    left, right, same = (random_parts(each) for each in (made["left"], made["right"], again["left"]))
    for name in left:
        assert not torch.equal(left[name], right[name]), name
        assert torch.equal(left[name], same[name]), name


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["scheme=twins", "scheme.acting=middle"], "scheme.acting cannot be 'middle': valid: left, right"),
        (
            ["scheme=twins", "scheme._target_=own_schemes.Headless"],
            "scheme._target_=own_schemes.Headless has 'right' act, which is none of its learners: somebody",
        ),
        (
            [*AS_SCHEME, "+scheme._partial_=true", "+scheme.factor=1"],
            "scheme._target_=own_schemes.Scaled is no scheme: it has no 'acting', see pgrobot.schemes.Scheme",
        ),
        (
            ["+wrapper.no={_target_:own_schemes.nothing,_partial_:true}"],
            "wrapper.no has to make an environment, as pgrobot.types.Environment describes it, but made None",
        ),
        (
            ["+wrapper.far={_target_:own_schemes.Scaled,_partial_:true,factor:11}"],
            "wrapper.far.factor must be a number between 0 and 10, not 11",
        ),
        (
            ["policy.body._target_=own_schemes.InFives"],
            "policy learns from sequences of 5 steps, which do not divide horizon=16",
        ),
        (["+wrapper.far=3"], "wrapper.far consists of keys, such as wrapper.far._target_, so it cannot be 3"),
    ],
)  # fmt: skip
def test_what_is_no_scheme_or_no_wrapper_is_refused(
    own: list[str], overrides: list[str], sentence: str
) -> None:
    with pytest.raises(PgrobotError) as refused:
        build(validated(compose([*TINY, *own, *overrides])), 1)
    assert sentence in str(refused.value)


def test_wrappers_are_applied_in_their_order_in_training_and_evaluation_alike(own: list[str]) -> None:
    wrappers = [
        "+wrapper.more={_target_:own_schemes.Scaled,_partial_:true,factor:1,offset:1}",
        "+wrapper.twice={_target_:own_schemes.Scaled,_partial_:true,factor:2}",
    ]
    plain, wrapped = (validated(compose([*TINY, *own, *more])) for more in ([], wrappers))
    rewards = []
    for cfg in (plain, wrapped):
        assembly = build(cfg, 1)
        assert isinstance(assembly.environment, StaggeredEnvironment)
        (rollout,) = assembly.collector.collect().values()
        evaluated = build_environment(cfg, 4, 3, 1)
        evaluated.reset()
        rewards.append((rollout.reward[..., 0], evaluated.step(np.zeros((4, 3))).reward.copy()))
        for environment in (assembly.environment, evaluated):
            environment.close()
    (trained, judged), (trained_wrapped, judged_wrapped) = rewards
    torch.testing.assert_close(trained_wrapped, 2.0 * (trained + 1.0))
    np.testing.assert_allclose(judged_wrapped, 2.0 * (judged + 1.0))
