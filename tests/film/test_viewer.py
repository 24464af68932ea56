"""The window shows what happens, at its own pace; nothing here needs a display."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import glfw
import mujoco
import mujoco.viewer
import numpy as np
import pytest

from pgrobot.cli import main
from pgrobot.film import viewer
from pgrobot.film.scene import mechanics_of
from pgrobot.playing import task_shot

TINY = ["total_steps=64", "num_envs=2", "tracker=none"]


class Window:
    """A viewer that is closed after some pictures."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self.model, self.data, self.left = model, data, 5
        self.shown: list[np.ndarray] = []
        self.texts: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def is_running(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def lock(self) -> Any:
        return nullcontext()

    def set_texts(self, texts: list[tuple[int, int, str, str]]) -> None:
        self.texts += [f"{left}\n{right}" for _, _, left, right in texts]

    def sync(self) -> None:
        self.shown.append(np.concatenate((self.data.qpos, self.data.xpos.ravel())))


@pytest.mark.parametrize("task", [["task=hopper"], ["task=gymnasium", "task.id=Hopper-v5"]])
def test_a_window_follows_the_robot_until_it_is_closed(task: list[str]) -> None:
    windows: list[Window] = []

    def opened(model: mujoco.MjModel, data: mujoco.MjData) -> Window:
        assert type(model) is mujoco.MjModel, "a viewer writes into its model"
        windows.append(Window(model, data))
        return windows[0]

    with task_shot([*TINY, *task], "sine", 0) as robot:
        mechanics = mechanics_of(robot.environment)
        assert mechanics is not None
        seconds = viewer.watch(robot, mechanics, opened)
        state = mechanics.state()
    (window,) = windows
    assert seconds == pytest.approx(5 * 0.008)
    assert len(window.shown) == 5
    assert np.array_equal(window.shown[-1][: state.qpos.size], state.qpos)
    assert not np.array_equal(window.shown[0], window.shown[1])
    assert "thigh_joint" in window.texts[0]
    assert ("speed per step" in window.texts[0]) == (task == ["task=hopper"])


def test_play_opens_a_window_where_there_is_a_display(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(glfw, "init", lambda: True)
    windows: list[Window] = []

    def opened(model: mujoco.MjModel, data: mujoco.MjData, **_: Any) -> Window:
        windows.append(Window(model, data))
        return windows[-1]

    monkeypatch.setattr(mujoco.viewer, "launch_passive", opened)
    assert main(["play", str(trained)]) == 0
    assert main(["play", "task=hopper", "agent=zero"]) == 0
    assert [len(window.shown) for window in windows] == [5, 5]
    assert capsys.readouterr().out == ""


def test_a_window_that_cannot_be_opened_is_told(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")

    def refused(*_: Any, **__: Any) -> None:
        raise RuntimeError("could not create window")

    monkeypatch.setattr(mujoco.viewer, "launch_passive", refused)
    monkeypatch.setattr(glfw, "init", lambda: True)
    assert main(["play", str(trained)]) == 1
    told = capsys.readouterr().err
    assert (
        "MuJoCo's viewer cannot be opened (RuntimeError: could not create window): --film films instead."
        in told
    )


@pytest.mark.parametrize(
    ("environ", "platform", "display"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ""}, "linux", False),
        ({}, "darwin", True),
    ],
)
def test_a_display_is_known_by_the_environment(environ: dict[str, str], platform: str, display: bool) -> None:
    assert viewer.has_display(environ, platform) is display
