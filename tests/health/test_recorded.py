"""Sabotaged runs are named, and healthy ones leave everybody in peace: on recorded metrics, and trained anew."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgrobot.health import Examination, Facts, examine_run, examined, findings
from pgrobot.run import Surroundings, nobody, prepare, run, silent_console

HERE = Path(__file__).parent
TOLD = yaml.safe_load((HERE / "runs.yaml").read_text(encoding="utf-8"))
SABOTAGED: Mapping[str, Mapping[str, list[str]]] = TOLD["sabotaged"] | TOLD["by_design"]
HEALTHY: Mapping[str, list[str]] = TOLD["healthy"]


@cache
def recording(name: str) -> Mapping[str, Any]:
    return json.loads(lzma.decompress((HERE / "recorded" / f"{name}.json.xz").read_bytes()))


def rows(name: str) -> Iterator[tuple[int, dict[str, float]]]:
    told = recording(name)
    for index, step in enumerate(told["steps"]):
        row = {key: v[index] for key, v in told["metrics"].items() if index < len(v) and v[index] is not None}
        yield step, row


def examine(name: str) -> Examination:
    told = recording(name)
    examination = examined(rows(name), Facts.of(told["config"], told["spec"], {}))
    examination.facts = Facts.of(told["config"], told["spec"], told["result"])
    examination.conclude()
    return examination


def ever(examination: Examination) -> set[str]:
    """What was found at any time."""
    return {f.name for f in examination.standing} | {f.name for f, _ in examination.past}


def test_there_are_enough_of_them() -> None:
    assert len(TOLD["sabotaged"]) >= 10
    assert len(HEALTHY) >= 10
    recorded = {path.name.removesuffix(".json.xz") for path in (HERE / "recorded").iterdir()}
    assert recorded == SABOTAGED.keys() | HEALTHY.keys()
    assert sum(path.stat().st_size for path in (HERE / "recorded").iterdir()) < 300_000


@pytest.mark.parametrize("name", SABOTAGED)
def test_what_was_done_to_a_run_is_named(name: str) -> None:
    case = SABOTAGED[name]
    found = ever(
        examine(name)
    )  # what was found of a policy that no longer explores may be gone when it is at its bound
    assert found >= set(case["finds"])
    assert found <= {*case["finds"], *case["besides"]}


@pytest.mark.parametrize("name", HEALTHY)
def test_of_a_healthy_run_nothing_is_ever_said(name: str) -> None:
    assert ever(examine(name)) == set()


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_may_be_asked_at_any_time(name: str) -> None:
    past = list(rows(name))
    facts = Facts.of(recording(name)["config"], recording(name)["spec"], {})
    for count in range(1, len(past), 13):
        assert findings(past[:count], facts) == ()


@pytest.mark.parametrize("name", [*SABOTAGED, *HEALTHY])
def test_findings_are_sentences_with_evidence_and_a_remedy(name: str) -> None:
    examination = examine(name)
    for finding in (*examination.standing, *(finding for finding, _ in examination.past)):
        assert finding.sentence.endswith("."), finding
        assert finding.remedy.endswith("."), finding
        assert finding.evidence, finding
        assert 0 < finding.since_step <= examination.step


@pytest.mark.parametrize("name", [*SABOTAGED, *HEALTHY])
def test_a_run_that_goes_on_finds_what_one_without_a_pause_does(name: str) -> None:
    facts = Facts.of(recording(name)["config"], recording(name)["spec"], {})
    whole = examined(rows(name), facts)
    past = list(rows(name))
    resumed = examined(past[: len(past) // 2], facts)
    again = examined(past[: len(past) // 2], facts)
    assert resumed.standing == again.standing
    for step, row in past[len(past) // 2 :]:
        resumed.add(step, row)
    assert resumed.standing == whole.standing
    assert resumed.past == whole.past


@pytest.mark.parametrize("name", [*SABOTAGED, *HEALTHY])
def test_nothing_flickers(name: str) -> None:
    """What is found stays for a while, and what is gone stays away for a while."""
    examination = Examination(Facts.of(recording(name)["config"], recording(name)["spec"], {}))
    changes: dict[tuple[str, str, str], int] = {}
    before: frozenset[tuple[str, str, str]] = frozenset()
    for step, row in rows(name):
        examination.add(step, row)
        now = frozenset(finding.key for finding in examination.standing)
        for key in before ^ now:
            changes[key] = changes.get(key, 0) + 1
        before = now
    assert all(times <= 2 for times in changes.values()), changes


def trained(directory: Path, overrides: list[str]) -> Examination:
    request = prepare([*TOLD["common"], *overrides, "seed=7", f"hydra.run.dir={directory}"])
    run(request, Surroundings(("pytest",), "", "", 1, silent_console(), nobody))
    return examine_run(directory)


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:overflow encountered in cast"
)  # which is what one of them is sabotaged by
@pytest.mark.parametrize("name", SABOTAGED)
def test_a_run_sabotaged_anew_is_named(name: str, tmp_path: Path) -> None:
    assert ever(trained(tmp_path / "run", SABOTAGED[name]["overrides"])) >= set(SABOTAGED[name]["finds"])


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_of_another_seed_is_left_in_peace(name: str, tmp_path: Path) -> None:
    assert ever(trained(tmp_path / "run", HEALTHY[name])) <= {"too_few_episodes"}  # to decide on a budget
