"""The model that robots and costs see cannot be written in any way, and is a model wherever one is needed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

import pgrobot.envs  # noqa: F401
from pgrobot.errors import PgrobotError
from pgrobot.simulation.batch import Physics
from pgrobot.simulation.camera import Camera
from pgrobot.simulation.model import assets, compiled
from pgrobot.simulation.read_only import ReadOnlyModel

from .test_robot import make

WRITES: dict[str, Callable[[Any], Any]] = {
    "field": lambda model: setattr(model, "body_mass", 30.0),
    "field of an option": lambda model: setattr(model.opt, "timestep", 0.1),
    "element": lambda model: model.body_mass.__setitem__(1, 30.0),
    "everything": lambda model: model.geom_friction.__setitem__(..., 0.01),
    "element of a view": lambda model: model.geom_friction[1].__setitem__(0, 0.01),
    "element of an option": lambda model: model.opt.gravity.__setitem__(2, -1.0),
    "in place": lambda model: model.body_mass.__imul__(2.0),
    "out": lambda model: np.add(1.0, 2.0, out=model.body_mass[1:2]),
    "at": lambda model: np.add.at(model.body_mass, [1], 30.0),
    "named": lambda model: setattr(model.body("torso"), "mass", 30.0),
    "named, in place": lambda model: model.body("torso").mass.__setitem__(0, 30.0),
    "named by a number": lambda model: model.geom(1).friction.__setitem__(0, 0.01),
    "statistic": lambda model: setattr(model.stat, "extent", 2.0),
    "nested": lambda model: setattr(model.vis.global_, "offwidth", 10_000),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_no_way_of_writing_the_model_goes_unsaid(write: Callable[[Any], Any]) -> None:
    environment = make("hopper")
    before = copy.copy(environment.model)
    for model in (environment.model, environment.simulation.model, environment.simulation.batch.model):
        with pytest.raises(PgrobotError, match=r"the model cannot be changed .*task\.xml_file.*copy\.copy"):
            write(model)
    assert bytes_of(environment.model) == bytes_of(before)


@pytest.mark.parametrize("method", ["fill", "sort"])
def test_what_numpy_itself_writes_into_is_refused_by_numpy(method: str) -> None:
    mass = make("hopper").model.body_mass
    with pytest.raises(ValueError, match="read-only"):
        getattr(mass, method)(*[1.0][: method == "fill"])
    with pytest.raises(ValueError, match="read-only"):
        np.copyto(mass, 1.0)


def test_a_registered_environment_says_so_too() -> None:
    robot: Any = gymnasium.make("pgrobot/Hopper-v5").unwrapped
    with pytest.raises(PgrobotError, match="the model cannot be changed"):
        robot.model.body_mass[1] *= 30.0


def test_gears_and_ranges_of_a_simulation_are_read_only() -> None:
    simulation = make("hopper").simulation
    for array in (simulation.gear, simulation.ctrl_range):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 1.0


def test_what_is_computed_from_it_is_an_array_like_any_other() -> None:
    model = make("ant").model
    start = model.qpos0 + 1.0
    start[2] = 3.0
    start *= 2.0
    assert type(start) is np.ndarray
    for mine in (
        model.qpos0.copy(),
        model.qpos0[[2, 1]],
        np.array(model.qpos0),
        np.concatenate([model.qpos0] * 2),
    ):
        mine[0] = 5.0
        np.multiply(mine, 2.0, out=mine)
        assert mine[0] == 10.0
    assert model.qpos0.sum() == compiled(assets() / "ant.xml").qpos0.sum()
    assert model.opt.gravity[2] == -9.81
    assert model.body("torso").mass[0] == model.body_mass[model.body("torso").id]


def test_it_serves_wherever_a_model_is_needed() -> None:
    plain = compiled(assets() / "ant.xml")
    model = Physics(plain, 2, 5, 1, contact_forces=True).model
    assert isinstance(model, ReadOnlyModel)
    found = []
    for each in (plain, model):
        data = mujoco.MjData(each)
        for _ in range(20):
            mujoco.mj_step(each, data)
        mujoco.mj_rnePostConstraint(each, data)
        found.append((data.qpos.copy(), data.cfrc_ext.copy()))
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))
    assert bytes_of(model) == bytes_of(plain) == bytes_of(pickle.loads(pickle.dumps(model)))
    camera = Camera(model, 64, 48)
    assert camera.picture(mujoco.MjData(model)).shape == (48, 64, 3)
    camera.close()


def test_a_copy_can_be_written() -> None:
    for made in (copy.copy, copy.deepcopy):
        mine = made(make("hopper").model)
        mine.body_mass[1] = 30.0
        mine.opt.timestep = 0.1
        assert mine.body_mass[1] == 30.0


def bytes_of(model: mujoco.MjModel) -> bytes:
    buffer = np.zeros(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes()
