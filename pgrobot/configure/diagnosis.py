"""Finding the override that Hydra refused, and saying in one sentence what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import yaml
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pgrobot.aliases import ALIASES, as_choice, in_full
from pgrobot.errors import PgrobotError, nearest
from pgrobot.foreign import hint, suggestion
from pgrobot.overrides import clash, parse, text_of
from pgrobot.signatures import takes
from pgrobot.targets import locate

CONFIG_NAME = "train"
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)
NAMED = (
    "constraint",
    "diagnostics",
    "intrinsic",
    "variation",
    "wrapper",
)  # nodes to which a user adds some by names of one's own
Groups = Mapping[str, Sequence[str]]  # the options of every group


def load(loader: ConfigLoader, overrides: Sequence[str]) -> DictConfig:
    """Compose one job, the ``hydra`` node included; raises ``COMPOSITION_ERRORS``."""
    return loader.load_configuration(CONFIG_NAME, list(overrides), RunMode.RUN)


def group_options(loader: ConfigLoader, overrides: Sequence[str]) -> dict[str, list[str]]:
    """List every config group of the search path with the options it offers, Hydra's own left out."""
    paths = [line for line in overrides if line.startswith("hydra.searchpath=")]

    def found(parent: str) -> Iterator[tuple[str, list[str]]]:
        for name in loader.get_group_options(parent, ObjectType.GROUP, CONFIG_NAME, paths):
            group = f"{parent}/{name}" if parent else name
            if group != "hydra" and not name.startswith("__"):
                yield group, loader.get_group_options(group, ObjectType.CONFIG, CONFIG_NAME, paths)
                yield from found(group)

    return dict(found(""))


def diagnose(loader: ConfigLoader, overrides: Sequence[str], error: Exception) -> str:
    """Say what is wrong with ``overrides``, which Hydra refused with ``error``; else in its words."""
    overrides = list(map(as_choice, overrides))
    groups = group_options(loader, overrides)
    choices: list[str] = []
    keys: list[str] = []
    for override in parse(overrides):
        complaint = _of_form(override, groups) or _of_choice(override, groups, loader)
        if (
            complaint := complaint
            or _of_second(override, groups, loader, overrides)
            or _of_place(override, error)
        ):
            return complaint
        group = override.key_or_group
        if group in groups or group.startswith("hydra/") or group == "hydra.searchpath":
            choices.append(text_of(override))
        else:
            keys.append(text_of(override))
    try:
        cfg = load(loader, choices)
    except COMPOSITION_ERRORS as error_of_choices:
        absent = (_of_absent(override, groups, loader, error_of_choices) for override in parse(choices))
        if told := next(filter(None, absent), ""):
            return told
        words = clash(choices, lambda lines: _composes(loader, lines))
        return f"{words}: it changes what is not there" if words else _own_words(error_of_choices)
    node: Any = OmegaConf.to_container(cfg, resolve=False)
    complaints = (_of_key(override, node, groups) for override in parse(in_full(keys, cfg)))
    return next(filter(None, complaints), _own_words(error))


def _composes(loader: ConfigLoader, overrides: Sequence[str]) -> bool:
    try:
        load(loader, overrides)
    except COMPOSITION_ERRORS:
        return False
    return True


def _of_form(override: Override, groups: Groups) -> str:
    line, group = text_of(override), override.key_or_group
    if override.is_sweep_override():
        return f"{line!r} names several values: add -m to run one job for each"
    if "/" in group and group not in groups and not group.startswith("hydra/"):
        return f"Unknown group {group!r}: {nearest(group, groups)}"
    if override.is_delete() and group == "constraint":
        return (
            f"{line!r} removes nothing: constraint=[] trains without any, ~constraint.torque leaves one out"
        )
    if override.is_delete() and group in groups:
        return f"{line!r} would remove a whole group: choose one of its options instead: {', '.join(groups[group])}"
    return ""


def _of_choice(override: Override, groups: Groups, loader: ConfigLoader) -> str:
    group, value = override.key_or_group, override.value()
    if group.startswith("hydra/"):
        known = loader.get_group_options(group)
    elif group in groups:
        known = list(groups[group])
    else:
        return ""
    if value is None and group in ("constraint", "intrinsic", "tracker", "variation", "wrapper"):
        return f"{group} cannot be null: {group}=[] takes none, and without it the config's own are taken"
    if not isinstance(value, dict):
        for option in value if isinstance(value, list) else [value]:
            if option not in known:
                word = "null" if option is None else str(option)
                return f"Unknown {group} {word!r}: {nearest(word, known)}"
    return ""


