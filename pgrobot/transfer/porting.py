"""A policy and its critic for another robot: what that one reads, drives and counts by the same names is taken over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pgrobot.critics import NetworkCritic
from pgrobot.errors import PgrobotError
from pgrobot.groups import Selection, critic_widths, full_name
from pgrobot.learner import Learner
from pgrobot.policies import NetworkPolicy, Policy
from pgrobot.transfer.columns import with_columns
from pgrobot.transfer.differences import different_ranges, different_rate
from pgrobot.transfer.entries import beside, known_origins, places
from pgrobot.transfer.mapping import NEW, InputMap, places_of, taken, with_inputs, with_outputs
from pgrobot.transfer.source import Source
from pgrobot.types import EnvironmentSpec, State, Widths


@dataclass(frozen=True, slots=True)
class Matching:
    """What two robots have in common of one kind, by name.

    Attributes:
        kind: ``observations``, ``actions`` or ``columns`` of the critic.
        matched: what both have.
        new: what the other one has not.
        gone: what this one has not.
    """

    kind: str
    matched: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]

    @classmethod
    def of(cls, kind: str, wanted: Sequence[str], known: Sequence[str], index: Tensor) -> Matching:
        """``index`` says where each that is wanted stands among those that are known."""
        found = index.tolist()
        return cls(
            kind,
            tuple(name for name, at in zip(wanted, found, strict=True) if at != NEW),
            tuple(name for name, at in zip(wanted, found, strict=True) if at == NEW),
            tuple(name for at, name in enumerate(known) if at not in found),
        )


@dataclass(frozen=True, slots=True)
class Ported:
    """What became of a policy.

    Attributes:
        matchings: of observations, actions and columns.
        notes: what is the same by name and yet another thing: ranges of actions, the rate of control.
        difference: the greatest between a mean action of the policy and of what it was, in policy units, on rows in
            which what is gone is at its mean.
    """

    matchings: tuple[Matching, ...]
    notes: tuple[str, ...]
    difference: float


def ported(source: Source, spec: EnvironmentSpec, learners: Mapping[str, Learner]) -> Ported:
    """Let new learners for another robot begin as those of a run, as far as names go.

    Args:
        source: the run.
        spec: of the other robot's environment.
        learners: as they were made for it.

    Raises:
        PgrobotError: the policy is of a kind that names do not map, or nothing has the same name.
    """
    (name, ours), *others = learners.items()
    theirs = source.learners[name]
    for policy in (ours.policy, theirs.policy):
        if others or type(policy) is not NetworkPolicy:
            raise PgrobotError(
                f"{source.run} cannot be ported: its policy is a {type(policy).__name__}, and names map a policy that "
                "is one network, such as gaussian or recurrent"
            )
    unmapped = [name for one in (theirs.policy, theirs.critic) for name in beside(one)]
    if unmapped:
        raise PgrobotError(
            f"{source.run} cannot be ported: it reads {unmapped[0]}, an image or a category, beside the numbers that "
            "names map"
        )
    old, new = theirs.policy, ours.policy
    assert isinstance(old, NetworkPolicy)
    assert isinstance(new, NetworkPolicy)
    observations, read = _read(new.reads, old.reads, spec.widths, source.spec.widths)
    driven = places_of(spec.actuators, source.spec.actuators)
    actions = Matching.of("actions", spec.actuators, source.spec.actuators, driven)
    for matching in (observations, actions):
        if not matching.matched:
            raise PgrobotError(
                f"{source.run} cannot be ported to {spec.name}: none of the {matching.kind} of {source.spec.name} is "
                f"called as one of its own, {', '.join(matching.gone[:2])} … and {', '.join(matching.new[:2])} …"
            )
    new.load_state_dict(_policy_state(new, old, read, driven, spec, source.spec))
    columns = _take_critic(ours, theirs, spec, source.spec)
    ours.begin()
    both = [(i, int(at)) for i, at in enumerate(driven) if at != NEW]
    notes = (
        *different_rate(spec, source.spec),
        *_ranges(both, spec, source.spec),
        *_numbered(spec, source.spec),
    )
    difference = _difference(new, old, read, both, (spec.widths, source.spec.widths))
    return Ported((observations, actions, columns), notes, difference)


def _read(mine: Selection, wanted: Selection, here: Widths, there: Widths) -> tuple[Matching, Tensor]:
    """Where what is read here stands there: by group and name, else by the name alone."""
    ours, theirs = ([(g, w.names(g)[i]) for g, i in places(r, w)] for r, w in ((mine, here), (wanted, there)))
    full = places_of([full_name(*each) for each in ours], [full_name(*each) for each in theirs])
    alone = places_of([name for _, name in ours], [name for _, name in theirs])
    index = torch.where(full == NEW, alone, full)
    return Matching.of("observations", [n for _, n in ours], [n for _, n in theirs], index), index


def _policy_state(
    new: NetworkPolicy,
    old: NetworkPolicy,
    read: Tensor,
    driven: Tensor,
    spec: EnvironmentSpec,
    other: EnvironmentSpec,
) -> State:
    """The old policy's state in the order of the new one's inputs and outputs."""
    told = driven if new.shown.width else driven[:0]
    if new.shown.width not in (0, len(driven)):
        raise PgrobotError(
            "a policy that reads its previous action cannot be ported where actions are choices"
        )
    fresh, state = new.state_dict(), old.state_dict()
    rows = torch.full((new.head.outputs,), NEW)
    for mine, at in zip(new.head.rows(), driven.tolist(), strict=True):
        if at != NEW:
            rows[mine] = old.head.rows()[at]
    state = with_outputs(
        with_inputs(state, fresh, new.body, InputMap(read, told, old.reads.width)), fresh, rows
    )
    for name in new.head.by_action:
        key = f"head.{name}"
        state[key] = taken(state[key], fresh[key], driven, 0)
    known, value, begin = known_origins(state["origin.value"], other.widths, spec.widths), [], 0
    for group, width in spec.widths.items():
        value += [known.get(group, {}).get(i, 0.0) for i in range(width)]
        begin += width
    state["origin.value"] = torch.tensor(value, dtype=torch.float64)
    return state


def _take_critic(ours: Learner, theirs: Learner, spec: EnvironmentSpec, other: EnvironmentSpec) -> Matching:
    """Let the critic begin as the other one; one that is not a ``NetworkCritic`` begins anew."""
    new, old = ours.critic, theirs.critic
    index = places_of(ours.columns, theirs.columns)
    if not isinstance(new, NetworkCritic) or not isinstance(old, NetworkCritic):
        return Matching.of("columns", ours.columns, theirs.columns, torch.full_like(index, NEW))
    here, there = critic_widths(spec, ours.policy.shows), critic_widths(other, theirs.policy.shows)
    _, read = _read(new.reads, old.reads, here, there)
    fresh = new.state_dict()
    state = with_inputs(old.state_dict(), fresh, new.body, InputMap(read, read[:0], old.reads.width))
    new.load_state_dict(with_columns(state, fresh, index))
    return Matching.of("columns", ours.columns, theirs.columns, index)


def _ranges(both: Sequence[tuple[int, int]], spec: EnvironmentSpec, other: EnvironmentSpec) -> Sequence[str]:
    """Where actions of one name are of other ranges."""

    def those(of: EnvironmentSpec, which: list[int]) -> EnvironmentSpec:
        actions = tuple(of.actions[i] for i in which)
        return replace(
            of, actions=actions, action_low=of.action_low[which], action_high=of.action_high[which]
        )

    pair = those(spec, [i for i, _ in both]), those(other, [i for _, i in both])
    return list(different_ranges(*pair))


def _numbered(spec: EnvironmentSpec, other: EnvironmentSpec) -> Sequence[str]:
    """Groups whose entries have no names but their numbers, so that these are what was compared."""
    return [
        f"the entries of {group} have no names but their places, which were compared"
        for group, told in spec.observation.items()
        if group in other.observation
        and told.names[:1] == (f"{group}/0",) == other.observation[group].names[:1]
    ]


@torch.no_grad()
def _difference(
    new: NetworkPolicy,
    old: NetworkPolicy,
    read: Tensor,
    both: Sequence[tuple[int, int]],
    widths: tuple[Widths, Widths],
    rows: int = 256,
) -> float:
    """The greatest between their mean actions in two steps of an episode, of the actions that both have."""
    random = torch.Generator().manual_seed(0)
    steps = []
    for _ in range(2):
        seen = (
            old.normalizer.offset
            + torch.randn(rows, old.reads.width, generator=random) / old.normalizer.scale
        )
        gone = [i for i in range(old.reads.width) if i not in read.tolist()]
        seen[:, gone] = old.normalizer.offset[gone]
        shown = torch.randn(rows, new.reads.width, generator=random)
        steps.append((taken(seen, shown, read, 1), seen))
    said = []
    for policy, which, at in zip((new, old), widths, (0, 1), strict=True):
        carry, means = torch.zeros(rows, policy.carry_size), []
        for first, observed in zip((True, False), steps, strict=True):
            obs = _as_groups(policy, observed[at], which)
            distribution, carry = policy(obs, carry, torch.full((rows,), first))
            means.append(distribution.mean[:, [pair[at] for pair in both]])
        said.append(torch.stack(means))
    return float((said[0] - said[1]).abs().max())


def _as_groups(policy: Policy, seen: Tensor, widths: Widths) -> dict[str, Tensor]:
    """Observation groups of which a policy reads just this, ``[N, D]``."""
    assert isinstance(policy, NetworkPolicy)
    obs = {group: torch.zeros(len(seen), widths[group]) for group in policy.reads.groups}
    for column, (group, i) in enumerate(places(policy.reads, widths)):
        obs[group][:, i] = seen[:, column]
    return obs
