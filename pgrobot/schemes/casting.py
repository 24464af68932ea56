"""From a checked config to a run's scheme and its learners."""

from __future__ import annotations

from collections.abc import Mapping

from omegaconf import DictConfig

from pgrobot.errors import PgrobotError
from pgrobot.learner import Learner
from pgrobot.policies import Acting, Policy
from pgrobot.schemes.blueprint import Blueprint
from pgrobot.schemes.scheme import Scheme
from pgrobot.targets import construct
from pgrobot.types import EnvironmentSpec, State


def cast(
    cfg: DictConfig, spec: EnvironmentSpec, threads: int, *, anew: bool = False
) -> tuple[Scheme, dict[str, Learner]]:
    """A run's scheme, and its learners by name as they are before training.

    Args:
        cfg: as ``validated`` returns it.
        spec: of its environments.
        threads: cores of an update; 0: the physical cores.
        anew: whether the run begins.

    Raises:
        PgrobotError: the scheme is none, or a part refuses its values.
    """
    scheme = construct(cfg, "scheme")
    for word in ("acting", "learners", "policy", "collector"):
        if not hasattr(scheme, word):
            raise PgrobotError(
                f"scheme._target_={cfg.scheme._target_} is no scheme: it has no {word!r}, see pgrobot.schemes.Scheme"
            )
    learners = scheme.learners(Blueprint(cfg, spec, threads, anew))
    if scheme.acting not in learners:
        raise PgrobotError(
            f"scheme._target_={cfg.scheme._target_} has {scheme.acting!r} act, which is none of its learners: "
            f"{', '.join(learners)}"
        )
    return scheme, learners


def policies_of(learners: Mapping[str, Learner]) -> dict[str, Policy]:
    """The learners' policies, by the learner's name."""
    return {name: learner.policy for name, learner in learners.items()}


def load_policies(policies: Mapping[str, Policy], state: State) -> None:
    """Put every learner's policy in place where a checkpoint has it.

    Raises:
        KeyError, RuntimeError: the checkpoint does not fit; see ``past.fitting``.
    """
    for name, policy in policies.items():
        policy.load_state_dict(state["learners"][name]["policy"])


def restored(scheme: Scheme, policies: Mapping[str, Policy], state: State) -> Acting:
    """Who acts in a run as a checkpoint has it; raises as ``load_policies``."""
    load_policies(policies, state)
    return scheme.policy(policies)
