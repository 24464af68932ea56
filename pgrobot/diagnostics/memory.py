"""What a policy remembers: how much of what is hidden from it can be read off its memory, and how long that lasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch

from pgrobot.diagnostics.by_learner import OfLastUpdates
from pgrobot.diagnostics.probe import held_out
from pgrobot.diagnostics.states import groups_read
from pgrobot.policies import Policy
from pgrobot.ranges import at_least
from pgrobot.types import EnvironmentSpec, Metrics, Rollout


class Memory(OfLastUpdates):
    """Linear probes of a policy's memory: what the environment shows others and hides from it.

    Of every entry of an observation group that the policy does not read, as ``wrapper.mask.keep`` makes one:
    ``memory/r2/<entry>``, what is read off the memory after the step's observation went into it, and
    ``memory/r2_observed/<entry>``, what is read off that observation alone. Half of the environments are predicted from
    the other half. ``memory/time_scale`` is the number of steps after which no more than 1/e is left of a difference
    between two memories that see the same; the rollout's length where more is left at its end.

    A policy without memory has none of them. It reads copies, and no random stream.

    See docs/derivations.md#probes.

    Args:
        every: iterations between looks; 0: never.
        spec: of the environments.
        iterations: of the run; not needed.
    """

    def __init__(self, every: Annotated[int, at_least(0)], *, spec: EnvironmentSpec, iterations: int) -> None:
        del iterations
        super().__init__(every)
        self._spec = spec

    def measured(self, problems: Mapping[str, Any], rollout: Rollout) -> Metrics:
        if "policy" not in problems:
            return {}
        if problems["policy"].structure.memory_size == 0:
            return {}
        policy: Policy = problems["policy"].copied()
        return {"memory/time_scale": time_scale(policy, rollout), **self._read_off(policy, rollout)}

    def _read_off(self, policy: Policy, rollout: Rollout) -> Metrics:
        seen = groups_read(policy, rollout.obs)
        hidden = {
            name: group.names
            for name, group in self._spec.observation.items()
            if name in rollout.obs and name not in seen and not group.image
        }
        if not hidden:
            return {}
        names = [name for group in hidden.values() for name in group]
        truth = torch.cat([rollout.obs[group] for group in hidden], -1)[:-1]
        observed = torch.cat(list(seen.values()), -1)[:-1]
        memory = rollout.carry[
            1:, :, : policy.memory_size
        ]  # of the next step: this one's observation is in it
        counts = (rollout.weight[:-1] > 0.0) & (rollout.weight[1:] > 0.0) & ~rollout.episode_start[1:]
        steps, environments = counts.shape
        # What an environment shows at one time resembles what it shows at another; those of others are new.
        fold = (torch.arange(environments) % 2 == 0).expand(steps, environments)
        if environments == 1:
            fold = (torch.arange(steps) < steps // 2).unsqueeze(-1)
        metrics: Metrics = {}
        for key, x in (("r2", memory), ("r2_observed", observed)):
            told = held_out(x[counts], truth[counts], fold[counts]).tolist()
            metrics |= {f"memory/{key}/{name}": value for name, value in zip(names, told, strict=True)}
        return metrics


@torch.no_grad()
def time_scale(policy: Policy, rollout: Rollout) -> float:
    """Steps after which no more than 1/e is left of a difference between two memories that see the same.

    Every environment's memory is exchanged for that of the next one at the beginning of the rollout, and what follows
    is compared: the root mean square over environments whose episode goes on, beside what it was in these at first. The
    number of steps of the rollout where more is left at its end; not a number where no two memories differ.
    """
    first = rollout.carry[0]
    seen = rollout.episode_start, rollout.action
    own, other = (policy.along(rollout.obs, carry, *seen)[1][:-1] for carry in (first, first.roll(1, 0)))
    squares = (own - other)[..., : policy.memory_size].double().square().sum(-1)
    going_on = ~rollout.episode_start.cumsum(0).bool()
    now, at_first = (torch.where(going_on, x, 0.0).sum(-1) for x in (squares, squares[:1].expand_as(squares)))
    if not bool(at_first[0] > 0.0):
        return float("nan")
    gone = (now <= at_first / torch.e**2).nonzero()
    return float(gone[0]) if len(gone) else float(len(now))
