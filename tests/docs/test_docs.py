"""The pages say what is so: their examples run, and their tables name what exists, all of it and nothing else."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

import pgrobot
from pgrobot.cli import main
from pgrobot.configure import build_environment, compose, options, validated
from pgrobot.help import documented_keys
from pgrobot.pictures import Table
from pgrobot.run.filming import STORY
from pgrobot.sweep.expansion import expand
from pgrobot.tracking import kept

ROOT = Path(__file__).resolve().parents[2]
TINY = ("debug=tiny", "total_steps=512")
SHOWN = {
    "violation/map",
    *(f"sensitivity/{name}" for name in ("map", "gait", "pairs", "entries", "by_phase")),
}


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def table_rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table under a heading."""
    lines = text.split(heading, 1)[1].splitlines()
    table = takewhile(
        lambda line: line.startswith("|"), dropwhile(lambda line: not line.startswith("|"), lines)
    )
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table][2:]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every metric of a small run under two budgets that looks at its gradients and at its ratios."""
    directory = tmp_path_factory.mktemp("run") / "run"
    settings = {
        "algorithm/estimator": "vtrace",
        "algorithm.memory": 2,
        "diagnostics.gradients.every": 1,
        "diagnostics.sensitivity.every": 1,
        "modules": ["own_functions"],
        "task._target_": "own_functions.Measuring",
        "+task.terminations.low": {"_target_": "own_functions.low", "height": 1.0},
        "variation": ["mass"],
        "+variation.mass.schedule": {"steps": 500},
        "hydra.run.dir": directory,
    }
    pgrobot.train(debug="tiny", constraint=["speed", "torque"], quiet=True, **settings)
    levels = tmp_path_factory.mktemp("levels") / "run"
    settings = {"scheme": "manager_worker", "total_steps": 256, "hydra.run.dir": levels}
    pgrobot.train(debug="tiny", constraint=[], quiet=True, **settings)
    remembers = tmp_path_factory.mktemp("remembers") / "run"
    settings = {
        "policy": "recurrent",
        "policy.sequence": 1,
        "wrapper": ["mask"],
        "wrapper.mask.keep": "hidden",
        "diagnostics.memory.every": 1,
        "multiplier": "crpo",
        "hydra.run.dir": remembers,
    }
    pgrobot.train(debug="tiny", constraint=["speed"], quiet=True, **settings)
    taught = tmp_path_factory.mktemp("taught") / "run"
    settings = {
        "policy/body": "encoder",
        "+algorithm/auxiliary": ["forward_dynamics", "inverse_dynamics"],
        "total_steps": 256,
        "hydra.run.dir": taught,
    }
    pgrobot.train(debug="tiny", constraint=[], quiet=True, **settings)
    of_terms = {key for key in told(taught) if "auxiliary/" in key}
    of_memory = {key for key in told(remembers) if key.startswith(("memory/", "switch/"))}
    return told(directory) | {key for key in told(levels) if "/goal/" in key} | of_memory | of_terms


def told(directory: Path) -> set[str]:
    lines = (directory / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return {key for line in lines for key in json.loads(line)}


def documented_metrics() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", page("metrics"), flags=re.MULTILINE)


def pattern(documented: str) -> str:
    documented = re.sub(r"<layer>", r"[\\w.]+", documented)
    return re.sub(
        r"<(column|entry)>", r"[\\w/]+", re.sub(r"<(name|part|term|joint|cost|rank)>", r"\\w+", documented)
    )


def test_every_metric_is_explained(metrics: set[str]) -> None:
    assert [
        m for m in sorted(metrics) if not any(re.fullmatch(pattern(d), m) for d in documented_metrics())
    ] == []


def test_every_explained_metric_exists(metrics: set[str]) -> None:
    assert [d for d in documented_metrics() if not any(re.fullmatch(pattern(d), m) for m in metrics)] == []


def test_a_workspace_shows_what_exists(metrics: set[str]) -> None:
    """Its metrics are metrics of the run; pictures are made after a run, and called as their files are."""
    rows = table_rows(page("wandb"), "## A workspace")
    named = {name for *_, cell in rows for name in re.findall(r"`([^`]+)`", cell) if "/" in name}
    pictures = {name for name in named if name.startswith(("report/", "play/")) or name in SHOWN}
    missing = [n for n in named - pictures if not any(re.fullmatch(pattern(n), m) for m in metrics)]
    assert missing == []
    assert {n.split("/")[0] for n in named} >= {"torque", "sensitivity", "violation", "report", "play"}
    assert named >= {f"play/{word}" for word in STORY} | SHOWN


def test_every_group_and_option_is_listed() -> None:
    listed = {
        row[0].strip("`"): re.findall(r"`(\w+)`", row[1])
        for row in table_rows(page("configuration"), "## Groups")
    }
    assert {group: sorted(names) for group, names in listed.items()} == {
        group: sorted(names) for group, names in options([]).items() if names
    }


def test_every_key_is_listed_with_its_default() -> None:
    listed = {
        row[0].strip("`"): re.sub(r"(?<=\d),(?=\d)", "", row[1])
        for row in table_rows(page("configuration"), "## Keys")
    }
    del listed["hydra.run.dir"]
    existing = dict(
        setting.split("=", 1) for setting, _ in documented_keys() if not setting.startswith("hydra")
    )
    assert listed == existing


def test_every_cost_is_listed_with_its_options() -> None:
    listed = {
        row[0].strip("`"): re.findall(r"`([\w.]+)`", row[2])
        for row in table_rows(page("configuration"), "Every cost")
    }
    existing = {}
    for file in (ROOT / "conf" / "constraint").glob("*.yaml"):
        node = OmegaConf.to_container(OmegaConf.load(file))
        assert isinstance(node, dict)
        existing |= {
            name: [f"constraint.{name}.cost.{key}" for key in constraint["cost"] if key != "_target_"]
            for name, constraint in node.items()
        }
    assert listed == existing


def typed_overrides() -> list[list[str]]:
    """What follows ``pgrobot train`` wherever a page types it, sweeps written out; placeholders left out."""
    text = "".join(
        path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    )
    typed = re.findall(r"^ +pgrobot train (?!-)(.*?[^,])$", text, flags=re.MULTILINE)
    swept = re.findall(r"^ +pgrobot train -m (.*)$", text, flags=re.MULTILINE)
    jobs = [shlex.split(line, comments=True) for line in typed]
    jobs += [job for line in swept for job in expand(shlex.split(line, comments=True))]
    return [job for job in jobs if job and not any(mark in "".join(job) for mark in ("<", "my_", "…"))]


@pytest.mark.parametrize("overrides", typed_overrides(), ids=" ".join)
def test_every_command_on_the_pages_composes(overrides: list[str]) -> None:
    assert "algorithm" in validated(compose(overrides))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that the page on extending tells to write."""
    folder = tmp_path_factory.mktemp("project")
    for name, content in re.findall(
        r"^```\w+ (\S+)\n(.*?)^```", page("extending"), flags=re.MULTILINE | re.DOTALL
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "my_robots" / "__init__.py").touch()
    return folder


