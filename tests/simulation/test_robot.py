"""What a robot refuses, where its model comes from, and what its simulation is called by."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

import pgrobot.conf
from pgrobot import cores as cores_module
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment, rendering
from pgrobot.simulation.model import assets

TASKS = Path(pgrobot.conf.__path__[0]) / "task"


def make(
    name: str, num_envs: int = 1, seed: int = 0, thread_count: int = 1, **options: Any
) -> BatchEnvironment:
    node: Any = OmegaConf.to_container(OmegaConf.load(TASKS / f"{name}.yaml"))
    node.pop("defaults", None)
    return get_class(node.pop("_target_"))(**(node | options)).make(num_envs, {}, seed, thread_count)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"version": "v7"}, "task.version=v7 does not exist for Hopper: "),
        ({"frame_skip": 0}, "task.frame_skip has to be a whole number of at least 1, got 0."),
        ({"frame_skip": "four"}, "task.frame_skip has to be a whole number of at least 1, got 'four'."),
        (
            {"max_episode_steps": 2.5},
            "task.max_episode_steps has to be a whole number of at least 1, got 2.5.",
        ),
        ({"ctrl_cost_weight": float("nan")}, "task.ctrl_cost_weight has to be a finite number, got nan."),
        (
            {"reset_noise_scale": -0.1},
            "task.reset_noise_scale has to be a finite number of at least 0, got -0.1.",
        ),
        (
            {"healthy_z_range": [2, 1]},
            "task.healthy_z_range has to be two numbers, the lower first, got [2, 1].",
        ),
        (
            {"terminate_when_unhealthy": "no"},
            "task.terminate_when_unhealthy has to be true or false, got 'no'.",
        ),
        ({"num_envs": 0}, "num_envs has to be at least 1, got 0."),
        ({"thread_count": -1}, "threads has to be at least 0, got -1."),
        ({"seed": -1}, "seed has to be at least 0, got -1."),
    ],
)
def test_a_bad_option_is_refused_in_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PgrobotError) as refusal:
        make("hopper", **options)
    assert str(refusal.value).startswith(sentence)


def test_a_model_of_ones_own_works(tmp_path: Path) -> None:
    own = tmp_path / "own.xml"
    own.write_bytes((assets() / "hopper.xml").read_bytes())
    left, right = make("hopper", xml_file=str(own)), make("hopper")
    assert np.array_equal(left.reset()["policy"], right.reset()["policy"])


@pytest.mark.parametrize("name", ["hopper", "ant"])  # the second keeps data for its forces of contact
@pytest.mark.parametrize("flag", ["sleep", "ipc"])  # MuJoCo has the second with its discrete integrator only
def test_what_keeps_books_outside_the_state_is_refused(name: str, flag: str, tmp_path: Path) -> None:
    own = tmp_path / "own.xml"
    text = (assets() / f"{name}.xml").read_text()
    kind = "" if flag == "sleep" else 'integrator="discrete" solver="CG"'
    option = f'<option {kind}><flag {flag}="enable"/></option>'
    own.write_text(text.replace("<worldbody>", f"{option}<worldbody>", 1))
    with pytest.raises(PgrobotError, match=f'the model has <flag {flag}="enable"/>, whose bookkeeping'):
        make(name, xml_file=str(own))


def test_a_model_that_does_not_parse_is_refused_with_mujocos_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<mujoco><worldbody><body><joint type='elbow'/></body></worldbody></mujoco>")
    with pytest.raises(PgrobotError, match=r"broken\.xml: .*elbow"):
        make("hopper", xml_file=str(broken))


def light(xml_file: str) -> str:
    """Gymnasium's model with another gravity."""
    text = (assets() / xml_file).read_text()
    return text.replace("<worldbody>", '<option gravity="0 0 -1"/><worldbody>', 1)


