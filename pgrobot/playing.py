"""Playing a run's policies, or a robot that has learnt nothing, into a film or a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pgrobot.blame import blaming
from pgrobot.concurrency import one_torch_thread
from pgrobot.configure import compose, search_path, validated
from pgrobot.errors import PgrobotError
from pgrobot.film import Shot, agent, check_agent, check_target, film, frame_count
from pgrobot.given import TARGET
from pgrobot.randomness import component_seed
from pgrobot.run import checked, load_checkpoint, saved_config, with_own_model
from pgrobot.run.filming import drawable, film_name, find_policy, policy_shot
from pgrobot.schemes import build_constraints
from pgrobot.targets import check_modules

SECONDS = 10.0


def play(
    run: str | Path,
    *,
    checkpoint: str = "best",
    compare: str | Path = "",
    seconds: float = SECONDS,
    mode: str = "",
    seed: int = -1,
    output: str | Path = "",
    modules: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Film policies of a run: ``pgrobot play`` from Python, which always films.

    They act in the environments of the evaluation that ends a run, of which the first is shown: in the run's own mode
    and with its own seed, the film of the policy that was judged begins with the first episode that judged the run.

    Args:
        run: a run directory.
        checkpoint: ``best``, ``last``, ``early``, ``middle``, ``step_<n>`` or the path of one; several are separated by
            commas, and each gets a film. ``early`` is the first ``step_<n>``, ``middle`` that nearest to half of the
            last one.
        compare: another run, whose policy acts beside this one's, in the same mode and on the same seed, whatever robot
            it has.
        seconds: simulated, and of each film.
        mode: ``deterministic``, the mean action, or ``stochastic``, drawn actions; by default that in which the run is
            judged, ``evaluation.mode``.
        seed: of the episodes; −1: that of the run's evaluations.
        output: where the film is written, by default ``<run>/videos/play_<mode>_<step>.mp4``.
        modules: your own modules that the configs of the runs may name.

    Returns:
        The films.

    Raises:
        PgrobotError: no such run or checkpoint, or a value out of range.
        FailureError: this machine or the environment cannot draw, there is no ffmpeg, or the disk is full.
    """
    frame_count(seconds)
    if str(output):
        check_target(Path(output))
    if seed < -1:
        raise PgrobotError(f"a seed is a whole number from 0 on, or −1 for that of the run, not {seed}")
    runs = (Path(run), *([Path(compare)] if str(compare) else []))
    words = [checkpoint] if checkpoint.endswith(".pt") else checkpoint.split(",")
    found = [tuple(find_policy(one, word) for one in runs) for word in words]
    steps = [tuple(int(load_checkpoint(path)["global_step"]) for path in paths) for paths in found]
    chosen = dict(zip(steps, found, strict=True))  # of names of one policy, as best and step_2048, the last
    if str(output) and len(chosen) > 1:
        raise PgrobotError(
            f"one output, {output}, for {len(chosen)} films: leave it out, or ask for one checkpoint"
        )
    if len({step for step, *_ in chosen}) < len(chosen):
        raise PgrobotError(
            f"two films of {checkpoint} would have one name, as {run} is at one step in both: ask one by one"
        )
    own = saved_config(runs[0]).evaluation
    mode, drawn_from = mode or own.mode, own.seed if seed < 0 else seed
    films = []
    for (step, *_), paths in chosen.items():
        name = f"{film_name(mode, seed, runs[1:])}_{step}.mp4"
        target = Path(output) if str(output) else runs[0] / "videos" / name
        with ExitStack() as stack:
            shots = [
                stack.enter_context(run_shot(one, path, mode, drawn_from, modules))
                for one, path in zip(runs, paths, strict=True)
            ]
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
    if str(output):
        check_target(Path(output))
    with task_shot(overrides, agent_name, seed) as shot:
        name = f"{shot.title.replace('/', '_')}_{agent_name}.mp4"
        target = Path(output) if str(output) else Path("videos") / name
        film([shot], target, seconds)
    return target


@contextmanager
def run_shot(run: Path, checkpoint: Path, mode: str, seed: int, modules: Sequence[str]) -> Iterator[Shot]:
    """A policy of a run in environments of its own, open for so long; arguments and errors as of ``play``."""
    cfg = saved_config(run)
    if cfg.task.get("_target_") == TARGET:
        raise PgrobotError(
            f"{run} was trained in an environment given from Python, which pgrobot play cannot build: train with "
            "film=10 for films of it, or let pgrobot.load(run) act in it"
        )
    check_modules(modules)
    cfg.modules = list(modules)
    cfg = checked(cfg, run, cfg.copy())
    with ExitStack() as stack:
        stack.enter_context(blaming(modules))
        stack.enter_context(one_torch_thread())
        cfg = with_own_model(cfg, run)
        mode = mode or cfg.evaluation.mode
        yield stack.enter_context(policy_shot(cfg, run, checkpoint, mode, seed))


@contextmanager
def task_shot(overrides: Sequence[str], agent_name: str, seed: int) -> Iterator[Shot]:
    """A task with an agent that has learnt nothing; arguments and errors as of ``play_task``."""
    check_agent(agent_name)
    cfg = validated(compose([*overrides, *search_path([])]))
    chosen = cfg.evaluation.seed if seed < 0 else seed
    with blaming(cfg.modules):
        environment = drawable(cfg, 1, component_seed(chosen, "final/environment"), 1)
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
