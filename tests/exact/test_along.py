"""Along steps: what is computed for all steps at once is what follows step by step, and so is its gradient."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.utils import _pytree as pytree
from toys import GAUSSIAN, numbers

from pgrobot.bodies import Body, Gru, Lstm, Mlp
from pgrobot.compilation.trace import trace
from pgrobot.critics import Critic, NetworkCritic
from pgrobot.policies import NetworkPolicy, Policy
from pgrobot.policies.heads.categorical import CategoricalHead
from pgrobot.policies.heads.smooth import SmoothHead
from pgrobot.randomness import stream
from pgrobot.types import Action

STEPS, ROWS = 7, 5
JOINED = torch.ops.aten.cat.default
PRODUCT = torch.ops.aten.mm.default
SMOOTH = functools.partial(SmoothHead, log_std=-0.5, log_std_bounds=(-4.0, 1.0), share=0.5, correlation=0.9)
BODIES = {
    "gru": functools.partial(Gru, units=3, hidden=(4,), activation="tanh", sequence=4),
    "lstm": functools.partial(Lstm, units=3, hidden=(), activation="tanh", sequence=4),
    "none": functools.partial(Mlp, hidden=(4,), activation="tanh"),
}


def seen() -> dict[str, Tensor]:
    return {"policy": torch.randn(STEPS, ROWS, 2, generator=stream(0, "seen")).double()}


def begins() -> Tensor:
    return torch.rand(STEPS, ROWS, generator=stream(0, "begins")) < 0.3


def policy(kind: type[NetworkPolicy], body: Any, head: Any, previous: bool) -> NetworkPolicy:
    made = kind(
        {"policy": 2},
        numbers(2),
        ("policy",),
        body,
        head,
        10.0,
        stream(0, "policy"),
        previous_action=previous,
    )
    nn.init.normal_(made.output.weight, generator=stream(1, "output"))
    made.merge({"policy": 1.0 + 2.0 * torch.randn(50, 2, generator=stream(0, "merged"))})
    return made.double().requires_grad_(False)


def drawn(made: Policy) -> tuple[Tensor, Tensor]:
    """A memory, and what was done."""
    random = stream(2, "drawn")
    carry, action = (
        torch.randn(*shape, generator=random) for shape in ((ROWS, made.carry_size), (STEPS, ROWS, 2))
    )
    return carry.double(), action.double()


class Called(nn.Module):
    def __init__(self, policy: Policy, along: Any) -> None:
        super().__init__()
        self.policy, self.along = policy, along

    def forward(self, *steps: Any) -> Any:
        return self.along(self.policy, *steps)


@pytest.mark.parametrize("previous", [False, True])
@pytest.mark.parametrize("head", [GAUSSIAN, SMOOTH])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_policy_along_steps_is_its_steps(body: Any, head: Any, previous: bool) -> None:
    """And so is the gradient of what it says and of what it remembers, in its parameters and in its first memory."""
    made = policy(NetworkPolicy, body, head, previous)
    carry, action = drawn(made)

    def value(along: Any, parameters: Mapping[str, Tensor], carry: Tensor) -> Tensor:
        called = Called(made, along)
        named = {f"policy.{name}": parameter for name, parameter in parameters.items()}
        said, carries = functional_call(called, named, (seen(), carry, begins(), action))
        assert carries.shape == (STEPS + 1, ROWS, made.carry_size)
        return said.log_prob(action).sin().sum() + carries.sin().sum()

    parameters = {name: p.detach() for name, p in made.named_parameters()}
    for argnum in (0, 1):
        found, expected = (
            grad(functools.partial(value, along), argnums=argnum)(parameters, carry)
            for along in (NetworkPolicy.along, Policy.along)
        )
        torch.testing.assert_close(found, expected)
    found, expected = (
        pytree.tree_leaves(along(made, seen(), carry, begins(), action))
        for along in (NetworkPolicy.along, Policy.along)
    )
    torch.testing.assert_close(found, expected)


def test_choices_are_shown_along_steps() -> None:
    """Every choice as so many numbers, whose width is not the action's."""
    choices = [Action("gear", "", 3)]
    made = NetworkPolicy(
        {"policy": 2}, choices, ("policy",), BODIES["gru"], CategoricalHead, 10.0, stream(0, "policy"),
        previous_action=True,
    ).double()  # fmt: skip
    carry = torch.randn(ROWS, made.carry_size, generator=stream(0, "carry")).double()
    action = torch.randint(0, 3, (STEPS, ROWS, 1), generator=stream(0, "action")).double()
    found, expected = (
        along(made, seen(), carry, begins(), action)[1] for along in (NetworkPolicy.along, Policy.along)
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_critic_along_steps_is_its_steps(body: Any) -> None:
    made = NetworkCritic(
        {"policy": 2}, ("reward", "cost/a"), ("policy",), body, 10.0, stream(0, "critic")
    ).double()
    nn.init.normal_(made.output.weight, generator=stream(0, "output"))
    carry = torch.randn(ROWS, made.carry_size, generator=stream(0, "carry")).double()
    found, expected = (along(made, seen(), carry, begins()) for along in (NetworkCritic.along, Critic.along))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


class Boastful(NetworkPolicy):
    def forward(self, obs: Any, carry: Tensor, episode_start: Tensor) -> Any:
        distribution, following = super().forward(obs, carry, episode_start)
        return distribution.shifted(torch.ones(2)), following


class Forgetful(NetworkPolicy):
    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        return 0.5 * super().remember(carry, action)


class Insistent(NetworkPolicy):
    def say(self, *of: Any) -> Any:
        distribution, following = super().say(*of)
        return distribution.shifted(torch.ones(2)), following


class Loud(Gru):
    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        features, carry = super().forward(x, carry, episode_start)
        return 2.0 * features, carry


class Doubting(NetworkCritic):
    def forward(self, obs: Any, carry: Tensor, episode_start: Tensor) -> Any:
        value, carry = super().forward(obs, carry, episode_start)
        return 0.5 * value, carry


class Late(SmoothHead):
    def forward(self, *of: Tensor) -> Any:
        said, carry = super().forward(*of)
        return said, 0.5 * carry


@pytest.mark.parametrize("kind", [Boastful, Forgetful, Insistent])
def test_a_policy_of_ones_own_steps_is_unrolled_again(kind: type[NetworkPolicy]) -> None:
    """A faster way to what its base class does would be a way to something else."""
    made = policy(kind, BODIES["gru"], GAUSSIAN, True)
    carry, action = drawn(made)
    found, expected = (
        along(made, seen(), carry, begins(), action) for along in (type(made).along, Policy.along)
    )
    other = NetworkPolicy.along(made, seen(), carry, begins(), action)
    assert torch.equal(found[0].mean, expected[0].mean)
    assert torch.equal(found[1], expected[1])
    assert float((found[0].mean - other[0].mean).abs().max()) > 0.1


def test_other_parts_of_ones_own_steps_are_unrolled_again() -> None:
    body = Loud(2, 3, (4,), "tanh", 4, stream(0, "body")).double()
    carry = torch.randn(ROWS, 3, generator=stream(0, "carry")).double()
    x = seen()["policy"]
    found, expected = (
        along(x, carry, begins()) for along in (body.along, functools.partial(Body.along, body))
    )
    assert torch.equal(found[0], expected[0])
    critic = Doubting(
        {"policy": 2}, ("reward",), ("policy",), BODIES["gru"], 10.0, stream(0, "critic")
    ).double()
    nn.init.normal_(critic.output.weight, generator=stream(0, "output"))
    assert torch.equal(
        critic.along(seen(), carry, begins())[0], Critic.along(critic, seen(), carry, begins())[0]
    )
    late = policy(NetworkPolicy, BODIES["none"], functools.partial(Late, **SMOOTH.keywords), False)
    carry, action = drawn(late)
    torch.testing.assert_close(
        late.along(seen(), carry, begins(), action)[1], Policy.along(late, seen(), carry, begins(), action)[1]
    )


# ---- sums of products ----------------------------------------------------------------------------------------------


def chain(weight: Tensor, held: Tensor, read: Tensor) -> Tensor:
    for x in read.unbind():
        held = torch.tanh(x + torch.nn.functional.linear(held, weight))
    return held.sin().sum()


def matrices(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.randn(shape, generator=stream(n, "matrix")) for n, shape in enumerate(shapes))


def products(function: Any, arguments: tuple[Tensor, ...]) -> int:
    """How many a traced function takes; it computes what the function does."""
    traced = trace(function, arguments)
    torch.testing.assert_close(traced.module(*traced.example), tuple(function(*arguments)))
    return sum(node.target is PRODUCT for node in traced.module.graph.nodes)


def test_the_gradient_of_a_weight_used_at_every_step_is_one_product() -> None:
    arguments = matrices((4, 4), (3, 4), (6, 3, 4))
    gradient = lambda *of: (grad(chain)(*of),)
    assert (
        products(gradient, arguments) == 6 + 5 + 1
    )  # forwards, backwards through the memory, and the weight's


def test_only_sums_of_products_alone_are_joined() -> None:
    a, b, c, d = matrices((3, 4), (4, 5), (3, 2), (2, 5))
    assert products(lambda a, b, c, d: (a @ b + c @ d,), (a, b, c, d)) == 1
    assert products(lambda a, b, c, d: ((a @ b + c @ d).sin() + a @ b + c @ d,), (a, b, c, d)) == 3
    several = lambda a, b, c, d: (a @ b + c @ d + (a @ b).sin(),)
    assert products(several, (a, b, c, d)) == 2

    def shared(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        first = a @ b
        return first + c @ d, first

    assert products(shared, (a, b, c, d)) == 2
    assert not any(node.target is JOINED for node in trace(shared, (a, b, c, d)).module.graph.nodes)
    wide = lambda a, b, c, d: (a[:1] @ b + c @ d,)
    assert products(wide, (a, b, c, d)) == 2
    assert products(lambda a, b, c, d: (torch.add(a @ b, c @ d, alpha=2),), (a, b, c, d)) == 2
    assert products(lambda a, b, c, d: (a @ b + 1.0,), (a, b, c, d)) == 1
