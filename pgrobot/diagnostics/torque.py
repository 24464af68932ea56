"""Which actuator the gradient pulls on and how hard, where reward and costs disagree, and what torque is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from pgrobot.diagnostics.actuators import FORCES, UNKNOWN, Actuators
from pgrobot.diagnostics.by_learner import OfLastUpdates
from pgrobot.diagnostics.pull import Pull
from pgrobot.policies import Policy
from pgrobot.ranges import at_least
from pgrobot.types import TORQUE_LIMITS, EnvironmentSpec, Metrics, Rollout

SATURATED = 0.99  # of the limit


class TorqueGradients(OfLastUpdates):
    """The policy gradient by actuator, at the parameters and normalisers that the update began from.

    For each actuator, by its name, or that of the joint that it drives: ``torque/<joint>/gradient_reward`` and
    ``…/gradient_<cost>``, the derivative of the objective of that column alone, neither priced nor normalised, in the
    mean torque: its unit per N·m. ``…/cosine_<cost>``: of the angle between the gradient of the reward and that of the
    cost in all torques that are linear in what is observed. ``…/push``: ``E[A (a − μ)]`` of the standardised advantage,
    N·m. ``…/snr``: mean over deviation of one step's share in the gradient. ``…/share``: of the squared norm of the
    whole gradient. ``…/rms`` and ``…/p95``: of the torque over the most that the actuator can give in its
    direction, in its own simulation where models vary; ``…/saturation``: share of steps at that; ``…/power``: mean
    of ``|torque · velocity|`` in W.

    What is not N·m is in its own unit: N of a slide, rad of a servo, units of the action space where the environment
    does not say what an action is. Choices have no torque, and nothing is said of them. A number that is not finite is
    left out. With several learners, each one's names begin with ``<learner>/``.

    It reads copies, and no random stream: training is the same to the last bit.

    See docs/derivations.md#gradients-by-actuator.

    Args:
        every: iterations between measurements; 0 never measures.
        actuators: the first so many are told of.
        spec: of the environments.
        iterations: of the run; of no consequence.
    """

    def __init__(
        self,
        every: Annotated[int, at_least(0)],
        actuators: Annotated[int, at_least(1)],
        *,
        spec: EnvironmentSpec,
        iterations: int,
    ) -> None:
        del iterations
        super().__init__(every)
        self._actuators = Actuators.of(spec, actuators)

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        return super().__call__(iteration, learners, experience) if self._actuators.names else {}

    def measured(self, posed: Mapping[str, Any], rollout: Rollout) -> Metrics:
        actuators = self._actuators
        if "policy" not in posed or not len(actuators.drawn(posed["policy"].structure)):
            return {}
        snapshot = posed["policy"]
        found = gradients(Pull.of(snapshot, actuators), tuple(snapshot.columns), actuators)
        found |= loads(rollout, snapshot.structure, actuators)
        return {
            f"torque/{name}/{word}": value
            for word, values in found.items()
            for name, value in zip(actuators.names, values.tolist(), strict=True)
        }


def gradients(pull: Pull, columns: Sequence[str], actuators: Actuators) -> dict[str, Tensor]:
    """What the gradient asks of every actuator, ``[J]`` by what it is called; ``columns`` are the pull's by name."""
    names, reward = short_names(columns), columns.index("reward")
    shares = torch.cat((pull.shares(pull.columns), pull.whole.unsqueeze(1)), 1)
    feedback = pull.feedback(shares)
    asked, size = feedback[:-1], feedback[-1].square().sum(-1)
    norms = asked.norm(dim=-1)
    slopes = (asked[..., 0] / actuators.scale).unbind(0)
    cosines = ((asked[reward] * asked).sum(-1) / (norms[reward] * norms)).unbind(0)
    found = {f"gradient_{name}": slope for name, slope in zip(names, slopes, strict=True)}
    found |= {
        f"cosine_{name}": cosine
        for column, name, cosine in zip(columns, names, cosines, strict=True)
        if column.startswith("cost/")
    }
    return found | {
        "push": pull.push() * actuators.scale,
        "snr": pull.signal_to_noise(),
        "share": size / size.sum(),
    }


def loads(rollout: Rollout, policy: Policy, actuators: Actuators) -> dict[str, Tensor]:
    """How much of what they can give the actuators gave, over the steps that count: ``[J]`` by what it is called."""
    counts: Any = rollout.weight.flatten() > 0.0
    counts = slice(None) if bool(counts.all()) else counts
    rows = lambda x: x.flatten(0, 1)[counts][:, actuators.entries].double()
    measured = rollout.telemetry.get("torque", torch.zeros(0))
    whether = measured.shape[-1] == actuators.count
    own, told = _own_limits(rollout, actuators, rows)
    forces = actuators.forces | told
    effort = actuators.share(rows(measured), own) if whether else torch.zeros(0)
    if not (whether and bool(forces.all())):
        command = rows(policy.command(rollout.action)).abs().clamp(max=1.0)
        effort = torch.where(forces, effort, command) if whether else command
    effort = torch.where(actuators.bounded | told, effort, math.nan)
    rms = effort.square().mean(0).sqrt()
    ordered = np.partition(effort.numpy(), rank := math.ceil(0.95 * len(effort)) - 1, 0)
    found = {
        "rms": rms,
        "p95": torch.from_numpy(ordered[rank]),
        "saturation": torch.where(rms.isnan(), math.nan, (effort >= SATURATED).double().mean(0)),
    }
    power = rollout.telemetry.get("power", torch.zeros(0))
    if power.shape[-1] == actuators.count:
        found["power"] = rows(power).abs().mean(0)
    return found


def _own_limits(
    rollout: Rollout, actuators: Actuators, rows: Callable[[Tensor], Tensor]
) -> tuple[tuple[Tensor, Tensor] | None, Tensor]:
    """What the actuators of each simulation can give, ``[B, J]`` each, and of which that is told, ``[J]`` bool.

    It is told of no servo, whose effort is its command; those whose gear or gain varies have no unit that says so.
    """
    limits = rollout.telemetry.get(TORQUE_LIMITS, torch.zeros(0))
    if limits.shape[-1] != 2 * actuators.count:
        return None, torch.zeros(len(actuators.names), dtype=torch.bool)
    least, greatest = (rows(each) for each in limits.unflatten(-1, (-1, 2)).unbind(-1))
    told = (least.isfinite() & greatest.isfinite()).all(0)
    told &= torch.tensor([unit in (*FORCES, UNKNOWN) for unit in actuators.units])
    ends = torch.where(told, least, actuators.least), torch.where(told, greatest, actuators.greatest)
    return ends, told


def short_names(columns: Sequence[str]) -> tuple[str, ...]:
    """``speed`` of ``cost/speed``; the whole name, ``cost_reward``, where another one ends alike."""
    ends = [column.rpartition("/")[2] for column in columns]
    return tuple(
        column.replace("/", "_") if "/" in column and ends.count(end) > 1 else end
        for column, end in zip(columns, ends, strict=True)
    )
