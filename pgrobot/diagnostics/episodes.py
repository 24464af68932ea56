"""What episodes were like: returns, lengths and costs, reward terms, and who violated what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pgrobot.types import MEASURED, TERMINATION, EnvironmentSpec, Metrics, Rollout, State


class EpisodeStatistics:
    """Sums over the whole episodes that ended in a rollout, wherever they began, and means over its steps.

    Of the episodes that ended: ``return/mean``, ``episode_length/mean`` (steps) and ``episode_cost/<name>/mean``
    (the sum of that column); ``termination/<name>`` is the share of them that this added reason ended. They see short
    episodes first, which is why budgets are measured otherwise; where none ended, they are absent. Of all
    steps: ``reward/<term>/mean``, ``measured/<name>/mean`` of what the robot measures beside its reward, and
    ``cost/<name>/<part>``, what that part added to the cost. An episode that is
    censored, because it was cut or a simulation broke, is not whole and does not count. An episode or a mean that is
    not finite is left out. With several learners, each one's names begin with ``<learner>/``.

    Args:
        spec: names the reward terms and the parts of each cost.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        self._terms = spec.reward_terms
        self._parts = spec.violations
        # learner -> sums of the running episodes, [N, C + 1]; the last is steps
        self._running: dict[str, Tensor] = {}

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        metrics: Metrics = {}
        for name, rollout in experience.items():
            prefix, rollout = f"{name}/" if len(learners) > 1 else "", rollout.by_step  # noqa: PLW2901
            found = self._episodes(name, rollout) | self._steps(rollout)
            metrics |= {prefix + key: value for key, value in found.items() if math.isfinite(value)}
        return metrics

    def state_dict(self) -> State:
        """The sums of the running episodes."""
        return {"running": {name: sums.clone() for name, sums in self._running.items()}}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        self._running = {name: sums.clone() for name, sums in state["running"].items()}

    def _episodes(self, learner: str, rollout: Rollout) -> Metrics:
        amounts = torch.cat(
            [rollout.reward.double(), torch.ones_like(rollout.reward[..., :1]).double()], dim=-1
        )
        running = self._running.get(learner, torch.zeros_like(amounts[0]))
        # An episode that begins with the rollout has no past: the one before it was cut between two rollouts.
        running = running.masked_fill(rollout.episode_start[0].unsqueeze(-1), 0.0)
        ended, self._running[learner] = episode_sums(amounts, rollout.done, running)
        whole = ~rollout.censored.T[rollout.done.T]  # in the order of the sums
        reasons = {
            name: happened[..., 0].T[rollout.done.T][whole]
            for name, happened in rollout.telemetry.items()
            if name.startswith(TERMINATION) and whole.any()
        }
        metrics = {name: float(happened.double().mean()) for name, happened in reasons.items()}
        ended = ended[whole & ended.isfinite().all(dim=-1)]
        if len(ended) == 0:
            return metrics
        sums = dict(zip((*rollout.columns, "steps"), ended.mean(dim=0).tolist(), strict=True))
        costs = [column for column in rollout.columns if column.startswith("cost/")]
        return metrics | {
            "return/mean": sums["reward"],
            "episode_length/mean": sums["steps"],
            **{f"episode_{column}/mean": sums[column] for column in costs},
        }

    def _steps(self, rollout: Rollout) -> Metrics:
        if "terms" not in rollout.telemetry:  # nobody has measured it
            return {}
        terms = _mean_over_steps(rollout.telemetry["terms"])
        metrics = {f"reward/{term}/mean": value for term, value in zip(self._terms, terms, strict=True)}
        for cost, parts in self._parts.items():
            amounts = _mean_over_steps(rollout.telemetry[f"violation/{cost}"])
            metrics |= {f"cost/{cost}/{part}": value for part, value in zip(parts, amounts, strict=True)}
        for name, measured in rollout.telemetry.items():
            if name.startswith(MEASURED):
                known = measured[~rollout.censored].double()  # of a broken simulation nothing is told
                metrics |= {f"{name}/mean": float(known.mean())} if known.numel() else {}
        return metrics


def episode_sums(amounts: Tensor, done: Tensor, running: Tensor) -> tuple[Tensor, Tensor]:
    """Add up amounts by episode, in the order of time, so that the sums equal a loop's to the last bit.

    Args:
        amounts: ``[T, N, D]``.
        done: the episode ended with this step, ``[T, N]`` bool.
        running: sums of the episodes under way before the first step, ``[N, D]``.

    Returns:
        The sums of the episodes that ended, ``[E, D]``, by environment and then by time; and of those under way
        after the last step, ``[N, D]``.
    """
    ended = done.sum(dim=0)
    last = torch.arange(done.shape[1]) + ended.cumsum(
        dim=0
    )  # episodes are numbered by environment, then by time
    first = last - ended
    episode = first + done.cumsum(dim=0) - done.long()
    sums = running.new_zeros(int(last[-1]) + 1, amounts.shape[-1])
    sums[first] = running
    sums.index_add_(0, episode.flatten(), amounts.flatten(0, 1))
    over = torch.ones(len(sums), dtype=torch.bool)
    over[last] = False
    return sums[over], sums[last]


def _mean_over_steps(values: Tensor) -> list[float]:
    return values.mean(dim=(0, 1), dtype=torch.float64).tolist()
