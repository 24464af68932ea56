"""The page as a person meets it: in a browser, by keyboard, on a laptop, a phone and paper, by day and by night."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgrobot.report import Written

from .browser import Page, find, page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not find(), reason="no Chromium here: apt-get install chromium, and this test opens the page"
    ),
]
DRAWN = "[...document.querySelectorAll('figure svg')]"


@pytest.fixture(scope="module")
def browser(whole: Written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with page(tmp_path_factory.mktemp("profile")) as opened:
        opened.size(1400, 900, "light")
        opened.open(whole.page)
        yield opened


def test_nothing_is_loaded_and_nothing_complained_of(browser: Page, whole: Written) -> None:
    loaded = [address for address in browser.asked if not address.startswith("data:")]
    assert loaded == [whole.page.as_uri()]
    complaints = [said for said in browser.said if "video/mp4" not in said]  # the films of this test are none
    assert complaints == []


@pytest.mark.parametrize(("width", "columns"), [(1400, 3), (800, 2), (360, 1)])
def test_every_figure_is_seen_on_every_screen(
    browser: Page, whole: Written, width: int, columns: int
) -> None:
    browser.size(width, 900, "light")
    boxes = browser.value(f"{DRAWN}.map(e => e.getBoundingClientRect()).map(b => [b.width, b.height])")
    assert len(boxes) == len(whole.figures) + 1
    assert all(w > 200 and h > 50 for w, h in boxes)
    assert browser.value("document.documentElement.scrollWidth") <= width
    scrolled = "[...document.querySelectorAll('.drawing')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert browser.value(scrolled) == 0
    places = browser.value(
        "[...document.querySelectorAll('#learning figure')].map(e => e.getBoundingClientRect().x)"
    )
    assert len(set(places)) == columns


@pytest.mark.parametrize(("scheme", "ink", "paper"), [("light", 27, 255), ("dark", 230, 20)])
def test_drawings_have_the_colours_of_the_screen(browser: Page, scheme: str, ink: int, paper: int) -> None:
    browser.size(1400, 900, scheme)
    red = "getComputedStyle(document.body).{}.match(/\\d+/)[0] * 1"
    assert browser.value(red.format("color")) == ink
    assert browser.value(red.format("backgroundColor")) == paper
    fills = (
        f"{DRAWN}.flatMap(s => [...s.querySelectorAll('[style*=\"--ink\"]')]).map(e => getComputedStyle(e))"
    )
    inks = browser.value(f"[...new Set({fills}.flatMap(s => [s.fill, s.stroke]))].join(' ')")
    assert f"rgb({ink}, " in inks
    assert ("rgb(27, " in inks) == (scheme == "light")


def test_the_keyboard_reaches_everything(browser: Page) -> None:
    browser.size(1400, 900, "light")
    browser.value("document.activeElement.blur(), getSelection().removeAllRanges(), scrollTo(0, 0)")
    count = browser.value("document.querySelectorAll('a[href], summary, [tabindex=\"0\"], video').length")
    reached = []
    for _ in range(count * 2):
        browser.press("Tab", 9)
        reached.append(
            browser.value("document.activeElement.tagName + ' ' + document.activeElement.className")
        )
        if reached[-1].startswith("SUMMARY"):
            break
    assert reached[0] == "A skip"
    assert {"VIDEO ", "PRE scroll", "SUMMARY "} <= set(reached)
    before = browser.value("document.activeElement.parentElement.open")
    browser.press("Enter", 13, "\r")
    assert browser.value("document.activeElement.parentElement.open") == (not before)


def test_the_skip_link_skips(browser: Page) -> None:
    browser.value("document.querySelector('.skip').focus()")
    browser.press("Enter", 13, "\r")
    assert browser.value("location.hash + ' ' + document.activeElement.id") == "#main main"


def test_it_prints(browser: Page, tmp_path: Path) -> None:
    pdf = base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 20_000
