"""Hydra with a memory: the suite composes thousands of configs, and most differ in a few values only.

What a packaged file holds does not change. Which files a config is merged from depends on the chosen options alone, and
so does what they merge to. All three are kept, and what a user typed beside the options is applied to a copy, by Hydra
itself. Files in directories of the user's own may change: where one is searched nothing is kept but packaged files.
And Hydra copies the list of places that it searches, not every place with all that it holds.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins

Key = tuple[Any, ...]
Plugins.instance()  # registers the sources
PACKAGED: Any = SourcesRegistry.instance().resolve("pkg")
LOAD = PACKAGED.load_config
COPY = CachingConfigRepository.__init__
LIST = config_loader_impl.create_defaults_list
MERGE = ConfigLoaderImpl._compose_config_from_defaults_list
_files: dict[Key, bytes] = {}
_lists: dict[Key, DefaultsList] = {}
_configs: dict[Key, bytes] = {}


def remember() -> None:
    """From here on; ``forget`` undoes it."""
    _patch(_load, _copy, _list, _merge)


def forget() -> None:
    _patch(LOAD, COPY, LIST, MERGE)


def _patch(load: Any, copy_: Any, list_: Any, merge: Any) -> None:
    PACKAGED.load_config = load
    CachingConfigRepository.__init__ = copy_  # type: ignore[method-assign]
    config_loader_impl.create_defaults_list = list_
    ConfigLoaderImpl._compose_config_from_defaults_list = merge  # type: ignore[method-assign]


def _load(self: Any, config_path: str) -> Any:
    key = (self.path, self.provider, config_path)
    if key not in _files:
        _files[key] = pickle.dumps(LOAD(self, config_path))
    return pickle.loads(_files[key])


def _copy(self: CachingConfigRepository, delegate: Any) -> None:
    self.delegate = copy.copy(delegate)  # it is given another list of places, no other places
    self.cache = {}


def _sources(repo: Any) -> Key:
    return tuple((source.scheme(), source.path) for source in repo.get_sources())


def _fixed(sources: Key) -> bool:
    return all(scheme in ("pkg", "structured") for scheme, _ in sources)


def _list(repo: Any, config_name: Any, overrides_list: Any, **options: bool) -> DefaultsList:
    sources = _sources(repo)
    if not _fixed(sources):
        return LIST(repo, config_name, overrides_list, **options)
    typed = Overrides(repo=repo, overrides_list=overrides_list).config_overrides
    values = set(map(id, typed))
    chosen = tuple(override.input_line for override in overrides_list if id(override) not in values)
    key = (sources, config_name, chosen, *sorted(options.items()))
    if key not in _lists:
        _lists[key] = LIST(repo, config_name, overrides_list, **options)
    return replace(_lists[key], config_overrides=typed)


def _merge(self: ConfigLoaderImpl, defaults: Any, repo: Any) -> Any:
    sources = _sources(repo)
    if not _fixed(sources):
        return MERGE(self, defaults, repo)
    key = (sources, repr(defaults))
    if key not in _configs:
        _configs[key] = pickle.dumps(MERGE(self, defaults, repo))
    return pickle.loads(_configs[key])
