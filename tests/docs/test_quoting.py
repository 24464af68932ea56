"""Commands on the pages can be pasted: what a shell would take for a pattern or a variable stands in quotes.

zsh refuses a word such as ``constraint=[speed]`` that matches no file, bash replaces it by a file that it matches.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from pgrobot import cli
from pgrobot.help import USAGE

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("conf/**/*.yaml"))
} | {"pgrobot --help": cli.USAGE, "pgrobot train --help": USAGE}
COMMAND = (
    r"(?:\$ )?(?:\S*bin/)?(?:pgrobot (?:train|evaluate|sweep|exact|variance)|python -m pgrobot|make train)\b"
)


def commands(text: str) -> list[str]:
    """Every command of a page: lines of code, and code within sentences, which may span lines."""
    lines = re.findall(rf"^(?: *# | {{2,}})?({COMMAND}.*?)(?: {{2,}}.*)?$", text, flags=re.MULTILINE)
    spans = re.findall(rf"`({COMMAND}[^`]*)`", text)
    return [" ".join(re.sub(r"\s#.*", "", found).split()) for found in (*lines, *spans)]


def unquoted(command: str) -> str:
    """A command without what stands in quotes and without what a synopsis leaves out, such as ``[key=value ...]``."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\[[^\]]* \.\.\.\]", "", command)


def test_what_a_shell_would_expand_is_quoted() -> None:
    assert len(PAGES) > 50
    for name, page in PAGES.items():
        found = [c for c in commands(page) if re.search(r"[\[\]{}*?$]|(?<!\S)~", unquoted(c))]
        assert found == [], name


def test_commands_are_found() -> None:
    assert len(commands(PAGES["README.md"])) > 3
    assert commands("Try `pgrobot train\nconstraint=[speed]` now.") == ["pgrobot train constraint=[speed]"]
    assert unquoted("pgrobot train 'constraint=[speed]' seed=1") == "pgrobot train  seed=1"


def test_a_shell_hands_a_quoted_command_on_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "constraint=s").touch()
    words = "printf '%s\\n' constraint=[speed] 'constraint=[speed]'"
    told = subprocess.run(["bash", "-c", words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["constraint=s", "constraint=[speed]"]
