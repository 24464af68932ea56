"""Models that vary: each simulation's own, to the last bit, and nobody else's."""

from __future__ import annotations

import copy
from typing import Any

import mujoco
import numpy as np
import pytest
from varied_worlds import FIVE, actions, followed, robot, same, vary

from pgrobot.envs.costs import JointLimit, Torque
from pgrobot.envs.costs.choice import ALL
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.model import assets
from pgrobot.simulation.variation import Strength

ONES = {
    "mass": {"field": "body_mass", "scale": 1.0},
    "inertia": {"field": "body_inertia", "scale": 1.0},
    "centre": {"field": "body_ipos", "add": 0.0},
    "place": {"field": "body_pos", "scale": 1.0},
    "friction": {"field": "geom_friction", "scale": 1.0},
    "geom": {"field": "geom_pos", "add": 0.0},
    "size": {"field": "geom_size", "scale": 1.0},
    "damping": {"field": "dof_damping", "scale": 1.0},
    "armature": {"field": "dof_armature", "add": 0.0},
    "dry": {"field": "dof_frictionloss", "add": 0.0},
    "spring": {"field": "jnt_stiffness", "add": 0.0},
    "range": {"field": "jnt_range", "add": 0.0, "per": "part"},
    "gear": {"field": "actuator_gear", "scale": 1.0},
    "gain": {"field": "actuator_gainprm", "scale": 1.0},
    "gravity": {"field": "opt.gravity", "scale": 1.0},
    "wind": {"field": "opt.wind", "add": 0.0},
    "density": {"field": "opt.density", "add": 0.0},
    "viscosity": {"field": "opt.viscosity", "add": 0.0},
}
WIDE = {
    "mass": {"field": "body_mass", "scale": [0.6, 1.6]},
    "inertia": {"field": "body_inertia", "scale": [0.7, 1.3], "per": "part"},
    "centre": {"field": "body_ipos", "add": [-0.02, 0.02]},
    "place": {"field": "body_pos", "scale": [0.9, 1.1]},
    "friction": {"field": "geom_friction", "scale": [0.5, 1.5]},
    "geom": {"field": "geom_pos", "add": [-0.01, 0.01]},
    "size": {"field": "geom_size", "scale": [0.9, 1.1]},
    "damping": {"field": "dof_damping", "value": [0.5, 2.0]},
    "armature": {"field": "dof_armature", "scale": [0.5, 2.0]},
    "spring": {"field": "jnt_stiffness", "value": [0.0, 2.0]},
    "gear": {"field": "actuator_gear", "scale": [0.8, 1.2]},
    "gravity": {"field": "opt.gravity", "scale": [0.9, 1.1]},
}
STEPS = 40


def _plain(state: Any) -> Any:
    """A state in values that ``==`` compares."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_plain(value) for value in state]
    return state.tolist() if hasattr(state, "tolist") else state


@pytest.mark.parametrize("strength", [Strength.FULL, Strength.SCHEDULED])
def test_ranges_of_no_width_are_as_good_as_none_to_the_last_bit(strength: Strength) -> None:
    varied, plain = vary(ONES, 6, strength), robot().make(6, {}, 0, 1)
    varied.reset(), plain.reset()
    taken = actions(plain, 60)
    left, right = followed(varied, taken), followed(plain, taken)
    assert right["terminated"].any()
    assert same(left, right)
    state = varied.state_dict()
    state.pop("variation")
    state["observation"].pop("privileged")
    assert _plain(state) == _plain(plain.state_dict())


def test_a_nominal_judgement_is_as_good_as_none_to_the_last_bit() -> None:
    varied, plain = vary(WIDE, 6, Strength.NOMINAL), robot().make(6, {}, 0, 1)
    varied.reset(), plain.reset()
    taken = actions(plain, 60)
    assert same(followed(varied, taken), followed(plain, taken))


def test_episodes_start_where_they_would_have_started_without_variation() -> None:
    varied, plain = vary(WIDE, 3), robot().make(3, {}, 0, 1)
    for _ in range(3):
        assert np.array_equal(varied.reset()["policy"], plain.reset()["policy"])


def test_weights_follow_as_in_a_model_that_is_compiled_anew() -> None:
    """Against MuJoCo's compiler, given the masses and lengths, row by row."""
    environment = vary(
        {name: WIDE[name] for name in ("mass", "inertia", "centre", "place", "armature", "gear")}, 4
    )
    environment.reset()
    for i in range(4):
        own = environment.simulation.model_of(i)
        spec = mujoco.MjSpec.from_file(str(assets() / "hopper.xml"))
        spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
        for body in spec.bodies[1:]:
            mine = own.body(body.name)
            body.explicitinertial, body.pos = True, mine.pos
            body.mass, body.inertia = float(mine.mass[0]), mine.inertia
            body.ipos, body.iquat = mine.ipos, mine.iquat
        for joint in spec.joints:
            joint.armature = float(own.joint(joint.name).armature[0])
        for actuator, gear in zip(spec.actuators, own.actuator_gear, strict=True):
            actuator.gear = gear
        fresh = spec.compile()
        names = (
            "dof_invweight0",
            "body_invweight0",
            "body_subtreemass",
            "dof_M0",
            "actuator_acc0",
            "body_inertia",
        )
        for name in (*names, "body_mass", "body_ipos"):
            assert np.allclose(getattr(own, name), getattr(fresh, name), rtol=1e-9, atol=1e-12), name
        assert not np.allclose(own.dof_invweight0, environment.model.dof_invweight0, rtol=0.01)


