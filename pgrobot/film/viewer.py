"""MuJoCo's own viewer, where there is a display."""

from __future__ import annotations

import copy
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import mujoco

from pgrobot.errors import FailureError, in_a_sentence
from pgrobot.film.moment import Moment
from pgrobot.film.scene import Mechanics
from pgrobot.film.shot import Shot, Take

Launch = Callable[
    [mujoco.MjModel, mujoco.MjData], Any
]  # opens a window, as mujoco.viewer.launch_passive does
MOST_LINES = 12


def has_display(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a window can be opened."""
    return platform != "linux" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def launch(model: mujoco.MjModel, data: mujoco.MjData) -> Any:
    """Open MuJoCo's viewer.

    Raises:
        FailureError: it cannot be opened here.
    """
    _check_windows()
    try:
        import mujoco.viewer

        return mujoco.viewer.launch_passive(model, data, show_left_ui=False, show_right_ui=False)
    except Exception as error:  # each system has its own
        raise FailureError(
            f"MuJoCo's viewer cannot be opened ({in_a_sentence(error)}): --film films instead."
        ) from error


def _check_windows() -> None:
    """Refuse where GLFW opens no window, for MuJoCo would end the program; raises FailureError."""
    import glfw

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if not glfw.init():
            why = " ".join(str(told[0].message).split()) if told else "GLFW does not say why"
            raise FailureError(f"no window can be opened on this display ({why}): --film films instead.")


def watch(shot: Shot, mechanics: Mechanics, open_window: Launch = launch) -> float:
    """Show a robot at its own pace until the window is closed; returns the simulated seconds shown."""
    data = mechanics.state()
    take = Take(shot)
    model = copy.copy(mechanics.model)
    mechanics.write(model)
    with open_window(model, data) as window:
        began = time.perf_counter()
        while window.is_running():
            take.step()
            with window.lock():
                mechanics.write(model)
                _copy(model, mechanics.state(), data)
            window.set_texts([_text(take.look())])
            window.sync()
            ahead = began + take.time - time.perf_counter()
            time.sleep(max(ahead, 0.0))
    return take.time


def _copy(model: mujoco.MjModel, source: mujoco.MjData, target: mujoco.MjData) -> None:
    """What is seen of a state."""
    state = mujoco.mjtState.mjSTATE_INTEGRATION
    mujoco.mj_copyState(model, source, target, state)
    mujoco.mj_forward(model, target)


def _text(moment: Moment) -> tuple[int, int, str, str]:
    """Two columns in a corner of the window."""
    rows = [
        (moment.subtitle, ""),
        ("episode", f"{moment.episode}"),
        ("return", f"{moment.total:.1f}"),
        (moment.speed_of, f"{moment.speed:.2f} m/s"),
        *(
            (
                f"{'ok  ' if cost.within else 'OVER'} {cost.name} {cost.unit}",
                f"{cost.value:.3g} / {cost.allowed:g}",
            )
            for cost in moment.spendings
        ),
        *(
            (f"{effort.name}, {moment.effort}", f"{effort.value:+.2f}")
            for effort in moment.efforts[:MOST_LINES]
        ),
        *((f"!! {violation}", "") for violation in moment.violations),
    ]
    left, right = ("\n".join(column) for column in zip(*rows, strict=True))
    return int(mujoco.mjtFontScale.mjFONTSCALE_150), int(mujoco.mjtGridPos.mjGRID_TOPLEFT), left, right
