"""Beginning as another run: its policy, and as much of its critic as fits, taken over as they are.

Nothing else is: moments of optimisers, prices, averages and random streams begin anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from pgrobot.errors import PgrobotError
from pgrobot.initialisation import CRITIC, KEPT, Initialisation
from pgrobot.learner import Learner
from pgrobot.policies import Policy
from pgrobot.run_directory import made_by
from pgrobot.targets import construct, nodes
from pgrobot.transfer.columns import take_critic
from pgrobot.transfer.differences import different, different_actuators, different_ranges, different_rate
from pgrobot.transfer.entries import known_origins
from pgrobot.transfer.fitting import ORIGIN, check_shapes, different_reads
from pgrobot.transfer.source import Source, opened
from pgrobot.types import EnvironmentSpec


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a run begins as.

    Attributes:
        note: for its manifest: the run, the checkpoint and its hash; empty where it begins anew.
        told: for whoever starts it, a word and a sentence each.
    """

    note: Mapping[str, Any]
    told: Sequence[tuple[str, str]]


ANEW = Beginning({}, ())


def initialise(cfg: DictConfig, spec: EnvironmentSpec, learners: Mapping[str, Learner]) -> Beginning:
    """Let new learners begin as those of the run that ``cfg.initialise`` names, if it names one.

    Args:
        cfg: of the new run, as ``validated`` returns it.
        spec: of its environments.
        learners: by name, as they were made.

    Raises:
        PgrobotError: the run cannot be read, or does not fit: in what it differs, by name.
    """
    node: Any = OmegaConf.to_container(cfg.initialise)
    asked = Initialisation(**node)
    if not asked.run:
        return ANEW
    source = opened(Path(asked.run), asked.checkpoint, list(cfg.modules))
    _check_alone(cfg)
    _check_scheme(cfg, source, learners)
    told = [("begins as", f"{asked.run}, {source.path.name}, after {source.step:,} steps")]
    for name, learner in learners.items():
        whose = f"{name}/" if len(learners) > 1 else ""
        theirs = source.learners[name]
        _take_policy(cfg, spec, source, learner.policy, theirs.policy, asked)
        if CRITIC in asked.parts:
            columns = take_critic(cfg, spec, source, learner, theirs)
            told.append((f"{whose}critic", columns))
        if asked.log_std != KEPT:
            _explore(learner.policy, float(asked.log_std))
        learner.begin()
    notes = (*different_rate(spec, source.spec), *different_ranges(spec, source.spec))
    told += [("differs", sentence) for sentence in notes]
    return Beginning({"initialised": _note(asked, source)}, told)


def _note(asked: Initialisation, source: Source) -> dict[str, Any]:
    return {
        "run": str(Path(asked.run).absolute()),
        "checkpoint": source.path.name,
        "sha256": hashlib.sha256(source.path.read_bytes()).hexdigest(),
        "step": source.step,
        "made_by": made_by(source.run),
    }


def _check_alone(cfg: DictConfig) -> None:
    """Refuse a part of the policy that comes from yet another run."""
    policy: Any = OmegaConf.to_container(cfg.policy)
    for path, node in nodes(policy, "policy"):
        if node.get("run"):
            raise PgrobotError(
                f"{path}.run={node['run']} is a part of a policy all of which is that of initialise.run="
                f"{cfg.initialise.run}: leave out one of the two"
            )


def _check_scheme(cfg: DictConfig, source: Source, learners: Mapping[str, Learner]) -> None:
    run, there = cfg.initialise.run, source.learners
    if there.keys() != learners.keys():
        raise PgrobotError(
            f"initialise.run={run} does not fit: its learners are {', '.join(there)}, and here {', '.join(learners)}; "
            "use the same scheme"
        )
    if len(learners) > 1 and cfg.scheme != source.cfg.scheme:
        told = next(
            f"scheme.{key} is {cfg.scheme.get(key)} here and {source.cfg.scheme.get(key)} there"
            for key in (*cfg.scheme, *source.cfg.scheme)
            if cfg.scheme.get(key) != source.cfg.scheme.get(key)
        )
        raise PgrobotError(f"initialise.run={run} does not fit: {told}")


def _take_policy(
    cfg: DictConfig,
    spec: EnvironmentSpec,
    source: Source,
    policy: Policy,
    theirs: Policy,
    asked: Initialisation,
) -> None:
    """Load a policy, with its normaliser and the origin of what it reads."""
    refused = f"initialise.run={asked.run} does not fit"
    mine, wanted = construct(cfg, "policy"), construct(source.cfg, "policy")
    for told in different("policy", mine, wanted, lenient=True):
        raise PgrobotError(f"{refused}: {told}")
    for told in (
        *different_reads(policy, theirs, spec.widths, source.spec.widths, spec.name, source.spec.name),
        *different_actuators(spec, source.spec),
    ):
        raise PgrobotError(
            f"{refused}: {told}; pgrobot port {asked.run} task=<task> maps a policy by these names"
        )
    learnt = {key: value for key, value in theirs.state_dict().items() if not key.startswith(ORIGIN)}
    check_shapes(refused, "policy", policy, learnt)
    own = {key: value for key, value in policy.state_dict().items() if key.startswith(ORIGIN)}
    policy.load_state_dict({**learnt, **own})
    policy.origin.adopt(known_origins(theirs.origin.value, source.spec.widths, spec.widths))
    for key, value in policy.state_dict().items():
        widened = asked.log_std != KEPT and key.endswith("log_std")
        if key in learnt and not widened and not torch.equal(value, learnt[key]):
            raise PgrobotError(
                f"{refused}: its policy.{key} lies outside the bounds that it has here: give the head the bounds that "
                "it had, or initialise.log_std=<number>"
            )


@torch.no_grad()
def _explore(policy: Policy, log_std: float) -> None:
    """Let the log-deviations of all heads that have them as parameters begin anew.

    Raises:
        PgrobotError: there is none, or one that may not be so.
    """
    found = [
        (name, part, part.log_std)
        for name, part in policy.named_modules()
        if isinstance(getattr(part, "log_std", None), Tensor)
    ]
    if not found:
        heads = [type(part).__name__ for name, part in policy.named_modules() if name.endswith("head")]
        raise PgrobotError(
            f"initialise.log_std={log_std:g} is of heads whose log-deviation is a parameter (gaussian, smooth, "
            f"squashed, full_covariance), and this policy has {', '.join(heads) or 'no head'}: leave it out"
        )
    for name, part, value in found:
        low, high = part.parameter_bounds["log_std"]
        if not low <= log_std <= high:
            raise PgrobotError(
                f"initialise.log_std={log_std:g} lies outside the log_std_bounds of policy.{name}, [{low:g}, {high:g}]"
            )
        value.fill_(log_std)
