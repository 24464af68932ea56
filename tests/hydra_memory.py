"""Hydra with a memory: the suite composes thousands of configs, and most differ in a few values only.

Which files a config is merged from depends on the chosen options alone, and so does what they merge to. Both are kept
by those options, and what a user typed beside them is applied to a copy, by Hydra itself. Where a config directory of
the user's own is searched nothing is kept, since its files may change.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import DefaultsList, Overrides

Key = tuple[Any, ...]
CREATE, COMPOSE = config_loader_impl.create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list
_lists: dict[Key, DefaultsList] = {}
_configs: dict[Key, bytes] = {}


def remember() -> None:
    """From here on; ``forget`` undoes it."""
    config_loader_impl.create_defaults_list = _create  # type: ignore[assignment]
    ConfigLoaderImpl._compose_config_from_defaults_list = _compose  # type: ignore[method-assign]


def forget() -> None:
    config_loader_impl.create_defaults_list = CREATE
    ConfigLoaderImpl._compose_config_from_defaults_list = COMPOSE  # type: ignore[method-assign]


def _sources(repo: Any) -> Key:
    return tuple((source.scheme(), source.path) for source in repo.get_sources())


def _fixed(sources: Key) -> bool:
    return all(scheme in ("pkg", "structured") for scheme, _ in sources)


def _create(repo: Any, config_name: Any, overrides_list: Any, prepend_hydra: bool, skip_missing: bool) -> Any:
    make: Callable[[], DefaultsList] = lambda: CREATE(
        repo, config_name, overrides_list, prepend_hydra=prepend_hydra, skip_missing=skip_missing
    )
    sources = _sources(repo)
    if not _fixed(sources):
        return make()
    typed = Overrides(repo=repo, overrides_list=overrides_list)
    values = {id(override) for override in typed.config_overrides}
    chosen = tuple(override.input_line for override in overrides_list if id(override) not in values)
    key = (sources, config_name, chosen, prepend_hydra, skip_missing)
    if key not in _lists:
        _lists[key] = make()
    return replace(_lists[key], config_overrides=typed.config_overrides)


def _compose(self: ConfigLoaderImpl, defaults: Any, repo: Any) -> Any:
    sources = _sources(repo)
    if not _fixed(sources):
        return COMPOSE(self, defaults, repo)
    key = (sources, repr(defaults))
    if key not in _configs:
        _configs[key] = pickle.dumps(COMPOSE(self, defaults, repo))
    return pickle.loads(_configs[key])
