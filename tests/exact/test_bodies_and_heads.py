"""A policy is a body under a head, over groups; a critic is whatever predicts: each part can be another's."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from remembering import Echo
from torch import Tensor, nn
from torch.func import grad
from toys import GAUSSIAN, TargetWorld, make, make_critic, make_policy, numbers

from pgrobot import api
from pgrobot.batch import CriticBatch
from pgrobot.bodies import Body, Mlp
from pgrobot.configure import build, build_policy, compose, search_path, validated
from pgrobot.critics import Critic
from pgrobot.episodes import evaluate
from pgrobot.errors import PgrobotError
from pgrobot.normalizer import ColumnScaler
from pgrobot.policies import NetworkPolicy
from pgrobot.policies.heads.smooth import SmoothHead
from pgrobot.randomness import stream
from pgrobot.run.evaluation import actor
from pgrobot.solvers import CriticProblem, FlatParameters
from pgrobot.types import Step

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {"policy": 2, "command": 3}
START = torch.tensor([True, False, False, False])


class Counting(Body):
    """Tells how many steps of the episode it has seen beside what it sees."""

    carry_size = 1
    sequence = 4

    def __init__(self, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.width = inputs + 1

    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        count = torch.where(episode_start.unsqueeze(-1), 0.0, carry) + 1.0
        return torch.cat((x, count), -1), count


def observed(rows: int = 4) -> dict[str, Tensor]:
    return {name: torch.randn(rows, width, generator=stream(rows, name)) for name, width in GROUPS.items()}


def test_body_and_head_remember_side_by_side() -> None:
    """The body's part comes first; each sees its own, and what the head is shown is what was observed."""
    head = functools.partial(SmoothHead, log_std=-0.5, log_std_bounds=(-4.0, 1.0), share=0.5, correlation=0.9)
    policy = NetworkPolicy({"policy": 2}, numbers(2), ("policy",), Counting, head, 10.0, stream(0, "policy"))
    alone = make_policy(actions=2, head=head)
    assert (policy.action_size, policy.carry_size, policy.sequence) == (2, 3, 4)
    assert (alone.carry_size, alone.sequence) == (2, 1)
    carry = torch.cat((torch.tensor([[7.0], [0.0], [1.0], [5.0]]), torch.randn(4, 2)), -1)
    policy.merge({"policy": 3.0 * observed(50)["policy"]})
    with torch.no_grad():
        _, following = policy(observed(), carry, START)
        _, noise = alone(observed(), carry[:, 1:], START)
    assert following[:, 0].tolist() == [1.0, 1.0, 2.0, 6.0]
    assert torch.equal(following[:, 1:], noise)


