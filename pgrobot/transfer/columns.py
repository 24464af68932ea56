"""Taking over a critic, column by column."""

from __future__ import annotations

from collections.abc import Mapping

from omegaconf import DictConfig
from torch import Tensor

from pgrobot.critics import NetworkCritic
from pgrobot.errors import PgrobotError
from pgrobot.groups import critic_widths
from pgrobot.learner import Learner
from pgrobot.targets import construct
from pgrobot.transfer.differences import different
from pgrobot.transfer.fitting import check_shapes, different_reads
from pgrobot.transfer.mapping import moments_taken, places_of, taken, with_outputs
from pgrobot.transfer.source import Source
from pgrobot.types import EnvironmentSpec, State


def take_critic(
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
        *different_reads(learner.critic, theirs.critic, here, there, spec.name, source.spec.name),
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
    check_shapes(refused, "critic", learner.critic, state)
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
