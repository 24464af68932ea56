"""The page says all that the run directory says, is one file, and has its drawings as files too."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pgrobot.cli import main
from pgrobot.pictures import Image
from pgrobot.report import PAGE, Written, write_report
from pgrobot.report.sections import SECTIONS
from pgrobot.tracking import kept

from .conftest import BARE, full, simple, write_run


class Outline(HTMLParser):
    """What a page has of each tag, and whether every tag is closed."""

    VOID = ("meta", "link", "br", "img", "input", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def text(whole: Written) -> str:
    return whole.page.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def outline(text: str) -> Outline:
    return Outline(text)


def test_every_figure_is_in_the_page_and_a_file_of_both_kinds(whole: Written, outline: Outline) -> None:
    drawn = set(whole.figures)
    assert {"report/return", "report/cost_speed", "report/multipliers", "report/gradient_speed"} < drawn
    assert {"report/agreement_speed", "report/reward_terms", "report/violations_share", "report/rms"} < drawn
    assert len(outline.of("svg")) == len(drawn) + 1 > 15
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in outline.of("svg"))
    files = {(file.name, file.step, file.path.suffix) for file in kept(whole.page.parent, Image)}
    assert {file for file in files if file[0].startswith("report/")} == {
        (name, 1920, suffix) for name in drawn for suffix in (".png", ".svg")
    }


def test_what_diagnostics_drew_is_shown_as_it_is(text: str, outline: Outline) -> None:
    assert "Sensors &amp; actuators, at step 1,920." in text
    (other,) = outline.of("img")
    assert other == {
        "src": "data:image/png;base64,cG5nIG9mIGFub3RoZXIgbGlicmFyeQ==",
        "alt": "own/map, at step 1,920.",
    }


def test_the_page_is_one_file_that_leads_nowhere_else(text: str, outline: Outline) -> None:
    for attributes in (attributes for _, attributes in outline.tags):
        for key in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert (attributes.get(key) or "#").startswith(("#", "data:"))
    assert "script" not in {tag for tag, _ in outline.tags}
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text


def test_every_place_is_named_once_and_every_link_arrives(outline: Outline) -> None:
    places = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(places) == len(set(places))
    aims = [
        aim
        for _, attributes in outline.tags
        for key in ("href", "xlink:href")
        if (aim := attributes.get(key))
    ]
    assert {aim[1:] for aim in aims if aim.startswith("#")} <= set(places)
    assert [link["href"] for link in outline.of("a")[1:]] == [f"#{section.anchor}" for section in SECTIONS]


def test_verdicts_come_first_and_never_by_colour_alone(text: str) -> None:
    order = [text.index(f'id="{section.anchor}"') for section in SECTIONS]
    assert order == sorted(order)
    assert SECTIONS[0].anchor == "verdicts"
    for mark, verdict in (("✓", "satisfied"), ("✗", "violated"), ("?", "undecided")):
        assert f'<span aria-hidden="true">{mark}</span> {verdict}' in text


def test_a_certificate_is_quoted_and_not_believed(simple_run: Path) -> None:
    told = {"claim": "Every budget <is> satisfied.", "policy": {"step": 640}, "return": {"episodes": 200}}
    (simple_run / "certificate.json").write_text(json.dumps({**told, "terms": {"mode": "stochastic"}}))
    page = write_report(simple_run, simple_run / PAGE, videos=False).page.read_text(encoding="utf-8")
    words = " ".join(page.split())
    assert "of step 640, on 200 episodes of its own, stochastic: Every budget &lt;is&gt; satisfied." in words
    assert "<code>pgrobot verify</code> tells" in words


def test_what_others_wrote_is_text(text: str) -> None:
    assert "&lt;script&gt;alert(" in text
    assert "knee &lt;b&gt;" in text
    assert "Lower algorithm.policy_solver.rate.initial" in text
    assert "pgrobot train seed=1 &#39;hydra.run.dir=a folder&#39;" in text


def test_drawings_follow_the_page_by_day_and_by_night(text: str) -> None:
    drawings = text[text.index("<svg") :]
    assert not re.search(r"(?<!, )#1b1f24|(?<!, )#0072b2", drawings)
    assert "var(--ink, #1b1f24)" in drawings
    style = text[: text.index("</style>")]
    for name in set(re.findall(r"var\((--[\w-]+)", text)):
        assert style.count(f"{name}:") == 3, f"{name} by day, by night and on paper"


def test_films_are_in_the_page_unless_they_are_not_wanted(whole: Written, text: str, tmp_path: Path) -> None:
    assert text.count("data:video/mp4;base64,ZmlsbQ==") == 2
    without = write_run(tmp_path / "run", [BARE], result={})
    (without / "videos").mkdir()
    (without / "videos" / "walk_64.mp4").write_bytes(b"film")
    told = write_report(without, without / PAGE, videos=False).page.read_text(encoding="utf-8")
    assert "<video" not in told
    assert "walk_64.mp4" in told


def test_films_have_room_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgrobot.report.page.MOST_FILM", 10)
    run = write_run(tmp_path / "run", [BARE], result={})
    (run / "videos").mkdir()
    for step in (64, 128, 192, 256, 320):
        (run / "videos" / f"walk_{step}.mp4").write_bytes(b"12345")
    told = write_report(run, run / PAGE, videos=True).page.read_text(encoding="utf-8")
    assert re.findall(r"<figcaption>(walk, step \d+)", told) == ["walk, step 64", "walk, step 320"]
    assert "Left out, to be found in <code>videos/</code> of the run: walk_192.mp4." in told


def test_the_command_writes_where_it_is_told(
    simple_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(simple_run)]) == 0
    assert capsys.readouterr().out == f"{simple_run / PAGE}\n"
    assert main(["report", str(simple_run), "--output", str(tmp_path / "other.html"), "--no-videos"]) == 0
    assert (tmp_path / "other.html").read_text() == (simple_run / PAGE).read_text()


def test_a_later_report_replaces_the_drawings_of_an_earlier_one(simple_run: Path) -> None:
    write_report(simple_run, simple_run / PAGE, videos=True)
    own = simple_run / "figures" / "own_64.png"
    own.write_bytes(b"")
    (simple_run / "metrics.jsonl").write_text('{"global_step": 128, "return/mean": 1.0}\n')
    write_report(simple_run, simple_run / PAGE, videos=True)
    left = {file.path.name for file in kept(simple_run, Image)}
    assert left == {
        "return_128.png",
        "return_128.svg",
        "budgets_spent_128.png",
        "budgets_spent_128.svg",
        "own_64.png",
    }


def test_every_learner_has_its_drawings(tmp_path: Path) -> None:
    row = {"global_step": 64.0, "manager/policy/kl": 0.1, "worker/policy/kl": 0.2, "worker/return/mean": 1.0}
    run = write_run(tmp_path / "run", [row], result={})
    written = write_report(run, run / PAGE, videos=True)
    assert set(written.figures) == {
        "report/manager/kl", "report/worker/kl", "report/worker/return",
    }  # fmt: skip
    assert "Learner manager." in written.page.read_text(encoding="utf-8")


def test_the_same_run_is_the_same_page(simple_run: Path) -> None:
    first = write_report(simple_run, simple_run / PAGE, videos=True).page.read_bytes()
    assert write_report(simple_run, simple_run / PAGE, videos=True).page.read_bytes() == first


def test_full_tells_what_simple_tells() -> None:
    assert simple(3).items() <= full(3).items()
