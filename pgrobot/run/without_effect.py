"""Values that were given to a new run and would do nothing in it."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot.ranges import OnlyWhere
from pgrobot.signatures import hints
from pgrobot.targets import locate, targets


def check_effect(cfg: DictConfig, checked: DictConfig) -> None:
    """Refuse what a part declares to do nothing, beside what else is said of it.

    A run that goes on is not asked: what it was given did nothing from the start.

    Args:
        cfg: as composed; what nobody gave a value is an interpolation there.
        checked: the same as ``validated`` returns it.

    Raises:
        PgrobotError: names the first such key.
    """
    job: Any = OmegaConf.to_container(checked)
    for path, node in targets(job):
        for key, hint in hints(locate(path, node["_target_"], job["modules"])).items():
            for mark in hint.marks:
                if isinstance(mark, OnlyWhere) and _given(cfg, path, key):
                    mark.check(path, key, node)


def _given(cfg: DictConfig, path: str, key: str) -> bool:
    node = OmegaConf.select(cfg, path)
    return key in node and not OmegaConf.is_interpolation(node, key)
