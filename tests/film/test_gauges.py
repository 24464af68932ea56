"""Speeds against physics, agents against their ranges, and films against what was asked for."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from toys import TargetWorld

from pgrobot import playing
from pgrobot.assembly import configured
from pgrobot.cli import main
from pgrobot.film import Format, Shot, agent, film, gauges
from pgrobot.film import filming as filming_module
from pgrobot.film.gauges import Speedometer
from pgrobot.film.mp4 import ffmpeg
from pgrobot.film.scene import Mechanics, mechanics_of
from pgrobot.past import load_checkpoint
from pgrobot.playing import run_shot, task_shot
from pgrobot.run import filming, saved_config
from pgrobot.run.filming import film_story, find_policy
from pgrobot.run_directory import find_checkpoint

TINY = ["total_steps=64", "num_envs=2", "tracker=none"]
TWO = """<mujoco><worldbody>
  <body pos="0 0 1"><freejoint/><geom size="0.1" mass="3"/></body>
  <body pos="2 0 1"><freejoint/><geom size="0.1" mass="1"/></body>
</worldbody></mujoco>"""


def test_a_speed_is_that_of_the_centre_of_mass_in_metres_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    model = mujoco.MjModel.from_xml_string(TWO)
    data = mujoco.MjData(model)
    data.qvel[[0, 2, 6]] = 2.0, 3.0, 10.0  # (2, 0, 3) of three kilograms, (10, 0, 0) of one
    robot = Mechanics(model, lambda: data, lambda: model, lambda _: None)
    monkeypatch.setattr(gauges, "mechanics_of", lambda _: robot)
    meter = Speedometer(TargetWorld(1, 0))
    assert (meter.title, meter()) == ("speed", pytest.approx(math.hypot(4.0, 2.25)))


def test_forward_is_forward() -> None:
    """A hopper's first joint slides forward; it falls both ways."""
    seen = []
    with task_shot([*TINY, "task=hopper", "constraint=[]"], "random", 1) as robot:
        meter, mechanics = Speedometer(robot.environment), mechanics_of(robot.environment)
        assert mechanics is not None
        robot.environment.reset()
        for _ in range(30):
            robot.environment.step(np.array([[1.0, -1.0, 0.5]]))
            torso = mechanics.state().qvel[0]
            seen.append((meter(), torso))
    told, slides = np.array(seen).T
    assert np.abs(slides).max() > 0.1
    assert np.abs(told - slides).max() < 0.5 * np.abs(slides).max()


def taken(name: str, steps: int, *, seed: int = 0) -> np.ndarray:
    """Actions ``[steps, 2]`` of an agent whose first range is [−1, 3]."""
    spec = TargetWorld(1, 0).spec
    two = replace(
        spec,
        actions=spec.actions * 2,
        action_low=np.array([-1.0, 0.0]),
        action_high=np.array([3.0, 0.5]),
        control_dt=0.01,
    )
    act = agent(name, two, seed)
    return np.concatenate([act({}, np.ones(1, bool)) for _ in range(steps)])


def test_a_random_agent_draws_from_its_whole_range_anew() -> None:
    found = taken("random", 2000)
    assert found.min(0) == pytest.approx([-1.0, 0.0], abs=0.01)
    assert found.max(0) == pytest.approx([3.0, 0.5], abs=0.01)
    assert found.mean(0) == pytest.approx([1.0, 0.25], abs=0.1)
    assert len(np.unique(found[:, 0])) == 2000
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.1
    assert not np.array_equal(found, taken("random", 2000, seed=1))


def test_a_sine_sweeps_its_whole_range_in_two_seconds_one_actuator_after_the_other() -> None:
    found = taken("sine", 400)
    time = 0.01 * np.arange(400)
    wave = np.sin(math.pi * time)
    np.testing.assert_allclose(found[:, 0], 1.0 + 2.0 * wave, atol=1e-6)
    np.testing.assert_allclose(found[:, 1], 0.25 - 0.25 * wave, atol=1e-6)  # of two, half a turn later


class Red:
    """A scene of one colour."""

    def picture(self, *, ended: bool) -> np.ndarray:
        del ended
        return np.broadcast_to(np.array([230, 90, 10], np.uint8), (48, 64, 3)).copy()

    def close(self) -> None: ...