def test_every_simulation_is_one_model_that_was_edited_so_and_stepped_alone() -> None:
    environment = vary(WIDE, 4)
    environment.reset()
    batch, taken = environment.simulation.batch, actions(environment, STEPS)
    shared = copy.copy(mujoco.MjModel.from_xml_path(str(assets() / "hopper.xml")))
    fields = sorted({str(node["field"]) for node in WIDE.values()})
    alone, models = [], []
    for i in range(4):
        model, own = copy.copy(shared), environment.simulation.model_of(i)
        for name in fields:  # what was drawn, and nothing that follows from it
            part, last = (model.opt, own.opt) if name.startswith("opt.") else (model, own)
            getattr(part, name.removeprefix("opt."))[:] = np.array(getattr(last, name.removeprefix("opt.")))
        mujoco.mj_setConst(model, mujoco.MjData(model))
        data = batch.get_data(i)
        mujoco.mj_forward(model, data)
        alone.append(data), models.append(model)
    for action in taken:
        batch.field("ctrl")[:] = action
        assert not batch.step()
        for i, (model, data) in enumerate(zip(models, alone, strict=True)):
            data.ctrl[:] = action[i]
            mujoco.mj_step(model, data, batch.frame_skip)
            assert np.array_equal(batch.field("qpos")[i], data.qpos)
            assert np.array_equal(batch.field("qvel")[i], data.qvel)
            assert np.array_equal(batch.field("actuator_force")[i], data.actuator_force)


def test_a_mass_takes_its_inertia_along() -> None:
    environment = vary({"mass": FIVE["mass"]}, 3)
    environment.reset()
    shared = environment.model
    drawn = environment.step(actions(environment, 1)[0]).telemetry["variation/mass"]
    for i in range(3):
        own = environment.simulation.model_of(i)
        assert np.array_equal(own.body_mass[1:], shared.body_mass[1:] * drawn[i])
        assert np.allclose(own.body_inertia[1:], shared.body_inertia[1:] * drawn[i][:, None], rtol=1e-14)
    heavier = vary({"mass": {"field": "body_mass", "add": 1.0, "names": ["torso"]}}, 1)
    heavier.reset()
    own, ratio = heavier.simulation.model_of(0), 1.0 + 1.0 / shared.body("torso").mass[0]
    assert np.allclose(own.body("torso").inertia, shared.body("torso").inertia * ratio, rtol=1e-14)
    assert np.array_equal(own.body("thigh").mass, shared.body("thigh").mass)


def test_an_inertia_that_varies_too_varies_about_that() -> None:
    inertia = {"field": "body_inertia", "scale": [0.5, 2.0], "per": "part"}
    environment = vary({"inertia": inertia, "mass": FIVE["mass"]}, 2)
    for _ in range(2):
        environment.reset()
        told = environment.step(actions(environment, 1)[0]).telemetry
        factor = told["variation/mass"] * told["variation/inertia"]
        own = environment.simulation.model_field("body_inertia")[:, 1:]
        assert np.allclose(own, environment.model.body_inertia[1:] * factor[..., None], rtol=1e-14)


def test_a_new_episode_in_one_world_leaves_the_others_as_they_are() -> None:
    left, right = vary(WIDE, 4), vary(WIDE, 4)
    left.reset(), right.reset()
    taken = actions(left, 10)
    followed(left, taken), followed(right, taken)
    before = left.simulation.model_field("body_mass").copy()
    left.restart(np.array([1, 3]))
    after = left.simulation.model_field("body_mass")
    assert (after[[1, 3], 1:] != before[[1, 3], 1:]).all()
    one, other = followed(left, taken[:1]), followed(right, taken[:1])
    assert all(np.array_equal(one[name][:, [0, 2]], other[name][:, [0, 2]]) for name in one)
    assert not np.array_equal(one["obs/policy"][:, 1], other["obs/policy"][:, 1])


def test_what_is_drawn_depends_neither_on_how_many_there_are_nor_on_other_entries() -> None:
    few, many = vary(FIVE, 2), vary(FIVE, 5)
    less = vary({name: FIVE[name] for name in ("gear", "mass")}, 2)
    for environment in (few, many, less):
        environment.reset()
    taken = actions(many, STEPS)
    left, right, third = followed(few, taken[:, :2]), followed(many, taken), followed(less, taken[:, :2])
    assert all(np.array_equal(left[name], right[name][:, :2]) for name in left)
    for name in ("variation/gear", "variation/mass"):
        assert np.array_equal(left[name][0], third[name][0])


