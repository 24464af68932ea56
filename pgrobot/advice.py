"""Which of the parts that pgrobot ships do what a config lacks, by what they declare: the end of a sentence."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from pgrobot.signatures import takes
from pgrobot.targets import locate

CONFIG_MODULE = "pgrobot.conf"


def options(group: str) -> dict[str, Any]:
    """The options of a group of parts that name a class or function, each with it; none where there is no group."""
    directory = resources.files(CONFIG_MODULE).joinpath(group)
    files = [file for file in directory.iterdir() if file.is_file()] if directory.is_dir() else []
    nodes = {file.name.removesuffix(".yaml"): yaml.safe_load(file.read_text("utf-8")) for file in files}
    part = group.rpartition("/")[2]  # an option that says more than its part has that below the part's key
    named = {name: node.get(part, node).get("_target_") for name, node in sorted(nodes.items())}
    return {name: locate(group, target, ()) for name, target in named.items() if target and target != "???"}


def takers(group: str, key: str) -> list[str]:
    """The options of a group whose parts take a key; none where there is no such group."""
    return [name for name, part in options(group).items() if takes(part, key)]


def parts(room: str) -> dict[str, Any]:
    """The classes and functions that a room of pgrobot offers."""
    module = importlib.import_module(f"pgrobot.{room}")
    return {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}


def declaring(offered: Mapping[str, Any], **declarations: bool) -> list[str]:
    """The names of those that declare all of it."""
    return [
        name
        for name, part in offered.items()
        if all(getattr(part, word, None) is said for word, said in declarations.items())
    ]


def chosen(group: str, part: Any) -> str:
    """What chooses a part: the option of its group that names it, else its own path."""
    names = [name for name, other in options(group).items() if other is part]
    return names[0] if names else f"{part.__module__}.{part.__qualname__}"
