"""A run of a second, trained once, and copies of it to do to what a test likes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from finished import hopper


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of Hopper-v5, only to be looked at."""
    return hopper(tmp_path_factory.mktemp("deploy") / "run")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained, tmp_path / "run"))
