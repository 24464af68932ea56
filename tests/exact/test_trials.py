"""A head or a body that does not do what it says is named as it is made, and trying it moves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from pgrobot.bodies import Body, Mlp
from pgrobot.critics import NetworkCritic
from pgrobot.distributions import Gaussian
from pgrobot.errors import PgrobotError
from pgrobot.policies import Head, NetworkPolicy
from pgrobot.types import Action

BODY = partial(Mlp, hidden=[4], activation="tanh")
Answer = Callable[..., Any]


class AnyHead(Head):
    def __init__(self, actions: Sequence[Action], answer: Answer) -> None:
        super().__init__()
        self.outputs = self.action_size = len(actions)
        self._answer = answer

    def forward(self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor) -> Any:
        return self._answer(numbers, carry)


class FewHead(AnyHead):
    def forward(self, numbers: Tensor, carry: Tensor) -> Any:  # type: ignore[override]
        return Gaussian(numbers, numbers), carry


class AnyBody(Body):
    def __init__(self, inputs: int, generator: torch.Generator, answer: Answer) -> None:
        super().__init__()
        self.width = inputs
        self._answer = answer

    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> Any:
        return self._answer(x, carry)


class FewBody(AnyBody):
    def forward(self, x: Tensor) -> Any:  # type: ignore[override]
        return x


def policy(head: Callable[..., Head], body: Callable[..., Body]) -> NetworkPolicy:
    return NetworkPolicy(
        {"policy": 5}, Action.unitless("hip", "knee"), ["policy"], body, head, 10.0, torch.Generator()
    )


def gaussian(numbers: Tensor, carry: Tensor) -> Any:
    return Gaussian(numbers, numbers), carry


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            lambda numbers, _: Gaussian(numbers, numbers),
            "a pair, of what it says and the next carry, not a Gaussian",
        ),
        (lambda n, c: (Gaussian(n, n), c, c), "a pair, of what it says and the next carry, not 3 things"),
        (lambda n, c: (n, c), "a distribution, not a Tensor, which has no 'sample'"),
        (lambda n, c: (Gaussian(n[:, :1], n[:, :1]), c), r"a distribution of actions \[…, 2\], not \[…, 1\]"),
        (lambda n, _: (Gaussian(n, n), n), r"a carry \[…, 0\], not \[…, 2\]"),
        (lambda n, _: (Gaussian(n, n), None), r"a carry \[…, 0\], not a NoneType"),
    ],
)
def test_what_a_head_returns(answer: Answer, sentence: str) -> None:
    with pytest.raises(
        PgrobotError, match=f"^policy.head is a AnyHead, whose forward has to return {sentence}"
    ):
        policy(partial(AnyHead, answer=answer), BODY)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x, _: x, "a pair, of what it says and the next carry, not a Tensor"),
        (lambda x, c: (x[:, :3], c), r"features \[…, 5\], not \[…, 3\]"),
        (lambda x, c: (x[0], c), r"features \[…, 5\], not \[…\]"),
        (lambda x, _: (x, x), r"a carry \[…, 0\], not \[…, 5\]"),
    ],
)
def test_what_a_body_returns(answer: Answer, sentence: str) -> None:
    body = partial(AnyBody, answer=answer)
    wrong = f"body is a AnyBody, whose forward has to return {sentence}"
    with pytest.raises(PgrobotError, match=f"^policy.{wrong}"):
        policy(partial(AnyHead, answer=gaussian), body)
    with pytest.raises(PgrobotError, match=f"^critic.{wrong}"):
        NetworkCritic({"policy": 5}, ["reward"], ["policy"], body, 10.0, torch.Generator())


def test_what_a_part_takes() -> None:
    with pytest.raises(
        PgrobotError, match=r"a FewHead, whose forward has to take \(numbers, seen, carry, episode"
    ):
        policy(partial(FewHead, answer=gaussian), BODY)
    with pytest.raises(
        PgrobotError, match=r"a FewBody, whose forward has to take \(x, carry, episode_start\): too"
    ):
        policy(partial(AnyHead, answer=gaussian), partial(FewBody, answer=gaussian))


def test_a_body_says_its_width() -> None:
    class Widthless(AnyBody):
        width = None  # type: ignore[assignment]

        def __init__(self, inputs: int, generator: torch.Generator) -> None:
            Body.__init__(self)

    with pytest.raises(PgrobotError, match=r"policy.body is a Widthless, which has no whole number width"):
        policy(partial(AnyHead, answer=gaussian), Widthless)


def test_trying_draws_and_moves_nothing() -> None:
    before = torch.get_rng_state()
    made = policy(partial(AnyHead, answer=gaussian), BODY)
    assert torch.equal(before, torch.get_rng_state())
    generator = torch.Generator()
    bare = Mlp(5, [4], "tanh", generator)
    for one, other in zip(made.body.parameters(), bare.parameters(), strict=True):
        assert torch.equal(one, other)
