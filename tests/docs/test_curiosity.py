"""The page on curiosity lists all keys of every bonus with their defaults, and all that is logged."""

from __future__ import annotations

import re
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from curious import CONF, bonus, rollout
from omegaconf import OmegaConf
from toys import TargetWorld

from pgrobot.origin import Origin

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "curiosity.md").read_text(encoding="utf-8")


def table_rows(heading: str) -> list[list[str]]:
    """Cells of the first table under a heading."""
    lines = dropwhile(lambda line: not line.startswith("|"), PAGE.split(heading, 1)[1].splitlines())
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in takewhile(lambda line: line.startswith("|"), lines)
    ][2:]


def node_of(path: Path) -> dict[str, Any]:
    return dict(OmegaConf.to_container(OmegaConf.load(path), resolve=False)[path.stem])  # type: ignore[index, arg-type]


PARTS = {path.stem: node_of(path) for path in sorted(CONF.glob("*.yaml")) if path.stem != "none"}


def of(cell: str) -> list[str]:
    return list(PARTS) if cell == "all" else re.findall(r"`(\w+)`", cell)


def test_every_key_is_listed_with_its_default() -> None:
    listed = {(name, row[0].strip("`")): row[1] for row in table_rows("## Keys") for name in of(row[2])}
    text = {name: (CONF / f"{name}.yaml").read_text(encoding="utf-8") for name in PARTS}
    existing = {
        (name, key): re.findall(rf"^  {key}: (.*?)(?:  #.*)?$", text[name], flags=re.MULTILINE)[0].strip()
        for name, node in PARTS.items()
        for key in node
        if not key.startswith("_")
    }
    shown = {"???": "", **dict.fromkeys(PARTS, "its own")}
    existing = {key: re.sub(r"^\$\{(.*)\}$", r"\1", shown.get(told, told)) for key, told in existing.items()}
    assert listed == existing


def test_every_metric_is_listed(tmp_path: Path) -> None:
    listed = {
        (name, row[0].strip("`").replace("<name>", name))
        for row in table_rows("## What is logged")
        for name in of(row[1])
    }
    spec, rows = TargetWorld(3, 0).spec, np.zeros((4, 2))
    ends = {"terminations": np.zeros(4, bool), "truncations": np.arange(4) == 3, "rewards": np.zeros(4)}
    file = tmp_path / "shown.npz"
    np.savez(file, observations=rows, next_observations=rows, actions=rows[:, :1], **ends)
    shown = {"spec": spec, "origin": Origin({"policy": 2}), "files": [str(file)]}
    more: dict[str, Any] = {
        "grid": {"size": {"policy/*": 1.0}},
        "icm": {"spec": spec},
        "discriminator": shown,
    }
    found = {(name, key) for name in PARTS for key in bonus(name, **more.get(name, {})).fit(rollout())}
    assert listed == found


def test_every_part_has_its_row() -> None:
    rows = table_rows("## Which one")
    assert [row[0].strip("`") for row in rows] == ["rnd", "icm", "count", "grid", "discriminator"]
    assert {row[0].strip("`") for row in rows} == set(PARTS)
