"""Playing a run's policies, or a robot that has learnt nothing, into a film or a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from pgrobot.assembly import build_environment, build_learners
from pgrobot.blame import blaming
from pgrobot.configure import compose, search_path, validated
from pgrobot.errors import FailureError, PgrobotError, nearest
from pgrobot.film import Shot, agent, check_agent, film, frame_count, mechanics_of
from pgrobot.randomness import component_seed, stream
from pgrobot.run import checked, fitting, load_checkpoint, one_torch_thread, saved_config, with_own_model
from pgrobot.run.evaluation import DETERMINISTIC, STOCHASTIC, actor
from pgrobot.run_directory import find_checkpoint
from pgrobot.schemes import build_constraints
from pgrobot.targets import check_modules
from pgrobot.types import Environment

SECONDS = 10.0
MODES = (DETERMINISTIC, STOCHASTIC)
GYMNASIUM = "pgrobot.simulation.adapters.GymnasiumTask"


def play(
    run: str | Path,
    *,
    checkpoint: str = "best",
    compare: str | Path = "",
    seconds: float = SECONDS,
    mode: str = DETERMINISTIC,
    seed: int = -1,
    output: str | Path = "",
    modules: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Film policies of a run: ``pgrobot play`` from Python, which always films.

    They act in the environment that evaluations build, from its first episode on: a film with the run's own seed begins
    with the first episode that judged the run.

    Args:
        run: a run directory.
        checkpoint: ``best``, ``last``, ``early``, ``middle``, ``step_<n>`` or the path of one; several are separated by
            commas, and each gets a film. ``early`` is the first ``step_<n>``, ``middle`` that nearest to half of the
            last one.
        compare: another run, whose policy acts beside this one's on the same seed, whatever robot it has.
        seconds: simulated, and of each film.
        mode: ``deterministic``, the mean action, or ``stochastic``, drawn actions.
        seed: of the episodes; −1: that of the run's evaluations.
        output: where the film is written, by default ``<run>/videos/play_<step>.mp4``.
        modules: your own modules that the configs of the runs may name.

    Returns:
        The films.

    Raises:
        PgrobotError: no such run or checkpoint, or a value out of range.
        FailureError: this machine or the environment cannot draw, there is no ffmpeg, or the disk is full.
    """
    directory, films = Path(run), []
    frame_count(seconds)
    chosen = checkpoints(directory, checkpoint)
    if output and len(chosen) > 1:
        raise PgrobotError(
            f"one output, {output}, for {len(chosen)} films: leave it out, or ask for one checkpoint"
        )
    others = [checkpoints(Path(compare), word)[0] for word in checkpoint.split(",")] if compare else []
    for index, path in enumerate(chosen):
        with ExitStack() as stack:
            policies = [(directory, path)] + (
                [(Path(compare), others[min(index, len(others) - 1)])] if others else []
            )
            shots = [
                stack.enter_context(policy_shot(where, which, mode, seed, modules))
                for where, which in policies
            ]
            step = load_checkpoint(path)["global_step"]
            name = f"{_name(mode, seed, Path(compare) if compare else None)}_{step}.mp4"
            target = Path(output) if output else directory / "videos" / name
            with one_torch_thread():
                film(shots, target, seconds)
            films.append(target)
    return tuple(films)


def play_task(
    overrides: Sequence[str], agent_name: str, seconds: float, seed: int, output: str | Path = ""
) -> Path:
    """Film a robot that has learnt nothing.

    Args:
        overrides: of the config, as of ``pgrobot train``.
        agent_name: ``zero``, ``random`` or ``sine``.
        seconds: as of ``play``.
        seed: as of ``play``.
        output: where the film is written, by default ``videos/<task>_<agent>.mp4``.

    Raises:
        PgrobotError: there is no such agent or task, or what ``play`` raises.
    """
    frame_count(seconds)
    with task_shot(overrides, agent_name, seed) as shot:
        name = f"{shot.title.replace('/', '_')}_{agent_name}.mp4"
        target = Path(output) if output else Path("videos") / name
        film([shot], target, seconds)
    return target


