"""Which baselines are compared: those that a run can choose, its own, and its critic refitted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, ClassVar

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from pgrobot.baselines import Baseline, Controlled
from pgrobot.baselines.baseline import uncontrolled
from pgrobot.batch import BaselineInput, CriticBatch
from pgrobot.configure import CONFIG_MODULE
from pgrobot.critics import Critic
from pgrobot.groups import TIME, critic_widths
from pgrobot.randomness import stream
from pgrobot.solvers import CriticProblem, FlatParameters
from pgrobot.targets import construct
from pgrobot.types import EnvironmentSpec, Rollout

CONFIG = "variance.yaml"
REFERENCES = ("none", "value")  # what the others are compared with
OWN = "the run's own"


@dataclass(frozen=True)
class Corrected:
    """``A = Ĝ − V(s) − δ(s)``, or ``δ(s, t)``: the critic's value with a correction.

    Attributes:
        correction: of one column.
        mean: of what it was fitted to, less which it was.
    """

    depends_on_action: ClassVar[bool] = False
    correction: Critic
    mean: float

    def __call__(self, given: BaselineInput) -> Controlled:
        return uncontrolled(given.advantage - self.mean - self.correction.value(given.obs)[..., 0])


def catalogue(cfg: DictConfig) -> dict[str, Baseline]:
    """The baselines by name: what ``algorithm/baseline=<name>`` chooses, and the run's own where it is another.

    Args:
        cfg: of the run.
    """
    nodes = {str(name): _node(f"algorithm/baseline/{name}.yaml") for name in lab().baselines}
    own = OmegaConf.to_container(cfg.algorithm.baseline)
    if own not in nodes.values():
        nodes[OWN] = own
    held = OmegaConf.create({"modules": list(cfg.modules), "baselines": nodes})
    return {name: construct(held, f"baselines.{name}") for name in nodes}


def refitted(
    cfg: DictConfig,
    spec: EnvironmentSpec,
    rollouts: Sequence[Rollout],
    advantages: Sequence[Tensor],
    shows: Mapping[str, int],
    seed: int,
) -> dict[str, list[Baseline]]:
    """Refit the critic, as a value of the state and as one of state and time, each time to all rollouts but a fold.

    What is fitted is the advantage, that is what the critic left of the returns: a correction that begins at zero.

    Args:
        cfg: of the run, whose critic's network the correction has; one that reads the time is refitted with it only,
            and one of the user's own that says nothing of ``groups`` as it is only.
        spec: of the environment.
        rollouts: ``K`` of them, at least as many as folds.
        advantages: over the critic, ``[T, N]`` each.
        shows: the groups that the policy shows critics.
        seed: of the weights and shuffles.

    Returns:
        By name the baseline of every rollout, fitted to other rollouts.
    """
    asked = lab()
    chosen = "groups" in cfg.critic
    groups = [str(group) for group in cfg.critic.get("groups", ())]
    found: dict[str, list[Baseline]] = {}
    for name, time in asked.refits.items():
        if (time and not chosen) or (TIME in groups and not time):
            continue
        read = [*groups, *([TIME] if time and TIME not in groups else [])]
        fits: list[Baseline] = []
        for fold in range(asked.folds):
            others = [k for k in range(len(rollouts)) if k % asked.folds != fold]
            critic = construct(cfg, "critic")(
                observation=critic_widths(spec, shows),
                columns=("correction",),
                generator=stream(seed, f"variance/critic/{fold}"),
                **({"groups": read} if chosen else {}),
            )
            mean = fit(critic, [rollouts[k] for k in others], [advantages[k] for k in others], seed)
            fits.append(Corrected(critic, mean))
        found[str(name)] = [fits[k % asked.folds] for k in range(len(rollouts))]
    return found


@torch.no_grad()
def fit(critic: Critic, rollouts: Sequence[Rollout], targets: Sequence[Tensor], seed: int) -> float:
    """Regress a new critic of one column on targets ``[T, N]`` less their mean, by the problem and solver that train.

    Returns:
        The mean.
    """
    groups = rollouts[0].obs
    obs = {name: torch.cat([rollout.obs[name].flatten(0, 1) for rollout in rollouts]) for name in groups}
    target = torch.cat([column.flatten() for column in targets]).unsqueeze(-1)
    mean = target.mean()
    target -= mean
    critic.merge(obs)
    critic.rescale(target)
    asked = lab()
    parameters = FlatParameters(critic)
    solver = construct(asked, "fit")(
        vector=parameters.vector,
        problem=CriticProblem(critic, parameters),
        minibatch=targets[0].numel(),
        generator=stream(seed, "variance/critic_shuffle"),
    )
    epochs = math.ceil(asked.steps / len(rollouts))
    for epoch in range(epochs):
        solver.anneal(epoch / epochs)
        solver.solve(CriticBatch.of_rows(obs, target))
    return float(mean)


def each(baselines: Mapping[str, Baseline], rollouts: int) -> dict[str, list[Baseline]]:
    """The same baseline for every one of ``K`` rollouts, by name."""
    return {name: [baseline] * rollouts for name, baseline in baselines.items()}


def lab() -> DictConfig:
    """The laboratory's config."""
    cfg = OmegaConf.create(_text(CONFIG))
    assert isinstance(cfg, DictConfig)
    return cfg


def _node(path: str) -> Any:
    """A baseline as its group's option configures it; an option may configure a term of the objective beside it."""
    option: Any = OmegaConf.to_container(OmegaConf.create(_text(path)))
    return option.get("baseline", option)


def _text(path: str) -> str:
    return resources.files(CONFIG_MODULE).joinpath(path).read_text(encoding="utf-8")
