"""What the levels of a hierarchical policy do: which goals there are, how long they last, what each level learns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from pgrobot.distributions import Gated
from pgrobot.figures import Axis, heatmap
from pgrobot.pictures import Picture, Table
from pgrobot.policies import HierarchicalPolicy
from pgrobot.ranges import at_least
from pgrobot.types import EnvironmentSpec, Metrics, Rollout, State

MOST_ROWS = 24  # of a picture


class Levels:
    """Figures of both levels where the update began, and how far it moved each.

    ``level/low/log_prob``, ``…/entropy``, ``…/std``: of what was done, means over steps; ``level/high/…``: the same of
    goals, means over the steps in which one was drawn. ``…/kl``: from the level before the update to that after it,
    given the goals that were held. ``level/switch/…``: the same of a switch that is learnt, means over the steps in
    which it was asked, and ``level/switch/share`` of these in which it fired. ``level/steps_per_goal``: steps over
    goals drawn. ``level/option/<i>/share``: of the steps in which one was held, and ``level/option/entropy`` of these
    shares, in nats; of goals that are numbers ``level/goal/<i>/mean`` and ``…/std`` over steps. A policy without levels
    has none of it.

    The picture and the table ``level/goals`` show goals over the steps of a rollout.

    Args:
        every: iterations between measurements; 0 never measures.
        pictures: iterations between pictures; 0: only in the last iteration. There is none without a measurement.
        spec: of the environments; of no consequence.
        iterations: of the run.
    """

    def __init__(
        self,
        every: Annotated[int, at_least(0)],
        pictures: Annotated[int, at_least(0)],
        *,
        spec: EnvironmentSpec,
        iterations: int,
    ) -> None:
        del spec
        self._every, self._pictures, self._last = every, pictures, iterations - 1
        self._shown: dict[str, Picture] = {}

    @torch.no_grad()
    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        self._shown = {}
        if self._every == 0 or iteration % self._every:
            return {}
        due = iteration == self._last or (self._pictures and iteration % self._pictures == 0)
        metrics: Metrics = {}
        for name, rollout in experience.items():
            posed, after = learners[name].snapshot(rollout), learners[name].learner.policy
            before = posed["policy"].copied() if posed and isinstance(after, HierarchicalPolicy) else None
            if isinstance(before, HierarchicalPolicy):
                prefix = f"{name}/" if len(learners) > 1 else ""
                found, held = figures(before, after, rollout)
                metrics |= {prefix + key: value for key, value in found.items() if math.isfinite(value)}
                if due:
                    self._shown |= shown(prefix, before.goal.choices, held, rollout)
        return metrics

    def pictures(self) -> Mapping[str, Picture]:
        """Goals over the steps of the rollout just looked at."""
        return self._shown

    def state_dict(self) -> State:
        """Nothing is remembered."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing was remembered."""


def figures(
    before: HierarchicalPolicy, after: HierarchicalPolicy, rollout: Rollout
) -> tuple[Metrics, Tensor]:
    """The metrics, and the goals that were held, ``[T, N, G]``."""
    rows = (rollout.obs, rollout.carry, rollout.episode_start)
    said, said_after = before.levels(*rows), after.levels(*rows)
    counts, due = rollout.weight > 0.0, said.age == 0.0
    done, drawn, fires = rollout.action.split(before.drawn, -1)
    draws = counts & before.switch.fires(fires, due).squeeze(-1)
    goal = before.channel.held(drawn, before.channel.opened(said.high)[1])
    looked_at: list[tuple[str, Any, Any, Tensor, Tensor]] = [
        ("low", said.low, said_after.low, done, counts),
        ("high", said.high, said_after.high, goal, draws),
    ]
    metrics: Metrics = {}
    if isinstance(said.joint.high, Gated):
        asked, switch = counts & ~due.squeeze(-1), said.joint.high.switch
        looked_at.append(("switch", switch, said_after.joint.high.switch, fires, asked))
        metrics["level/switch/share"] = float(fires[asked].mean())
    for name, level, moved, drawn, where in looked_at:
        told = {
            "log_prob": level.log_prob(drawn),
            "entropy": level.entropy(),
            "std": level.std.mean(-1),
            "kl": level.kl(moved),
        }
        metrics |= {f"level/{name}/{key}": float(value[where].mean()) for key, value in told.items()}
    metrics["level/steps_per_goal"] = float(counts.sum() / draws.sum())
    return metrics | _of_goals(before.goal.choices, said.held[counts]), said.held


def _of_goals(choices: int, held: Tensor) -> Metrics:
    """Of goals that were held, ``[B, G]``."""
    if choices:
        share = torch.bincount(held[:, 0].long(), minlength=choices) / len(held)
        metrics = {f"level/option/{i}/share": value for i, value in enumerate(share.tolist())}
        return metrics | {"level/option/entropy": float(-torch.xlogy(share, share).sum())}
    mean, std = held.mean(0).tolist(), held.std(0, correction=0).tolist()
    named = enumerate(zip(mean, std, strict=True))
    return {
        f"level/goal/{i}/{key}": value
        for i, two in named
        for key, value in zip(("mean", "std"), two, strict=True)
    }


def shown(prefix: str, choices: int, held: Tensor, rollout: Rollout) -> dict[str, Picture]:
    """The goals ``[T, N, G]`` of the first environments, over the steps of a rollout."""
    steps, width = held.shape[0], held.shape[-1]
    first = held[:, : max(MOST_ROWS // width, 1)]
    names = ("option",) if choices else tuple(f"goal {i}" for i in range(width))
    values = first.flatten(1).T.numpy()
    rows = [f"{env} {name}" for env in range(first.shape[1]) for name in names]
    title = "Goals that were held, by environment, over the steps of a rollout"
    axis = Axis("step of the rollout", 0.0, float(steps))
    picture = heatmap(values, rows, axis, "option" if choices else "number", title, signed=not choices)
    table = Table(
        ("environment", "step", "age", *names),
        tuple(
            (env, step, int(rollout.age[step, env]), *first[step, env].tolist())
            for env in range(first.shape[1])
            for step in range(steps)
        ),
    )
    return {f"{prefix}level/goals": picture, f"{prefix}level/goals_by_step": table}
