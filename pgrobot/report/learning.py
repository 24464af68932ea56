"""How it went: return and length of episodes, costs against their budgets, prices, reward terms, and the optimiser."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pgrobot.constraints import UNITS
from pgrobot.figures import Limit, Points, bars
from pgrobot.numerals import numeral
from pgrobot.report.drawing import Drawing, Sentence, over_time
from pgrobot.report.history import History
from pgrobot.report.reading import Story, number

NONE_ENDED = " None of the training has yet: the diamonds are evaluations."
ANY, NOT_NEGATIVE, SHARE = (-math.inf, math.inf), (0.0, math.inf), (0.0, 1.0)
LEAST = -1.0  # share of the variance below which a critic is as useless as it gets


def curves(story: Story) -> Iterator[Drawing | Sentence]:
    """Return and length of episodes, every cost against its budget, and the prices."""
    if len(story.history.known("evaluation/return/mean")[0]):
        yield Sentence(_apart(story))
    yield from returns(story)
    yield from costs(story)


def returns(story: Story) -> Iterator[Drawing]:
    """Return and length of episodes."""
    history = story.history
    points = _evaluated(history, "return")
    yield from over_time(
        history,
        "return",
        {"return/mean": "training"},
        "reward per episode",
        "Return",
        "Undiscounted, of the episodes that ended." + ("" if history.tells("return/mean") else NONE_ENDED),
        points=points,
    )
    limit = number(story.spec.get("max_episode_steps"))
    yield from over_time(
        history,
        "episode_length",
        {"episode_length/mean": "training"},
        "steps",
        "Episode length",
        "Mean length of the episodes that ended.",
        within=(0.0, limit if limit > 0.0 else math.inf),
    )


def costs(story: Story) -> Iterator[Drawing]:
    """Every cost against its budget, and the prices."""
    history = story.history
    names = history.between("cost/", "/budget")
    for name in names:
        scheduled, told = f"cost/{name}/budget", {f"cost/{name}/mean": "training"}
        final = number(_constraint(story, name).get("budget"))
        budget = history.last(scheduled) if math.isnan(final) else final
        if np.nanmax(history.columns[scheduled]) > budget:  # it was looser before
            told[scheduled] = "its budget then"
        points = _evaluated(history, f"cost/{name}")
        yield from over_time(
            history,
            f"cost_{name}",
            told,
            _unit(story, name),
            f"Cost: {name}",
            "What an episode spends, those still running counted. Shaded: above the budget.",
            limits=[Limit(f"budget {numeral(budget)}", budget)],
            points=points,
            within=NOT_NEGATIVE,
        )
    yield from _prices(history)


def _prices(history: History) -> Iterator[Drawing]:
    """What each cost is charged; of a solver that keeps to budgets by itself, its duals and what its steps were for."""
    duals = {f"step/dual/{name}": name for name in history.between("step/dual/", "")}
    if not duals:
        yield from over_time(
            history,
            "multipliers",
            {f"multiplier/{name}": name for name in history.between("multiplier/", "")},
            "reward per cost",
            "Multipliers",
            "What a unit of each cost is charged in the policy's objective.",
            within=NOT_NEGATIVE,
        )
        return
    yield from over_time(
        history,
        "duals",
        duals,
        "advantage per cost",
        "Duals",
        "What a step would gain by a unit more of each budget, in standardised advantage; 0 in a recovery.",
        within=NOT_NEGATIVE,
    )
    yield from over_time(
        history,
        "step_cases",
        {f"step/case/{name}": name for name in history.between("step/case/", "")},
        "1: this one",
        "What steps were for",
        "free: no budget limits it. bound: one does. restoring: one is exceeded, and made up for. "
        "recovery: it cannot be made up for, and nothing else is sought.",
        within=SHARE,
    )


def rewards(story: Story) -> Iterator[Drawing]:
    """Which term of the reward pays."""
    history = story.history
    terms = {name: history.columns[f"reward/{name}/mean"] for name in history.between("reward/", "/mean")}
    yield from over_time(
        history,
        "reward_terms",
        {f"reward/{name}/mean": name for name in terms},
        "reward per step",
        "Reward by term",
        "Mean per step; together they are the reward.",
    )
    if not terms or not len(history.steps):
        return
    part = max(1, len(history.steps) // 10)
    groups = {
        "first tenth": [_mean(values[:part]) for values in terms.values()],
        "last tenth": [_mean(values[-part:]) for values in terms.values()],
    }
    told = "; ".join(
        f"{name} {numeral(early)}, then {numeral(late)}"
        for name, early, late in zip(terms, *groups.values(), strict=True)
    )
    yield Drawing(
        "reward_shares",
        bars(list(terms), groups, "reward per step", "What the reward is made of"),
        "Mean per step over the first and the last tenth of the training.",
        f"Reward per step by term, in the first and the last tenth: {told}.",
        wide=False,
        drawn=True,
    )


def optimiser(story: Story) -> Iterator[Drawing]:
    """Whether steps are of a sensible size, and the critic is of use."""
    history = story.history
    explained = {
        name: np.maximum(values, LEAST)
        for name, values in history.columns.items()
        if name.startswith("critic/explained_variance/")
    }
    history = replace(history, columns={**history.columns, **explained})
    columns = {f"critic/explained_variance/{c}": c for c in history.between("critic/explained_variance/", "")}
    for name, metrics, unit, title, note, within in (
        (
            "kl",
            {"policy/kl": "update", "policy/kl_normalizer": "normaliser"},
            "nats",
            "Divergence per iteration",
            "How far the policy moves, by its update and by what its normaliser takes in.",
            ANY,
        ),
        (
            "clip_fraction",
            {"policy/clip_fraction": "clipped"},
            "share of samples",
            "Clipped samples",
            "Large for long: steps are too large.",
            SHARE,
        ),
        (
            "std",
            {"policy/std": "std"},
            "half an actuator's range",
            "Standard deviation of actions",
            "At a bound it no longer moves.",
            NOT_NEGATIVE,
        ),
        (
            "entropy",
            {"policy/entropy": "entropy"},
            "nats",
            "Entropy of actions",
            "It falls as the policy makes up its mind.",
            ANY,
        ),
        (
            "explained_variance",
            columns,
            "share",
            "What the critic predicts",
            "Share of its targets' variance: 1 is perfect, 0 no better than a constant, −1 is drawn for all below.",
            (LEAST, 1.0),
        ),
        (
            "gradient_norm",
            {"gradient/policy_norm": "policy", "gradient/critic_norm": "critic"},
            "norm",
            "Norm of the gradients",
            "Before they are clipped.",
            NOT_NEGATIVE,
        ),
        (
            "throughput",
            {"time/env_steps_per_s": "throughput"},
            "steps per second",
            "Throughput",
            "Environment steps per second, learning included.",
            NOT_NEGATIVE,
        ),
    ):
        yield from over_time(history, name, metrics, unit, title, note, within=within)


def _apart(story: Story) -> str:
    """Why training and evaluation differ."""
    mode = str(_part(story.config, "evaluation").get("mode", ""))
    return (
        "Training and evaluation differ. A curve is of actions that explore, by a policy that changes meanwhile, and "
        "return and length are of the episodes that ended in an iteration; there is a gap where none did. A diamond is "
        f"the policy of that step, frozen{', ' * bool(mode)}{mode}, over whole episodes; a bar leads up to the bound "
        "that has to keep to the budget."
    )


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def _constraint(story: Story, cost: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = story.config.get("constraint", {}).get(cost, {})
    return found


def _unit(story: Story, cost: str) -> str:
    unit = _constraint(story, cost).get("unit", "")
    return {"probability": "share of episodes"}.get(unit, f"cost {UNITS.get(unit, '')}".strip())


def _evaluated(history: History, what: str) -> list[Points]:
    steps, means = history.known(f"evaluation/{what}/mean")
    if not len(steps):
        return []
    upper = history.columns.get(f"evaluation/{what}/upper", np.full(len(history.steps), np.nan))
    at = np.isin(history.steps, steps)
    above = np.nan_to_num(upper[at] - means, nan=0.0, posinf=0.0, neginf=0.0)
    return [Points("evaluation", steps, means, np.maximum(above, 0.0))]


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
