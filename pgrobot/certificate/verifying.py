"""Verifying a certificate: hashes, figures from episodes, and the episodes themselves, run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgrobot.blame import blaming
from pgrobot.certificate.certifying import stated_anew
from pgrobot.certificate.document import NAME, DamagedError, batches_of, read_certificate, terms_of
from pgrobot.certificate.fingerprints import circumstances, differences, fingerprints, sealed
from pgrobot.certificate.sampling import Told
from pgrobot.certificate.statement import statement
from pgrobot.certificate.terms import Terms, check_terms
from pgrobot.concurrency import one_torch_thread
from pgrobot.errors import PgrobotError, shown
from pgrobot.given import Env
from pgrobot.run.judgement import varied
from pgrobot.run.opened import Opened, config_again, opened
from pgrobot.run_directory import check_run, find_checkpoint
from pgrobot.schemes import build_constraints

SEAL, HASHES, FIGURES, EPISODES = "seal", "hashes", "figures", "episodes"
# How far a verification went.
TO_THE_BIT, BY_BOUNDS, NOT_RUN = "equal to the last bit", "a fresh bound agrees", "episodes not run again"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        check: ``seal``, ``hashes``, ``figures`` or ``episodes``.
        holds: whether it is as the certificate says.
        words: what was found.
    """

    check: str
    holds: bool
    words: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What is left of a certificate.

    Attributes:
        certificate: as the file has it.
        findings: in the order of the checks; those that a failed one makes pointless are left out.
        how: ``equal to the last bit``, ``a fresh bound agrees`` or ``episodes not run again``; empty if it fails.
    """

    certificate: Mapping[str, Any]
    findings: tuple[Finding, ...]
    how: str

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return all(finding.holds for finding in self.findings)


def find_certificate(path: Path, run: Path | None) -> tuple[Path, Path]:
    """A certificate and its run, of which either may be named.

    Raises:
        PgrobotError: there is no such file, or it lies in no run directory and none is named.
    """
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        if path.is_dir():
            check_run(path)
        raise PgrobotError(f"There is no certificate {file}: pgrobot certify makes one")
    directory = file.parent if run is None else run
    if run is None and not (directory / "config.yaml").is_file():
        raise PgrobotError(f"{file} lies in no run directory: name the run that it is about by --run")
    return file, directory


def verify_certificate(
    file: Path, run: Path, env: Env | None, modules: Sequence[str], *, rerun: bool, told: Told
) -> Verification:
    """Verify a certificate against the run that it is about.

    Args:
        file: the certificate.
        run: the run directory.
        env: of a run that was given its environment, that one again.
        modules: the user's own that its config names.
        rerun: whether to run the episodes again.
        told: hears of every look of those.

    Raises:
        PgrobotError: there is no certificate of this format, or no run with a best policy.
    """
    content = read_certificate(file)
    best = find_checkpoint(run, "best")
    findings = [_seal(content), *_hashes(content, fingerprints(run))]
    how = ""
    if all(finding.holds for finding in findings[1:]):
        try:
            terms = terms_of(content, file)
            with blaming(modules), one_torch_thread():
                judged = _opened_on(terms, run, best, env, modules)
                if terms.variation != (found := varied(judged.cfg)):
                    raise DamagedError(
                        f"{file} is damaged: terms/variation is {terms.variation}, not {found}"
                    )
                findings.append(_figures(content, judged, terms, file))
                if rerun and all(finding.holds for finding in findings):
                    again, how = _episodes(content, judged, terms, told)
                    findings += again
                elif not rerun:
                    how = NOT_RUN
        except DamagedError as error:
            findings.append(_no(FIGURES, str(error)))
    holds = all(finding.holds for finding in findings)
    return Verification(content, tuple(findings), how if holds else "")


def _yes(check: str, words: str) -> Finding:
    return Finding(check, holds=True, words=words)


def _no(check: str, words: str) -> Finding:
    return Finding(check, holds=False, words=words)


def _seal(content: Mapping[str, Any]) -> Finding:
    if content["sha256"] == sealed(content):
        return _yes(SEAL, "the file is as it was written")
    return _no(SEAL, "the file was changed after it was written")


def _hashes(content: Mapping[str, Any], found: Mapping[str, Any]) -> list[Finding]:
    findings = []
    for part, value in found.items():
        told = content.get(part)
        other = "" if told == value else f"is not the one that was certified: {first_difference(told, value)}"
        findings.append(Finding(HASHES, not other, f"the {part} {other or 'is the one that was certified'}"))
    return findings


def _opened_on(terms: Terms, run: Path, best: Path, env: Env | None, modules: Sequence[str]) -> Opened:
    """The run, to be judged on a certificate's terms."""
    changes = {
        "episodes": terms.looks[-1],
        "mode": terms.mode,
        "bound": terms.bound,
        "confidence": terms.confidence,
        "seed": terms.seed,
        **({"variation": terms.variation == "full"} if terms.variation != "none" else {}),
    }
    cfg = config_again(run, modules, changes)
    check_terms(cfg, tuple(build_constraints(cfg)), terms)
    return opened(cfg, run, best, env)


