"""Where a policy is looked at: states of a rollout, every entry of them with its name and its spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from pgrobot.diagnostics.actuators import Actuators
from pgrobot.policies import Policy
from pgrobot.types import EnvironmentSpec, ObservationGroup, Rollout


@dataclass(frozen=True, slots=True)
class States:
    """``B`` states of a rollout, and what a policy that reads ``D`` numbers would say there and elsewhere.

    Attributes:
        policy: in storage of its own.
        drawn: where it draws the actuators, ``[J]``.
        widths: of the observation groups that are read, in the order of the entries.
        names: of the entries, D of them.
        x: the states, ``[B, D]``.
        carry: what the policy remembers before each, ``[B, H]``; it is held.
        episode_start: ``[B]`` bool.
        mean: of all states of the rollout that count, ``[D]``.
        spread: their deviation, ``[D]``; exactly 0 of an entry that never changes.
        every: all states of the rollout, ``[T, N, D]``.
        images: what else is read, by group, ``[B, H, W, C]``; it is held, too.
    """

    policy: Policy
    drawn: Tensor
    widths: Mapping[str, int]
    names: tuple[str, ...]
    x: Tensor
    carry: Tensor
    episode_start: Tensor
    mean: Tensor
    spread: Tensor
    every: Tensor
    images: Mapping[str, Tensor]

    @classmethod
    def of(
        cls, rollout: Rollout, policy: Policy, spec: EnvironmentSpec, actuators: Actuators, most: int
    ) -> Self:
        """At most ``most`` states that count, evenly over the rollout and at an odd stride, or of few environments."""
        groups = groups_read(policy, rollout.obs)
        every = torch.cat([*groups.values(), rollout.log_prob.new_zeros(*rollout.log_prob.shape, 0)], -1)
        counts = rollout.weight.flatten() > 0.0
        seen = every.flatten(0, 1)[counts]
        centred = seen - seen[:1]
        stride = slice(None, None, -(-len(seen) // most) | 1)
        return cls(
            policy=policy,
            drawn=actuators.drawn(policy),
            widths={name: obs.shape[-1] for name, obs in groups.items()},
            names=tuple(name for group, obs in groups.items() for name in _names(spec, group, obs.shape[-1])),
            x=seen[stride],
            carry=rollout.carry.flatten(0, 1)[counts][stride],
            episode_start=rollout.episode_start.flatten()[counts][stride],
            mean=seen[0] + centred.mean(0),
            spread=centred.std(0, correction=0) if groups else centred[0],
            every=every,
            images={
                name: obs.flatten(0, 1)[counts][stride]
                for name, obs in rollout.obs.items()
                if name in _read(policy, rollout.obs) and name not in groups
            },
        )

    def action(self, x: Tensor) -> Tensor:
        """The mean action, policy units, of the ``B`` states with these numbers ``[B, D]`` in place of their own."""
        obs = dict(zip(self.widths, x.split(tuple(self.widths.values()), -1), strict=True))
        distribution, _ = self.policy({**obs, **self.images}, self.carry, self.episode_start)
        return distribution.mean[..., self.drawn]

    def slopes(self, x: Tensor) -> Tensor:
        """``∂ mean action / ∂ x`` at ``[B, D]``, in policy units per unit of each entry, ``[B, J, D]``."""
        with torch.enable_grad():
            point = x.detach().clone().requires_grad_()
            action = self.action(point)
            rows = [
                torch.autograd.grad(action[:, j].sum(), point, retain_graph=True, allow_unused=True)[0]
                for j in range(action.shape[-1])
            ]
        return torch.stack([torch.zeros_like(x) if row is None else row for row in rows], 1)


def groups_read(policy: Policy, obs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The observation groups that a policy reads, but images; all where it does not say."""
    read = _read(policy, obs)
    return {name: seen for name, seen in obs.items() if name in read and seen.is_floating_point()}


def _read(policy: Policy, obs: Mapping[str, Tensor]) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(policy, "groups", tuple(obs))
    return found


def _names(spec: EnvironmentSpec, group: str, width: int) -> tuple[str, ...]:
    """What the environment calls them; a collector may add groups of its own."""
    if group in spec.observation:
        return spec.observation[group].names
    return ObservationGroup.numbered(group, (width,)).names
