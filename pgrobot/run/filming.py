"""Filming the policies of a run: its checkpoints in the environment that evaluations build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from pgrobot.assembly import TaskMaker, build_environment, configured, judging
from pgrobot.errors import FailureError, PgrobotError, nearest
from pgrobot.film import Shot, film, mechanics_of
from pgrobot.named_run import checkpoint_of
from pgrobot.past import fitting, load_checkpoint
from pgrobot.pictures import Video
from pgrobot.randomness import component_seed, stream
from pgrobot.run.evaluation import DETERMINISTIC, STOCHASTIC, actor, side_by_side
from pgrobot.run_directory import find_checkpoint
from pgrobot.schemes import build_constraints, cast, policies_of, restored
from pgrobot.simulation.adapters import GymnasiumTask
from pgrobot.simulation.adapters.serial import SerialEnvironment
from pgrobot.simulation.wrappers import innermost
from pgrobot.types import Environment

MODES = (DETERMINISTIC, STOCHASTIC)
STORY = ("early", "middle", "best")


def film_story(cfg: DictConfig, run: Path, task: TaskMaker, seconds: float) -> dict[str, Video]:
    """Film the early, the middle and the best policy of a run into its directory, each policy once.

    They act in the mode in which the run is judged.

    Args:
        cfg: of the run, with its own model.
        run: its directory.
        task: of its evaluations.
        seconds: of each film.

    Returns:
        The films, by ``play/<word>``.

    Raises:
        PgrobotError: this machine or the environment cannot draw, there is no ffmpeg, or the disk is full.
    """
    mode = cfg.evaluation.mode
    films: dict[str, Video] = {}
    filmed: set[int] = set()
    for word in STORY:
        if word != "best" and not _steps(run):
            continue
        checkpoint = find_policy(run, word)
        step = int(load_checkpoint(checkpoint)["global_step"])
        if step in filmed:
            continue
        filmed.add(step)
        with policy_shot(cfg, run, checkpoint, mode, -1, task) as shot:
            path = run / "videos" / f"{film_name(mode, -1)}_{step}.mp4"
            film([shot], path, seconds)
        films[f"play/{word}"] = Video(path, f"the policy of step {step:,}, {mode}")
    return films


@contextmanager
def policy_shot(
    cfg: DictConfig,
    run: Path,
    checkpoint: Path,
    mode: str,
    seed: int,
    task: TaskMaker = configured,
) -> Iterator[Shot]:
    """A policy in environments of its own, which are open for so long.

    They are as many as in the evaluation that ends a run, with its random streams: in the run's own mode and with its
    own seed, the policy that was judged begins with the first episode that judged it, to the last bit. Fewer
    environments would be shown other noise, for all share one stream of it.

    Args:
        cfg: of the run, with its own model.
        run: its directory.
        checkpoint: the file that holds the policy.
        mode: ``deterministic`` or ``stochastic``.
        seed: of all streams; −1: that of the run's evaluations.
        task: that it acts in.

    Raises:
        PgrobotError: there is no such mode, the checkpoint does not fit, or the task cannot be built.
    """
    if mode not in MODES:
        raise PgrobotError(f"there is no mode {mode!r}: {nearest(mode, MODES)}")
    chosen = cfg.evaluation.seed if seed < 0 else seed
    state = load_checkpoint(checkpoint)
    count = side_by_side(cfg, cfg.evaluation.final_episodes)
    environment = drawable(cfg, count, component_seed(chosen, "final/environment"), cfg.threads, task)
    try:
        scheme, learners = cast(cfg, environment.spec, 1)
        with fitting(checkpoint, run):
            policy = restored(scheme, policies_of(learners), state)
        policy.requires_grad_(requires_grad=False).eval()
        yield Shot(
            title=environment.spec.name,
            subtitle=f"{mode}, step {state['global_step']:,} of {run.resolve().name}",
            environment=environment,
            act=actor(policy, environment.spec, mode, stream(chosen, "final/action_noise")),
            constraints=build_constraints(cfg),
            gamma=cfg.algorithm.discounts.cost,
        )
    finally:
        environment.close()


def drawable(
    cfg: DictConfig, count: int, seed: int, threads: int, task: TaskMaker = configured
) -> Environment:
    """``count`` environments of a task, made to draw themselves where they are Gymnasium's and not MuJoCo's.

    Raises:
        PgrobotError: it cannot be built.
        FailureError: it cannot be built so that it draws itself.
    """
    environment = build_environment(cfg, count, seed, threads, task, judging(cfg))
    inner = innermost(environment)
    if mechanics_of(environment) is not None or not isinstance(task(cfg), GymnasiumTask):
        return environment
    if not isinstance(inner, SerialEnvironment) or inner.instance(0).render_mode is not None:
        return environment
    environment.close()
    drawing = cfg.copy()
    OmegaConf.update(drawing, "task.kwargs.render_mode", "rgb_array", force_add=True)
    try:
        return build_environment(drawing, count, seed, threads, task, judging(cfg))
    except PgrobotError as error:
        raise FailureError(f"{environment.spec.name} cannot be drawn: {error}") from error


def find_policy(run: Path, word: str) -> Path:
    """The checkpoint that a word names: what ``checkpoint_of`` takes, ``early`` or ``middle``.

    ``early`` is the first ``step_<n>`` of a run, ``middle`` that nearest to half of the last one.

    Raises:
        PgrobotError: there is no such run or checkpoint.
    """
    if word not in ("early", "middle"):
        return checkpoint_of(run, word)
    steps = _steps(run)
    if not steps:
        find_checkpoint(run, "last")  # says so where there is no run
        raise PgrobotError(f"{run} keeps no step_<n>, so no checkpoint is {word}: best and last are there")
    step = steps[0] if word == "early" else min(steps, key=lambda n: abs(n - steps[-1] / 2))
    return find_checkpoint(run, f"step_{step}")


def film_name(mode: str, seed: int, beside: Sequence[Path] = ()) -> str:
    """What a film of a run is called, without the step."""
    others = [f"beside_{run.resolve().name}" for run in beside]
    return "_".join(["play", mode, *([f"seed{seed}"] * (seed >= 0)), *others])


def _steps(run: Path) -> list[int]:
    """The steps of a run's numbered checkpoints, in order."""
    names = [path.stem.removeprefix("step_") for path in (run / "checkpoints").glob("step_*.pt")]
    return sorted(int(name) for name in names if name.isdecimal())
