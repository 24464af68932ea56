"""Every policy of the config group, as its YAML builds it: from the rollout to the gradient of every parameter."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toys
from torch import Tensor
from torch.func import functional_call, grad, jvp
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from pgrobot import checkpoint
from pgrobot.collectors import SimulationCollector
from pgrobot.configure import build_policy, compose, options, validated
from pgrobot.constraints import CostColumns
from pgrobot.distributions import Binned, Gaussian
from pgrobot.episodes import evaluate
from pgrobot.errors import PgrobotError
from pgrobot.policies import Policy
from pgrobot.policies.hashing import hashed_normal
from pgrobot.policies.heads.binned import ordinal_logits
from pgrobot.policies.heads.categorical import CategoricalHead
from pgrobot.randomness import stream
from pgrobot.run.evaluation import actor
from pgrobot.solvers import FlatParameters
from pgrobot.types import Action, Rollout, Step

POLICIES = {
    **{name: [f"policy={name}"] for name in options([])["policy"]},
    "ordinal": ["policy=binned", "policy.head=ordinal"],
    "deep": ["policy=gaussian", "policy.hidden=[8,8,8,8]", "policy.block=residual", "policy.norm=layer"],
}


class TwoMotors(toys.TargetWorld):
    """The world of the toys with a second motor that does nothing."""

    def __init__(self, num_envs: int, seed: int) -> None:
        super().__init__(num_envs, seed)
        low = np.array([-2.0, -1.0])
        self.spec = dataclasses.replace(
            self.spec, action_low=low, action_high=-low, actions=Action.unitless("motor", "idle")
        )

    def step(self, action: np.ndarray) -> Step:
        return super().step(action[:, :1])


class TwoSwitches(TwoMotors):
    """The same, told by choices: full speed back, stop or ahead; and one of two that does nothing."""

    def __init__(self, num_envs: int, seed: int) -> None:
        super().__init__(num_envs, seed)
        high = np.array([2.0, 1.0])
        actions = (Action("motor", "", 3), Action("idle", "", 2))
        self.spec = dataclasses.replace(self.spec, action_low=0.0 * high, action_high=high, actions=actions)

    def step(self, action: np.ndarray) -> Step:
        return super().step(2.0 * action - 2.0)


WORLDS: dict[str, type[TwoMotors]] = {"categorical": TwoSwitches}


@functools.cache
def config(*overrides: str) -> Any:
    return validated(compose(["policy.hidden=[16]", *overrides]))


def make(name: str, *overrides: str, seed: int = 1) -> Policy:
    cfg = config(*POLICIES[name], *overrides).copy()
    cfg.seed = seed
    return build_policy(cfg, WORLDS.get(name, TwoMotors)(1, 0).spec)


def collector_of(policy: Policy, seed: int = 0) -> SimulationCollector:
    world = TwoSwitches(4, seed) if isinstance(policy.head, CategoricalHead) else TwoMotors(4, seed)
    costs = CostColumns((toys.ABOVE,), 4)
    return SimulationCollector(world, policy, costs, 20, stream(seed, "noise"), "robot")


def collected(policy: Policy, rollouts: int = 2) -> Rollout:
    """The last of several rollouts: its episodes began before it, and end in it."""
    collector = collector_of(policy)
    for _ in range(rollouts):
        rollout = collector.collect()["robot"]
    return rollout


@pytest.fixture(params=POLICIES, name="name")
def every_policy(request: pytest.FixtureRequest) -> str:
    return request.param


def test_log_probabilities_of_a_rollout_are_found_again(name: str) -> None:
    """The ratio of the first minibatch is one: with the stored carry, over starts, in any order of the rows."""
    policy = make(name)
    rollout = collected(policy)
    assert rollout.episode_start.any()
    assert rollout.carry.shape == (20, 4, policy.carry_size)
    order = torch.randperm(80, generator=torch.Generator().manual_seed(0))
    rows = [x.flatten(0, 1)[order] for x in (rollout.carry, rollout.episode_start, rollout.action)]
    obs = {key: value.flatten(0, 1)[order] for key, value in rollout.obs.items()}
    with torch.no_grad():
        distribution, _ = policy(obs, *rows[:2])
        log_prob = distribution.log_prob(rows[2])
    ratio = torch.exp(log_prob - rollout.log_prob.flatten()[order])
    torch.testing.assert_close(ratio, torch.ones(80), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in POLICIES if name not in WORLDS])
def test_actions_explore_the_actuators_range(name: str) -> None:
    policy = make(name)
    told = policy.command(collected(policy).action)
    assert told.shape == (20, 4, 2)
    executed = told.clamp(-1, 1)
    assert 0.3 < float(executed.std()) < 0.8
    assert abs(float(executed.mean())) < 0.3


def test_every_parameter_receives_a_gradient(name: str) -> None:
    """Of a ratio, an entropy and a divergence alike; as views of one flat vector."""
    policy = make(name)
    rollout = collected(policy)
    with torch.no_grad():  # away from zero, where a small last layer hides the layers before it
        for parameter in policy.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    reference, _ = policy(rollout.obs, rollout.carry, rollout.episode_start)
    parameters = FlatParameters(policy)
    arguments = (rollout.obs, rollout.carry, rollout.episode_start)
    weight = torch.linspace(-1.0, 2.0, 80).view(20, 4)

    def distribution(vector: Tensor) -> Any:
        return functional_call(policy, parameters.views(vector), arguments)[0]

    def surrogate(vector: Tensor) -> Tensor:
        return (weight * torch.exp(distribution(vector).log_prob(rollout.action) - rollout.log_prob)).mean()

    gradient = grad(surrogate)(parameters.vector)
    assert bool(gradient.isfinite().all())
    for layer, where in parameters.slices.items():
        part = gradient[where]
        assert part.numel() == 0 or bool((part != 0).all() if part.numel() < 3 else (part != 0).any()), layer
    assert bool(grad(lambda v: distribution(v).entropy().mean())(parameters.vector).isfinite().all())
    product = jvp(
        grad(lambda v: _detached(reference).kl(distribution(v)).mean()), (parameters.vector,), (gradient,)
    )
    assert bool(product[1].isfinite().all())
    assert float(gradient @ product[1]) > 0, "the Fisher information is positive along the gradient"


def _detached(distribution: Any) -> Any:
    return pytree.tree_map(lambda x: x.detach(), distribution)


def test_an_update_moves_every_parameter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toys, "make_policy", lambda seed: make(name))
    collector, learner = toys.make(WORLDS.get(name, TwoMotors)(4, 0))
    before = learner.state_dict()["policy"]
    for _ in range(2):
        metrics = learner.update(collector.collect()["robot"])
    assert all(math.isfinite(value) for value in metrics.values())
    after = learner.state_dict()["policy"]
    for layer, _ in learner.policy.named_parameters():
        assert not torch.equal(after[layer], before[layer]), layer


def test_the_same_seed_gives_the_same_rollout_and_another_one_another(name: str) -> None:
    one, same, other = (collected(make(name, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(one.action, same.action)
    assert torch.equal(one.carry, same.carry)
    drawn = [torch.cat((rollout.action, rollout.log_prob.unsqueeze(-1)), -1) for rollout in (one, other)]
    assert not torch.equal(*drawn)


def test_a_checkpoint_restores_the_policy(name: str, tmp_path: Path) -> None:
    policy, other = make(name), make(name, seed=2)
    rollout = collected(policy)
    policy.merge(rollout.obs)
    FlatParameters(policy)
    checkpoint.save(tmp_path / "policy.pt", {"policy": policy.state_dict()})
    other.load_state_dict(checkpoint.load(tmp_path / "policy.pt")["policy"])
    arguments = (rollout.obs, rollout.carry, rollout.episode_start)
    with torch.no_grad():
        ours, theirs = (p(*arguments)[0].log_prob(rollout.action) for p in (policy, other))
    assert torch.equal(ours, theirs)


def test_rows_do_not_see_each_other(name: str) -> None:
    policy = make(name)
    rollout = collected(policy)
    with torch.no_grad():
        whole, carry = policy(rollout.obs, rollout.carry, rollout.episode_start)
        obs = {key: value[3, 1] for key, value in rollout.obs.items()}
        alone, alone_carry = policy(obs, rollout.carry[3, 1], rollout.episode_start[3, 1])
    torch.testing.assert_close(alone.mean, whole.mean[3, 1])
    torch.testing.assert_close(alone.log_prob(rollout.action[3, 1]), whole.log_prob(rollout.action)[3, 1])
    torch.testing.assert_close(alone_carry, carry[3, 1])


def gradient_step(policy: Policy) -> Callable[..., Tensor]:
    """The gradient of everything that a solver may ask of a policy, as a function of the parameters and rows."""
    parameters = FlatParameters(policy)

    def step(vector: Tensor, obs: dict[str, Tensor], carry: Tensor, start: Tensor, action: Tensor) -> Tensor:
        def loss(v: Tensor) -> Tensor:
            one, next_carry = functional_call(policy, parameters.views(v), (obs, carry, start))
            parts = (one.log_prob(action), one.entropy(), _detached(one).kl(one), next_carry.sum(-1))
            return torch.stack(parts).mean()

        return grad(loss)(vector)

    return step


def rows_of(rollout: Rollout, t: int) -> tuple[Any, ...]:
    obs = {key: value[t] for key, value in rollout.obs.items()}
    return obs, rollout.carry[t], rollout.episode_start[t], rollout.action[t]


def test_traces_without_a_branch_on_values(name: str) -> None:
    """What is traced in the middle of episodes computes their start as well."""
    policy = make(name)
    rollout = collected(policy)
    step, vector = gradient_step(policy), FlatParameters(policy).vector
    middle, start = rows_of(rollout, 2), rows_of(rollout, 4)
    assert rollout.episode_start[4].all()
    traced = make_fx(step)(vector, *middle)
    torch.testing.assert_close(traced(vector, *start), step(vector, *start))


@pytest.mark.slow
def test_compiles_as_one_graph(name: str) -> None:
    torch.compiler.reset()
    policy = make(name)
    rows = rows_of(collected(policy), 4)
    step, vector = gradient_step(policy), FlatParameters(policy).vector
    compiled = torch.compile(step, fullgraph=True, dynamic=False, options={"cpp_wrapper": True})
    torch.testing.assert_close(compiled(vector, *rows), step(vector, *rows), rtol=1e-4, atol=1e-5)


def parts_of(policy: Policy, rollout: Rollout) -> Any:
    with torch.no_grad():
        return policy(rollout.obs, rollout.carry, rollout.episode_start)[0]


def test_state_dependent_deviation_starts_near_its_value_and_keeps_its_bounds() -> None:
    policy = make("state_std")
    std = parts_of(policy, collected(policy)).log_std
    torch.testing.assert_close(std, torch.full_like(std, -0.5), rtol=0, atol=0.1)
    assert float(std.std()) > 0
    with torch.no_grad():
        policy.output.bias += torch.tensor([0.0, 0.0, 100.0, -100.0])
    bounded = policy({"policy": torch.zeros(1, 2)}, torch.zeros(1, 0), torch.zeros(1, dtype=torch.bool))[0]
    torch.testing.assert_close(bounded.log_std, torch.tensor([[1.0, -4.0]]), rtol=0, atol=0.1)
    assert bool((bounded.log_std.abs() < torch.tensor([[1.0, 4.0]])).all())


@pytest.mark.parametrize("policy", ["gaussian", "squashed", "full_covariance", "smooth"])
def test_deviations_of_all_states_alike_are_parameters_with_bounds(policy: str) -> None:
    """As a recorded floor sets them, too: it is where a solver stops."""
    parameters = FlatParameters(make(policy, "experiment=on_inverteddoublependulum"))
    where = parameters.slices["head.log_std"]
    assert (parameters.lower[where].tolist(), parameters.upper[where].tolist()) == ([-1.5] * 2, [1.0] * 2)
    assert int(parameters.lower.isfinite().sum()) == 2


def test_full_covariance_starts_as_the_gaussian_and_keeps_its_deviations() -> None:
    full, gaussian = make("full_covariance"), make("gaussian")
    rollout = collected(gaussian)
    ours, theirs = parts_of(full, rollout), parts_of(gaussian, rollout)
    assert torch.equal(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.log_prob(rollout.action), theirs.log_prob(rollout.action))
    with torch.no_grad():
        full.head.correlation.fill_(1.0)
    correlated = parts_of(full, rollout)
    torch.testing.assert_close(correlated.std, theirs.std)
    covariance = correlated.cholesky @ correlated.cholesky.mT / correlated.std[..., :1].square().unsqueeze(-1)
    torch.testing.assert_close(covariance[0, 0], torch.tensor([[1.0, 0.5**0.5], [0.5**0.5, 1.0]]))


def test_beta_starts_at_its_concentration_and_stays_in_range() -> None:
    policy = make("beta")
    rollout = collected(policy)
    beta = parts_of(policy, rollout)
    torch.testing.assert_close(beta.alpha, torch.full_like(beta.alpha, 1.5), rtol=0, atol=0.05)
    torch.testing.assert_close(beta.std, torch.full_like(beta.std, 0.5), rtol=0, atol=0.02)
    assert float(rollout.action.abs().max()) <= 1.0


def test_an_ordinal_head_multiplies_the_steps_taken_and_left() -> None:
    steps = torch.tensor([[0.3, -1.2, 2.0]]).double()
    taken, left = steps.sigmoid().log()[0], (-steps).sigmoid().log()[0]
    expected = torch.stack([taken[:b].sum() + left[b:].sum() for b in range(4)])
    torch.testing.assert_close(ordinal_logits(steps)[0], expected)
    uniform = Binned(ordinal_logits(torch.zeros(1, 3, 10).double()))
    torch.testing.assert_close(uniform.entropy(), torch.tensor([3 * math.log(11.0)]).double())


@pytest.mark.parametrize("null", ["policy.share=0.0", "policy.correlation=0.0"])
def test_smooth_exploration_without_memory_is_the_gaussian_policy(
    null: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit: rollouts and two updates."""
    histories = []
    for build in (lambda seed: make("smooth", null), lambda seed: make("gaussian")):
        monkeypatch.setattr(toys, "make_policy", build)
        collector, learner = toys.make(TwoMotors(4, 0))
        history = []
        for _ in range(2):
            rollout = collector.collect()["robot"]
            learner.update(rollout)
            history += [rollout.action, rollout.log_prob, *learner.state_dict()["policy"].values()]
        histories.append(history)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*histories, strict=True))


