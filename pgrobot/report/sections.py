"""The sections of a report, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pgrobot.report import gallery, learning, torque, verdicts, violations
from pgrobot.report.drawing import Drawing, Sentence
from pgrobot.report.reading import Story


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it.

    Attributes:
        anchor: its place in the page.
        title: the heading.
        draw: from a run to drawings.
        by_learner: whether it is drawn for each of several learners, or once.
        part: the template of what stands before the drawings, or empty.
        nothing: what is said where it has no drawing; empty where the part says all.
    """

    anchor: str
    title: str
    draw: Callable[[Story], Iterable[Drawing | Sentence]]
    by_learner: bool
    part: str
    nothing: str


def written(anchor: str, title: str) -> Section:
    """A section without drawings, of which its template says all."""
    return Section(anchor, title, lambda _: (), by_learner=False, part=f"{anchor}.html", nothing="")


def drawn(
    anchor: str, title: str, draw: Callable[[Story], Iterable[Drawing | Sentence]], nothing: str
) -> Section:
    """A section of drawings, for every learner."""
    return Section(anchor, title, draw, by_learner=True, part="", nothing=nothing)


SECTIONS: tuple[Section, ...] = (
    Section("verdicts", "Verdicts", verdicts.spent, by_learner=False, part="verdicts.html", nothing=""),
    written("health", "Health"),
    written("films", "Films"),
    drawn("learning", "Learning curves and budgets", learning.curves, "No episode has ended yet."),
    drawn(
        "gradients",
        "Gradient by actuator",
        torque.gradients,
        "The run has no gradients by actuator: its actions are choices, diagnostics.torque.every is 0, or an older "
        "version made it.",
    ),
    drawn(
        "agreement",
        "Reward against cost",
        torque.agreement,
        "There are no angles between the gradients of reward and costs.",
    ),
    drawn("loads", "What the actuators give", torque.loads, "Nothing is known of the torques."),
    Section(
        "sensitivity",
        "Sensors and gait",
        gallery.sensitivity,
        by_learner=False,
        part="sensitivity.html",
        nothing="The run has no closer look at its sensors: diagnostics.sensitivity makes one.",
    ),
    Section(
        "violations",
        "Violations",
        violations.violations,
        by_learner=False,
        part="",
        nothing="No part is known to have violated anything.",
    ),
    drawn("rewards", "Reward by term", learning.rewards, "The reward has no terms that are told apart."),
    drawn("update", "The update", learning.optimiser, "No update has been told of."),
    Section("others", "Other pictures", gallery.others, by_learner=False, part="", nothing=""),
    written("run", "Run it again"),
)
