"""Beside a clone that is named like the package, the package is found, or a sentence says why not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pgrobot

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with what a clone named ``pgrobot`` shows of itself to Python."""
    (tmp_path / "pgrobot" / "pgrobot").mkdir(parents=True)
    shutil.copy(ROOT / "__init__.py", tmp_path / "pgrobot")
    return tmp_path


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_package_is_imported_whole(beside: Path) -> None:
    program = (
        "import sys, importlib.util, pgrobot, pgrobot.conf, pgrobot.errors\n"
        "assert sys.modules['pgrobot'] is pgrobot\n"
        "print(pgrobot.__file__, *pgrobot.__all__, importlib.util.find_spec('pgrobot.envs').name)"
    )
    answer = python(beside, "-c", program)
    expected = " ".join([str(pgrobot.__file__), *pgrobot.__all__, "pgrobot.envs"])
    assert answer.stdout.strip() == expected, answer.stderr


def test_a_link_to_a_clone_is_one(beside: Path) -> None:
    (beside / "pgrobot").rename(beside / "elsewhere")
    (beside / "links").mkdir()
    (beside / "links" / "pgrobot").symlink_to(beside / "elsewhere")
    answer = python(beside / "links", "-c", "import pgrobot; print(pgrobot.__file__)")
    assert answer.stdout.strip() == pgrobot.__file__, answer.stderr[-300:]


def test_the_command_runs_as_a_module(beside: Path) -> None:
    answer = python(beside, "-m", "pgrobot", "--version")
    assert answer.stdout.startswith("pgrobot "), answer.stderr


def test_where_it_is_not_installed_a_sentence_says_so(beside: Path) -> None:
    answer = python(beside, "-S", "-c", "from pgrobot import train")
    sentence = f"{beside / 'pgrobot'} is a checkout of pgrobot, which is not installed for {sys.executable}"
    assert sentence in answer.stderr.splitlines()[-1]


def test_under_another_name_the_file_does_nothing(beside: Path) -> None:
    (beside / "pgrobot").rename(beside / "clone")
    answer = python(beside, "-c", "import sys, clone; print('pgrobot' in sys.modules)")
    assert answer.stdout.strip() == "False", answer.stderr
