"""Which pgrobot this is: its version and, in a checkout, its commit."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path


def this_version() -> str:
    """This pgrobot, as ``made_by`` names the one that made a run."""
    return named(version("pgrobot"), source_commit())


def source_commit() -> str:
    """The commit that this pgrobot is run from, ending in ``-dirty`` if files differ; empty unless it is a checkout."""
    source = Path(__file__).parent
    return git_commit(source) if _git(source, "ls-files", Path(__file__).name) else ""


def git_commit(folder: Path) -> str:
    """The commit of a directory, ending in ``-dirty`` if files differ from it; empty outside of git."""
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str:
    """What git says of a directory; empty where it has nothing to say."""
    try:
        command = ("git", "-C", str(folder), *arguments)
        return subprocess.run(command, capture_output=True, text=True, timeout=2, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def named(release: str, commit: str) -> str:
    """A version and a commit in words: ``pgrobot 0.1.0 at 7662861-dirty``."""
    dirty = "-dirty" if commit.endswith("-dirty") else ""
    return f"pgrobot {release} at {commit[:7]}{dirty}" if commit else f"pgrobot {release}"
