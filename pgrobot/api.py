"""The Python interface: the same configs and the same runs as the command line.

>>> result = pgrobot.train(task="hopper", constraint=["speed"], seed=1, **{"constraint.speed.budget": 0.01})
>>> result.verdicts
{'speed': 'satisfied'}
>>> pgrobot.evaluate(result.path, episodes=500)["return"]["mean"]
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from pgrobot.blame import blaming
from pgrobot.certificate import certify_run, find_certificate, untold, verify_certificate
from pgrobot.concurrency import one_torch_thread
from pgrobot.errors import PgrobotError, nearest
from pgrobot.given import Env
from pgrobot.named_run import checkpoint_of, directory_of, path_of
from pgrobot.porting import Port, port_run
from pgrobot.recording import record_run
from pgrobot.run import (
    FINISHED,
    Callback,
    EvaluationPlan,
    Interrupted,
    Iteration,
    Judged,
    Result,
    Surroundings,
    check_callback,
    config_again,
    judgement,
    nobody,
    opened,
    read_result,
    repeats,
    run,
    saved_config,
    silence,
    silent_console,
)
from pgrobot.run.from_python import requested
from pgrobot.run.robustness import robustness, swept
from pgrobot.run.robustness_shown import robustness_pictures
from pgrobot.settings import as_overrides
from pgrobot.tracking.gallery import keep

__all__ = ["Iteration", "certify", "compose", "evaluate", "port", "record", "train", "verify"]


def train(
    *,
    env: Env | None = None,
    evaluation_env: Env | None = None,
    callback: Callback | None = nobody,
    quiet: bool = False,
    **settings: Any,
) -> Result:
    """Train a robot: ``pgrobot train`` from Python.

    Args:
        env: an environment instead of a ``task``: a function without arguments that builds a new ``gymnasium.Env`` at
            every call, or an ``EnvSpec``. One environment by itself is trained in with ``num_envs=1``, and needs an
            ``evaluation_env`` beside it; it is not closed.
        evaluation_env: what evaluations take place in, where that is another; one environment by itself needs
            ``evaluation={"num_envs": 1}``.
        callback: called after every iteration with an ``Iteration``; it returns True to stop, and None or False to go
            on; None tells nobody. What it raises ends the run, saved, and is raised here.
        quiet: print nothing; what there is to tell stands in ``run.log``.
        settings: what the command line takes as ``key=value``. Dotted keys are given as ``**{"a.b": 1}`` or nested,
            ``evaluation={"episodes": 50}``; ``constraint={"speed": {"budget": 0.01}}`` selects ``speed`` and sets it.

    Returns:
        The run, finished, or stopped by the callback: ``train(resume=result.path)`` goes on with it, and so does
        ``train(resume=result.path, env=…)`` where it was given an ``env``.

    Raises:
        PgrobotError: what is wrong, in one sentence, before anything was created.
        Interrupted: Ctrl-C, a KeyboardInterrupt with the ``result`` so far; everything is saved. SIGTERM and SIGHUP end
            the program in the same way, with a SystemExit.
    """
    told = nobody if callback is None else callback
    check_callback(told)
    with silence() if quiet else nullcontext():
        request = requested(env, evaluation_env, settings)
        console = silent_console() if quiet else Console()
        result = run(request, Surroundings(tuple(sys.argv), "", "", 0, console, told))
    if result.exit_code == 128 + signal.SIGINT:
        raise Interrupted(result)
    if result.exit_code:
        sys.exit(result.exit_code)
    return result


def compose(*, env: Env | None = None, evaluation_env: Env | None = None, **settings: Any) -> DictConfig:
    """Compose and check the config of ``train(**settings)`` without running it; raises what that raises."""
    return requested(env, evaluation_env, settings).cfg


def evaluate(
    run: str | Path | Result,
    *,
    env: Env | None = None,
    checkpoint: str | int = "best",
    modules: Sequence[str] = (),
    sweep: Sequence[str] = (),
    **changes: Any,
) -> dict[str, Any]:
    """Judge a run's policy against its budgets: ``pgrobot evaluate`` from Python.

    With no changes it repeats the evaluation that ended the run, and says so: another ``seed`` judges anew.

    Args:
        run: a run directory, or what ``train`` returned.
        env: of a run that was given its environment: that of the evaluation, again, as ``train`` takes it. Another
            one with the same spaces shows how the policy does there.
        checkpoint: as of ``load``.
        modules: your own modules that the run's config may name.
        sweep: one or two entries of ``variation`` with the values that they shall have, as in
            ``["variation.mass=0.5:1.5:11"]``: the policy is evaluated at every point besides.
        changes: ``episodes``, ``mode``, ``confidence``, ``bound``, ``seed`` or ``variation`` (whether models vary),
            where they shall differ from the run's.

    Returns:
        What ``result.json`` tells of the last evaluation, and ``judged.repeats``: how many of the episodes are those
        of the evaluation that ended the run, ``all``, ``some`` or ``none``. With a ``sweep``, under that name the
        values of its ``axes`` and what came out at each of its ``cells``; a table and pictures of it are kept in the
        run directory.

    Raises:
        PgrobotError: no such run or checkpoint, or it does not fit its config; a value out of range; one of
            ``modules`` raised.
    """
    _check_changes("evaluate", changes, ("env", "checkpoint", "modules", "sweep"))
    directory = directory_of(run)
    path = checkpoint_of(directory, checkpoint)
    cfg = config_again(directory, modules, changes)
    final = _last_evaluation(directory, saved_config(directory))
    chosen, axes = cfg.evaluation, swept(sweep, cfg)
    with blaming(modules), one_torch_thread():
        judged = opened(cfg, directory, path, env)
        cfg, task, policy, step = judged.cfg, judged.task, judged.policy, judged.step
        plan = EvaluationPlan(
            chosen.final_episodes,
            "final",
            chosen.mode,
            chosen.confidence,
            chosen.bound,
            chosen.seed,
            cfg.threads,
        )
        name = path.relative_to(directory) if path.is_relative_to(directory) else path
        told = judgement(cfg, task, policy, plan, Judged(str(name), step))
        if axes:
            told["sweep"] = robustness(cfg, task, policy, plan, axes)
            for title, picture in robustness_pictures(told["sweep"], axes).items():
                keep(directory, step, title, picture)
    told["judged"]["repeats"] = repeats(told["judged"], final)
    return told


def certify(
    run: str | Path | Result, *, env: Env | None = None, modules: Sequence[str] = (), **changes: Any
) -> dict[str, Any]:
    """Certify a run's best policy: ``pgrobot certify`` from Python. See docs/certificate.md.

    Args:
        run: a run directory, or what ``train`` returned.
        env: as of ``evaluate``.
        modules: your own modules that the run's config may name.
        changes: ``episodes`` (the most that are drawn), ``mode``, ``confidence``, ``bound``, ``seed`` or ``variation``,
            where they shall differ from the run's.

    Returns:
        The certificate, which ``<run>/certificate.json`` holds.

    Raises:
        PgrobotError: no such run, or one without a best policy or budgets; a value out of range; one of ``modules``
            raised.
    """
    _check_changes("certify", changes, ("env", "modules"))
    return certify_run(directory_of(run), changes, env, modules, untold)


def record(
    run: str | Path | Result,
    *,
    env: Env | None = None,
    episodes: int = 20,
    checkpoint: str | int = "best",
    output: str | Path = "",
    modules: Sequence[str] = (),
    **changes: Any,
) -> Path:
    """Keep episodes of a run's policy as demonstrations: ``pgrobot record`` from Python. See docs/demonstrations.md.

    Args:
        run: a run directory, or what ``train`` returned.
        env: as of ``evaluate``.
        episodes: how many.
        checkpoint: as of ``load``.
        output: the file to write, ``<run>/demonstrations.pt`` where it is empty.
        modules: your own modules that the run's config may name.
        changes: ``mode``, ``seed`` or ``variation``, where they shall differ from the run's.

    Returns:
        The file, which ``pgrobot.demonstrations.read_demonstrations`` reads.

    Raises:
        PgrobotError: no such run or checkpoint; a value out of range; the file cannot be written.
    """
    for key in changes:
        if key not in (known := ("mode", "seed", "variation")):
            raise PgrobotError(
                f"record takes no {key!r}: {nearest(key, (*known, 'episodes', 'checkpoint', 'output'))}"
            )
    return record_run(directory_of(run), episodes, changes, checkpoint, Path(output), env, modules).path


def port(
    run: str | Path | Result,
    *,
    checkpoint: str | int = "best",
    output: str | Path = "",
    modules: Sequence[str] = (),
    **settings: Any,
) -> Port:
    """Map a run's policy onto another robot by names: ``pgrobot port`` from Python. See docs/transfer.md.

    Args:
        run: a run directory, or what ``train`` returned.
        checkpoint: of the run: ``best``, ``last``, a step or a path.
        output: the directory to write; by default ``<run>/ported/<task>``.
        modules: your own modules that the run's config, or the settings, may name.
        settings: which robot it is, as of ``train``: ``task``, ``variation``, ``wrapper``, ``constraint``.

    Returns:
        Its ``path``, which ``train(initialise={"run": path})`` begins as, and what was ``told``: what matched, what is
        new and what is gone.

    Raises:
        PgrobotError: what is wrong, in one sentence; nothing was written.
    """
    written = "" if output == "" else str(path_of("output", output, "a directory"))
    return port_run(
        directory_of(run), as_overrides(settings), str(checkpoint), output=written, modules=modules
    )


def verify(
    certificate: str | Path | Result,
    *,
    run: str | Path | Result | None = None,
    env: Env | None = None,
    modules: Sequence[str] = (),
    rerun: bool = True,
) -> dict[str, Any]:
    """Verify a certificate: ``pgrobot verify`` from Python. See docs/certificate.md.

    Args:
        certificate: the file, or the run that it lies in.
        run: the run that it is about, if it lies elsewhere.
        env: as of ``evaluate``.
        modules: your own modules that the run's config may name.
        rerun: whether to run the episodes again.

    Returns:
        Whether it ``holds``, and ``how``: ``equal to the last bit``, ``a fresh bound agrees`` or ``episodes not run
        again``; the ``findings``, each a ``check``, whether it ``holds`` and ``words``; and the ``verdict`` that the
        certificate states.

    Raises:
        PgrobotError: no such file, or none of this format; no run with a best policy.
    """
    named = path_of("certificate", getattr(certificate, "path", certificate), "a file or a run directory")
    file, directory = find_certificate(named, None if run is None else directory_of(run))
    found = verify_certificate(file, directory, env, modules, rerun=rerun, told=untold)
    return {
        "holds": found.holds,
        "how": found.how,
        "findings": [asdict(finding) for finding in found.findings],
        "verdict": found.certificate["verdict"],
    }


def _check_changes(verb: str, changes: Mapping[str, Any], others: Sequence[str]) -> None:
    known = ("episodes", "mode", "confidence", "bound", "seed", "variation")
    for key in changes:
        if key not in known:
            raise PgrobotError(f"{verb} takes no {key!r}: {nearest(key, (*known, *others))}")


def _last_evaluation(run: Path, cfg: DictConfig) -> dict[str, Any]:
    """What the evaluation that ended a run judged; empty where it has not ended."""
    result = read_result(run)
    if result.get("status") != FINISHED:
        return {}
    chosen = cfg.evaluation
    config = {"step": result["best_step"], "seed": chosen.seed, "episodes": chosen.final_episodes}
    return config | result.get("judged", {})
