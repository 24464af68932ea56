"""What cannot be played is said in one sentence, and nothing is written by halves."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import imageio_ffmpeg
import mujoco
import numpy as np
import pytest
from finished import hopper
from toys import TargetWorld

from pgrobot import playing
from pgrobot.cli import main
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.film import Shot, scene_of
from pgrobot.film.filming import film
from pgrobot.film.mp4 import Mp4
from pgrobot.playing import task_shot
from pgrobot.simulation.adapters.gymnasium import serial

Capture = pytest.CaptureFixture[str]


def refusal(capsys: Capture, words: list[str], status: int) -> str:
    assert main(["play", *words]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["{run}", "--checkpoint", "bset"], "has no checkpoint 'bset': did you mean 'best'"),
        (["{run}x"], "There is no run directory {run}x: did you mean '{run}'?"),
        (["{run}", "--compare", "{run}x"], "There is no run directory {run}x"),
        (["{run}", "--seconds", "0"], "a film lasts from 1/30 s to 600 s, not 0 s"),
        (["{run}", "--seconds", "nan"], "a film lasts from 1/30 s to 600 s, not nan s"),
        (["{run}", "--checkpoint", "early,best", "--output", "a.mp4"], "one output, a.mp4, for 2 films"),
        (["{run}", "task=hopper"], "one run, or key=value, not both: '{run}'"),
        (["{run}", "--mode", "random"], "invalid choice: 'random'"),
        ([], "a run, or task=…"),
        (["task=hopper", "agent=zeros"], "There is no agent 'zeros': did you mean 'zero'?"),
        (["task=hopper", "agent="], "agent= names none: zero, random or sine"),
        (["task=hoper"], "Unknown task 'hoper': did you mean 'hopper'?"),
        (["task=hopper", "--checkpoint", "last"], "an agent has neither checkpoints nor modes"),
        (["task=hopper", "--mode", "deterministic"], "an agent has neither checkpoints nor modes"),
        (["task=hopper", "--compare", "{run}"], "--compare goes with a run"),
        (["task=hopper", "--checkpoint", "best"], "an agent has neither checkpoints nor modes"),
        (["task=hopper", "agnet=sine"], "there is no key 'agnet': did you mean 'agent'?"),
        (["{run}", "--seed", "-1"], "a seed is a whole number from 0 on, not '-1'"),
        (["{run}", "--output", "x.gif"], "a film is an mp4: x.mp4, not x.gif"),
        (["{run}", "--output", "{run}"], "{run} is a directory: name the film in it, as {run}/film.mp4"),
        (["task=hopper", "--output", "x.gif"], "a film is an mp4: x.mp4, not x.gif"),
        (["task=python"], "an environment given from Python"),
    ],
)
def test_bad_words_are_answered_by_one_sentence(
    trained: Path, capsys: Capture, words: list[str], sentence: str
) -> None:
    told = refusal(capsys, [word.format(run=trained) for word in words], 2)
    assert sentence.format(run=trained) in told


def test_a_run_that_keeps_no_early_checkpoint_says_what_it_has(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    for name in ("config.yaml", "metrics.jsonl", "checkpoints/last.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert "keeps no step_<n>, so no checkpoint is early" in refusal(
        capsys, [str(tmp_path), "--checkpoint", "early"], 2
    )


def test_a_machine_that_cannot_draw_says_so(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no EGL")

    monkeypatch.setattr(mujoco, "Renderer", broken)
    output = tmp_path / "film" / "a.mp4"
    told = refusal(capsys, [str(trained), "--film", "--output", str(output)], 1)
    assert "this machine cannot draw 640 × 480 pictures (no EGL)" in told
    assert not output.parent.exists()


def test_a_task_that_cannot_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FailureError, match="Target cannot be drawn: it is neither simulated by MuJoCo nor a"):
        film(
            [Shot("Target", "", TargetWorld(1, 0), lambda *_: np.zeros((1, 1)), (), 1.0)],
            tmp_path / "a.mp4",
            1.0,
        )

    class Blind(gymnasium.Env[np.ndarray, np.ndarray]):
        observation_space = action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
        seen: Any = None

        def render(self) -> Any:
            return self.seen

    blind = serial("Blind", lambda: gymnasium.wrappers.TimeLimit(Blind(), 5), 1, {}, 0, "")
    with pytest.raises(FailureError, match=r"Blind cannot be drawn: its render\(\) returned no picture"):
        scene_of(blind, 8, 8).picture(ended=False)
    blind.instance(0).unwrapped.seen = np.zeros((4, 6, 3), np.uint8)
    assert scene_of(blind, 8, 8).picture(ended=False).shape == (4, 6, 3)
    assert list(tmp_path.iterdir()) == []


def test_a_task_whose_library_cannot_draw_is_refused(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gymnasium.envs.classic_control import CartPoleEnv

    def render(self: Any) -> None:
        assert self.render_mode == "rgb_array"
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")

    monkeypatch.setattr(CartPoleEnv, "render", render)
    words = ["task=gymnasium", "task.id=CartPole-v1", "agent=zero", "--film"]
    assert "CartPole-v1 cannot draw itself: DependencyNotInstalled" in refusal(capsys, words, 1)


def test_a_robot_without_actuators_is_refused(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "stone.xml"
    path.write_text("<mujoco><worldbody><body><joint/><geom size='1'/></body></worldbody></mujoco>")
    assert "has no actuators" in refusal(capsys, ["task=hopper", f"task.xml_file={path}", "constraint=[]"], 2)


def test_without_ffmpeg_nothing_is_begun(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    def missing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    output = tmp_path / "film" / "a.mp4"
    told = refusal(capsys, [str(trained), "--film", "--output", str(output)], 1)
    assert "There is no ffmpeg, which writes films" in told
    assert not output.parent.exists()


def test_an_ffmpeg_that_is_none_is_said_before_anything_begins(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/nonexist")
    told = refusal(capsys, [str(trained), "--film", "--output", str(tmp_path / "a.mp4")], 1)
    assert "/nonexist, which IMAGEIO_FFMPEG_EXE names, is no program" in told
    (tmp_path / "ffmpeg").write_text("no program")
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(tmp_path / "ffmpeg"))
    with pytest.raises(FailureError, match=r"ffmpeg, which writes films, cannot be run: exec format error"):
        Mp4(tmp_path / "a.mp4", 64, 48, 30)


def test_a_policy_of_two_names_is_filmed_once(
    trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    filmed: list[Path] = []
    monkeypatch.setattr(playing, "film", lambda shots, target, seconds: filmed.append(target))
    films = playing.play(trained, checkpoint="early,step_128,last,step_256")
    assert [path.name for path in films] == [path.name for path in filmed]
    assert len(films) == len(set(films)) == 2
    with pytest.raises(PgrobotError, match="a seed is a whole number from 0 on, or −1"):
        playing.play(trained, seed=-7)
    other = hopper(tmp_path / "run")
    shutil.copy(other / "checkpoints" / "step_128.pt", other / "checkpoints" / "last.pt")
    with pytest.raises(PgrobotError, match="two films of last,early would have one name"):
        playing.play(other, compare=trained, checkpoint="last,early")


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program in the place of ffmpeg; its last argument is the file that it writes."""

    def put(script: str) -> None:
        program = tmp_path / "ffmpeg"
        program.write_text(f"#!/bin/sh\nfor last; do :; done\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(program))

    return put


def write(path: Path, frames: int) -> None:
    """Some frames; with a negative number one, and then it is interrupted."""
    with Mp4(path, 640, 480, 30) as mp4:
        for _ in range(abs(frames)):
            mp4.add(np.zeros((480, 640, 3), np.uint8))
        if frames < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            'echo x > "$last"; echo "[out] No space left on device" >&2; exit 228',
            "The disk is full: .*film.mp4 needs",
        ),
        (
            'cat > "$last"; echo "[out] No space left on device" >&2; exit 228',
            "The disk is full: .*film.mp4 needs",
        ),
        (
            'echo "[x264] broken" >&2; exit 3',
            r"cannot be written: ffmpeg ended with status 3 \(\[x264\] broken\)",
        ),
    ],
)
def test_a_film_that_finds_no_room_leaves_the_last_one_as_it_was(
    encoder: Callable[[str], None], tmp_path: Path, script: str, sentence: str
) -> None:
    encoder(script)
    path = tmp_path / "videos" / "film.mp4"
    path.parent.mkdir()
    path.write_bytes(b"before")
    with pytest.raises(FailureError, match=sentence):
        write(path, frames=5)
    assert path.read_bytes() == b"before"
    assert [found.name for found in path.parent.iterdir()] == ["film.mp4"]


def test_a_film_that_breaks_off_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mp4, "_finish", lambda _: pytest.fail("it was cut"))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "film.mp4", frames=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_terminals_ctrl_c_does_not_reach_the_encoder(tmp_path: Path) -> None:
    with Mp4(tmp_path / "film.mp4", 64, 48, 30) as mp4:
        mp4.add(np.zeros((48, 64, 3), np.uint8))
        assert os.getpgid(mp4._process.pid) != os.getpgrp()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "videos").touch()
    with pytest.raises(FailureError, match=r"The directory .*/videos cannot be made: file exists"):
        Mp4(tmp_path / "videos" / "film.mp4", 64, 48, 30)


def test_a_task_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(ValueError, match="There is no agent 'best'"), task_shot(["task=hoper"], "best", 0):
        pass


def test_the_run_is_left_as_it_was(trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    monkeypatch.setattr(mujoco, "Renderer", lambda *_: 1 / 0)
    refusal(capsys, [str(trained), "--film"], 1)
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before
