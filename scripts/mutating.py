"""What a mutant is, and how one is tried: on a copy of the sources, never in the working tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from pgrobot.errors import PgrobotError

ROOT = Path(__file__).resolve().parents[1]
INSIDE = ("conf", "envs")  # which are installed inside the package, see setup.py
QUIET = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
ELSEWHERE = 99

# Runs pytest, and tells by its exit status if the module was not imported from the file that it should be.
PROGRAM = f"""
import sys, pytest
status = pytest.main(sys.argv[3:])
module = sys.modules.get(sys.argv[1])
sys.exit(status if getattr(module, "__file__", "") == sys.argv[2] else {ELSEWHERE})
"""


@dataclass(frozen=True)
class Mutant:
    """One fault of the sources, and the tests that have to notice it.

    Attributes:
        name: what is wrong, in a few words.
        file: where, from the root of the checkout.
        source: the fragment that is replaced; it occurs exactly once in the file.
        replacement: what stands there instead.
        tests: files, of which one has to fail.
    """

    name: str
    file: str
    source: str
    replacement: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The file's text with the fault.

        Raises:
            PgrobotError: the fragment does not occur exactly once.
        """
        count = text.count(self.source)
        if count != 1:
            raise PgrobotError(f"{self.name}: {self.source!r} occurs {count} times in {self.file}, not once")
        return text.replace(self.source, self.replacement)


@dataclass(frozen=True)
class Trial:
    """What became of a mutant.

    Attributes:
        verdict: ``killed`` or ``passed`` if the tests could judge, else ``does not apply`` or ``broken``.
        seconds: of pytest.
        told: the name of the test that failed first, or why there is no verdict.
    """

    verdict: str
    seconds: float
    told: str


def of(file: str, tests: str | tuple[str, ...], faults: Mapping[str, tuple[str, str]]) -> tuple[Mutant, ...]:
    """Mutants of one file that the same tests kill, by name: what is replaced by what."""
    paths = tuple(f"tests/{test}.py" for test in ([tests] if isinstance(tests, str) else tests))
    return tuple(Mutant(name, file, *fault, paths) for name, fault in faults.items())


def tried(mutant: Mutant) -> Trial:
    """Run a mutant's tests on a copy of the sources with the fault."""
    try:
        text = mutant.applied((ROOT / mutant.file).read_text(encoding="utf-8"))
    except (PgrobotError, OSError) as error:
        return Trial("does not apply", 0.0, str(error))
    with tempfile.TemporaryDirectory(prefix="pgrobot-mutant-") as folder:
        shadow = copied(Path(folder))
        place = Path(mutant.file)
        inside = shadow / "pgrobot" / place if place.parts[0] in INSIDE else shadow / place
        inside.write_text(text, encoding="utf-8")
        Path(cache_from_source(str(inside))).unlink(missing_ok=True)
        return judged(shadow, inside, mutant.tests)


def untouched(tests: Sequence[str]) -> Trial:
    """Run tests on a copy of the sources as they are."""
    with tempfile.TemporaryDirectory(prefix="pgrobot-mutant-") as folder:
        shadow = copied(Path(folder))
        return judged(shadow, shadow / "pgrobot" / "__init__.py", tests)


def copied(folder: Path) -> Path:
    """A copy of what the tests need, laid out as it is installed."""
    folder = folder.resolve()
    shutil.copytree(ROOT / "pgrobot", folder / "pgrobot")
    for name in INSIDE:
        shutil.copytree(ROOT / name, folder / "pgrobot" / name)
    shutil.copytree(ROOT / "tests", folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def judged(shadow: Path, file: Path, tests: Sequence[str]) -> Trial:
    """Run tests in a copy up to the first that fails; ``file`` is a module of it that they have to import."""
    path = file.relative_to(shadow).with_suffix("")
    module = ".".join(path.parent.parts if path.name == "__init__" else path.parts)
    words = ["-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", *tests]
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, module, str(file), *words],
        cwd=shadow,
        env={**os.environ, **QUIET, "PYTHONPATH": str(shadow)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begun
    lines = (done.stdout + done.stderr).strip().splitlines()
    first = next((line for line in lines if line.startswith(("FAILED", "ERROR"))), lines[-1] if lines else "")
    match done.returncode:
        case 0:
            return Trial("passed", seconds, "")
        case 1 if first.startswith("FAILED"):
            return Trial("killed", seconds, first.split("::")[-1].split("[")[0].split(" ")[0])
        case status if status == ELSEWHERE:
            return Trial("broken", seconds, f"the tests did not import {module} from the copy")
        case _:
            return Trial("broken", seconds, first)