def _figures(content: Mapping[str, Any], judged: Opened, terms: Terms, file: Path) -> Finding:
    """Whether all that is stated follows from the episodes, and they ended where the terms say."""
    constraints = tuple(build_constraints(judged.cfg))
    batches = batches_of(content, judged.spec, float(judged.cfg.algorithm.discounts.cost), file)
    try:
        stated = statement(batches, constraints, terms, judged.spec.costs)
    except PgrobotError as error:  # amounts that no bound is for
        return _no(FIGURES, str(error))
    told = {key: content.get(key) for key in stated}
    difference = first_difference(told, stated) or _stopped_elsewhere(stated, terms)
    if difference:
        return _no(FIGURES, f"the figures do not follow from the episodes: {difference}")
    count = stated["return"]["episodes"]
    return _yes(FIGURES, f"every figure follows from the {count} episodes")


def _stopped_elsewhere(stated: Mapping[str, Any], terms: Terms) -> str:
    looks = stated["looks"]
    counts = [look["episodes"] for look in looks]
    if counts != list(terms.looks[: len(counts)]):
        return f"it looked after {counts} episodes, where {list(terms.looks)} were planned"
    early = [look["episodes"] for look in looks[:-1] if not look["open"]]
    if early:
        return f"all was decided after {early[0]} episodes, and it went on"
    if looks[-1]["open"] and len(looks) < len(terms.looks):
        return f"it stopped after {counts[-1]} episodes, where {', '.join(looks[-1]['open'])} was open"
    return ""


def _episodes(
    content: Mapping[str, Any], judged: Opened, terms: Terms, told: Told
) -> tuple[list[Finding], str]:
    """Whether the episodes come again; where versions or processors differ, whether new ones say the same."""
    fresh = stated_anew(judged, terms, told)
    difference = first_difference({key: content.get(key) for key in fresh}, fresh)
    if not difference:
        return [_yes(EPISODES, "the episodes are the same, run again, to the last bit")], TO_THE_BIT
    others = differences(content.get("circumstances"), circumstances(0))
    if not others:
        return [_no(EPISODES, f"the episodes are others, run again here: {difference}")], ""
    findings = [_agreement(name, content["costs"][name], cost) for name, cost in fresh["costs"].items()]
    findings.append(_same_return(content["return"], fresh["return"]))
    why = f"the episodes are others here, by {'; '.join(others)}: {difference}"
    return [_yes(EPISODES, why), *findings], BY_BOUNDS


def _agreement(name: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> Finding:
    """Whether new episodes decide about a budget as it was decided, unless it was not, and bound it where it was."""
    words = (
        f"{name} was {there['verdict']} there (mean {shown(there['mean'])}) and is {here['verdict']} here "
        f"(mean {shown(here['mean'])})"
    )
    decided = there["verdict"] in ("undecided", here["verdict"])
    bounds = [(cost["simultaneous"]["lower"], cost["simultaneous"]["upper"]) for cost in (there, here)]
    if _meet(*bounds):
        return Finding(EPISODES, decided, words)
    return _no(EPISODES, f"{words}: the intervals lie apart")


def _same_return(there: Mapping[str, Any], here: Mapping[str, Any]) -> Finding:
    words = f"the return had the mean {shown(there['mean'])} there and has {shown(here['mean'])} here"
    if _meet(there["ci95"], here["ci95"]):
        return _yes(EPISODES, words)
    return _no(EPISODES, f"{words}: the intervals lie apart")


def _meet(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    """Whether two intervals share a number; null is no end, and one without width says nothing of other episodes."""
    (low, high), (least, most) = one, other
    if low == high or least == most:
        return True
    return (low is None or most is None or low <= most) and (least is None or high is None or least <= high)


def first_difference(told: Any, found: Any, where: str = "") -> str:
    """The first place at which two JSON values differ, and how; empty where they are the same, types included."""
    if isinstance(told, dict) and isinstance(found, dict):
        for key in [*found, *(key for key in told if key not in found)]:
            path = f"{where}/{key}" if where else str(key)
            if key not in told:
                return f"{path} is missing"
            if key not in found:
                return f"{path} is {shown(told[key])}, where there is none"
            if difference := first_difference(told[key], found[key], path):
                return difference
        return ""
    if isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
        for index, pair in enumerate(zip(told, found, strict=True)):
            if difference := first_difference(*pair, f"{where}/{index}"):
                return difference
        return ""
    same = type(told) is type(found) and told == found
    return "" if same else f"{where} is {shown(told)}, not {shown(found)}"
