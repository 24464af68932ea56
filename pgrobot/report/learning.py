"""How it went: return and length of episodes, costs against their budgets, prices, reward terms, and the optimiser."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pgrobot.constraints import UNITS
from pgrobot.figures import Limit, Points, bars
from pgrobot.numerals import numeral
from pgrobot.report.drawing import Drawing, over_time
from pgrobot.report.history import History
from pgrobot.report.reading import Story

LEAST = -1.0  # share of the variance below which a critic is as useless as it gets


def curves(story: Story) -> Iterator[Drawing]:
    """Return and length of episodes, every cost against its budget, and the prices."""
    yield from returns(story)
    yield from costs(story)


def returns(story: Story) -> Iterator[Drawing]:
    """Return and length of episodes."""
    history = story.history
    yield from over_time(
        history,
        "return",
        {"return/mean": "training"},
        "reward per episode",
        "Return",
        "Undiscounted, of the episodes that ended.",
        points=_evaluated(history, "return"),
    )
    yield from over_time(
        history,
        "episode_length",
        {"episode_length/mean": "training"},
        "steps",
        "Episode length",
        "Mean length of the episodes that ended.",
    )


def costs(story: Story) -> Iterator[Drawing]:
    """Every cost against its budget, and the prices."""
    history = story.history
    names = history.between("cost/", "/budget")
    for name in names:
        budget = history.last(f"cost/{name}/budget")
        yield from over_time(
            history,
            f"cost_{name}",
            {f"cost/{name}/mean": "training"},
            _unit(story, name),
            f"Cost: {name}",
            "What an episode spends. Shaded: above the budget.",
            limits=[Limit(f"budget {numeral(budget)}", budget)],
            points=_evaluated(history, f"cost/{name}"),
        )
    yield from over_time(
        history,
        "multipliers",
        {f"multiplier/{name}": name for name in history.between("multiplier/", "")},
        "reward per cost",
        "Multipliers",
        "What a unit of each cost is charged in the policy's objective.",
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
    history = History(
        history.steps,
        {
            name: np.maximum(values, LEAST) if name.startswith("critic/explained_variance/") else values
            for name, values in history.columns.items()
        },
    )
    columns = {f"critic/explained_variance/{c}": c for c in history.between("critic/explained_variance/", "")}
    for name, metrics, unit, title, note in (
        (
            "kl",
            {"policy/kl": "update", "policy/kl_normalizer": "normaliser"},
            "nats",
            "Divergence per iteration",
            "How far the policy moves, by its update and by what its normaliser takes in.",
        ),
        (
            "clip_fraction",
            {"policy/clip_fraction": "clipped"},
            "share of samples",
            "Clipped samples",
            "Large for long: steps are too large.",
        ),
        (
            "std",
            {"policy/std": "std"},
            "half an actuator's range",
            "Standard deviation of actions",
            "At a bound it no longer moves.",
        ),
        (
            "entropy",
            {"policy/entropy": "entropy"},
            "nats",
            "Entropy of actions",
            "It falls as the policy makes up its mind.",
        ),
        (
            "explained_variance",
            columns,
            "share",
            "What the critic predicts",
            "Share of its targets' variance: 1 is perfect, 0 no better than a constant, −1 is drawn for all below.",
        ),
        (
            "gradient_norm",
            {"gradient/policy_norm": "policy", "gradient/critic_norm": "critic"},
            "norm",
            "Norm of the gradients",
            "Before they are clipped.",
        ),
        (
            "speed",
            {"time/env_steps_per_s": "speed"},
            "steps per second",
            "Speed",
            "Environment steps per second, learning included.",
        ),
    ):
        yield from over_time(history, name, metrics, unit, title, note)


def _unit(story: Story, cost: str) -> str:
    unit = story.config.get("constraint", {}).get(cost, {}).get("unit", "")
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
