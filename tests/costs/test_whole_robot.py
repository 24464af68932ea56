"""Costs of contacts, energy and lying, against MuJoCo's own simulations stepped one substep at a time."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from varied_worlds import actions, robot

from pgrobot.envs.costs import Contact, Energy, Fall
from pgrobot.envs.costs.choice import ALL
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.model import assets

ENVS, STEPS = 4, 60


def alone(environment: BatchEnvironment, look: Any) -> tuple[np.ndarray, np.ndarray]:
    """Costs ``[T, N, J]``, and what ``look`` sees in plain copies before and after each substep, ``[T, N, S, J]``."""
    environment.reset()
    batch = environment.simulation.batch
    copies, forward = [batch.get_data(i) for i in range(ENVS)], mujoco.MjData(environment.model)
    paid, seen = [], []
    for action in actions(environment, STEPS):
        step = environment.advance(action)
        paid.append(step.telemetry["violation/it"])
        rows = []
        for i, data in enumerate(copies):
            data.ctrl[:] = action[i]
            rows.append([])
            for _ in range(batch.frame_skip):
                mujoco.mj_copyData(forward, environment.model, data)
                mujoco.mj_forward(environment.model, forward)  # as it is when the substep begins
                mujoco.mj_step(environment.model, data)
                rows[-1].append(look(environment.model, forward, data))
            assert np.array_equal(batch.field("qpos")[i], data.qpos), "sensors change nothing"
        seen.append(rows)
    return np.array(paid), np.array(seen)


def pressed(
    model: mujoco.MjModel, data: mujoco.MjData, bodies: list[str], against: int
) -> list[tuple[int, float]]:
    """Of each body: how many contacts it has with geoms of another (−1: any), and how hard they press together."""
    told = []
    for body in bodies:
        count, net, own = 0, np.zeros(3), model.body(body).id
        for c in range(data.ncon):
            contact = data.contact[c]
            pair = [int(model.geom_bodyid[g]) for g in contact.geom]
            if own not in pair or against not in (-1, pair[1 - pair.index(own)]):
                continue
            wrench = np.zeros(6)
            mujoco.mj_contactForce(model, data, c, wrench)
            count += 1
            net += (contact.frame.reshape(3, 3).T @ wrench[:3]) * (1.0 if pair[1] == own else -1.0)
        told.append((count, float(np.linalg.norm(net))))
    return told


@pytest.mark.parametrize("substeps", ["worst", "last"])
@pytest.mark.parametrize("force", [0.0, 150.0])
def test_contacts_are_mujocos_own(force: float, substeps: str) -> None:
    bodies = ["torso", "foot", "leg"]
    cost = Contact(["t*o", "foot", "leg"], ["world"], force, substeps)
    paid, seen = alone(robot().make(ENVS, {"it": cost}, 0, 1), lambda m, d, _: pressed(m, d, bodies, 0))
    touching = seen[..., 1] > force if force else seen[..., 0] > 0
    expected = touching.any(axis=2) if substeps == "worst" else touching[:, :, -1]
    assert np.array_equal(paid.astype(bool), expected)
    assert paid[..., 1].sum() > 10, "the foot stood on the floor"
    assert (
        paid.sum(axis=(0, 1)).tolist() != (seen[..., 0] > 0).any(axis=2).sum(axis=(0, 1)).tolist()
        or not force
    )
    assert not paid.all(axis=(0, 1)).any()


def test_against_all_a_part_may_touch_nothing_and_each_is_counted_once() -> None:
    cost = Contact(["foot_geom", "torso_geom"], ALL, 0.0, "worst")
    paid, seen = alone(
        robot().make(ENVS, {"it": cost}, 0, 1), lambda m, d, _: pressed(m, d, ["foot", "torso"], -1)
    )
    assert np.array_equal(paid, (seen[..., 0] > 0).any(axis=2))


def test_a_robot_reads_its_own_sensors_alone() -> None:
    environment = robot().make(1, {"it": Contact(["foot"], ALL, 0.0, "last")}, 0, 1)
    assert environment.model.nsensordata == 4
    assert environment.simulation.field("sensordata").shape == (1, 0)
    assert environment.spec.violations == {"it": ("foot",)}


def test_energy_is_the_work_of_the_joints() -> None:
    """``Σ |τ Δq|``: a motor's torque is the same throughout a substep."""

    def work(model: mujoco.MjModel, before: mujoco.MjData, after: mujoco.MjData) -> np.ndarray:
        return np.abs(before.qfrc_actuator[3:] * (after.qpos - before.qpos)[3:])

    paid, seen = alone(robot().make(ENVS, {"it": Energy(0.0, ALL)}, 0, 1), work)
    assert np.allclose(paid, seen.sum(axis=2), rtol=1e-12)
    assert (paid > 0.0).all()
    assert paid.sum(axis=-1).max() > 1.0


def test_what_a_metre_pays_back_is_a_part_of_its_own() -> None:
    environment = robot().make(ENVS, {"free": Energy(0.0, ALL), "paid": Energy(100.0, ["leg_joint"])}, 0, 1)
    assert environment.spec.violations["paid"] == ("leg_joint", "distance")
    environment.reset()
    for action in actions(environment, 10):
        step = environment.advance(action)
        simulation = environment.simulation
        free, paid = step.telemetry["violation/free"], step.telemetry["violation/paid"]
        assert np.array_equal(paid[:, 0], free[:, 1])
        assert np.allclose(paid[:, 1], -100.0 * simulation.forward_speed * simulation.dt, rtol=1e-12)
        assert np.allclose(step.cost[:, 1], paid.sum(axis=1), rtol=1e-12)


