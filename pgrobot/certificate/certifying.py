"""Certifying a run's best policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from pgrobot.blame import blaming
from pgrobot.certificate.document import FORMAT, NAME, read_certificate, write_certificate
from pgrobot.certificate.fingerprints import circumstances, fingerprints
from pgrobot.certificate.sampling import Told, sample
from pgrobot.certificate.statement import statement
from pgrobot.certificate.terms import MOST, Terms, check_terms, planned_looks
from pgrobot.concurrency import one_torch_thread
from pgrobot.errors import PgrobotError
from pgrobot.files import check_room
from pgrobot.given import Env
from pgrobot.run.judgement import varied
from pgrobot.run.opened import Opened, config_again, opened
from pgrobot.run_directory import find_checkpoint
from pgrobot.schemes import build_constraints

ROOM = 300  # bytes of the file for an episode, more or less


def certify_run(
    run: Path, changes: Mapping[str, Any], env: Env | None, modules: Sequence[str], told: Told
) -> dict[str, Any]:
    """Certify the best policy of a run, and write ``<run>/certificate.json``.

    Args:
        run: its directory.
        changes: ``episodes`` (the most), ``mode``, ``confidence``, ``bound``, ``seed``, ``variation``.
        env: of a run that was given its environment, that one again.
        modules: the user's own that its config names.
        told: hears of every look.

    Returns:
        The certificate, as the file has it but for its seal.

    Raises:
        PgrobotError: no such run, or one without a best policy or budgets; a value out of range.
    """
    best = find_checkpoint(run, "best")
    cfg = config_again(run, modules, {"episodes": MOST, **changes})
    terms = terms_asked(cfg)
    check_terms(cfg, tuple(build_constraints(cfg)), terms)
    check_room(run / NAME, ROOM * terms.looks[-1])
    with blaming(modules), one_torch_thread():
        about = fingerprints(run)
        judged = opened(cfg, run, best, env)
        stated = stated_anew(judged, terms, told)
    content = {
        "format": FORMAT,
        "verdict": stated.pop("verdict"),
        "claim": stated.pop("claim"),
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        **about,
        "circumstances": circumstances(int(cfg.threads)),
        "earlier": _earlier(run / NAME, about["policy"]["sha256"], stated["terms"]),
        **stated,
    }
    write_certificate(run / NAME, content)
    return content


def terms_asked(cfg: DictConfig) -> Terms:
    """The terms that a config asks for, whose last evaluation has as many episodes as there may be."""
    chosen = cfg.evaluation
    return Terms(
        mode=chosen.mode,
        bound=chosen.bound,
        confidence=float(chosen.confidence),
        looks=planned_looks(int(chosen.final_episodes)),
        seed=int(chosen.seed),
        variation=varied(cfg),
    )


def stated_anew(judged: Opened, terms: Terms, told: Told) -> dict[str, Any]:
    """Draw the episodes, and state what they say; the same terms give the same statement."""
    constraints = tuple(build_constraints(judged.cfg))
    batches = sample(judged.cfg, judged.task, judged.policy, constraints, terms, told)
    return statement(batches, constraints, terms, judged.spec.costs)


def _earlier(path: Path, policy: str, terms: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What earlier certificates said of the same policy on other terms: who tries until one satisfies has to say so."""
    try:
        content = read_certificate(path)
        told = [*content["earlier"], {"terms": content["terms"], "verdict": content["verdict"]}]
        same = content["policy"]["sha256"] == policy
        return [other for other in told if other["terms"] != terms] if same else []
    except (PgrobotError, KeyError, TypeError):
        return []
