"""What is installed: toolkit, configs and robots in one wheel that works from any directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "pgrobot", "conf", "envs")
INSTALLED_AS = {"pgrobot": "pgrobot", "conf": "pgrobot/conf", "envs": "pgrobot/envs"}


def python(*arguments: str, cwd: Path, **environment: str) -> str:
    """Run this interpreter, without a network, and return what it printed."""
    answer = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, so that building leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp("source")
    for name in PROJECT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    python("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", ".", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    python("-m", "pip", "install", "--no-deps", "--target", str(target), str(wheel), cwd=target)
    return target


def expected_files(source: Path) -> set[str]:
    return {
        f"{inside}/{path.relative_to(source / folder).as_posix()}"
        for folder, inside in INSTALLED_AS.items()
        for suffix in (".py", ".yaml", ".xml", ".html", ".css", ".typed")
        for path in (source / folder).rglob(f"*{suffix}")
    }


def test_the_wheel_holds_every_module_config_and_model_and_nothing_else(source: Path, wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected_files(source)


def test_the_source_distribution_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    python("-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), ".", cwd=source)
    (sdist,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path)
    unpacked = sdist.name.removesuffix(".tar.gz")
    python(
        "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", "dist", ".", cwd=tmp_path / unpacked
    )
    (rebuilt,) = (tmp_path / unpacked / "dist").glob("*.whl")
    assert set(zipfile.ZipFile(rebuilt).namelist()) == set(zipfile.ZipFile(wheel).namelist())


def test_an_installed_wheel_finds_its_configs_and_trains_from_an_empty_directory(
    installed: Path, tmp_path: Path
) -> None:
    program = (
        "import pgrobot, pgrobot.conf, pgrobot.envs, pathlib, sys\n"
        "from hydra import initialize_config_module\n"
        "from hydra.core.global_hydra import GlobalHydra\n"
        "with initialize_config_module('pgrobot.conf', version_base='1.3'):\n"
        "    configs = GlobalHydra.instance().config_loader().list_groups('')\n"
        "print(*configs)\n"
        "for module in (pgrobot, pgrobot.conf, pgrobot.envs):\n"
        "    assert pathlib.Path(module.__file__).is_relative_to(sys.argv[1]), module.__file__\n"
        "from pgrobot.cli import main\n"
        "sys.exit(main(['train', 'debug=tiny', 'total_steps=256', 'hydra.run.dir=run']))\n"
    )
    told = python("-c", program, str(installed), cwd=tmp_path, PYTHONPATH=str(installed))
    groups = told.splitlines()[0].split()
    assert set(groups) >= {
        folder.name for folder in (ROOT / "conf").iterdir() if folder.is_dir() and any(folder.glob("*.yaml"))
    }
    assert {file.name for file in tmp_path.iterdir()} == {"run"}
    assert (tmp_path / "run" / "result.json").is_file()


def test_the_command_is_installed(installed: Path) -> None:
    (entry_points,) = installed.glob("pgrobot-*.dist-info/entry_points.txt")
    assert "pgrobot = pgrobot.cli:main" in entry_points.read_text(encoding="utf-8")
