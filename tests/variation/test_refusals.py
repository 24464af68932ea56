"""What cannot vary is refused in one sentence, before anything is built."""

from __future__ import annotations

import pytest
import yaml
from varied_worlds import robot, vary

from pgrobot.assembly import build_environment
from pgrobot.configure import compose, validated
from pgrobot.errors import PgrobotError
from pgrobot.simulation import Robot

MASS = "mass: {field: body_mass, scale: 1}"
REFUSED = (
    ("3", "variation.a consists of keys"),
    ("{fild: body_mass,scale: 2}", "variation.a has no key 'fild': did you mean 'field'"),
    ("{scale: 2}", "variation.a.field must be given"),
    ("{field: body_mas,scale: 2}", "body_mas is no field of the model: did you mean 'body_mass'"),
    ("{field: nbody,scale: 2}", "nbody is no field of the model"),
    ("{field: jnt_axis,scale: 2}", "does not vary by simulation: valid"),
    ("{field: actuator_ctrlrange,scale: 2}", "bounds the action space.*vary actuator_gear"),
    ("{field: opt.timestep,scale: 2}", "how long a step lasts"),
    ("{field: body_mass}", "needs one of scale, add and value, and none of them is given"),
    ("{field: body_mass,scale: 1,add: 0}", "needs one of scale, add and value, not scale and add"),
    ("{field: body_mass,scale: [2,1]}", r"is \[2, 1\], whose first number is the greater one"),
    ("{field: body_mass,scale: [1,2,3]}", "must be two finite numbers"),
    ("{field: body_mass,scale: [1,.inf]}", "must be two finite numbers"),
    ("{field: body_mass,scale: [-2,1]}", "body_mass of 'torso' would be -7.33.*above 0"),
    ("{field: body_mass,add: [-3,1],names: [leg]}", "body_mass of 'leg' would be -0.21"),
    ("{field: dof_damping,value: [-1,1]}", "would be -1: it has to be at least 0"),
    ("{field: body_inertia,value: [0.1,1]}", "'torso' an inertia about one axis that exceeds"),
    ("{field: jnt_range,value: [0.1,1]}", "a range that ends before it begins"),
    ("{field: body_mass,scale: 1,names: [tors]}", "no body 'tors': did you mean 'torso'"),
    ("{field: dof_damping,scale: 1,names: [leg]}", "no joint 'leg': valid: foot_joint, leg_joint"),
    ("{field: geom_size,scale: 1,names: [foot]}", "no geom 'foot': did you mean .*'foot_geom'"),
    ("{field: actuator_gear,scale: 1,names: [x]}", "no actuator 'x'"),
    ("{field: body_mass,scale: 1,names: [world]}", "body 'world' does not move"),
    (
        "{field: dof_damping, scale: 1, names: [rootx]}",
        "dof_damping of 'rootx' is 0, and a scale of 0",
    ),
    ("{field: jnt_stiffness,scale: 1}", "is 0 all over the model"),
    ("{field: actuator_forcerange,scale: 1}", "no actuator whose actuator_forcerange could vary"),
    ("{field: body_mass,scale: 1,names: []}", "must be all, or a list of different names"),
    ("{field: geom_friction,add: 1,columns: [3]}", "names 3, and geom_friction has columns 0 to 2"),
    ("{field: opt.gravity,scale: 1,names: [x]}", "opt.gravity is the whole model's"),
    ("{field: body_mass,scale: 1,per: joint}", "per cannot be 'joint'"),
    ("{field: body_mass,scale: 1,distribution: normal}", "did you mean 'uniform'"),
    ("{field: body_mass,add: [0,1],distribution: log_uniform}", "needs bounds above 0"),
    ("{field: body_mass,scale: 1,deviation: 1}", "deviation is a Gaussian's"),
    ("{field: body_mass,scale: 1,correlation: 1}", "needs variation.a.follows"),
    ("{field: body_mass,scale: 1,follows: b}", "follows=b is no other entry"),
    ("{field: body_mass,scale: 1,schedule: {stps: 1}}", "no key 'stps': did you mean 'steps'"),
    ("{field: body_mass,scale: 1,schedule: {steps: 0}}", "steps must be a number above 0"),
    ("{field: body_mass,scale: 1,schedule: {start: 0.5}}", "needs either steps"),
    ("{field: body_mass,scale: 1,schedule: {steps: 1,by: 0.1}}", "by is for a schedule by success"),
)


TOGETHER = (
    (f"{MASS}, a: {{field: body_mass, add: 1}}", "both vary the same part of body_mass"),
    (f"{MASS}, a: {{field: body_inertia, add: 1}}", "adds to inertias that variation.mass scales"),
    (
        f"{MASS}, a: {{field: geom_friction, scale: 1, per: entry, follows: mass}}",
        "draws 15 numbers and follows mass",
    ),
    (
        f"{MASS}, b: {{field: dof_damping, scale: 1, follows: mass}}, a: {{field: body_ipos, add: 0, follows: b}}",
        "a.follows=b, which follows mass itself",
    ),
    ("a/b: {field: body_mass, scale: 1}", "needs a name without a slash"),
)
UNKNOWN = (
    (["variation=[mas]"], "Unknown variation 'mas': did you mean 'mass'?"),
    (["variation=3"], "Unknown variation '3'"),
    (["variation.mass.scale=[1,2]"], r"select it with 'variation=\[mass\]'"),
    (["variation.own={field:body_mass,scale:2}"], r"add it with a \+"),
    (["+variation.own={field:body_mas,scale:2}"], "body_mas is no field of the model"),
    (["variation=[mass]", "task=lqr"], "variation.mass needs a robot whose model pgrobot simulates itself"),
    (["variation=[mass]", "task=gymnasium", "task.id=Pendulum-v1"], "makes environments of its own"),
    (
        ["variation=[mass]", "task=dm_control", "task.domain=cartpole", "task.name=swingup"],
        "environments of its own",
    ),
)


@pytest.fixture(scope="module")
def hopper() -> Robot:
    return robot()


@pytest.mark.parametrize(("text", "words"), [*((f"a: {one}", words) for one, words in REFUSED), *TOGETHER])
def test_nonsense_is_refused_in_a_sentence(text: str, words: str, hopper: Robot) -> None:
    with pytest.raises(PgrobotError, match=words):
        vary(yaml.safe_load(f"{{{text}}}"), 2, of=hopper)


@pytest.mark.parametrize(("lines", "words"), UNKNOWN)
def test_what_is_typed_wrongly_is_refused(lines: list[str], words: str) -> None:
    with pytest.raises(PgrobotError, match=words):
        build_environment(validated(compose(["constraint=[]", *lines])), 2, 0, 1)
