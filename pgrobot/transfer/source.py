"""Another run, opened to take something from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from pgrobot.learner import Learner
from pgrobot.named_run import checkpoint_of
from pgrobot.past import fitting, load_checkpoint, saved_config
from pgrobot.schemes import cast
from pgrobot.spec_file import read_spec
from pgrobot.types import EnvironmentSpec


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
