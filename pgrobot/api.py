"""The Python interface: the same configs and the same runs as the command line.

>>> result = pgrobot.train(task="hopper", constraint=["speed"], seed=1, **{"constraint.speed.budget": 0.01})
>>> result.verdicts
{'speed': 'satisfied'}
>>> pgrobot.evaluate(result.path, episodes=500)["return"]["mean"]
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from pgrobot.assembly import build_environment, configured
from pgrobot.blame import blaming
from pgrobot.concurrency import one_torch_thread
from pgrobot.constraints import check_bound
from pgrobot.errors import PgrobotError, nearest
from pgrobot.given import Env
from pgrobot.named_run import checkpoint_of, directory_of
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
    checked,
    fitting,
    judgement,
    load_checkpoint,
    nobody,
    read_result,
    repeats,
    run,
    saved_config,
    silence,
    silent_console,
    with_own_model,
)
from pgrobot.run.from_python import given_again, requested
from pgrobot.run.robustness import robustness, swept
from pgrobot.run.robustness_shown import robustness_pictures
from pgrobot.schemes import build_constraints, cast, policies_of, restored
from pgrobot.tracking.gallery import keep

__all__ = ["Iteration", "compose", "evaluate", "train"]


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
    known = ("episodes", "mode", "confidence", "bound", "seed", "variation")
    for key in changes:
        if key not in known:
            raise PgrobotError(
                f"evaluate takes no {key!r}: {nearest(key, (*known, 'env', 'checkpoint', 'modules', 'sweep'))}"
            )
    directory = directory_of(run)
    path = checkpoint_of(directory, checkpoint)
    cfg = saved_config(directory)
    final = _last_evaluation(directory, cfg)
    cfg.modules = list(modules)
    saved = deepcopy(cfg)
    for key, value in changes.items():
        cfg.evaluation["final_episodes" if key == "episodes" else key] = value
    cfg = checked(cfg, directory, saved)
    chosen, axes = cfg.evaluation, swept(sweep, cfg)
    state = load_checkpoint(path)
    with blaming(modules), one_torch_thread():
        cfg = with_own_model(cfg, directory)
        task = configured if env is None else given_again(env, cfg, directory)
        environment = build_environment(cfg, 1, 0, 1, task)
        spec = environment.spec
        environment.close()
        check_bound(build_constraints(cfg), spec.highest_cost, chosen.bound)
        scheme, learners = cast(cfg, spec, 1)
        with fitting(path, directory):
            policy = restored(scheme, policies_of(learners), state)
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
        told = judgement(cfg, task, policy, plan, Judged(str(name), state["global_step"]))
        if axes:
            told["sweep"] = robustness(cfg, task, policy, plan, axes)
            for title, picture in robustness_pictures(told["sweep"], axes).items():
                keep(directory, state["global_step"], title, picture)
    told["judged"]["repeats"] = repeats(told["judged"], final)
    return told


def _last_evaluation(run: Path, cfg: DictConfig) -> dict[str, Any]:
    """What the evaluation that ended a run judged; empty where it has not ended."""
    result = read_result(run)
    if result.get("status") != FINISHED:
        return {}
    chosen = cfg.evaluation
    config = {"step": result["best_step"], "seed": chosen.seed, "episodes": chosen.final_episodes}
    return config | result.get("judged", {})
