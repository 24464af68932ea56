"""Whatever is missing or damaged costs what it would have told, and is named; nothing is written by halves."""

from __future__ import annotations

import errno
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgrobot.cli import main
from pgrobot.errors import PgrobotError
from pgrobot.report import PAGE, Written, read_story, write_report
from pgrobot.report.drawing import binned
from pgrobot.report.torque import gradients

from .conftest import BARE, simple, write_run


def report(run: Path) -> tuple[Written, str]:
    written = write_report(run, run / PAGE, videos=True)
    return written, written.page.read_text(encoding="utf-8")


def test_a_run_without_metrics_has_a_page_that_says_so(tmp_path: Path) -> None:
    written, text = report(write_run(tmp_path / "run", [], result={}))
    assert written.figures == {}
    assert "The run has no metrics yet: no iteration has ended." in text
    assert "No episode has ended yet." in text
    assert "seed: 1" in text


def test_what_is_no_run_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", [BARE])
    (run / "metrics.jsonl").unlink()
    assert main(["report", str(run)]) == 2
    assert "it lacks config.yaml or metrics.jsonl" in capsys.readouterr().err
    assert not (run / PAGE).exists()
    assert main(["report", str(tmp_path / "rum")]) == 2
    assert "There is no run directory" in capsys.readouterr().err


def test_half_a_run_is_shown_as_far_as_it_has_come(tmp_path: Path) -> None:
    written, text = report(write_run(tmp_path / "run", [simple(i) for i in range(3)], result={}))
    assert "There is no verdict: the run has not finished." in text
    assert set(written.figures) == {"report/return", "report/cost_speed"}
    assert written.step == 192


def test_a_torn_last_line_costs_that_line(simple_run: Path) -> None:
    path = simple_run / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    story = read_story(simple_run)
    assert len(story.history.steps) == 9
    (remark,) = story.remarks
    assert remark.startswith("The last line of metrics.jsonl is cut short")


@pytest.mark.parametrize(
    "damage", ["{", "[1, 2]", "null", '{"return/mean": 1.0}', '{"global_step": null}', "\x00\udcff"]
)
def test_a_damaged_line_in_the_midst_is_left_out(damage: str, simple_run: Path) -> None:
    lines = (simple_run / "metrics.jsonl").read_text().splitlines()
    lines[4] = damage
    (simple_run / "metrics.jsonl").write_bytes("\n".join([*lines, ""]).encode(errors="surrogateescape"))
    story = read_story(simple_run)
    assert len(story.history.steps) == 9
    assert (
        story.remarks == ("Line 5 of metrics.jsonl cannot be read, and the curves go on without.",)
        or not damage
    )


def test_nan_and_what_is_no_number_are_left_out(tmp_path: Path) -> None:
    odd: list[dict[str, Any]] = [simple(i) for i in range(6)]
    odd[2]["return/mean"], odd[3]["return/mean"], odd[4]["return/mean"] = math.nan, math.inf, "high"
    odd[5]["cost/speed/budget"] = math.nan
    run = write_run(tmp_path / "run", odd)
    steps, values = read_story(run).history.known("return/mean")
    assert (steps.tolist(), values.tolist()) == ([128.0, 384.0], [10.0, 50.0])
    _, text = report(run)
    assert "nan" not in text.lower().replace("nano", "")


def test_a_run_of_an_older_version_lacks_what_it_did_not_write(simple_run: Path) -> None:
    (simple_run / "spec.json").unlink()
    (simple_run / "overrides.yaml").unlink()
    told = {"status": "finished", "return": {"mean": 3.0}, "costs": {"speed": {"mean": 1.0, "budget": 2.0}}}
    (simple_run / "result.json").write_text(json.dumps(told))
    (simple_run / "manifest.json").write_text(json.dumps({"seed": 1, "git_commit": "0123456"}))
    written, text = report(simple_run)
    assert written.remarks == ("overrides.yaml is missing or cannot be read.",)
    assert "Return <strong>3</strong>" in text
    assert "report/budgets_spent" in written.figures


@pytest.mark.parametrize("name", ["result.json", "manifest.json", "spec.json", "config.yaml", "health.json"])
@pytest.mark.parametrize("content", ["{", "", "3", "\udcff", "[]"])
def test_a_damaged_file_costs_what_it_tells(name: str, content: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [], result={})
    (run / name).write_bytes(content.encode(errors="surrogateescape"))
    _, text = report(run)
    assert "</html>" in text


