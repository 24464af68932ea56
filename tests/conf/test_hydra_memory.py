"""Configs composed from memory, as every test composes them, are those that Hydra composes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra_memory
import pytest
from omegaconf import DictConfig, OmegaConf

from pgrobot.configure import compose, search_path
from pgrobot.errors import PgrobotError


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Hydra as users have it."""
    hydra_memory.forget()
    yield
    hydra_memory.remember()


def told(overrides: list[str]) -> Any:
    """All that a config is, without the time; or why there is none."""
    try:
        cfg = compose(overrides)
    except PgrobotError as error:
        return str(error)
    return OmegaConf.to_container(cfg, resolve=False), list(nodes("", cfg))


def nodes(path: str, node: Any) -> Iterator[tuple[Any, ...]]:
    about = node._metadata
    yield path, about.flags, about.ref_type, about.object_type, about.optional
    if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing():
        for key in node:
            yield from nodes(f"{path}.{key}", node._get_node(key))


CASES = [
    [],
    ["task=ant", "seed=3", "~constraint.torque", "constraint=[power,torque]", "constraint.power.budget=0.5"],
    ["experiment=fast", "horizon=128", "hydra.run.dir=elsewhere", "+tracker=tensorboard"],
    ["algorithm=npg", "algorithm/rate@algorithm.policy_solver.step.kl=constant", "hydra/launcher=joblib"],
    ["algorithm=npg", "+algorithm.objective.more={_target_:pgrobot.objectives.Entropy,weight:1.0}"],
    ["task=hoper"],
    ["task=ant", "sed=1"],
]


def test_what_is_remembered_is_what_is_composed(forgetful: None) -> None:
    whole = [told(case) for case in CASES]
    hydra_memory.remember()
    for _ in range(2):
        for case, composed in zip(CASES, whole, strict=True):
            assert told(case) == composed, case


def test_files_of_the_users_own_are_read_anew(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    for seed in (5, 6):
        (tmp_path / "experiment" / "own.yaml").write_text(f"# @package _global_\nseed: {seed}\n")
        assert compose(["experiment=own", *search_path([str(tmp_path)])]).seed == seed