def test_the_torque_that_is_told_is_that_of_the_simulations_own_gear() -> None:
    environment = vary({"gear": FIVE["gear"]}, 3)
    simulation = environment.simulation
    driven = simulation.field("qfrc_actuator")[:, 3:]
    environment.reset()
    step = environment.step(actions(environment, 1)[0])
    for i in range(3):
        gear = simulation.model_of(i).actuator_gear[:, 0]
        assert np.array_equal(step.telemetry["torque"][i], simulation.actuator_force[i] * gear)
        assert np.allclose(step.telemetry["torque"][i], driven[i], rtol=1e-12)
    assert {action.unit for action in environment.spec.actions} == {""}
    assert {action.unit for action in robot().make(1, {}, 0, 1).spec.actions} == {"200 N·m"}


def test_costs_compare_with_the_limits_of_the_simulations_own_model() -> None:
    nodes = {
        "gear": {"field": "actuator_gear", "scale": [0.5, 2.0]},
        "range": {"field": "jnt_range", "add": [-0.2, 0.2], "per": "part"},
    }
    costs = {"torque": Torque(0.5, "last", ALL), "joint_limit": JointLimit(0.1, "last", ALL)}
    environment = vary(nodes, 8, costs=costs)
    environment.reset()
    simulation, seen = environment.simulation, 0
    for action in actions(environment, STEPS):
        step = environment.advance(action)
        for i in range(8):
            own = simulation.model_of(i)
            gear, (low, high) = own.actuator_gear[:, 0], own.jnt_range[3:].T
            hard = np.abs(simulation.field("qfrc_actuator")[i, 3:]) > 0.5 * gear
            assert np.array_equal(step.telemetry["violation/torque"][i].astype(bool), hard)
            near, reach = simulation.qpos[i, 3:], 0.1 * (high - low)
            outside = (near < low + reach) | (near > high - reach)
            assert np.array_equal(step.telemetry["violation/joint_limit"][i].astype(bool), outside)
            seen += int(hard.sum()) + int(outside.sum())
        ended = np.flatnonzero(step.terminated | step.truncated)
        if ended.size:
            environment.restart(ended)
    assert seen > 20


def test_contact_forces_and_the_centre_of_mass_are_those_of_the_own_model() -> None:
    nodes = {"mass": FIVE["mass"], "gravity": {"field": "opt.gravity", "scale": [0.5, 2.0]}}
    environment = vary(nodes, 2, of=robot("humanoid"))
    acceleration = environment.simulation.field("cacc")  # which gravity is in
    environment.reset()
    for action in actions(environment, 12):
        environment.step(action)
    simulation = environment.simulation
    for i in range(2):
        model, data = simulation.model_of(i), simulation.batch.get_data(i)
        mujoco.mj_rnePostConstraint(model, data)
        assert np.array_equal(simulation.field("cfrc_ext")[i], data.cfrc_ext)
        assert np.array_equal(acceleration[i], data.cacc)
        mass = np.array(model.body_mass)
        centre = (mass[:, None] * data.xipos).sum(axis=0) / mass.sum()
        assert np.allclose(environment.robot.reward_state(simulation)[i], centre[:2], rtol=1e-12)


def test_what_is_drawn_is_a_group_of_its_own_that_no_policy_reads_by_itself() -> None:
    environment = vary(FIVE, 3)
    first = environment.reset()
    spec = environment.spec
    names = spec.observation["privileged"].names
    assert names[:5] == ("mass/torso", "mass/thigh", "mass/leg", "mass/foot", "friction")
    assert {"damping/leg_joint", "offset/foot/2", "gear/thigh_joint"} < set(names)
    step = environment.step(actions(environment, 1)[0])
    told = [step.telemetry[f"variation/{name}"] for name in FIVE]
    assert np.array_equal(np.concatenate(told, axis=1), first["privileged"])
    assert np.array_equal(step.next_obs["privileged"], first["privileged"])
    assert set(robot().make(1, {}, 0, 1).spec.observation) == {"policy"}
    assert set(spec.observation) == {"policy", "privileged"}


def test_a_copy_of_a_model_cannot_be_written_in_vain() -> None:
    environment: BatchEnvironment = vary(FIVE, 1)
    environment.reset()
    with pytest.raises(ValueError, match="variation"):
        environment.simulation.model_of(0).body_mass[1] = 2.0
    with pytest.raises(ValueError, match="read-only"):
        environment.simulation.model_field("body_mass")[0, 1] = 2.0
    with pytest.raises(ValueError, match="no field 'body_mas': did you mean 'body_mass'"):
        environment.simulation.model_field("body_mas")