@pytest.mark.parametrize("groups", [("command", "policy"), ("policy", "command")])
def test_groups_are_read_side_by_side_in_their_order(groups: tuple[str, ...]) -> None:
    network = functools.partial(Mlp, hidden=(8,), activation="tanh")
    several = NetworkPolicy(GROUPS, numbers(1), groups, network, GAUSSIAN, 10.0, stream(0, "policy"))
    one = make_policy({"policy": 5}, hidden=(8,))
    obs = observed()
    whole = {"policy": torch.cat([obs[group] for group in groups], -1)}
    for policy, seen in ((several, obs), (one, whole)):
        policy.merge(seen)
    with torch.no_grad():
        ours, theirs = (p(seen, torch.zeros(4, 0), START)[0] for p, seen in ((several, obs), (one, whole)))
    assert torch.equal(ours.mean, theirs.mean)
    critic = make_critic(("reward",), GROUPS, ("policy", "command"))
    critic.merge(obs)
    assert critic.normalizer.moments.mean.shape == (5,)


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (
            ("policies",),
            r"policy\.groups names 'policies', which this task does not observe; did you mean 'policy'",
        ),
        (("policy", "time"), r"policy\.groups names 'time', which this task does not observe"),
        ((), r"policy\.groups names no observation group; valid: policy, command"),
    ],
)
def test_groups_that_are_not_there_are_refused(groups: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        NetworkPolicy(GROUPS, numbers(1), groups, Counting, GAUSSIAN, 10.0, stream(0, "policy"))


# ---- a policy that remembers what it drew, judged -------------------------------------------------------------------


def test_an_evaluation_remembers_what_was_drawn_and_sends_the_command_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    acted: list[np.ndarray] = []
    step = TargetWorld.step

    def recorded(world: TargetWorld, action: np.ndarray) -> Step:
        acted.append(action.copy())
        return step(world, action)

    monkeypatch.setattr(TargetWorld, "step", recorded)
    collector, _ = make(TargetWorld(4, 0), policy=Echo(1))
    collector.collect()
    trained = acted.copy()
    acted.clear()
    world = TargetWorld(4, 0)
    evaluate(actor(Echo(1), world.spec, "stochastic", stream(0, "noise")), world, 16, 1.0)
    assert trained[0].shape == (4, 1)
    assert np.array_equal(trained, acted[: len(trained)])


OWN = """
import torch
from remembering import Echo
from pgrobot.distributions import Gaussian
from pgrobot.bodies import Body
from pgrobot.policies import Head

class Careless(Body):
    '''One whose weights come from the global generator.'''

    def __init__(self, inputs, generator):
        super().__init__()
        self.layer, self.width = torch.nn.Linear(inputs, 4), 4

    def forward(self, x, carry, episode_start):
        return self.layer(x), carry

def echo(observation, actions, generator):
    return Echo(1)

class Steady(Head):
    '''A Gaussian of a given deviation.'''

    def __init__(self, actions, std: float):
        super().__init__()
        self.outputs = self.action_size = len(actions)
        self.std = torch.tensor(std)

    def forward(self, numbers, seen, carry, episode_start):
        return Gaussian(numbers, self.std.log().expand_as(numbers)), carry
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user's own beside a directory of configs: a policy and a head."""
    (tmp_path / "my_policies.py").write_text(OWN)
    (tmp_path / "policy" / "head").mkdir(parents=True)
    (tmp_path / "policy" / "echo.yaml").write_text("_target_: my_policies.echo\n_partial_: true\n")
    (tmp_path / "policy" / "head" / "steady.yaml").write_text(
        "_target_: my_policies.Steady\n_partial_: true\nstd: 0.3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return tmp_path


def test_a_run_of_what_remembers_is_judged_again(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGROBOT_CONFIG_PATH", str(own))
    settings: dict[str, Any] = {
        "compile": False, "tracker": "none", "task": "lqr", "policy": "echo", "modules": ["my_policies"],
        "num_envs": 4, "horizon": 16, "total_steps": 64, "threads": 1, "algorithm.policy_solver.minibatch": 32,
        "hydra.run.dir": str(own / "run"),
        "evaluation.episodes": 2, "evaluation.final_episodes": 4, "algorithm.passes": 1, "critic.hidden": [8],
    }  # fmt: skip
    result = api.train(**settings)
    told = api.evaluate(result, modules=["my_policies"])
    assert told["return"]["mean"] == result.evaluation["return"]["mean"]


def test_a_head_is_a_file_and_a_config(own: Path) -> None:
    """Nothing else has to know it: it is an option, its keys are checked, and any body and learner train it."""
    typed = [
        *search_path([str(own)]),
        "policy/head=steady",
        "modules=[my_policies]",
        "debug=tiny",
        "task=lqr",
    ]
    assembly = build(validated(compose(typed)), 1)
    metrics = assembly.learners["robot"].update(assembly.collector.collect()["robot"])
    assert metrics["policy/std"] == pytest.approx(0.3)
    assert metrics["policy/kl"] > 0.0
    for wrong, sentence in (
        ("policy.head.std=x", "policy.head.std"),
        ("~policy.head.std", "std must be given, as Steady"),
    ):
        with pytest.raises(PgrobotError, match=sentence):
            build_policy(validated(compose([*typed, wrong])), assembly.environment.spec)
    assembly.environment.close()


def test_a_mapping_that_names_another_part_takes_the_place_of_what_is_there(own: Path) -> None:
    typed = ["modules=[my_policies]", "debug=tiny", "task=lqr"]
    head = "policy.head={_target_:my_policies.Steady,_partial_:true,std:0.3}"
    found = validated(compose([*typed, head]))
    assert dict(found.policy.head) == {"_target_": "my_policies.Steady", "_partial_": True, "std": 0.3}
    with pytest.raises(PgrobotError, match="policy has no key 'hed': did you mean 'head'"):
        compose([*typed, head.replace("head", "hed", 1)])


def test_weights_from_the_global_generator_come_from_the_seed_as_well(own: Path) -> None:
    def weights(noise: int, *overrides: str) -> Tensor:
        torch.manual_seed(noise)
        cfg = validated(compose(["modules=[my_policies]", "debug=tiny", "task=lqr", *overrides]))
        made = build(cfg, 1).policy
        assert torch.initial_seed() == noise, "the generator of the program itself is left alone"
        return torch.cat([p.detach().flatten() for p in made.parameters()])

    (own / "policy" / "body").mkdir()
    (own / "policy" / "body" / "careless.yaml").write_text(
        "_target_: my_policies.Careless\n_partial_: true\n"
    )
    careless = [*search_path([str(own)]), "policy/body=careless"]
    assert torch.equal(weights(1, *careless), weights(2, *careless))
    assert not torch.equal(weights(1, *careless), weights(1, *careless, "seed=5"))


CHOICES = ("pgrobot/policies/levels/goal.py", "pgrobot/policies/levels/switch.py")


def test_no_list_names_a_shipped_head() -> None:
    """But the one of what former runs called them; and options and switches are by definition choices."""
    targets = [
        yaml.safe_load(file.read_text())["_target_"].rpartition(".")
        for file in (ROOT / "conf" / "policy" / "head").glob("*.yaml")
    ]
    assert len(targets) >= 7
    for module, _, name in targets:
        home = f"{module.replace('.', '/')}.py"
        naming = {
            str(path.relative_to(ROOT))
            for path in (ROOT / "pgrobot").rglob("*.py")
            if re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))
        }
        assert naming - {"pgrobot/past_networks.py", *CHOICES} == {home}, name


# ---- a critic that is no network ------------------------------------------------------------------------------------


class Quadratic(Critic):
    """Linear in the observations and their products: least squares by the learner's own descent."""

    carry_size = 0
    sequence = 1

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6, columns))
        self.scaler = ColumnScaler(columns)

    @property
    def scale(self) -> Tensor:
        return self.scaler.scale

    def features(self, obs: Mapping[str, Tensor]) -> Tensor:
        x = obs["policy"]
        return torch.cat((torch.ones_like(x[..., :1]), x, x.square(), x[..., :1] * x[..., 1:]), -1)

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.features(obs) @ self.weight, carry

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        pass

    @torch.no_grad()
    def rescale(self, returns: Tensor) -> dict[str, Tensor]:
        factor = self.scaler.merge(returns)
        self.weight.mul_(factor)
        return {"weight": factor}


def test_a_critic_that_is_no_network_is_fitted_by_the_same_learner() -> None:
    """Its gradient is that of least squares, and its values explain the returns."""
    critic = Quadratic(2)
    collector, learner = make(TargetWorld(16, 0), critic=critic, rate=0.05)
    told = [learner.update(collector.collect()["robot"]) for _ in range(6)]
    assert told[-1]["critic/explained_variance/reward"] > 0.3 > told[0]["critic/explained_variance/reward"]

    other = Quadratic(2)
    parameters = FlatParameters(other)
    other.scale.copy_(torch.tensor([2.0, 0.5]))
    obs = {"policy": torch.randn(8, 2, generator=stream(0, "obs"))}
    target = torch.randn(8, 2, generator=stream(0, "target"))
    problem = CriticProblem(other, parameters)
    found = grad(lambda v: problem.loss(v, CriticBatch.of_rows(obs, target))[0])(parameters.vector)
    features = other.features(obs)
    expected = features.T @ (features @ other.weight - target / other.scale) / 8
    torch.testing.assert_close(found.view(6, 2), expected)