ODD = {
    "spec.json": ('{"actions": ["a"]}', "spec.json has 'a' as actions[0], where a mapping belongs"),
    "result.json": (
        '{"return": 3, "costs": {"speed": 1}}',
        "result.json has 3 as return, where a mapping belongs",
    ),
    "certificate.json": (
        '{"policy": [], "terms": {"mode": "x"}}',
        "certificate.json has [] as policy, where a mapping belongs",
    ),
    "manifest.json": ('{"versions": 3}', "manifest.json has 3 as versions, where a mapping belongs"),
    "config.yaml": ("constraint: 3\ntask: [1]\n", "config.yaml has 3 as constraint, where a mapping belongs"),
}
ODDER = {
    "spec.json": ('{"actions": {}}', '{"actions": [{}, {"name": 1, "unit": []}]}', '{"actions": null, "name": []}'),
    "result.json": (
        '{"warnings": 3}', '{"warnings": {"a": 1}, "judged": [], "other_mode": "x"}', '{"return": {"ci95": [1]}}',
        '{"return": {"ci95": 3, "mean": "a", "episodes": []}, "episode_length": 5, "failures": "x", "wall_s": {}}',
        '{"costs": {"speed": {"verdict": [], "unit": {}, "mean": {}}}, "other_mode": {"return": 1, "mode": 5}}',
    ),
    "certificate.json": ('{"claim": 3, "return": {"mean": {}}}', '{"terms": {"mode": 1}, "policy": 3}'),
    "manifest.json": ('{"resumed": 3}', '{"versions": null, "seed": {}, "start_time": 4}', '{"resumed": [3]}'),
    "config.yaml": ("constraint: {speed: 3}", "constraint: {speed: {unit: [1]}}\nalgorithm: {name: []}"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_json_of_another_shape_costs_what_it_tells_in_one_sentence(name: str, simple_run: Path) -> None:
    content, sentence = ODD[name]
    (simple_run / name).write_text(content)
    written, text = report(simple_run)
    (told, *more) = [remark for remark in written.remarks if remark.startswith(f"{name} has")]
    assert told.startswith(sentence)
    assert not more
    assert written.figures.keys() >= {"report/return", "report/cost_speed"}
    assert "</html>" in text


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name, all_ in ODDER.items() for content in all_]
)
def test_json_of_any_shape_has_a_page(name: str, content: str, simple_run: Path) -> None:
    (simple_run / name).write_text(content)
    assert "</html>" in report(simple_run)[1]


def test_of_a_run_that_nobody_examined_nothing_good_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page says what ``pgrobot health`` says."""
    short = write_run(tmp_path / "short", [simple(i) for i in range(3)])
    older = write_run(tmp_path / "older", [{"global_step": 64.0 * (i + 1)} for i in range(30)])
    fine = write_run(tmp_path / "fine", [simple(i) for i in range(30)])
    (short / "health.json").write_text('{"findings": [], "past": []}')
    for run, sentence in (
        (short, "3 iterations are too few to judge by: it takes 20."),
        (older, "Nothing is known of the run by which it could be judged"),
        (fine, "Nothing is wrong at step 1,920."),
    ):
        assert main(["health", str(run)]) == 0
        assert sentence in " ".join(capsys.readouterr().out.split())
        text = report(run)[1]
        assert sentence in text
        assert ("✓ " + sentence in text) == (run is fine)

    def failing(_: Path) -> None:
        raise ZeroDivisionError("one check is broken")

    monkeypatch.setattr("pgrobot.report.reading.examine_run", failing)
    assert re.search("health of the run could not be examined .*one check is broken", report(fine)[1])
    assert "✓ Nothing" not in report(fine)[1]


def test_a_table_that_is_none_is_named(simple_run: Path) -> None:
    (simple_run / "tables").mkdir()
    (simple_run / "tables" / "violations_640.csv").write_text("broken\n1,2\n")
    assert "violations_640.csv is not a table of a run" in read_story(simple_run).remarks[0]


def test_a_full_disk_leaves_the_old_page(simple_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (simple_run / PAGE).write_text("old")
    before = set(simple_run.rglob("*"))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pgrobot.files.os.fsync", full)
    with pytest.raises(PgrobotError, match=r"The disk is full: .*report\.html needs"):
        write_report(simple_run, simple_run / PAGE, videos=True)
    assert (simple_run / PAGE).read_text() == "old"
    assert set(simple_run.rglob("*")) == before


def test_a_run_that_takes_no_drawings_has_its_page(
    simple_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (simple_run / "figures").touch()  # as good as a directory that cannot be written
    page = tmp_path / "elsewhere.html"
    assert main(["report", str(simple_run), "--output", str(page)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{page}\n"
    assert "cannot be written: " in told.err
    assert told.err.endswith("The page is whole; figures/report/ of the run is not.\n")
    assert "</html>" in page.read_text()


def test_no_actuator_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [BARE], result={})
    assert "The run has no gradients by actuator" in report(run)[1]


def test_thousands_of_actuators_fit(tmp_path: Path) -> None:
    joints = [f"joint_{i}" for i in range(3000)]
    rows = [
        {"global_step": 64.0 * t, **{f"torque/{j}/gradient_reward": t * 0.1 for j in joints}} for t in (1, 2)
    ]
    story = read_story(write_run(tmp_path / "run", rows))
    (drawing,) = gradients(story)
    assert "3000 rows" in drawing.words
    assert len(drawing.image.svg) < 500_000


def test_bins_have_the_means_of_their_steps() -> None:
    steps = np.arange(1, 99) * 2048.0
    values = np.stack([np.arange(98.0), np.full(98, np.nan)])
    values[0, 3] = np.nan
    found = binned(steps, values)
    assert np.array_equal(found, values, equal_nan=True)
    many = binned(np.arange(1.0, 241.0), np.arange(240.0)[None])
    assert np.array_equal(many[0], np.arange(120) * 2 + 0.5)
