"""What policies spend of every cost: one that draws from all it can do, and one that was trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from pgrobot.assembly import build_environment, configured, judging
from pgrobot.blame import blaming
from pgrobot.concurrency import one_torch_thread
from pgrobot.configure import compose, search_path, validated
from pgrobot.constraints import Constraint
from pgrobot.episodes import Episodes
from pgrobot.errors import PgrobotError
from pgrobot.film import agent
from pgrobot.given import TARGET
from pgrobot.named_run import checkpoint_of
from pgrobot.past import fitting, load_checkpoint, saved_config
from pgrobot.randomness import component_seed
from pgrobot.run import EvaluationPlan, checked, with_own_model
from pgrobot.run.evaluation import run_acting, run_episodes
from pgrobot.schemes import build_constraints, cast, policies_of, restored
from pgrobot.signatures import takes
from pgrobot.targets import check_modules, locate, targets
from pgrobot.types import EnvironmentSpec

RANDOM = "random"
QUANTILES = (5, 25, 50, 75, 95)  # per cent


@dataclass(frozen=True, slots=True)
class Probe:
    """How to probe.

    Attributes:
        episodes: of each policy, at least 2.
        seed: of all streams; −1: that of evaluations.
        mode: of a trained policy, ``stochastic`` or ``deterministic``; empty: that in which its run is judged.
    """

    episodes: int
    seed: int
    mode: str

    def plan(self, cfg: DictConfig) -> EvaluationPlan:
        """The evaluation in the environments of a config; raises PgrobotError where it is out of range."""
        if self.episodes < 2:
            raise PgrobotError(
                f"quantiles are of several episodes: --episodes has to be at least 2, not {self.episodes}"
            )
        chosen = cfg.evaluation
        seed = chosen.seed if self.seed < 0 else self.seed
        mode = self.mode or chosen.mode
        return EvaluationPlan(
            self.episodes, "probe", mode, chosen.confidence, chosen.bound, seed, cfg.threads
        )


def probe_task(overrides: Sequence[str], probe: Probe) -> dict[str, Any]:
    """Probe a task before anything is trained.

    Args:
        overrides: of the config, as of ``pgrobot train``.
        probe: how.

    Returns:
        The ``task``, and what ``spending`` says by ``policies``: of ``random``; with the ``notes`` on it.

    Raises:
        PgrobotError: there is no such task, or nothing is limited.
    """
    cfg = validated(compose([*overrides, *search_path([])]))
    with blaming(cfg.modules), one_torch_thread():
        _check_limited(cfg)
        return _told(cfg, {RANDOM: _random(cfg, probe.plan(cfg))}, ())


def probe_run(run: Path, checkpoint: str, probe: Probe, modules: Sequence[str]) -> dict[str, Any]:
    """Probe the task of a run, with a policy of it beside the random one; the rest is as of ``probe_task``.

    Args:
        run: a run directory.
        checkpoint: ``best``, ``last``, ``step_<n>`` or a path.
        probe: how.
        modules: your own modules that the run's config may name.
    """
    path = checkpoint_of(run, checkpoint)
    cfg = saved_config(run)
    if cfg.task.get("_target_") == TARGET:
        raise PgrobotError(
            f"{run} was trained in an environment given from Python, which pgrobot probe cannot build"
        )
    check_modules(modules)
    cfg.modules = list(modules)
    cfg = checked(cfg, run, cfg.copy())
    with blaming(modules), one_torch_thread():
        _check_limited(cfg)
        cfg = with_own_model(cfg, run)
        plan = probe.plan(cfg)
        with _environment(cfg) as spec:
            scheme, learners = cast(cfg, spec, 1)
        with fitting(path, run):
            policy = restored(scheme, policies_of(learners), load_checkpoint(path))
        found = {RANDOM: _random(cfg, plan), path.stem: run_episodes(cfg, configured, policy, plan)}
        return _told(cfg, found, enforced(cfg))


def spending(episodes: Episodes, constraints: Sequence[Constraint]) -> dict[str, dict[str, Any]]:
    """What episodes spend of every cost, by the constraint's name.

    ``mean`` is what is compared with the ``budget`` in its ``unit``. ``quantiles`` are of single episodes, by per cent:
    of the sum (``episode``; ``probability``, whose ``limit`` it is compared with), of the discounted sum
    (``discounted``), or of the cost per step (``step``). ``within`` is the share of episodes that each keep to the
    budget, or to the limit, by themselves.
    """
    told = {}
    for k, constraint in enumerate(constraints):
        total = episodes.costs[:, k]
        each, most = total, constraint.budget
        mean = float(total.mean())
        match constraint.unit:
            case "step":
                each, mean = total / episodes.lengths, float(total.sum() / episodes.lengths.sum())
            case "discounted":
                each, mean = episodes.discounted[:, k], float(episodes.discounted[:, k].mean())
            case "probability":
                most, mean = constraint.limit, float((total > constraint.limit).mean())
        told[constraint.name] = {
            "unit": constraint.unit,
            "budget": constraint.budget,
            "limit": constraint.limit,
            "mean": mean,
            "quantiles": {str(q): float(np.percentile(each, q)) for q in QUANTILES},
            "within": float((each <= most).mean()),
            "largest": float(each.max()),
        }
    return told


def enforced(cfg: DictConfig) -> tuple[str, ...]:
    """What of a checked config keeps its policy to budgets; empty where nothing does."""
    found = []
    for path, node in targets(OmegaConf.to_container(cfg)):
        part = locate(path, node["_target_"], list(cfg.modules))
        if path == "multiplier" and getattr(part, "prices", True):
            found.append("its multiplier")
        elif path.startswith("algorithm.") and getattr(part, "keeps_budgets", False):
            found.append("its algorithm")
        elif path.startswith("wrapper.") and takes(part, "constraints"):
            found.append(path)
    return tuple(dict.fromkeys(found))


def _random(cfg: DictConfig, plan: EvaluationPlan) -> Episodes:
    def acting(spec: EnvironmentSpec) -> Any:
        return agent(RANDOM, spec, component_seed(plan.seed, f"{plan.purpose}/random"))

    return run_acting(cfg, configured, acting, plan)


@contextmanager
def _environment(cfg: DictConfig) -> Iterator[EnvironmentSpec]:
    environment = build_environment(cfg, 1, 0, 1, configured, judging(cfg))
    try:
        yield environment.spec
    finally:
        environment.close()


def _check_limited(cfg: DictConfig) -> None:
    if not cfg.constraint:
        raise PgrobotError(
            "nothing is limited here, so there is nothing to probe: choose costs, as in 'constraint=[speed,torque]'"
        )


def _told(cfg: DictConfig, found: Mapping[str, Episodes], keepers: Sequence[str]) -> dict[str, Any]:
    constraints = build_constraints(cfg)
    policies = {
        name: {
            "return": float(episodes.returns.mean()),
            "episode_length": float(episodes.lengths.mean()),
            "failures": len(episodes.failures),
            "costs": spending(episodes, constraints),
        }
        for name, episodes in found.items()
    }
    first = next(iter(found.values()))
    return {
        "episodes": len(first.returns),
        "episode_limit": first.max_episode_steps,
        "policies": policies,
        "notes": [*_constrained(keepers), *_idle(policies)],
    }


def _constrained(keepers: Sequence[str]) -> Iterator[str]:
    if keepers:
        yield (
            f"The trained policy was kept to these budgets by {' and '.join(keepers)}: what one spends that nothing "
            "keeps to them is shown by a run with multiplier=none, and no wrapper or algorithm that enforces budgets."
        )


def _idle(policies: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Costs that never occur, and budgets that no episode comes near."""
    for name in next(iter(policies.values()))["costs"]:
        costs = [policy["costs"][name] for policy in policies.values()]
        if all(cost["largest"] == 0.0 for cost in costs):
            yield (
                f"{name} cost nothing in any of these episodes: either none of them comes near it, or "
                f"constraint.{name}.cost does not ask for what is meant."
            )
        elif all(cost["within"] == 1.0 for cost in costs):
            yield f"Every episode keeps to the budget of {name} as it is: it limits only what spends more than these."