def _of_second(override: Override, groups: Groups, loader: ConfigLoader, overrides: Sequence[str]) -> str:
    """Of an option that is added to a group from which one is taken already."""
    group = override.key_or_group
    if not override.is_add() or group not in groups or override.package is not None:
        return ""
    try:
        taken = load(loader, [line for line in overrides if line.startswith("hydra.searchpath=")])
    except COMPOSITION_ERRORS:
        return ""
    second = group in taken.hydra.runtime.choices
    return f"{text_of(override)!r} adds a second {group}: leave out the +" if second else ""


def _of_absent(override: Override, groups: Groups, loader: ConfigLoader, error: Exception) -> str:
    """Of an option of a group from which the chosen part takes none."""
    group, line = override.key_or_group, text_of(override)
    parent, _, part = group.rpartition("/")
    if parent not in groups or f"Could not override '{group}'" not in f"{error} {error.__cause__}":
        return ""
    takers = [name for name in groups[parent] if _composes(loader, [f"{parent}={name}", line])]
    return (
        f"{parent} has no {part} to choose: {line} goes with {parent}={' or ='.join(takers)}"
        if takers
        else ""
    )


def _of_place(override: Override, error: Exception) -> str:
    """Of a group that stands in several places, which Hydra lists in its refusal."""
    group = override.key_or_group
    places = dict.fromkeys(re.findall(rf"\b{group}@[\w.]*\w", f"{error} {error.__cause__}"))
    if override.package or not places:
        return ""
    options = " or ".join(f"{place}={text_of(override).partition('=')[2]}" for place in places)
    return f"{text_of(override)!r} does not say whose: write {options}"


def _of_key(override: Override, node: Any, groups: Groups) -> str:
    if override.is_force_add():
        return ""
    if override.is_add():
        return _of_clash(override, node)
    walked = ""
    for part in override.key_or_group.split("."):
        if not isinstance(node, dict):
            return f"{walked} is a single value, so {override.key_or_group} does not exist"
        if part not in node:
            if _may_have(walked, node, part) or (walked in NAMED and isinstance(override.value(), dict)):
                return f"{walked} has no key {part!r} yet: add it with a +, '+{text_of(override)}'"
            return _of_missing(override, walked, part, list(map(str, node)), groups)
        node, walked = node[part], f"{walked}.{part}" if walked else part
    return ""


def _of_clash(override: Override, node: Any) -> str:
    """Of a key that is added where there is one of its name."""
    key = override.key_or_group
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            return ""
        node = node[part]
    of = f", a {node['_target_']}" if isinstance(node, dict) and "_target_" in node else ""
    return f"{key} is there already{of}: add yours under another name, or change what is there without the +"


def _may_have(path: str, node: Mapping[str, Any], key: str) -> bool:
    """Whether what a node names takes a key that the node does not have, of pgrobot's own parts."""
    try:
        return "_target_" in node and takes(locate(path, node["_target_"], ()), key)
    except PgrobotError:
        return False


def _of_missing(override: Override, walked: str, part: str, keys: Sequence[str], groups: Groups) -> str:
    key = override.key_or_group
    if not walked:
        last = key.rpartition(".")[2]
        if last != part and (told := hint(last)):
            return f"Unknown key {key!r}: {told}"
        return f"Unknown key or group {part!r}: {suggestion(part, {*keys, *groups} - {'hydra'})}"
    if part in groups.get(walked, ()):
        selection = f"'{walked}=[{','.join([*keys, part])}]'"
        return f"{key} is not there because {part} is not selected: select it with {selection}"
    short = [name.rpartition(".")[2] for name in ALIASES if "body" in keys and name.startswith(f"{walked}.")]
    return f"{walked} has no key {part!r}: {suggestion(part, [*keys, *get_close_matches(part, short)])}"


def _own_words(error: Exception) -> str:
    chain = [str(e) for e in (error, error.__cause__) if e is not None]
    return f"Cannot compose the config: {' '.join(' '.join(chain).split())}"
