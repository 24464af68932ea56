"""Episode statistics against a loop over environments and steps, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pgrobot.diagnostics import EpisodeStatistics
from pgrobot.types import Action, EnvironmentSpec, ObservationGroup, Rollout

COLUMNS = ("reward", "cost/speed", "cost/torque", "bonus/novelty")
TERMS = ("forward", "control")
PARTS = {"speed": ("speed",), "torque": ("hip", "knee")}
NOBODY = {"robot": None}


def spec(num_envs: int) -> EnvironmentSpec:
    return EnvironmentSpec(
        name="Test",
        num_envs=num_envs,
        observation={"policy": ObservationGroup.numbered("policy", (1,))},
        action_low=-np.ones(1),
        action_high=np.ones(1),
        actions=Action.unitless("hip"),
        reward_terms=TERMS,
        costs=("speed", "torque"),
        violations=PARTS,
        highest_cost={"speed": 1.0, "torque": 2.0},
        can_fall=False,
        max_episode_steps=100,
        control_dt=0.01,
    )


def rollout(reward: Tensor, done: Tensor) -> Rollout:
    steps, envs = done.shape
    generator = torch.Generator().manual_seed(steps)
    truncated = done & (torch.rand(steps, envs, generator=generator) < 0.5)
    blank = torch.zeros(steps, envs, 1)
    return Rollout(
        obs={"policy": blank},
        next_obs={"policy": blank},
        following_obs={"policy": blank[-1:]},
        action=blank,
        log_prob=blank[..., 0],
        reward=reward,
        terminated=done & ~truncated,
        truncated=truncated,
        censored=torch.zeros_like(done),
        episode_start=torch.zeros_like(done),
        age=torch.zeros_like(done, dtype=torch.long),
        paid=torch.zeros(steps, envs, 2, dtype=torch.bool),
        carry=torch.zeros(envs, 0),
        weight=torch.ones(steps, envs),
        duration=torch.ones(steps, envs),
        episodic=torch.ones(len(COLUMNS), dtype=torch.bool),
        columns=COLUMNS,
        telemetry={
            "terms": torch.randn(steps, envs, 2, generator=generator),
            "violation/speed": torch.rand(steps, envs, 1, generator=generator),
            "violation/torque": torch.rand(steps, envs, 2, generator=generator),
        },
    )


def experience(sizes: Sequence[tuple[int, int]], rate: float, seed: int) -> list[Rollout]:
    generator = torch.Generator().manual_seed(seed)
    return [
        rollout(
            torch.randn(t, n, len(COLUMNS), generator=generator), torch.rand(t, n, generator=generator) < rate
        )
        for t, n in sizes
    ]


class Naive:
    """One environment and one step at a time."""

    def __init__(self, envs: int) -> None:
        self.sums = [[0.0] * (len(COLUMNS) + 1) for _ in range(envs)]

    def __call__(self, r: Rollout) -> dict[str, float]:
        ended = []
        for n, sums in enumerate(self.sums):
            for t in range(len(r.done)):
                for c, amount in enumerate([*r.reward[t, n].tolist(), 1.0]):
                    sums[c] += amount
                if r.terminated[t, n] or r.truncated[t, n]:
                    ended.append(list(sums))
                    sums[:] = [0.0] * len(sums)
        if not ended:
            return {}
        means = torch.tensor(ended, dtype=torch.float64).mean(dim=0).tolist()
        names = (
            "return/mean",
            "episode_cost/speed/mean",
            "episode_cost/torque/mean",
            "",
            "episode_length/mean",
        )
        return {name: mean for name, mean in zip(names, means, strict=True) if name}


def episodes(metrics: dict[str, float]) -> dict[str, float]:
    return {k: v for k, v in metrics.items() if k.startswith(("return", "episode"))}


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.2, 1.0])
@pytest.mark.parametrize(("steps", "envs"), [(1, 1), (1, 5), (40, 1), (7, 6), (32, 16)])
def test_equals_a_loop(steps: int, envs: int, rate: float) -> None:
    statistics, naive = EpisodeStatistics(spec(envs)), Naive(envs)
    for iteration, r in enumerate(experience([(steps, envs)] * 6, rate, seed=steps * envs)):
        assert episodes(statistics(iteration, NOBODY, {"robot": r})) == naive(r)


def test_cutting_rollouts_shorter_changes_no_sum() -> None:
    (whole,) = experience([(24, 4)], 0.1, seed=1)
    long, short = EpisodeStatistics(spec(4)), EpisodeStatistics(spec(4))
    metrics = long(0, NOBODY, {"robot": whole})
    for t in range(24):
        short(t, NOBODY, {"robot": rollout(whole.reward[t : t + 1], whole.done[t : t + 1])})
    assert torch.equal(long.state_dict()["running"]["robot"], short.state_dict()["running"]["robot"])
    assert "return/mean" in metrics


def test_no_episode_no_key() -> None:
    metrics = EpisodeStatistics(spec(3))(0, NOBODY, {"robot": experience([(5, 3)], 0.0, seed=1)[0]})
    assert episodes(metrics) == {}
    assert set(metrics) == {
        "reward/forward/mean", "reward/control/mean", "cost/speed/speed", "cost/torque/hip", "cost/torque/knee",
    }  # fmt: skip


def test_means_over_steps() -> None:
    (r,) = experience([(5, 3)], 0.1, seed=2)
    metrics = EpisodeStatistics(spec(3))(0, NOBODY, {"robot": r})
    assert metrics["reward/control/mean"] == r.telemetry["terms"].double()[..., 1].mean()
    assert metrics["cost/torque/knee"] == r.telemetry["violation/torque"].double()[..., 1].mean()
    assert metrics["cost/speed/speed"] == r.telemetry["violation/speed"].double().mean()


def test_resumes_to_the_last_bit() -> None:
    rollouts = experience([(8, 5)] * 6, 0.08, seed=4)
    whole, before, after = (EpisodeStatistics(spec(5)) for _ in range(3))
    wanted = [whole(i, NOBODY, {"robot": r}) for i, r in enumerate(rollouts)]
    got = [before(i, NOBODY, {"robot": r}) for i, r in enumerate(rollouts[:3])]
    state = before.state_dict()
    before(9, NOBODY, {"robot": rollouts[5]})  # what is done after saving leaves the saved state alone
    after.load_state_dict(state)
    got += [after(i, NOBODY, {"robot": r}) for i, r in enumerate(rollouts[3:])]
    assert got == wanted


def test_never_nan() -> None:
    (r,) = experience([(6, 2)], 0.0, seed=5)
    r.reward[2, 0, 0] = float("nan")
    r.telemetry["terms"][0, 0, 0] = float("inf")
    r.terminated[3] = True
    statistics = EpisodeStatistics(spec(2))
    metrics = statistics(0, NOBODY, {"robot": r})
    assert metrics["return/mean"] == sum(
        r.reward[:4, 1, 0].double().tolist()
    )  # the other environment's episode
    assert "reward/forward/mean" not in metrics
    assert np.isfinite(list(metrics.values())).all()
    assert bool(statistics.state_dict()["running"]["robot"].isfinite().all())  # the next episode starts clean


def test_several_learners_have_names_of_their_own() -> None:
    first, second = experience([(6, 2), (6, 2)], 0.5, seed=6)
    both = EpisodeStatistics(spec(2))(0, {"a": None, "b": None}, {"a": first, "b": second})
    alone = EpisodeStatistics(spec(2))(0, NOBODY, {"robot": second})
    assert {k.removeprefix("b/"): v for k, v in both.items() if k.startswith("b/")} == alone
    assert both["a/return/mean"] != both["b/return/mean"]


def test_the_share_of_episodes_that_a_reason_ended() -> None:
    """In each environment an episode of two steps: ended by the reason, by another, by both, and censored beside it."""
    done = torch.tensor([[False] * 4, [True] * 4])
    tipped = torch.tensor(
        [[True] * 4, [True, False, True, True]]
    )  # a reason that holds in a step that ended nothing
    base = rollout(torch.zeros(2, 4, len(COLUMNS)), done)
    r = replace(
        base,
        censored=torch.tensor([[False] * 4, [False, False, False, True]]),
        telemetry={**base.telemetry, "termination/tipped": tipped.float().unsqueeze(-1)},
    )
    assert EpisodeStatistics(spec(4))(0, NOBODY, {"robot": r})["termination/tipped"] == 2 / 3
    nothing = replace(r, truncated=torch.zeros_like(done), terminated=torch.zeros_like(done))
    assert "termination/tipped" not in EpisodeStatistics(spec(4))(0, NOBODY, {"robot": nothing})


def test_a_reason_is_counted_for_the_episode_that_it_ended() -> None:
    """Ends at different times: that of the reason is censored, and first in time but not in order."""
    done = torch.tensor([[False, True], [True, False]])
    base = rollout(torch.zeros(2, 2, len(COLUMNS)), done)
    r = replace(
        base,
        censored=torch.tensor([[False, True], [False, False]]),
        telemetry={
            **base.telemetry,
            "termination/tipped": torch.tensor([[0.0, 1.0], [0.0, 0.0]]).unsqueeze(-1),
        },
    )
    assert EpisodeStatistics(spec(2))(0, NOBODY, {"robot": r})["termination/tipped"] == 0.0
