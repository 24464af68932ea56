"""Which actuator the gradient pulls on and how hard, where reward and costs disagree, and what the actuators give."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pgrobot.report.drawing import Drawing, Sentence, map_over_time
from pgrobot.report.history import History
from pgrobot.report.reading import Story

CLEAR = 2.0  # standard errors from 0: less is taken for noise


def gradients(story: Story) -> Iterator[Drawing | Sentence]:
    """What reward and costs ask of every actuator, over the training."""
    history = story.history
    yield from _which(story)
    per = f"per {_unit(story)}"
    for column in ("reward", *_costs(history, "gradient_")):
        kind = "reward" if column == "reward" else "cost"
        yield from map_over_time(
            history,
            f"gradient_{column}",
            _rows(story, f"gradient_{column}"),
            f"{kind} {per}",
            f"Gradient of {'the reward' if column == 'reward' else 'the cost ' + column}",
            f"What a step's {kind} gains if the mean torque of an actuator rises. Purple: more torque, more {kind}; "
            "orange: less.",
            signed=True,
        )
    yield from map_over_time(
        history,
        "push",
        _rows(story, "push"),
        _unit(story),
        "Where the update pushes",
        "Where better actions lay, from the mean: purple: more torque; orange: less.",
        signed=True,
    )
    yield from map_over_time(
        history,
        "share",
        _rows(story, "share"),
        "share",
        "Share of the whole gradient",
        "Of its squared norm, all actuators together 1; a row near 0 is an actuator that is not learnt.",
        signed=False,
    )
    steps = _steps(story)
    yield from map_over_time(
        history,
        "signal",
        _rows(story, "snr"),
        "standard errors" if steps else "mean over deviation",
        "Signal in the gradient",
        "How many standard errors each gradient lies from 0. Below 2 it may be noise."
        if steps
        else "Mean over deviation of what one step says of the gradient.",
        signed=False,
        factor=math.sqrt(steps) if steps else 1.0,
    )


def agreement(story: Story) -> Iterator[Drawing | Sentence]:
    """Where the reward can be had only by paying."""
    history, steps = story.history, _steps(story)
    noise = (
        {name: _noise(history, name, steps) for name in history.between("torque/", "/snr")} if steps else {}
    )
    grey = (
        f" Grey: the actuator's gradient lies within {CLEAR:g} standard errors of 0, and its angle is noise."
        if noise
        else " The run does not tell how much of it is noise."
    )
    for cost in _costs(history, "gradient_"):
        values = [
            history.columns[f"torque/{n}/gradient_{cost}"]
            for n in history.between("torque/", f"/gradient_{cost}")
        ]
        if not any(np.nan_to_num(column).any() for column in values):
            yield Sentence(f"Reward against the cost {cost}: nothing cost anything, so there is no angle.")
    for cost in _costs(history, "cosine_"):
        yield from map_over_time(
            history,
            f"agreement_{cost}",
            _rows(story, f"cosine_{cost}"),
            "cosine",
            f"Reward against the cost {cost}",
            "Angle between both gradients. Purple, towards 1: what earns reward costs too, so safety and task fight "
            "here; orange, towards −1: what earns reward also saves cost." + grey,
            signed=True,
            end=1.0,
            hidden={f"torque/{name}/cosine_{cost}": hidden for name, hidden in noise.items()},
        )


def loads(story: Story) -> Iterator[Drawing | Sentence]:
    """What the actuators give."""
    history = story.history
    for word, scale, title, note in (
        (
            "rms",
            "share of the limit",
            "Torque: root mean square",
            "Over the most that the actuator can give.",
        ),
        ("saturation", "share of steps", "Saturation", "Share of steps at 99 % of the limit or beyond."),
        ("power", "W", "Power", "Mean of |torque · velocity|."),
    ):
        yield from map_over_time(history, word, _rows(story, word), scale, title, note, signed=False)


def _which(story: Story) -> Iterator[Sentence]:
    """Of which actuators all this is, where it is not of all."""
    shown, count = len(story.history.between("torque/", "/share")), len(story.actuators)
    if 0 < shown < count:
        yield Sentence(
            f"{shown:,} of {count:,} actuators are shown, here and below: the first ones, {story.actuators[0]} to "
            f"{story.actuators[shown - 1]}. diagnostics.torque.actuators is how many are measured."
        )


def _noise(history: History, name: str, steps: int) -> np.ndarray:
    """In which iterations ``[T]`` the gradient of an actuator may be noise."""
    errors: np.ndarray = history.columns[f"torque/{name}/snr"] * math.sqrt(steps)
    return ~(errors >= CLEAR)


def _costs(history: History, start: str) -> list[str]:
    """``speed`` of ``torque/hip/gradient_speed``, once each, in the order of the constraints."""
    ends = (name.rpartition("/")[2] for name in history.columns if name.startswith("torque/"))
    found = dict.fromkeys(end.removeprefix(start) for end in ends if end.startswith(start))
    limited = history.between("cost/", "/budget")
    order = {cost: index for index, cost in enumerate(limited)}
    return sorted((cost for cost in found if cost != "reward"), key=lambda cost: order.get(cost, len(order)))


def _rows(story: Story, word: str) -> dict[str, str]:
    """The metric of every actuator by its name, followed by its unit where they differ."""
    names = story.history.between("torque/", f"/{word}")
    units = story.units
    mixed = len({units.get(name, "") for name in names}) > 1
    return {f"torque/{n}/{word}": f"{n} ({units.get(n) or 'action'})" if mixed else n for n in names}


def _unit(story: Story) -> str:
    found = set(story.units.values())
    return found.pop() or "unit of the action" if len(found) == 1 else "unit of the actuator"


def _steps(story: Story) -> int:
    """How many steps an iteration takes; 0 where the config does not tell."""
    counts = [story.config.get(key) for key in ("num_envs", "horizon")]
    return counts[0] * counts[1] if all(isinstance(count, int) for count in counts) else 0  # type: ignore[operator]
