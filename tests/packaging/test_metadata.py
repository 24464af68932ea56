"""Versions, licences, configs and words that leave the house with a release."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pgrobot

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOLDERS = ("pgrobot", "envs", "conf", "scripts", "tests", "examples", "docs", ".ci")
CONFIGS = sorted((ROOT / "conf").rglob("*.yaml"))
TEXTS = [
    path
    for path in [*ROOT.glob("*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]
    if path.is_file()
    and path.suffix in {".py", ".yaml", ".toml", ".txt", ".md", ".xml", ".cfg", ""}
    and path.name not in ("LICENSE", ".git")  # which in a worktree is a file
]
# Spelt in pieces, or this file would find itself.
PRIVATE = re.compile(
    "|".join(
        [
            "/wo" + "rk/",
            "/ro" + "ot/",
            "/home/" + r"\w",
            "/opt/" + r"\w",
            "/tmp/bash" + "_jobs",
            r"index-url[ =]+http",
        ]
    )
)


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def requirements() -> list[Requirement]:
    texts = [
        *PROJECT["dependencies"],
        *(text for extra in PROJECT["optional-dependencies"].values() for text in extra),
    ]
    return [requirement for requirement in map(Requirement, texts) if requirement.name != "pgrobot"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_supported_pythons_are_the_same_everywhere() -> None:
    """Those of the classifiers; dm_control's are the ones in its requirement."""
    supported = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if "Python :: 3." in text]
    assert supported == ["3.11", "3.12", "3.13", "3.14"]
    words = f"{', '.join(supported[:-1])} or {supported[-1]}"
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"pgrobot needs Python {words} with venv" in recipe
    assert f"You need Python {words}" in (ROOT / "README.md").read_text(encoding="utf-8")
    lowest, beyond = (tuple(map(int, supported[end].split("."))) for end in (0, -1))
    accepted = re.search(r"sys\.exit\(not \((\d+), (\d+)\) <= sys\.version_info < \((\d+), (\d+)\)\)", recipe)
    assert accepted
    assert tuple(map(int, accepted.groups())) == (*lowest, beyond[0], beyond[1] + 1)
    assert all(f"python{version} " in recipe for version in supported)
    (suite,) = (requirement for requirement in requirements() if requirement.name == "dm-control")
    assert suite.marker
    with_suite = [version for version in supported if suite.marker.evaluate({"python_version": version})]
    assert with_suite == ["3.11", "3.12"]


def test_every_requirement_is_locked_to_a_version_it_allows() -> None:
    locked = {canonicalize_name(package): version for package, version in pins().items()}
    for requirement in requirements():
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def test_locked_versions_are_releases_that_any_index_has() -> None:
    assert [
        f"{package}=={version}"
        for package, version in pins().items()
        if not re.fullmatch(r"[0-9][0-9a-z.]*", version)
    ] == []


def test_one_version_everywhere() -> None:
    released = re.findall(
        r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert metadata.version("pgrobot") == PROJECT["version"] == released[0]


def test_every_target_in_a_config_exists() -> None:
    def targets(node: object) -> list[str]:
        if isinstance(node, DictConfig):
            own = node._get_node("_target_")
            inner = [found for key in node for found in targets(node._get_node(key))]
            given = own is not None and own._value() != "???"  # which the user has to name
            return inner + ([str(own._value())] if given else [])
        if isinstance(node, ListConfig):
            return [found for index in range(len(node)) for found in targets(node._get_node(index))]
        return []

    named = {target: path for path in CONFIGS for target in targets(OmegaConf.load(path))}
    assert len(named) > 50
    for target, path in named.items():
        assert callable(get_object(target)), f"{name(path)}: {target}"


def test_no_file_tells_of_the_machine_it_was_written_on() -> None:
    assert len(TEXTS) > 300
    found = {name(path): PRIVATE.search(path.read_text(encoding="utf-8")) for path in TEXTS}
    assert {path: match for path, match in found.items() if match} == {}


def test_the_package_tells_its_version() -> None:
    assert pgrobot.__version__ == metadata.version("pgrobot") == PROJECT["version"]