LATE = "{_target_:my_robots.wrappers.Late,_partial_:true}"


def commands() -> list[str]:
    lines = page("extending").split("\n## A constraint")[0].splitlines()
    return [line.strip() for line in lines if line.startswith("    pgrobot train")]


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """As in a shell that stands there."""
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setenv("PGROBOT_CONFIG_PATH", "my_robots/conf")
    forget_package("my_robots")
    yield project
    forget_package("my_robots")


def forget_package(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def test_the_example_of_a_wrapper_delays_by_a_step(inside: Path) -> None:
    cfg = validated(compose(["modules=[my_robots]", f"+wrapper.late={LATE}"]))
    late, plain = build_environment(cfg, 2, 0, 1), build_environment(validated(compose([])), 2, 0, 1)
    for environment in (late, plain):
        environment.reset()
    actions = [np.full((2, 3), value) for value in (0.3, -0.2, 0.1)]
    for told, meant in zip([np.zeros((2, 3)), *actions], [*actions, actions[0]], strict=True):
        assert np.array_equal(late.step(meant).next_obs["policy"], plain.step(told).next_obs["policy"])


def test_every_kind_of_part_has_its_example(project: Path) -> None:
    rows = table_rows(page("extending"), "# Adding parts of your own")
    files = {name for row in rows for name in re.findall(r"`([\w.]+)`", row[2])}
    written = {str(path.relative_to(project / "my_robots")) for path in (project / "my_robots").glob("*.*")}
    assert files | {"__init__.py"} == written
    assert len(rows) == 12
    headings = re.findall(r"^#+ (.*)$", page("extending"), flags=re.MULTILINE)
    for row in rows:
        (anchor,) = re.findall(r"\(#(.*?)\)", row[0])
        assert anchor in [re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings]
        chosen = re.findall(r"\+?([\w./]+)=", row[3])
        assert all(any(choice in command for command in commands()) for choice in chosen), row


@pytest.mark.parametrize("command", commands())
def test_the_examples_of_extending_train(
    command: str, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*shlex.split(command)[1:], *TINY, "hydra.run.dir=run_of_example"]
    assert main(arguments) == 0, capsys.readouterr()
    rows = (inside / "run_of_example" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    marks = {
        "height": "cost/height/torso",
        "effort": "objective/effort",
        "energy": "reward/energy/mean",
        "hips": "termination/tipped",
        "ActuatorUse": "use/0",
        "cart": "reward/near/mean",
        "chase": "reward/close/mean",
        "td_error": "policy/kl",
        "steady": "policy/std",
        "counts": "intrinsic/cells",
        "apprentice": "apprentice/policy/kl",
    }
    expected = next(metric for mark, metric in marks.items() if mark in command)
    found = json.loads(rows[-1])
    assert expected in found
    assert "steady" not in command or found["policy/std"] == pytest.approx(0.3)
    shown = [file.name for file in kept(inside / "run_of_example", Table)]
    assert ("use" in shown) == ("ActuatorUse" in command)
    (inside / "run_of_example").rename(inside / f"run_of_{expected.replace('/', '_')}")


def test_the_example_from_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", page("python"), flags=re.MULTILINE | re.DOTALL)
    assert program.count("total_steps=100_000") == 2
    small = (
        'total_steps=128, debug="tiny", num_envs=2, evaluation={"every": 64, "final_episodes": 2}, quiet=True'
    )
    program = program.replace("total_steps=100_000", small).replace("episodes=500", "episodes=2")
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(compile(program.replace("> -10.0", "> -np.inf"), "python.md", "exec"), found)
    stopped, whole = sorted(tmp_path.glob("runs/*/*"))
    assert found["result"].status == "finished"
    assert {found["result"].path.resolve()} < {stopped, whole}


def test_the_gymnasium_examples_run() -> None:
    program, by_its_module = re.findall(
        r"^```python\n(import gymnasium.*?)^```", page("extending"), flags=re.MULTILINE | re.DOTALL
    )
    found: dict[str, Any] = {}
    exec(compile(program, "extending.md", "exec"), found)
    assert {"cost/speed", "cost/power", "reward/forward"} <= found["info"].keys()
    assert found["hoppers"].num_envs == 64
    assert found["observation"].shape == found["hopper"].observation_space.shape
    exec(compile(by_its_module, "extending.md", "exec"), found)
    assert found["hopper"].spec.id == "pgrobot/Hopper-v5"
    assert found["hoppers"].num_envs == 64
