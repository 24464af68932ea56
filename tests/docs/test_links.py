"""What the pages and the docstrings point at exists: files, headings, tests and checks."""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from pathlib import Path

from pgrobot.laboratory.running import catalogue

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = [path for room in ("pgrobot", "envs", "conf") for path in sorted((ROOT / room).rglob("*.py"))]
# Rooms whose public parts are equations, but for what frames them.
EQUATIONS = ("baselines", "distributions", "estimators", "objectives")
FRAMES = {
    "Baseline",
    "Controlled",
    "Distribution",
    "Drawable",
    "Estimator",
    "FixedWeight",
    "Objective",
    "PolicyAt",
    "PriorAt",
}
FRAMES |= {"Estimate", "EstimatorInput", "estimator", "reads_log_ratio", "reverse_scan", "window_scan"}
FRAMES |= {"Auxiliary", "Supplied", "TermContext", "TermFactory"}

named = lambda path: str(path.relative_to(ROOT))


def without_blocks(page: Path) -> str:
    """A page's text without what stands between fences."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(path: Path) -> frozenset[str]:
    """The names that GitHub gives to a page's headings."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", without_blocks(path), flags=re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        again = found.count(name)
        found.append(f"{name}-{again}" if again else name)
    return frozenset(found)


def broken(text: str, pattern: str, folder: Path) -> list[str]:
    """Targets in a text, ``path#anchor`` relative to a folder, that do not exist."""
    wrong = []
    for target in re.findall(pattern, text):
        path, _, anchor = target.partition("#")
        file = (folder / path).resolve()
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    return wrong


def broken_links(text: str, page: Path) -> list[str]:
    # a link without a path is to the page itself
    text = re.sub(r"\]\(#", f"]({page.name}#", text)
    return broken(text, r"\]\((?!https?://)([^)\s]+)\)", page.parent)


def broken_references(docstrings: str) -> list[str]:
    return broken(docstrings, r"docs/[\w/]+\.md(?:#[\w-]+)?", ROOT)


def test_every_link_leads_somewhere() -> None:
    found = {named(page): broken_links(page.read_text(encoding="utf-8"), page) for page in PAGES}
    assert len(found) > 10
    assert {page: links for page, links in found.items() if links} == {}


def test_every_page_that_a_module_names_has_that_heading() -> None:
    found = {named(path): broken_references(path.read_text(encoding="utf-8")) for path in MODULES}
    assert len(found) > 100
    assert {module: references for module, references in found.items() if references} == {}


def test_a_wrong_anchor_is_noticed() -> None:
    page = ROOT / "docs" / "algorithms.md"
    right = (
        "[a](derivations.md#gae) [b](#composing-another) [c](algorithms/ppo.md) [d](https://example.org/#gae)"
    )
    wrong = "[a](derivations.md#gea) [b](#composing) [c](algorithms/pppo.md)"
    assert broken_links(right, page) == []
    assert broken_links(wrong, page) == [
        "derivations.md#gea",
        "algorithms.md#composing",
        "algorithms/pppo.md",
    ]
    assert broken_references("See docs/derivations.md#gae.") == []
    assert broken_references("See docs/derivations.md#gea.") == ["docs/derivations.md#gea"]


def equations() -> dict[str, str]:
    """The docstring of every public part that is an equation."""
    found = {}
    for room in EQUATIONS:
        package = importlib.import_module(f"pgrobot.{room}")
        for name in set(package.__all__) - FRAMES:
            part = getattr(package, name)
            if inspect.isclass(part) or inspect.isfunction(part):
                found[f"{room}.{name}"] = inspect.getdoc(part) or ""
    return found


def test_what_has_an_equation_says_where_it_is_derived() -> None:
    stated = equations()
    assert len(stated) > 20
    assert [name for name, text in stated.items() if "docs/derivations.md#" not in text] == []


# ---- proofs ---------------------------------------------------------------------------------------------------------


def unproved(text: str) -> list[str]:
    """Files, tests and checks that a text names and that do not exist; a test belongs to the file named before it."""
    wrong, file = [], Path()
    for token in re.findall(r"`([^`]+)`", text):
        if re.fullmatch(r"[\w/]+/\w+\.py", token):
            file = ROOT / token
            wrong += [] if file.is_file() else [token]
        elif token.startswith("test_"):
            defined = file.is_file() and f"def {token}(" in file.read_text(encoding="utf-8")
            wrong += [] if defined else [token]
        elif token.startswith("pgrobot exact "):
            wrong += [name for name in token.split()[2:] if name not in checks()]
    return wrong


@cache
def checks() -> frozenset[str]:
    """The names of the laboratory's checks."""
    return frozenset(map(str, catalogue().checks))


def derivations() -> str:
    return without_blocks(ROOT / "docs" / "derivations.md")


def test_every_proof_exists() -> None:
    assert unproved(derivations()) == []


def test_a_proof_that_does_not_exist_is_noticed() -> None:
    assert unproved(
        "`pgrobot exact fisher fischer` `tests/exact/test_linear.py`: `test_no`; `pgrobot/no/no.py`"
    ) == [
        "fischer",
        "test_no",
        "pgrobot/no/no.py",
    ]


def test_every_check_proves_something() -> None:
    cited = {
        name for token in re.findall(r"`pgrobot exact ([^`]+)`", derivations()) for name in token.split()
    }
    assert sorted(cited) == sorted(checks())


def test_every_section_with_code_has_a_proof() -> None:
    sections = re.split(r"^#{2,3} ", derivations(), flags=re.MULTILINE)[1:]
    stated = {section.splitlines()[0]: section for section in sections if "\n- Code: " in section}
    assert len(stated) > 25
    assert [heading for heading, section in stated.items() if "\n- Proof: " not in section] == []


def test_inline_mathematics_survives_markdown() -> None:
    """Markdown takes the backslash from punctuation and reads a bar as a cell's end before mathematics is rendered."""
    for page in PAGES:
        for line in re.sub(r"`[^`\n]*`", "", without_blocks(page)).splitlines():
            assert line.count("$") % 2 == 0, f"{named(page)}: {line}"
            lost = [x for x in re.findall(r"\$([^$]+)\$", line) if re.search(r"\\[^A-Za-z]|[|<>*]", x)]
            assert lost == [], f"{named(page)}: {lost}"