def exploration(steps: int = 60, envs: int = 400) -> tuple[Tensor, Policy]:
    """Noise of the smooth policy ``[T, N, A]`` in units of its deviation, over one episode of random observations."""
    policy = make("smooth")
    generator = torch.Generator().manual_seed(0)
    carry, start = torch.zeros(envs, 2), torch.ones(envs, dtype=torch.bool)
    noise = []
    with torch.no_grad():
        for _ in range(steps):
            obs = {"policy": torch.randn(envs, 2, generator=generator)}
            distribution, carry = policy(obs, carry, start)
            action = distribution.sample(generator)
            noise.append((action - distribution.mean) / policy.head.log_std.exp())
            start = torch.zeros(envs, dtype=torch.bool)
    return torch.stack(noise), policy


def test_smooth_exploration_lasts_as_long_as_it_says() -> None:
    noise, policy = exploration()
    assert (policy.head.share, policy.head.correlation) == (0.5, 0.9)
    deviation = noise.std((1, 2))
    torch.testing.assert_close(deviation, torch.ones(60), rtol=0, atol=0.12)
    assert float(deviation.mean()) == pytest.approx(1.0, abs=0.02)
    later = noise[1:]  # all noise of an episode's first step is white
    for lag in (1, 2, 5, 20):
        correlation = float((later[lag:] * later[:-lag]).mean())
        assert correlation == pytest.approx(0.5 * 0.9**lag, abs=0.03), lag
    assert float((noise[:-1, 0] * noise[1:, 0]).mean()) != 0
    assert abs(float((noise[0] * later[0]).mean())) < 0.12
    assert abs(float((noise[..., 0] * noise[..., 1]).mean())) < 0.03, "actuators are independent"
    assert abs(float((noise[:, ::2] * noise[:, 1::2]).mean())) < 0.03, "environments are independent"