@contextmanager
def policy_shot(run: Path, checkpoint: Path, mode: str, seed: int, modules: Sequence[str]) -> Iterator[Shot]:
    """A policy of a run in an environment of its own, open for so long; arguments and errors as of ``play``."""
    if mode not in MODES:
        raise PgrobotError(f"there is no mode {mode!r}: {nearest(mode, MODES)}")
    cfg = saved_config(run)
    check_modules(modules)
    cfg.modules = list(modules)
    cfg = checked(cfg, run, cfg.copy())
    chosen = cfg.evaluation.seed if seed < 0 else seed
    state = load_checkpoint(checkpoint)
    with blaming(modules), one_torch_thread():
        cfg = with_own_model(cfg, run)
        environment = drawable(cfg, component_seed(chosen, "final/environment"))
        try:
            learners = build_learners(cfg, environment.spec, 1)
            with fitting(checkpoint, run):
                policy = learners[state["acting"]].policy
                policy.load_state_dict(state["learners"][state["acting"]]["policy"])
            policy.requires_grad_(requires_grad=False)
            yield Shot(
                title=environment.spec.name,
                subtitle=f"step {state['global_step']:,} of {run.resolve().name}",
                environment=environment,
                act=actor(policy, environment.spec, mode, stream(chosen, "final/action_noise")),
                constraints=build_constraints(cfg),
                gamma=cfg.algorithm.discounts.cost,
            )
        finally:
            environment.close()


@contextmanager
def task_shot(overrides: Sequence[str], agent_name: str, seed: int) -> Iterator[Shot]:
    """A task with an agent that has learnt nothing; arguments and errors as of ``play_task``."""
    check_agent(agent_name)
    cfg = validated(compose([*overrides, *search_path([])]))
    chosen = cfg.evaluation.seed if seed < 0 else seed
    with blaming(cfg.modules):
        environment = drawable(cfg, component_seed(chosen, "final/environment"))
        try:
            yield Shot(
                title=environment.spec.name,
                subtitle=f"agent {agent_name}",
                environment=environment,
                act=agent(agent_name, environment.spec, component_seed(chosen, "agent")),
                constraints=build_constraints(cfg),
                gamma=cfg.algorithm.discounts.cost,
            )
        finally:
            environment.close()


def drawable(cfg: DictConfig, seed: int) -> Environment:
    """One environment of a task, made to draw itself where it is Gymnasium's and not MuJoCo's.

    Raises:
        PgrobotError: it cannot be built.
        FailureError: it cannot be built so that it draws itself.
    """
    environment = build_environment(cfg, 1, seed, 1)
    if (
        mechanics_of(environment) is not None
        or cfg.task._target_ != GYMNASIUM
        or "render_mode" in cfg.task.kwargs
    ):
        return environment
    environment.close()
    drawing = cfg.copy()
    OmegaConf.update(drawing, "task.kwargs.render_mode", "rgb_array", force_add=True)
    try:
        return build_environment(drawing, 1, seed, 1)
    except PgrobotError as error:
        raise FailureError(f"{environment.spec.name} cannot be drawn: {error}") from error


def checkpoints(run: Path, words: str) -> tuple[Path, ...]:
    """The checkpoints of a run that some words name, each once.

    Raises:
        PgrobotError: there is no such run or checkpoint.
    """
    if words.endswith(".pt"):
        return (Path(words),)
    found = [find_checkpoint(run, _resolved(run, word)) for word in words.split(",")]
    return tuple(dict.fromkeys(found))


def _resolved(run: Path, word: str) -> str:
    """The name of a checkpoint file for ``early`` and ``middle``; others are as they are."""
    if word not in ("early", "middle"):
        return word
    names = [path.stem.removeprefix("step_") for path in (run / "checkpoints").glob("step_*.pt")]
    steps = sorted(int(name) for name in names if name.isdecimal())
    if not steps:
        find_checkpoint(run, "last")  # says so where there is no run
        raise PgrobotError(
            f"{run} keeps no checkpoint of before its end, so none is {word}: best and last are there"
        )
    return f"step_{steps[0] if word == 'early' else min(steps, key=lambda step: abs(step - steps[-1] / 2))}"


def _name(mode: str, seed: int, compare: Path | None) -> str:
    parts = ["play"]
    if mode != DETERMINISTIC:
        parts.append(mode)
    if seed >= 0:
        parts.append(f"seed{seed}")
    if compare is not None:
        parts.append(f"beside_{compare.resolve().name}")
    return "_".join(parts)