def test_a_body_lies_where_it_is_low_or_leans_from_where_it_stood() -> None:
    cost = Fall("torso", 1.1, 0.3)
    environment = robot().make(ENVS, {"it": cost}, 0, 1)
    assert environment.spec.highest_cost == {"it": 1.0}

    def lies(model: mujoco.MjModel, before: mujoco.MjData, data: mujoco.MjData) -> list[tuple[bool, bool]]:
        turned = data.body("torso").xmat.reshape(3, 3)[2, 2]
        return [(data.body("torso").xpos[2] < 1.1, math.acos(min(1.0, turned)) > 0.3)]

    paid, seen = alone(environment, lies)
    assert np.array_equal(paid.astype(bool), seen[:, :, -1].any(axis=-1))
    assert 0.0 < paid.mean() < 1.0
    assert (seen[:, :, -1, :, 0] != seen[:, :, -1, :, 1]).any(), "either alone would have passed"


def test_a_body_that_is_turned_in_the_model_stands_as_it_is(tmp_path: Path) -> None:
    text = (assets() / "hopper.xml").read_text()
    assert text.count('<body name="foot"') == 1
    file = tmp_path / "turned.xml"
    file.write_text(text.replace('<body name="foot"', '<body quat="0.9 0 0.3 0" name="foot"'))
    turned = robot("hopper", f"task.xml_file={file}")
    environment = turned.make(ENVS, {"it": Fall("foot", -np.inf, 0.2)}, 0, 1)
    place, still = np.tile(environment.model.qpos0, (ENVS, 1)), np.zeros((ENVS, 6))
    place[:, 1] += 1.0
    environment.set_state(np.arange(ENVS), place, still)
    assert (environment.behaviour.violations()["it"] == 0.0).all()
    place[:, 2] += 0.19, 0.21, -0.19, -0.21
    environment.set_state(np.arange(ENVS), place, still)
    assert environment.behaviour.violations()["it"].ravel().tolist() == [0.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("task", "cost", "sentence"),
    [
        ("hopper", Contact(["foott"], ALL, 0.0, "worst"), "it.cost.parts names 'foott'.*did you mean 'foot'"),
        ("hopper", Contact(["foot"], ["flor"], 0.0, "worst"), "it.cost.against names 'flor'.*did you mean 'floor'"),
        ("hopper", Contact(ALL, ALL, 0.0, "worst"), "it.cost.parts cannot be all"),
        ("hopper", Contact(["foot"], ALL, 0.0, "wurst"), "it.cost.substeps=wurst is unknown: did you mean 'worst'"),
        ("reacher", Energy(10.0, ALL), "Reacher-v5 has no forward speed"),
        ("hopper", Energy(0.0, ["rootx"]), "it.cost.joints names 'rootx', but no actuator drives joint 'rootx'"),
        ("hopper", Fall("torsoo", 0.5, np.inf), "no body 'torsoo': did you mean 'torso'"),
        ("hopper", Fall("torso", -np.inf, np.inf), "it.cost.body=torso needs constraint.it.cost.height"),
        ("hopper", Fall("", 0.5, np.inf), "says when a body lies, and not which"),
        ("hopper", Fall("torso", -np.inf, 4.0), "it.cost.tilt=4.0 has to lie between 0 and π"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(task: str, cost: Any, sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        robot(task).make(1, {"it": cost}, 0, 1)


def test_a_robot_that_compiles_a_model_of_its_own_is_told_what_to_do() -> None:
    """And with what the sentence says it is measured as any other."""
    hopper = robot()

    class Odd(type(hopper)):  # type: ignore[valid-type, misc]
        def build_model(self) -> mujoco.MjModel:
            return super().build_model()

    class Lower(Odd):
        """What it compiles, it inherits."""

    class Tall(type(hopper)):  # type: ignore[valid-type, misc]
        def build_model(self) -> mujoco.MjModel:
            return self.build_spec().compile()

        def build_spec(self) -> mujoco.MjSpec:
            spec = super().build_spec()
            spec.worldbody.add_geom(
                name="ceiling", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], pos=[0, 0, -9]
            )
            return spec

    options = {each.name: getattr(hopper, each.name) for each in fields(hopper)}
    foot = {"it": Contact(["foot"], ALL, 0.0, "last")}
    assert Odd(**options).make(1, {}, 0, 1).spec.costs == ()
    for odd in (Odd, Lower):
        with pytest.raises(PgrobotError) as refusal:
            odd(**options).make(1, foot, 0, 1)
        assert str(refusal.value) == (
            "constraint 'it' adds sensors to the model before it is compiled, and Odd compiles its own in build_model: "
            "let it have a method build_spec that returns the mujoco.MjSpec with all that it adds, and build_model "
            "return self.build_spec().compile(); or leave the constraint out with ~constraint.it."
        )
    one, other = (kind(**options).make(2, foot, 0, 1) for kind in (type(hopper), Tall))
    assert mujoco.mj_name2id(other.model, mujoco.mjtObj.mjOBJ_GEOM, "ceiling") >= 0
    paid = []
    for environment in (one, other):
        environment.reset()
        paid.append([environment.step(action).cost for action in actions(one, 40)])
    np.testing.assert_array_equal(*paid)
    assert 0.0 < np.mean(paid) < 1.0
