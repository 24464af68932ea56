"""Films have the pace, the size and the content that they claim."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toys import TargetWorld

import pgrobot
from pgrobot.assembly import configured
from pgrobot.cli import main
from pgrobot.film import STANDARD, Format, Shot, Take, agent, film, frames, scene_of
from pgrobot.film import filming as filming_module
from pgrobot.film.gauges import Effortmeter, Speedometer
from pgrobot.film.mp4 import ffmpeg
from pgrobot.film.scene import LastSight, mechanics_of
from pgrobot.pictures import Video
from pgrobot.playing import run_shot, task_shot
from pgrobot.run import EvaluationPlan, saved_config
from pgrobot.run.evaluation import run_episodes
from pgrobot.run.filming import film_name, find_policy
from pgrobot.simulation.adapters.serial import SerialEnvironment
from pgrobot.simulation.auto_reset import AutoReset
from pgrobot.simulation.wrappers import innermost
from pgrobot.tracking import kept

SMALL = Format(64, 48, 96)
TINY = ["total_steps=64", "num_envs=2", "tracker=none"]


def read(path: Path, height: int, width: int) -> np.ndarray:
    """The frames of a film, which has to be of this size."""
    program = [ffmpeg(), "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    content = subprocess.run(program, capture_output=True, check=True).stdout
    return np.frombuffer(content, np.uint8).reshape(-1, height, width, 3)


class Clock:
    """A scene that shows how often it was drawn."""

    def __init__(self) -> None:
        self.drawn = 0

    def picture(self, *, ended: bool) -> np.ndarray:
        self.drawn += 1
        return np.full((48, 64, 3), self.drawn, np.uint8)

    def close(self) -> None: ...


def shot(dt: float) -> Shot:
    world = TargetWorld(1, 0, length=10_000, costs=False)
    world.spec = replace(world.spec, control_dt=dt)
    return Shot("Target", "zero", world, lambda obs, start: np.zeros((1, 1)), (), 1.0)


@pytest.mark.parametrize(
    ("dt", "steps", "drawn"),
    [(0.008, 245, 60), (1 / 30, 59, 60), (0.1, 19, 20), (0.04, 49, 50), (1.0, 1, 2), (1000.0, 0, 1)],
)
def test_a_frame_shows_the_last_step_that_is_over(dt: float, steps: int, drawn: int) -> None:
    take, clock = Take(shot(dt)), Clock()
    shown = list(frames(take, clock, fps=30, count=60))
    assert len(shown) == 60
    assert clock.drawn == drawn
    assert round(take.time / dt) == steps
    for k, (_, moment) in enumerate(shown):
        assert k / 30 - dt < moment.time <= k / 30 + 1e-9


def test_a_film_is_an_mp4_of_the_size_and_length_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(filming_module, "scene_of", lambda *_: Clock())
    for count, size in ((1, (48, 160)), (2, (144, 128))):
        path = tmp_path / "new" / f"{count}.mp4"
        assert film([shot(0.05)] * count, path, 0.5, SMALL) == 15
        assert len(read(path, *size)) == 15
        assert [path.name for path in path.parent.iterdir() if path.suffix != ".mp4"] == []


@pytest.mark.parametrize("typed", ["", "deterministic", "stochastic"])
def test_the_first_episode_filmed_is_the_first_that_judged_the_run(trained: Path, typed: str) -> None:
    """To the last bit, in the mode that decides or the one that is typed, with as many episodes side by side."""
    cfg = saved_config(trained)
    chosen = cfg.evaluation
    assert chosen.mode == "stochastic"
    mode = typed or chosen.mode
    plan = EvaluationPlan(chosen.final_episodes, "final", mode, 0.95, "student-t", chosen.seed, 1)
    told = run_episodes(cfg, configured, pgrobot.load(trained).policy, plan)
    with run_shot(trained, find_policy(trained, "best"), typed, -1, ()) as policy:
        take = Take(policy)
        take.step()
        while not take._start[0]:
            take.step()
        moment = take.look()
    assert moment.total == told.returns[0]
    assert round(moment.time / 0.008) == told.lengths[0]
    assert [cost.name for cost in moment.spendings] == list(cfg.constraint)
    assert moment.spendings[2].value == told.costs[0, 2]
    assert mode in moment.subtitle


@pytest.mark.usefixtures("graphics")
def test_play_films_a_run_where_trackers_find_it(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", str(trained), "--film", "--seconds", "0.04", "--checkpoint", "early,best"]) == 0
    told = capsys.readouterr().out.splitlines()
    steps = {128, json.loads((trained / "result.json").read_text())["best_step"]}
    assert sorted((video.name, video.step) for video in kept(trained, Video)) == sorted(
        ("play_stochastic", s) for s in steps
    )
    assert sorted(told) == sorted(str(video.path) for video in kept(trained, Video))
    assert len(read(kept(trained, Video)[0].path, 480, 960)) == 1


@pytest.mark.usefixtures("graphics")
def test_runs_are_compared_side_by_side_whatever_their_robots(trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "pendulum"
    pgrobot.train(
        quiet=True, task="invertedpendulum", debug="tiny", constraint=[], total_steps=64, threads=1, tracker=[],
        num_envs=4, horizon=16, **{"algorithm.policy_solver.minibatch": 32, "hydra.run.dir": other},
    )  # fmt: skip
    (film,) = pgrobot.play(trained, compare=other, seconds=0.04, output=tmp_path / "both.mp4")
    found = read(film, STANDARD.height + STANDARD.panel, 2 * STANDARD.width)
    assert len(found) == 1
    (alone,) = pgrobot.play(trained, seconds=0.04, output=tmp_path / "alone.mp4")
    left = read(alone, STANDARD.height, STANDARD.width + STANDARD.panel)[:, :, : STANDARD.width].astype(int)
    assert np.abs(found[:, : STANDARD.height, : STANDARD.width] - left).mean() < 2.0
    assert film_name("stochastic", 7, [other]) == "play_stochastic_seed7_beside_pendulum"


@pytest.mark.parametrize("task", [["task=gymnasium", "task.id=CartPole-v1"], ["task=mountain_car_sparse"]])
def test_gymnasiums_own_are_made_to_draw_themselves(task: list[str]) -> None:
    with task_shot([*TINY, *task], "zero", 0) as robot:
        inner = innermost(robot.environment)
        assert isinstance(inner, SerialEnvironment)
        assert inner.instance(0).render_mode == "rgb_array"


@pytest.mark.usefixtures("graphics")
@pytest.mark.parametrize(
    ("overrides", "efforts", "speed"),
    [
        (["task=ant"], "torque, N·m", "forward speed"),
        (["task=gymnasium", "task.id=Hopper-v5"], "torque, N·m", "speed"),
        (["task=dm_control", "task.domain=pendulum", "task.name=swingup"], "torque, N·m", "speed"),
    ],
)
def test_a_robot_is_shown_before_anything_is_trained(overrides: list[str], efforts: str, speed: str) -> None:
    if "task=dm_control" in overrides:
        pytest.importorskip("dm_control")
    with task_shot([*TINY, *overrides], "sine", 3) as robot:
        take, scene = Take(robot), scene_of(robot.environment, 64, 48)
        pictures = [picture for picture, _ in frames(take, scene, 30, 4)]
        moment = take.look()
        scene.close()
    assert (moment.effort, moment.speed_of) == (efforts, speed)
    assert moment.speed >= 0.0 or speed == "forward speed"
    assert any(effort.value != 0.0 for effort in moment.efforts)
    assert all(abs(effort.value) <= effort.limit * (1 + 1e-9) for effort in moment.efforts)
    assert all(picture.shape == (48, 64, 3) and picture.std() > 1.0 for picture in pictures)
    assert not np.array_equal(pictures[0], pictures[-1])


def test_torques_of_foreign_robots_are_those_of_our_own() -> None:
    measured = []
    for task in (["task=hopper", "constraint=[]"], ["task=gymnasium", "task.id=Hopper-v5"]):
        with task_shot([*TINY, *task], "sine", 0) as robot:
            robot.environment.reset()
            meter = Effortmeter(robot.environment)
            action = np.array([[0.5, -0.25, 1.0]])
            measured.append(meter(robot.environment.step(action), action))
            assert meter.ranges().tolist() == [[-200.0, 200.0]] * 3
            assert Speedometer(robot.environment)() != 0.0
    assert measured[0].tolist() == measured[1].tolist() == [100.0, -50.0, 200.0]


def test_looking_at_a_foreign_robot_does_not_move_it(graphics: None) -> None:
    states = []
    for looks in (False, True):
        with task_shot([*TINY, "task=gymnasium", "task.id=Ant-v5"], "sine", 0) as robot:
            take = Take(robot)
            scene = scene_of(robot.environment, 16, 16) if looks else Clock()
            for _ in range(20):
                take.step()
                scene.picture(ended=False)
                take.look() if looks else None
            states.append([*take._obs["policy"][0], take.look().total])
            scene.close()
    assert np.array_equal(*states)


@pytest.mark.parametrize("task", [["task=hopper"], ["task=gymnasium", "task.id=Hopper-v5"]])
def test_the_frame_of_an_ended_episode_shows_its_end(task: list[str]) -> None:
    """And neither the beginning of the next one, nor an end of long ago."""
    with task_shot([*TINY, *task], "random", 3) as robot:
        take, seen = Take(robot), []
        environment = innermost(robot.environment)
        assert isinstance(environment, AutoReset)
        mechanics = mechanics_of(robot.environment)
        assert mechanics is not None
        state = mechanics.state
        sight = LastSight(environment, lambda: np.array(state().qpos))
        while len(seen) < 2:
            before = sight.of(ended=False)
            take.step()
            if take.ended:
                seen.append((before, sight.of(ended=True), sight.of(ended=False)))
        for before, end, start in seen:
            assert np.abs(end - before).max() < 0.2
            assert np.abs(end[1:] - start[1:]).max() > 0.2
        assert not np.array_equal(seen[0][1], seen[1][1])
        sight.close()
        assert environment.leaving == ()


def test_a_frame_says_whether_its_episode_has_ended() -> None:
    asked = []

    class Asked(Clock):
        def picture(self, *, ended: bool) -> np.ndarray:
            asked.append(ended)
            return super().picture(ended=ended)

    world = TargetWorld(1, 0, length=3, costs=False)
    world.spec = replace(world.spec, control_dt=1 / 30)
    take = Take(Shot("Target", "zero", world, lambda obs, start: np.zeros((1, 1)), (), 1.0))
    moments = [moment for _, moment in frames(take, Asked(), fps=30, count=8)]
    assert asked == [False, False, False, True, False, False, True, False]
    assert [moment.episode for moment in moments] == [1, 1, 1, 1, 2, 2, 2, 3]


@pytest.mark.usefixtures("graphics")
def test_cameras_do_not_disturb_each_other() -> None:
    with (
        task_shot([*TINY, "task=hopper"], "zero", 0) as one,
        task_shot([*TINY, "task=ant"], "zero", 0) as two,
    ):
        for robot in (one, two):
            robot.environment.reset()
        first, second = (scene_of(robot.environment, 64, 48) for robot in (one, two))
        first.picture(ended=False)
        before = second.picture(ended=False)  # whose context is now the current one
        first.close()
        assert np.array_equal(second.picture(ended=False), before)
        second.close()


def test_agents_act_within_the_bounds() -> None:
    with task_shot([*TINY, "task=gymnasium", "task.id=CartPole-v1"], "zero", 0) as cart:
        spec = cart.environment.spec
    bounded = TargetWorld(1, 0).spec
    lifted = replace(bounded, action_low=np.array([0.5]))
    obs, start = {}, np.ones(1, bool)
    assert agent("zero", bounded, 0)(obs, start) == 0.0
    assert agent("zero", lifted, 0)(obs, start) == 0.5
    for name in ("random", "sine"):
        acts, choices = agent(name, lifted, 0), agent(name, spec, 0)
        taken = np.concatenate([acts(obs, start) for _ in range(200)])
        assert taken.min() >= 0.5
        assert taken.max() <= 2.0
        chosen = {float(choices(obs, start)[0, 0]) for _ in range(200)}
        assert chosen == {0.0, 1.0}
    assert np.ptp(np.concatenate([agent("random", lifted, 0)(obs, start) for _ in range(2)])) == 0.0


def test_early_and_middle_are_checkpoints_of_the_run(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("config.yaml", "metrics.jsonl"):
        (tmp_path / name).touch()
    for name in ("step_10", "step_45", "step_60", "step_100", "last"):
        (folder / f"{name}.pt").touch()
    found = [find_policy(tmp_path, word) for word in ("early", "middle", "last")]
    assert [path.stem for path in found] == ["step_10", "step_45", "last"]


@pytest.fixture(autouse=True)
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(word, raising=False)
