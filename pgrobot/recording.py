"""Recording a run's policy: demonstrations that other runs learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from pgrobot.blame import blaming
from pgrobot.concurrency import one_torch_thread
from pgrobot.demonstrations import FILE, Demonstrations, Recorder, write_file
from pgrobot.episodes import Act
from pgrobot.errors import PgrobotError
from pgrobot.files import check_room
from pgrobot.given import Env
from pgrobot.named_run import checkpoint_of
from pgrobot.provenance import this_version
from pgrobot.randomness import stream
from pgrobot.ranges import at_least
from pgrobot.run.evaluation import EvaluationPlan, actor, at_rest, run_acting
from pgrobot.run.judgement import varied
from pgrobot.run.opened import config_again, opened
from pgrobot.types import EnvironmentSpec

_LEAST_ROOM = 4096  # bytes, for finding out whether the file can be written at all


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written.

    Attributes:
        path: the file.
        demonstrations: its content.
        broken: episodes that were left out, for their simulation broke.
    """

    path: Path
    demonstrations: Demonstrations
    broken: int


def record_run(
    run: Path,
    episodes: int,
    changes: Mapping[str, Any],
    checkpoint: str | int,
    output: Path,
    env: Env | None,
    modules: Sequence[str],
) -> Recorded:
    """Run whole episodes of a run's policy, those that its last evaluation would begin with, and keep them in a file.

    Args:
        run: its directory.
        episodes: how many.
        changes: ``mode``, ``seed``, ``variation``.
        checkpoint: as of ``pgrobot.load``.
        output: the file to write, or ``.``: ``<run>/demonstrations.pt``.
        env: of a run that was given its environment, that one again.
        modules: the user's own that the run's config names.

    Raises:
        PgrobotError: no such run or checkpoint; a value out of range; the file cannot be written. Nothing is written
            then, and a file that was there before stays as it is.
    """
    episodes = at_least(1)("episodes", episodes)
    policy_file = checkpoint_of(run, checkpoint)
    cfg = config_again(run, modules, changes)
    path = run / FILE if output == Path() else output
    if path.suffix != ".pt":
        raise PgrobotError(f"--output has to be a file that ends with .pt, not {path}")
    check_room(path, _LEAST_ROOM)
    chosen = cfg.evaluation
    plan = EvaluationPlan(
        episodes, "final", chosen.mode, chosen.confidence, chosen.bound, chosen.seed, cfg.threads
    )
    recorder = Recorder()
    with blaming(modules), one_torch_thread():
        shown = opened(cfg, run, policy_file, env)

        def acting(spec: EnvironmentSpec) -> Act:
            noise = stream(plan.seed, f"{plan.purpose}/action_noise")
            return recorder.around(actor(shown.policy, spec, plan.mode, noise))

        with at_rest(shown.policy):
            run_acting(shown.cfg, shown.task, acting, plan, [recorder])
    provenance = {
        "run": str(run.resolve()),
        "checkpoint": policy_file.name,
        "checkpoint_sha256": sha256(policy_file.read_bytes()).hexdigest(),
        "step": shown.step,
        "task": shown.spec.name,
        "mode": plan.mode,
        "seed": plan.seed,
        "variation": varied(shown.cfg),
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "made_by": this_version(),
    }
    demonstrations, broken = recorder.demonstrations(shown.spec, str(path), provenance)
    write_file(path, demonstrations)
    return Recorded(path, demonstrations, broken)
