"""Which actuator the gradient pulls on and how hard, where reward and costs disagree, and what the actuators give."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pgrobot.report.drawing import Drawing, map_over_time
from pgrobot.report.history import History
from pgrobot.report.reading import Story


def gradients(story: Story) -> Iterator[Drawing]:
    """What reward and costs ask of every actuator, over the training."""
    history = story.history
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
        "Of its squared norm; a row near 0 is an actuator that is not learnt.",
        signed=False,
        end=1.0,
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


def agreement(story: Story) -> Iterator[Drawing]:
    """Where the reward can be had only by paying."""
    history = story.history
    for cost in _costs(history, "cosine_"):
        yield from map_over_time(
            history,
            f"agreement_{cost}",
            _rows(story, f"cosine_{cost}"),
            "cosine",
            f"Reward against the cost {cost}",
            "Angle between both gradients. Purple, towards 1: what earns reward costs too, so safety and task fight "
            "here; orange, towards −1: what earns reward also saves cost.",
            signed=True,
            end=1.0,
        )


def loads(story: Story) -> Iterator[Drawing]:
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
        end = 0.0 if word == "power" else 1.0
        yield from map_over_time(history, word, _rows(story, word), scale, title, note, signed=False, end=end)


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
