"""Learning in worlds whose optimum is known, in seconds."""

from __future__ import annotations

import torch
from toys import ABOVE, TargetWorld, make

from pgrobot.constraints import PID
from pgrobot.learner import Learner


def act(learner: Learner, target: torch.Tensor) -> torch.Tensor:
    """The deterministic action, in action-space units, for targets ``[B]`` in mid-episode."""
    obs = {"policy": torch.stack((target, torch.full_like(target, 0.5)), dim=1)}
    with torch.no_grad():
        empty = torch.zeros(len(target), 0)
        distribution, _ = learner.policy(obs, empty, torch.zeros(len(target), dtype=torch.bool))
    return 2.0 * distribution.mean.clamp(-1, 1).squeeze(1)


def test_ppo_finds_the_target() -> None:
    collector, learner = make(TargetWorld(32, 0, costs=False), horizon=32, minibatch=512, passes=4, rate=2e-2)
    for _ in range(20):
        learner.update(collector.collect()["robot"])
    target = torch.linspace(-0.9, 0.9, 19)
    assert float((act(learner, target) - target).abs().mean()) < 0.1


def test_a_priced_constraint_is_kept_and_an_unpriced_one_is_not() -> None:
    """Half of the targets lie above 0, so the optimum pays 4 of 8 steps; the budget allows 1."""
    gains = {"kp": 10.0, "ki": 2.0, "kd": 0.0}
    averages = {"smoothing": 0.5, "derivative_smoothing": 0.5, "derivative_delay": 5}
    columns = ("reward", "cost/above")
    pid = PID((ABOVE,), columns, initial=0.0, maximum=50.0, **gains, **averages)
    spent = []
    for multiplier in (pid, None):
        collector, learner = make(
            TargetWorld(32, 0), horizon=32, minibatch=512, passes=4, multiplier=multiplier, rate=2e-2
        )
        metrics = [learner.update(collector.collect()["robot"]) for _ in range(40)]
        spent.append(sum(m["cost/above/mean"] for m in metrics[-15:]) / 15)
    assert 0.6 < spent[0] < 1.2, "a budget is there to be spent, and kept"
    assert spent[1] > 3.0