def test_a_film_has_thirty_pictures_a_second_in_their_own_colours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(filming_module, "scene_of", lambda *_: Red())
    world = TargetWorld(1, 0, length=10_000, costs=False)
    shot = Shot("Target", "zero", world, lambda obs, start: np.zeros((1, 1)), (), 1.0)
    path = tmp_path / "red.mp4"
    film([shot], path, 0.2, Format(64, 48, 96))
    told = subprocess.run([ffmpeg(), "-i", str(path)], capture_output=True, text=True, check=False).stderr
    assert " 30 fps" in told
    program = [ffmpeg(), "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    pixels = np.frombuffer(subprocess.run(program, capture_output=True, check=True).stdout, np.uint8)
    frames = pixels.reshape(6, 48, 160, 3)
    assert np.abs(frames[:, 8:40, 8:56].astype(int).mean((0, 1, 2)) - [230, 90, 10]).max() < 12


@pytest.fixture
def filmed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been filmed."""
    asked: list[dict[str, Any]] = []

    def note(shots: Sequence[Shot], path: Path, seconds: float) -> int:
        first = [shot.environment.reset() for shot in shots]
        acts = [
            shot.act(obs, np.ones(shot.environment.spec.num_envs, bool))
            for shot, obs in zip(shots, first, strict=True)
        ]
        asked.append(
            {
                "subtitles": [shot.subtitle for shot in shots],
                "path": path,
                "seconds": seconds,
                "obs": [obs["policy"][0].tolist() for obs in first],
                "acts": [act[0].tolist() for act in acts],
            }
        )
        return 1

    monkeypatch.setattr(playing, "film", note)
    monkeypatch.setattr(filming, "film", note)
    return asked


def test_both_runs_are_shown_beside_each_other_on_one_seed(
    trained: Path, tmp_path: Path, filmed: list[dict[str, Any]]
) -> None:
    other = Path(shutil.copytree(trained, tmp_path / "other"))
    shutil.copy(find_checkpoint(other, "step_128"), other / "checkpoints" / "best.pt")
    for seed in (5, 6):
        playing.play(trained, compare=other, seconds=3.0, mode="deterministic", seed=seed)
    one, two = filmed
    assert one["subtitles"] == [
        f"deterministic, step {step:,} of {name}" for step, name in ((best(trained), "run"), (128, "other"))
    ]
    assert (one["seconds"], one["path"].parent) == (3.0, trained / "videos")
    assert one["obs"][0] == one["obs"][1]
    assert one["obs"] != two["obs"], "another seed is another beginning"


def best(run: Path) -> int:
    return int(load_checkpoint(find_checkpoint(run, "best"))["global_step"])


def test_mode_and_seed_are_those_asked_for(trained: Path) -> None:
    """Without a seed those of the evaluations."""

    def first(mode: str, seed: int) -> tuple[list[float], list[float]]:
        with run_shot(trained, find_policy(trained, "best"), mode, seed, ()) as shot:
            assert shot.subtitle.startswith(mode)
            obs = shot.environment.reset()
            start = np.ones(shot.environment.spec.num_envs, bool)
            return obs["policy"][0].tolist(), shot.act(obs, start)[0].tolist()

    seed = saved_config(trained).evaluation.seed
    (seen, mean), (again, drawn) = first("deterministic", -1), first("stochastic", seed)
    assert seen == again
    assert mean != drawn


def test_words_of_the_command_line_arrive(
    trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[Any, dict[str, Any]]] = []

    def play(run: Path, **words: Any) -> tuple[Path, ...]:
        asked.append((run, words))
        return ()

    monkeypatch.setattr(playing, "play", play)
    assert main(["play", str(trained), "--film"]) == 0
    words = ["--compare", str(tmp_path), "--checkpoint", "last", "--seconds", "2", "--mode", "stochastic"]
    assert main(["play", str(trained), *words, "--seed", "7", "--output", "a.mp4"]) == 0
    (run, first), (_, second) = asked
    assert run == trained
    told = ("checkpoint", "compare", "seconds", "seed", "output")
    assert [first[name] for name in told] == ["best", "", 10.0, -1, ""]
    assert [second[name] for name in told] == ["last", str(tmp_path), 2.0, 7, "a.mp4"]
    assert second["mode"] == "stochastic"


def test_films_of_a_run_say_whose_policy_they_show(trained: Path, filmed: list[dict[str, Any]]) -> None:
    cfg = saved_config(trained)
    films = film_story(cfg, trained, configured, 0.5)
    steps = {"play/early": 128, "play/best": best(trained)}
    assert "play/early" in films
    for (name, video), one in zip(films.items(), filmed, strict=True):
        step = steps.get(name, 128)
        assert video.caption.startswith(f"the policy of step {step:,}")
        assert video.path == one["path"]
        assert video.path.name.endswith(f"_{step}.mp4")
        assert f"step {step:,} of run" in one["subtitles"][0]
        assert one["seconds"] == 0.5


@pytest.fixture(autouse=True)
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(word, raising=False)
