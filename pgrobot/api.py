"""The Python interface: the same configs and the same runs as the command line.

>>> result = pgrobot.train(task="hopper", constraint=["speed"], seed=1, **{"constraint.speed.budget": 0.01})
>>> result.verdicts
{'speed': 'satisfied'}
>>> pgrobot.evaluate(result.path, episodes=500)["return"]["mean"]
"""

from __future__ import annotations

import math
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from pgrobot.assembly import build_environment, build_learners
from pgrobot.blame import blaming
from pgrobot.configure import search_path
from pgrobot.constraints import check_bound
from pgrobot.errors import PgrobotError, nearest
from pgrobot.overrides import quote
from pgrobot.run import (
    FINISHED,
    STOPPED,
    EvaluationPlan,
    Interrupted,
    Judged,
    Result,
    Surroundings,
    checked,
    fitting,
    judgement,
    load_checkpoint,
    one_torch_thread,
    prepare,
    read_result,
    repeats,
    run,
    saved_config,
    silence,
    silent_console,
    with_own_model,
)
from pgrobot.run_directory import find_checkpoint
from pgrobot.schemes import build_constraints

KEYWORDS = ("null", "true", "false", "nan", "inf")  # of Hydra's grammar


def train(*, quiet: bool = False, **settings: Any) -> Result:
    """Train a robot: ``pgrobot train`` from Python.

    Args:
        quiet: print nothing; what there is to tell stands in ``run.log``.
        settings: what the command line takes as ``key=value``. Dotted keys are given as ``**{"a.b": 1}`` or nested,
            ``evaluation={"episodes": 50}``; ``constraint={"speed": {"budget": 0.01}}`` selects ``speed`` and sets it.

    Raises:
        PgrobotError: what is wrong, in one sentence, before anything was created.
        Interrupted: Ctrl-C, a KeyboardInterrupt with the ``result`` so far; everything is saved. SIGTERM and SIGHUP end
            the program in the same way, with a SystemExit.
    """
    with silence() if quiet else nullcontext():
        request = prepare([*as_overrides(settings), *search_path([])])
        console = silent_console() if quiet else Console()
        result = run(request, Surroundings(tuple(sys.argv), "", 0, console))
    if result.exit_code == 128 + signal.SIGINT:
        raise Interrupted(result)
    if result.status == STOPPED:
        sys.exit(result.exit_code)
    return result


def compose(**settings: Any) -> DictConfig:
    """Compose and check the config of ``train(**settings)`` without running it; raises what that raises."""
    return prepare([*as_overrides(settings), *search_path([])]).cfg


def evaluate(
    run: str | Path | Result,
    *,
    checkpoint: str = "best",
    modules: Sequence[str] = (),
    **changes: Any,
) -> dict[str, Any]:
    """Judge a run's policy against its budgets: ``pgrobot evaluate`` from Python.

    With no changes it repeats the evaluation that ended the run, and says so: another ``seed`` judges anew.

    Args:
        run: a run directory, or what ``train`` returned.
        checkpoint: ``best``, ``last``, ``step_<n>``, or the path of one.
        modules: your own modules that the run's config may name.
        changes: ``episodes``, ``mode``, ``confidence``, ``bound`` or ``seed``, where they shall differ from the run's.

    Returns:
        What ``result.json`` tells of the last evaluation, and ``judged.repeats``: how many of the episodes are those
        of the evaluation that ended the run, ``all``, ``some`` or ``none``.

    Raises:
        PgrobotError: no such run or checkpoint, or it does not fit its config; a value out of range; one of
            ``modules`` raised.
    """
    known = ("episodes", "mode", "confidence", "bound", "seed")
    for key in changes:
        if key not in known:
            raise PgrobotError(f"evaluate takes no {key!r}: {nearest(key, known)}")
    directory = run.path if isinstance(run, Result) else Path(run)
    path = Path(checkpoint) if checkpoint.endswith(".pt") else find_checkpoint(directory, checkpoint)
    cfg = saved_config(directory)
    final = _last_evaluation(directory, cfg)
    cfg.modules = list(modules)
    saved = deepcopy(cfg)
    for key, value in changes.items():
        cfg.evaluation["final_episodes" if key == "episodes" else key] = value
    cfg = checked(cfg, directory, saved)
    chosen = cfg.evaluation
    state = load_checkpoint(path)
    with blaming(modules), one_torch_thread():
        cfg = with_own_model(cfg, directory)
        environment = build_environment(cfg, 1, 0, 1)
        spec = environment.spec
        environment.close()
        check_bound(build_constraints(cfg), spec.highest_cost, chosen.bound)
        learners = build_learners(cfg, spec, 1)
        with fitting(path, directory):
            policy = learners[state["acting"]].policy
            policy.load_state_dict(state["learners"][state["acting"]]["policy"])
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
        told = judgement(cfg, policy, plan, Judged(str(name), state["global_step"]))
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


def as_overrides(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as overrides of the command line.

    Raises:
        PgrobotError: a value that a config cannot hold.
    """
    return [line for key, value in settings.items() for line in _lines(key, value)]


def _lines(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, DictConfig):
        value = OmegaConf.to_container(value)
    if not isinstance(value, Mapping):
        yield f"{key}={_literal(key, value)}"
        return
    if key == "constraint":
        yield f"constraint=[{','.join(value)}]"
    for name, child in value.items():
        yield from _lines(f"{key}.{name}", child)


def _literal(key: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value)) if not math.isnan(value) else "nan"
    if isinstance(value, (str, Path)):
        return _word(str(value))
    if isinstance(value, Sequence):
        return f"[{','.join(_literal(key, child) for child in value)}]"
    raise PgrobotError(f"{key} is a {type(value).__name__}, which a config cannot hold")


def _word(text: str) -> str:
    """A string as Hydra reads it back: quoted where it could mean something else."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", text) and text.lower() not in KEYWORDS
    return text if plain else quote(text)
