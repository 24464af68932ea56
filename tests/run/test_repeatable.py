"""A network has to say the same of a state whenever it is asked: what learns is what acted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn
from toys import make_policy

from pgrobot import compose
from pgrobot.bodies.trial import check_repeatable
from pgrobot.configure import build
from pgrobot.errors import PgrobotError
from pgrobot.schemes import Blueprint


@pytest.mark.parametrize("layer", [lambda: nn.Dropout(0.5), lambda: nn.BatchNorm1d(16)])
def test_what_says_something_else_each_time_is_refused(layer: Callable[[], nn.Module]) -> None:
    policy = make_policy()
    check_repeatable("policy", policy)
    policy.body.layers.append(layer())
    name = type(layer()).__name__
    with pytest.raises(
        PgrobotError, match=rf"^policy\.body\.layers\.2 is nn\.{name}, .* would not be what acted: leave"
    ):
        check_repeatable("policy", policy)


def test_no_run_begins_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Blueprint.critic

    def dropping(*given: Any) -> Any:
        critic: Any = made(*given)
        critic.body.layers.append(nn.Dropout(0.5))
        return critic

    monkeypatch.setattr(Blueprint, "critic", dropping)
    with pytest.raises(PgrobotError, match=r"critic\.body\.layers\.\d is nn\.Dropout"):
        build(compose(debug="tiny", task="hopper"), 1)
