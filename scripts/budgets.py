"""The budgets study: what an iteration measures of a cost, beside an evaluation of the very policy that it measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from measuring import CONSOLE, show, spread

from pgrobot.assembly import Assembly, build, build_environment
from pgrobot.concurrency import one_torch_thread
from pgrobot.configure import compose, validated
from pgrobot.episodes import evaluate
from pgrobot.randomness import component_seed, stream
from pgrobot.run.evaluation import actor
from pgrobot.schemes import LEARNER

EPISODES, EVERY = 64, 6  # of an evaluation; iterations between two
PER_EPISODE = tuple(
    f"constraint.{name}.{setting}"
    for name, budget in (("speed", 25.0), ("torque", 100.0))
    for setting in ("unit=episode", f"budget={budget}")
)


def budgets(robots: Sequence[str], seeds: int, steps: int) -> dict[str, Any]:
    """Measured and evaluated cost per episode of the constraints speed and torque, and the median relative error."""
    overrides = ("constraint=[speed,torque]", *PER_EPISODE, f"total_steps={steps}", "tracker=none")
    trainings, rows = [], []
    for robot in robots:
        for seed in range(1, seeds + 1):
            with one_torch_thread():
                told = list(compared(f"task={robot}", f"seed={seed}", *overrides))
            trainings.append({"robot": robot, "seed": seed, "iterations": told})
            for name in told[0]["measured"]:
                errors = [
                    abs(t["measured"][name] / e - 1.0) for t in told if (e := t["evaluated"][name]) > 0.0
                ]
                rows.append((f"{robot}, seed {seed}: {name}", *spread(errors)))
    show("Relative error of the measured cost", rows)
    return {"trainings": trainings}


def compared(*overrides: str) -> Iterator[dict[str, Any]]:
    """Every ``EVERY`` iterations of a training: measured and evaluated costs per episode, and prices."""
    cfg = validated(compose(overrides))
    assembly = build(cfg, 0)
    try:
        for iteration in range(assembly.iterations):
            rollout = assembly.collector.collect()[LEARNER]
            due = iteration % EVERY == 0
            evaluated = spent(cfg, assembly) if due else {}
            metrics = assembly.learners[LEARNER].update(rollout)
            if due:
                told = {
                    "iteration": iteration,
                    "measured": {name: metrics[f"cost/{name}/mean"] for name in evaluated},
                    "evaluated": evaluated,
                    "price": {name: metrics.get(f"multiplier/{name}", 0.0) for name in evaluated},
                }
                CONSOLE.print(told)
                yield told
    finally:
        assembly.environment.close()


def spent(cfg: Any, assembly: Assembly) -> dict[str, float]:
    """The mean cost of whole episodes of the present policy, by budget."""
    environment = build_environment(cfg, EPISODES, component_seed(cfg.seed, "budgets/environment"), 0)
    try:
        noise = stream(cfg.seed, "budgets/action_noise")
        act = actor(assembly.policy, environment.spec, "stochastic", noise)
        costs = evaluate(act, environment, EPISODES, cfg.algorithm.discounts.cost).costs.mean(axis=0)
        return dict(zip(environment.spec.costs, costs.tolist(), strict=True))
    finally:
        environment.close()
