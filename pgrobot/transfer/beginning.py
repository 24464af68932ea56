"""Beginning as another run: its policy, and as much of its critic as fits, taken over as they are.

Nothing else is: moments of optimisers, prices, averages and random streams begin anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from pgrobot.critics import NetworkCritic
from pgrobot.errors import PgrobotError
from pgrobot.groups import critic_widths
from pgrobot.initialisation import CRITIC, KEPT, Initialisation
from pgrobot.learner import Learner
from pgrobot.named_run import checkpoint_of
from pgrobot.past import fitting, load_checkpoint, saved_config
from pgrobot.policies import Policy
from pgrobot.run_directory import made_by
from pgrobot.schemes import cast
from pgrobot.spec_file import read_spec
from pgrobot.targets import construct, nodes
from pgrobot.transfer.differences import (
    different,
    different_actuators,
    different_entries,
    different_ranges,
    different_rate,
)
from pgrobot.transfer.entries import beside, known_origins, names, readers
from pgrobot.transfer.mapping import moments_taken, places_of, taken, with_outputs
from pgrobot.types import EnvironmentSpec, State, Widths

ORIGIN = "origin."


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


@dataclass(frozen=True, slots=True)
class Source:
    """Another run, as a checkpoint has it.

    Attributes:
        run: its directory.
        path: of the checkpoint.
        cfg: its config.
        spec: of its environment.
        learners: by name, with policies and critics as they were.
        step: environment steps after which it was saved.
    """

    run: Path
    path: Path
    cfg: DictConfig
    spec: EnvironmentSpec
    learners: Mapping[str, Learner]
    step: int


def opened(run: Path, checkpoint: str, modules: Sequence[str]) -> Source:
    """Open a run to take something from it.

    Raises:
        PgrobotError: there is no such run or checkpoint, or they do not fit each other.
    """
    path = checkpoint_of(run, int(checkpoint) if checkpoint.isdecimal() else checkpoint)
    cfg, spec = saved_config(run), read_spec(run)
    cfg.modules = list(modules)
    state = load_checkpoint(path)
    _, learners = cast(cfg, spec, 1)
    with fitting(path, run):
        for name, learner in learners.items():
            learner.policy.load_state_dict(state["learners"][name]["policy"])
            learner.critic.load_state_dict(state["learners"][name]["critic"])
        return Source(run, path, cfg, spec, learners, state["global_step"])


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
            columns = _take_critic(cfg, spec, source, learner, theirs)
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
        *_different_reads(policy, theirs, spec.widths, source.spec.widths, spec.name, source.spec.name),
        *different_actuators(spec, source.spec),
    ):
        raise PgrobotError(
            f"{refused}: {told}; pgrobot port {asked.run} task=<task> maps a policy by these names"
        )
    learnt = {key: value for key, value in theirs.state_dict().items() if not key.startswith(ORIGIN)}
    _check_shapes(refused, "policy", policy, learnt)
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


def _different_reads(
    mine: nn.Module, theirs: nn.Module, here: Widths, there: Widths, name: str, other: str
) -> Iterator[str]:
    """In what the networks of both read differently; a module that does not say what it reads, in all that there is."""
    ours, wanted = readers(mine), readers(theirs)
    for path in ours.keys() & wanted.keys():
        yield from different_entries(names(ours[path], here), names(wanted[path], there), name, other)
    yield from different_entries(beside(mine), beside(theirs), name, other)
    if not ours:
        one, all_of = ([entry for group in x for entry in x.names(group)] for x in (here, there))
        yield from different_entries(one, all_of, name, other)


def _check_shapes(refused: str, word: str, module: nn.Module, learnt: Mapping[str, Tensor]) -> None:
    """What is left where two of the same description are not of the same shape: parts of the user's own."""
    ours = {key: value for key, value in module.state_dict().items() if not key.startswith(ORIGIN)}
    for key in (*learnt, *ours):
        one, other = (tuple(x[key].shape) if key in x else None for x in (ours, learnt))
        if one != other and not key.endswith("moments.count"):
            has, had = ("nothing" if shape is None else list(shape) for shape in (one, other))
            raise PgrobotError(f"{refused}: {word}.{key} is {had} there and {has} here")


def _take_critic(
    cfg: DictConfig, spec: EnvironmentSpec, source: Source, learner: Learner, theirs: Learner
) -> str:
    """Load a critic, its columns by their names; one that it did not have begins new. Returns which are which."""
    refused = f"the critic of initialise.run={cfg.initialise.run} does not fit"
    remedy = "or leave it out by initialise.parts=[policy]"
    mine, wanted = construct(cfg, "critic"), construct(source.cfg, "critic")
    here, there = (
        critic_widths(where, one.policy.shows) for where, one in ((spec, learner), (source.spec, theirs))
    )
    for told in (
        *different("critic", mine, wanted, lenient=True),
        *_different_reads(learner.critic, theirs.critic, here, there, spec.name, source.spec.name),
    ):
        raise PgrobotError(f"{refused}: {told}, {remedy}")
    state = theirs.critic.state_dict()
    if learner.columns != theirs.columns:
        if not isinstance(learner.critic, NetworkCritic):
            raise PgrobotError(
                f"{refused}: its columns are {', '.join(theirs.columns)}, and here {', '.join(learner.columns)}, "
                f"{remedy}"
            )
        state = with_columns(state, learner.critic.state_dict(), places_of(learner.columns, theirs.columns))
    _check_shapes(refused, "critic", learner.critic, state)
    learner.critic.load_state_dict(state)
    new = [name for name in learner.columns if name not in theirs.columns]
    gone = [name for name in theirs.columns if name not in learner.columns]
    kept = [name for name in learner.columns if name in theirs.columns]
    words = [
        f"{word} {', '.join(names)}"
        for word, names in (("of", kept), ("new:", new), ("gone:", gone))
        if names
    ]
    return "; ".join(words)


def with_columns(state: State, fresh: Mapping[str, Tensor], index: Tensor) -> State:
    """The state of a ``NetworkCritic`` with other columns; new ones predict 0, in a unit that is yet to be found."""
    scale = "scaler.scale"
    moments = moments_taken(state, dict(fresh), index, "scaler.moments.")
    return {
        **with_outputs(state, fresh, index),
        **moments,
        scale: taken(state[scale], fresh[scale], index, 0),
    }


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
