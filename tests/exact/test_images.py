"""Bodies that see images: what their filters say, and that pictures stay what they are on the way to them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional
from toys import GAUSSIAN, TargetWorld, make, make_critic, numbers

from pgrobot.bodies import Cnn, Encoder, Mlp
from pgrobot.compilation.trace import trace
from pgrobot.critics import NetworkCritic
from pgrobot.errors import PgrobotError
from pgrobot.policies import NetworkPolicy
from pgrobot.randomness import stream
from pgrobot.types import EnvironmentSpec, Observation, ObservationGroup, Widths

SHAPE = (7, 6, 2)
FILTERS = [[3, 3, 2], [4, 2, 1]]
CNN = functools.partial(Cnn, filters=FILTERS, hidden=[5], activation="tanh")


def cnn(numbers: int = 0, **others: object) -> Cnn:
    return Cnn(
        84 + numbers, [SHAPE], generator=stream(0, "cnn"), filters=FILTERS, hidden=[5], activation="tanh"
    )


def test_filters_say_what_torch_says_of_an_image_whose_channels_come_last() -> None:
    body = cnn(numbers=3)
    generator = torch.Generator().manual_seed(0)
    image, beside = torch.rand(4, *SHAPE, generator=generator), torch.randn(4, 3, generator=generator)
    with torch.no_grad():
        seen = image.movedim(-1, 1)
        for index in (0, 2):
            layer = body.filters[0][index]
            seen = functional.relu(functional.conv2d(seen, layer.weight, layer.bias, layer.stride))
        expected, _ = body.mlp(torch.cat((seen.flatten(1), beside), -1), beside[:, :0], beside[:, 0] > 9.0)
        x = torch.cat((image.flatten(1), beside), -1)
        found, _ = body(x, x[:, :0], x[:, 0] > 9.0)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
        steps = x.view(2, 2, -1)
        again, _ = body(steps, steps[..., :0], steps[..., 0] > 9.0)
    torch.testing.assert_close(again.flatten(0, 1), expected, rtol=1e-6, atol=1e-6)
    assert (body.width, body.said) == (5, [8])


def test_the_gradients_of_filters_are_those_of_finite_differences() -> None:
    body = cnn().double()
    x = torch.rand(2, 84, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    start = torch.zeros(2, dtype=torch.bool)
    parameters = tuple(body.parameters())

    def said(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        named = dict(zip((name for name, _ in body.named_parameters()), values, strict=True))
        return torch.func.functional_call(body, named, (x, x[:, :0], start))[0]

    assert torch.autograd.gradcheck(said, (x, *parameters))


class Pictures(TargetWorld):
    """Shows its target as how bright an image is, and nothing else; or numbers beside it."""

    def __init__(self, num_envs: int = 4, *, alone: bool = True) -> None:
        super().__init__(num_envs, 0, costs=False)
        self._alone = alone
        image = ObservationGroup.numbered("policy" if alone else "camera", SHAPE, "uint8")
        seen = {"policy": image} if alone else {"policy": self.spec.observation["policy"], "camera": image}
        self.spec: EnvironmentSpec = replace(self.spec, observation=seen)

    def _observe(self) -> Observation:
        bright = np.round(255.0 * (self._target + 1.0) / 2.0).astype(np.uint8)
        image = np.broadcast_to(bright[:, None, None, None], (len(bright), *SHAPE)).copy()
        return {"policy": image} if self._alone else {**super()._observe(), "camera": image}


def seeing(world: Pictures, groups: tuple[str, ...] = ("policy",)) -> tuple[NetworkPolicy, NetworkCritic]:
    policy = NetworkPolicy(world.spec.widths, numbers(1), groups, CNN, GAUSSIAN, 10.0, stream(0, "policy"))
    return policy, NetworkCritic(world.spec.widths, ["reward"], groups, CNN, 10.0, stream(0, "critic"))


@pytest.mark.parametrize("alone", [True, False])
def test_who_sees_learns_and_a_rollout_holds_bytes(alone: bool) -> None:
    world = Pictures(4, alone=alone)
    policy, critic = seeing(world, ("policy",) if alone else ("camera", "policy"))
    collector, learner = make(world, policy=policy, critic=critic, passes=2, minibatch=32, rate=1e-2)
    returns = []
    for _ in range(30):
        rollout = collector.collect()["robot"]
        image = "policy" if alone else "camera"
        assert rollout.obs[image].dtype == rollout.next_obs[image].dtype == torch.uint8
        assert rollout.obs[image].shape[2:] == SHAPE
        returns.append(float(rollout.reward.mean()))
        learner.update(rollout)
    assert np.mean(returns[-5:]) > np.mean(returns[:5]) + 0.3


def test_an_image_is_read_as_shares_of_white_and_no_statistics_move_it() -> None:
    world = Pictures()
    policy, _ = seeing(world)
    obs = {"policy": torch.full((2, *SHAPE), 51, dtype=torch.uint8)}
    assert torch.equal(policy.inputs(obs), torch.full((2, 84), 0.2))
    policy.merge(obs)
    assert torch.equal(policy.inputs(obs), torch.full((2, 84), 0.2))
    assert policy.origin.value.numel() == 0


def test_a_step_on_images_is_traced_as_it_is_taken() -> None:
    world = Pictures()
    policy, critic = seeing(world)
    collector, learner = make(world, policy=policy, critic=critic)
    solver, batch = learner.policy_solver, learner.pose(collector.collect()["robot"]).policy
    leaves, solver._step.structure = torch.utils._pytree.tree_flatten(batch)
    arguments = (torch.tensor(1e-3), solver._vector, *solver._moments, *(leaf[:8] for leaf in leaves))
    with torch.no_grad():
        graph, plain = trace(solver._step, arguments), solver._step(*arguments)
        found = graph.module(*graph.example)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


MLP = functools.partial(Mlp, hidden=[5], activation="tanh")


@pytest.mark.parametrize(
    ("body", "shape", "sentence"),
    [
        (MLP, SHAPE, r"an image, uint8 \(7, 6, 2\).*what sees 'policy' is policy/body=cnn"),
        (
            functools.partial(Encoder, encoder=MLP, features=0, rest=MLP),
            SHAPE,
            "body.encoder is a body of numbers",
        ),
        (CNN, (2, 6, 2), r"filters.0=\[3, 3, 2\] is 3 wide, and what it looks at is 2 × 6"),
        (CNN, (7, 6), "height × width × channels, and one has the shape"),
        (functools.partial(CNN, filters=[[3, 3]]), SHAPE, r"filters.0=\[3, 3\] has to be three numbers"),
    ],
)
def test_what_cannot_see_is_refused(body: object, shape: tuple[int, ...], sentence: str) -> None:
    widths = Widths("Target", {"policy": ObservationGroup.numbered("policy", shape, "uint8")})
    with pytest.raises(PgrobotError, match=sentence):
        NetworkPolicy(widths, numbers(1), ("policy",), body, GAUSSIAN, 10.0, stream(0, "policy"))  # type: ignore[arg-type]


def test_a_critic_of_numbers_says_how_it_would_see() -> None:
    widths: Mapping[str, int] = Pictures().spec.widths
    with pytest.raises(PgrobotError, match="of a critic critic/body=cnn"):
        make_critic(("reward",), widths)