def test_no_file_of_the_working_directory_replaces_a_built_in_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file of its name nor a folder does."""
    monkeypatch.chdir(tmp_path)
    for name in ("hopper.xml", "default"):
        (tmp_path / name).write_text(light("hopper.xml"))
    for name in ("half_cheetah.xml", "walker2d.xml"):
        (tmp_path / name).mkdir()
    assert make("hopper").model.opt.gravity[2] == -9.81
    assert make("halfcheetah").model.nu == 6
    assert make("hopper", xml_file="walker2d.xml").model.nu == 6


def test_a_word_that_may_mean_two_models_is_refused_and_a_path_means_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("hopper.xml", "mine.xml"):
        (tmp_path / name).write_text(light("hopper.xml"))
    with pytest.raises(PgrobotError, match=r"hopper\.xml may mean the file \./hopper\.xml or gymnasium's"):
        make("hopper", xml_file="hopper.xml")
    for xml_file in ("./hopper.xml", "mine.xml", str(tmp_path / "hopper.xml")):
        assert make("hopper", xml_file=xml_file).model.opt.gravity[2] == -1.0
    assert make("hopper", xml_file=str(assets() / "hopper.xml")).model.opt.gravity[2] == -9.81


def test_a_robot_whose_own_model_is_a_relative_path_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cart.xml").write_text(light("hopper.xml"))
    monkeypatch.setattr("pgrobot.envs.hopper.Hopper.models", {"v5": "cart.xml"})
    with pytest.raises(PgrobotError, match=r"Hopper\.models has 'cart\.xml', which is neither"):
        make("hopper")


def test_a_missing_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(PgrobotError, match=r"no MJCF file 'hoper\.xml'.*'hopper\.xml'"):
        make("hopper", xml_file="hoper.xml")


def test_unknown_bodies_and_fields_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(PgrobotError, match=r"no body 'torsoo': did you mean 'torso'"):
        make("ant", main_body="torsoo")
    simulation = make("hopper").simulation
    with pytest.raises(PgrobotError, match=r"no MuJoCo field 'xposs': did you mean .*'xpos'"):
        simulation.field("xposs")


def test_a_field_asked_for_too_late_is_refused_instead_of_read_as_zero() -> None:
    environment = make("hopper")
    early = environment.simulation.field("subtree_com")
    environment.reset()
    environment.step(np.zeros((1, 3)))
    assert np.shares_memory(environment.simulation.field("subtree_com"), early)
    assert early.any()
    with pytest.raises(PgrobotError, match="before the first reset"):
        environment.simulation.field("geom_xpos")


def test_names_limits_and_gears() -> None:
    simulation = make("hopper").simulation
    assert simulation.actuators == (
        "thigh_joint",
        "leg_joint",
        "foot_joint",
    )  # named by the joints they drive
    assert simulation.joints == ("rootx", "rootz", "rooty", "thigh_joint", "leg_joint", "foot_joint")
    assert np.array_equal(simulation.gear, [200, 200, 200])
    assert np.array_equal(simulation.ctrl_range, [[-1, 1]] * 3)
    assert simulation.dt == pytest.approx(0.008)


@pytest.mark.parametrize(("name", "expected"), [("hopper", -2.0), ("swimmer", -2.0), ("ant", 2.0)])
def test_forward_speed_is_signed_in_the_plane_and_a_length_in_space(name: str, expected: float) -> None:
    simulation = make(name).simulation
    simulation.before = np.zeros_like(simulation.after)
    simulation.after = np.zeros_like(simulation.after)
    simulation.after[:, 0] = -2.0 * simulation.dt
    assert simulation.forward_speed[0] == pytest.approx(expected)


def test_a_robot_without_forward_speed_says_so() -> None:
    with pytest.raises(
        PgrobotError, match=r"Reacher-v5 has no forward speed.*: leave it out with ~constraint.speed"
    ):
        _ = make("reacher").simulation.forward_speed


@pytest.mark.parametrize(
    ("environ", "library", "chosen"),
    [
        ({}, "libEGL.so.1", "egl"),
        ({}, None, None),
        ({"DISPLAY": ":0"}, "libEGL.so.1", None),
        ({"MUJOCO_GL": "osmesa"}, "libEGL.so.1", "osmesa"),
    ],
)
def test_a_machine_without_display_renders_through_egl(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], library: str | None, chosen: str | None
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(rendering.ctypes.util, "find_library", lambda name: library)
    rendering.select_renderer(environ)
    assert environ.get("MUJOCO_GL") == chosen


def test_a_renderer_that_cannot_be_loaded_stops_nothing_but_pictures(tmp_path: Path) -> None:
    program = (
        "import pgrobot.simulation, mujoco\n"
        "from pgrobot.errors import PgrobotError\n"
        "from pgrobot.simulation.camera import Camera\n"
        "model = mujoco.MjModel.from_xml_string('<mujoco><worldbody><body/></worldbody></mujoco>')\n"
        "mujoco.mj_step(model, mujoco.MjData(model))\n"
        "try:\n"
        "    Camera(model, 8, 8)\n"
        "except PgrobotError as error:\n"
        "    print(error)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "MUJOCO_GL": "nonsense"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.startswith("this machine cannot draw 8 × 8 pictures"), answer.stderr
    assert "MUJOCO_GL=nonsense names no renderer that can be loaded here" in answer.stderr


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", 2), ("100000 100000", 1), ("150000 100000", 2)])
def test_threads_are_physical_cores_within_the_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, cores: int
) -> None:
    for cpu, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):  # two cores, each with two hyper-threads
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings)
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(cores_module, "CPUS", tmp_path)
    monkeypatch.setattr(cores_module, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(cores_module.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    assert cores_module.physical_cores() == cores
