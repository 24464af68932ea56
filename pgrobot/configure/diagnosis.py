"""Finding the override that Hydra refused, and saying in one sentence what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import yaml
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pgrobot.configure.aliases import ALIASES, in_full
from pgrobot.configure.clash import clash
from pgrobot.configure.foreign import hint, suggestion
from pgrobot.errors import PgrobotError, nearest

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)


def parse(overrides: Sequence[str]) -> list[Override]:
    """Read overrides by Hydra's grammar.

    Raises:
        PgrobotError: one cannot be read.
    """
    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        try:
            parsed.extend(parser.parse_overrides([text]))
        except HydraException as error:
            remedy = (
                f"write {text}=<value>"
                if text.isidentifier()
                else ("write key=value, and quote a list for the shell, as in 'constraint=[speed,torque]'")
            )
            raise PgrobotError(f"Cannot read the override {text!r}: {remedy}") from error
    for override in parsed:
        if override.type is OverrideType.CHANGE and override.value() == {}:
            key = override.key_or_group
            raise PgrobotError(
                f"{override.input_line} changes nothing, for a mapping is merged into what is there: "
                f"~{key}.<key> takes a key out"
            )
    return parsed


def quote(text: str) -> str:
    """Write any string as a value that the grammar reads back as that string."""
    # Backslashes count only before a quote: before ours, the closing one included, they are doubled.
    return "'" + re.sub(r"(\\*)(?='|$)", r"\1\1", text).replace("'", "\\'") + "'"


def text_of(override: Override) -> str:
    """Return an override as it was typed."""
    assert override.input_line is not None, "an override that was parsed from text keeps the text"
    return override.input_line


def group_options(loader: ConfigLoader, config_name: str, overrides: Sequence[str]) -> dict[str, list[str]]:
    """List every config group of the search path with the options it offers, Hydra's own left out."""
    paths = [line for line in overrides if line.startswith("hydra.searchpath=")]

    def found(parent: str) -> Iterator[tuple[str, list[str]]]:
        for name in loader.get_group_options(parent, ObjectType.GROUP, config_name, paths):
            group = f"{parent}/{name}" if parent else name
            if group != "hydra" and not name.startswith("__"):
                yield group, loader.get_group_options(group, ObjectType.CONFIG, config_name, paths)
                yield from found(group)

    return dict(found(""))


def diagnose(loader: ConfigLoader, config_name: str, overrides: list[str], error: Exception) -> str:
    """Say what is wrong with ``overrides``, which Hydra refused with ``error``; else in its words."""
    groups = group_options(loader, config_name, overrides)
    parsed = parse(overrides)
    choices = [o for o in parsed if _chooses(o, groups)]
    keys = [o for o in parsed if o not in choices]
    for override in parsed:
        complaint = _of_form(override, groups) or _of_choice(override, groups, loader)
        if complaint:
            return complaint

    chosen = [text_of(o) for o in choices]
    try:
        cfg = loader.load_configuration(config_name, chosen, RunMode.RUN)
    except COMPOSITION_ERRORS as error_of_choices:
        words = clash(chosen, lambda lines: _composes(loader, config_name, lines))
        return f"{words}: it changes what is not there" if words else _own_words(error_of_choices)
    named = parse(in_full([text_of(o) for o in keys], cfg))
    return next(filter(None, (_of_key(override, cfg, groups) for override in named)), _own_words(error))


def _composes(loader: ConfigLoader, config_name: str, overrides: Sequence[str]) -> bool:
    try:
        loader.load_configuration(config_name, list(overrides), RunMode.RUN)
    except COMPOSITION_ERRORS:
        return False
    return True


def _chooses(override: Override, groups: dict[str, list[str]]) -> bool:
    key = override.key_or_group
    return key in groups or key.startswith("hydra/") or key == "hydra.searchpath"


def _of_form(override: Override, groups: dict[str, list[str]]) -> str:
    line, group = text_of(override), override.key_or_group
    if override.is_sweep_override():
        return f"{line!r} names several values: add -m to run one job for each"
    if "/" in group and group not in groups and not group.startswith("hydra/"):
        return f"Unknown group {group!r}: {nearest(group, groups)}"
    if override.is_delete() and group == "constraint":
        return (
            f"{line!r} removes nothing: constraint=[] trains without any, ~constraint.torque leaves one out"
        )
    if override.is_add() and group in groups:
        return f"{line!r} adds a second {group}: leave out the +"
    if override.is_delete() and group in groups:
        return f"{line!r} would remove a whole group: choose one of its options instead: {', '.join(groups[group])}"
    return ""


def _of_choice(override: Override, groups: dict[str, list[str]], loader: ConfigLoader) -> str:
    group, value = override.key_or_group, override.value()
    if group.startswith("hydra/"):
        known = loader.get_group_options(group)
    elif group in groups:
        known = groups[group]
    else:
        return ""
    if value is None and group in ("constraint", "tracker"):
        return f"{group} cannot be null: {group}=[] takes none, and without it the config's own are taken"
    if not isinstance(value, dict):
        for option in value if isinstance(value, list) else [value]:
            if option not in known:
                word = "null" if option is None else str(option)
                return f"Unknown {group} {word!r}: {nearest(word, known)}"
    return ""


def _of_key(override: Override, cfg: DictConfig, groups: dict[str, list[str]]) -> str:
    if override.is_add() or override.is_force_add():
        return ""
    node: Any = OmegaConf.to_container(cfg, resolve=False)
    walked = ""
    for part in override.key_or_group.split("."):
        if not isinstance(node, dict):
            return f"{walked} is a single value, so {override.key_or_group} does not exist"
        keys = [str(key) for key in node]
        if part not in keys:
            return _of_missing(override, walked, part, keys, groups)
        node = node[part]
        walked = f"{walked}.{part}" if walked else part
    return ""


def _of_missing(
    override: Override, walked: str, part: str, keys: list[str], groups: dict[str, list[str]]
) -> str:
    if not walked:
        last = override.key_or_group.rpartition(".")[2]
        if last != part and (told := hint(last)):
            return f"Unknown key {override.key_or_group!r}: {told}"
        return f"Unknown key or group {part!r}: {suggestion(part, {*keys, *groups} - {'hydra'})}"
    if part in groups.get(walked, ()):
        selection = f"'{walked}=[{','.join([*keys, part])}]'"
        return (
            f"{override.key_or_group} is not there because {part} is not selected: select it with {selection}"
        )
    short = [
        alias.rpartition(".")[2] for alias in ALIASES if "body" in keys and alias.startswith(f"{walked}.")
    ]
    return f"{walked} has no key {part!r}: {suggestion(part, [*keys, *get_close_matches(part, short)])}"


def _own_words(error: Exception) -> str:
    chain = [str(e) for e in (error, error.__cause__) if e is not None]
    return f"Cannot compose the config: {' '.join(' '.join(chain).split())}"