def test_smooth_exploration_forgets_at_an_episodes_start() -> None:
    policy = make("smooth")
    obs, start = {"policy": torch.randn(3, 2)}, torch.tensor([True, False, True])
    with torch.no_grad():
        one, carry = policy(obs, torch.zeros(3, 2), start)
        other, other_carry = policy(obs, torch.full((3, 2), 2.0), start)
    assert torch.equal(one.given.mean == other.given.mean, start.unsqueeze(-1).expand(3, 2))
    assert torch.equal(carry == other_carry, start.unsqueeze(-1).expand(3, 2))
    assert torch.equal(one.given.mean[start], one.mean[start])
    assert torch.equal(one.mean, other.mean), "the deterministic action does not explore"
    white = torch.tensor([-0.5, -0.5 + 0.5 * math.log(0.5), -0.5])
    torch.testing.assert_close(one.given.log_std, white.unsqueeze(-1).expand(3, 2))


def test_an_evaluation_acts_as_the_rollouts_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its policy is told where episodes begin, whatever it remembers from step to step."""
    acted: list[np.ndarray] = []
    step = TwoMotors.step

    def recorded(world: TwoMotors, action: np.ndarray) -> Step:
        acted.append(action.copy())
        return step(world, action)

    monkeypatch.setattr(TwoMotors, "step", recorded)
    policy = make(name)
    assert collected(policy, rollouts=1).truncated.any()
    rollout = acted.copy()
    acted.clear()
    world = WORLDS.get(name, TwoMotors)(4, 0)
    evaluate(actor(policy, world.spec, "stochastic", stream(0, "noise")), world, 40, 1.0)
    assert np.array_equal(rollout, acted[: len(rollout)])


def test_what_smooth_exploration_remembers_has_no_parameters_in_it() -> None:
    """So the carry is like one more observation, and the score of each step given it makes an unbiased gradient."""
    policy = make("smooth")
    rollout = collected(policy)
    with torch.no_grad():
        _, carry = policy(rollout.obs, rollout.carry, rollout.episode_start)
        assert torch.equal(carry[:-1], rollout.carry[1:])
        for parameter in policy.parameters():
            parameter.add_(1.0)
        moved, other = policy(rollout.obs, rollout.carry, rollout.episode_start)
    assert torch.equal(other, carry)
    assert float(moved.given.mean.abs().min()) > 0.5


def test_hashed_noise_is_normal_and_changes_with_every_bit() -> None:
    rows = torch.linspace(-1.0, 1.0, 50_000).view(-1, 1).expand(-1, 3)
    noise = hashed_normal(rows, 4)
    assert noise.shape == (50_000, 4)
    assert torch.equal(noise, hashed_normal(rows, 4))
    torch.testing.assert_close(noise.mean(0), torch.zeros(4), rtol=0, atol=0.02)
    torch.testing.assert_close(noise.T.cov(), torch.eye(4), rtol=0, atol=0.03)
    torch.testing.assert_close(noise.pow(4).mean(0), torch.full((4,), 3.0), rtol=0, atol=0.2)
    changed = rows.clone()
    changed[:, 1] = torch.nextafter(changed[:, 1], torch.tensor(9.0))
    pairs = torch.stack((noise.flatten(), hashed_normal(changed, 4).flatten()))
    assert abs(float(pairs.corrcoef()[0, 1])) < 0.02
    swapped = hashed_normal(torch.tensor([[1.0, 2.0], [2.0, 1.0]]), 1)
    assert swapped[0] != swapped[1], "the place of a number counts"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["policy=smooth", "policy.share=1.0"], r"policy.head.share must be at least 0 and below 1, not 1.0"),
        (
            ["policy=smooth", "policy.correlation=-0.1"],
            r"policy.head.correlation must be at least 0 and below 1",
        ),
        (["policy=binned", "policy.bins=1"], r"policy.head.bins must be at least 2, not 1"),
        (["policy=binned", "policy.head=soft"], r"policy.head.kind cannot be 'soft': did you mean 'softmax'"),
        (
            ["policy=beta", "policy.concentration=1.0"],
            r"policy.head.concentration is 1.0, which does not lie inside",
        ),
        (["policy=beta", "policy.concentration_bounds=[0.5,9]"], r"begin at 0.5, which is less than 1"),
        (
            ["policy=state_std", "policy.log_std=3.0"],
            r"policy.head.log_std is 3.0, which does not lie inside",
        ),
        (["policy.block=residul"], r"policy.body.block cannot be 'residul': did you mean 'residual'"),
        (["critic.norm=batch"], r"critic.body.norm cannot be 'batch': valid: layer, none"),
        (["policy.block=residual", "policy.hidden=[8,4]"], r"one width, not \[8, 4\]"),
        (["policy=squashed", "policy.bins=3"], r"bins"),
    ],
)
def test_what_cannot_be_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        build_policy(validated(compose(overrides)), TwoMotors(1, 0).spec)


def test_the_gaussian_policy_is_what_it_was() -> None:
    """Weights and outputs at a seed: the shared parts and options of the others have not moved it."""
    policy = make("gaussian")
    obs = {"policy": torch.tensor([[0.5, -1.0]])}
    distribution, _ = policy(obs, torch.zeros(1, 0), torch.zeros(1, dtype=torch.bool))
    assert isinstance(distribution, Gaussian)
    assert [name for name, _ in policy.named_parameters()] == [
        "head.log_std", "body.layers.0.weight", "body.layers.0.bias", "output.weight", "output.bias",
    ]  # fmt: skip
