"""A run of a second with its certificate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import finished
import pytest

import pgrobot
from pgrobot.certificate.certifying import certify_run
from pgrobot.certificate.document import write_certificate
from pgrobot.certificate.sampling import untold

Edit = Callable[[Path, Callable[[dict[str, Any]], Any]], None]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with budgets per step and for a share of episodes, certified on up to 100 episodes; to be looked at."""
    path = finished.hopper(tmp_path_factory.mktemp("certified") / "run")
    pgrobot.certify(path, episodes=100)
    return path


@pytest.fixture
def own(run: Path, tmp_path: Path) -> Path:
    """A copy to do with what one likes."""
    return Path(shutil.copytree(run, tmp_path / "run"))


def certificate(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "certificate.json").read_text(encoding="utf-8"))
    return content


def edit(run: Path, change: Callable[[dict[str, Any]], Any], *, seal: bool) -> None:
    """Change a certificate, and seal it again as who wants to deceive would."""
    content = certificate(run)
    change(content)
    if seal:
        write_certificate(run / "certificate.json", content)
    else:
        (run / "certificate.json").write_text(json.dumps(content), encoding="utf-8")


quietly = partial(certify_run, env=None, modules=(), told=untold)
