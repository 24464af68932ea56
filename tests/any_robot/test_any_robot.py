"""What a robot becomes that is described by its MJCF file alone."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mujoco
import numpy as np
import pytest
from own_models import ARM, SLIDER, WALKER, robot, world

from pgrobot.envs import rewards, terminations
from pgrobot.envs.costs import Fall
from pgrobot.errors import PgrobotError
from pgrobot.simulation import Simulation
from pgrobot.simulation.functions import RewardTerm, Termination
from pgrobot.simulation.model import typed

FALL = Fall(body="", height=-np.inf, tilt=np.inf)
FLOATING = WALKER.replace('<option timestep="0.005"/>', '<option timestep="0.005" gravity="0 0 0"/>')


@pytest.mark.parametrize(
    ("xml", "paid", "ends"),
    [
        (WALKER, ["forward", "alive", "effort"], ["low", "tilted"]),
        (SLIDER, ["forward", "alive", "effort"], ["low", "tilted"]),
        (ARM, ["pose", "effort"], []),
        (FLOATING, ["forward", "alive", "effort"], []),
    ],
    ids=["free", "planar", "fixed", "weightless"],
)
def test_what_nobody_named_is_chosen_by_how_it_moves(
    xml: str, paid: list[str], ends: list[str], tmp_path: Path
) -> None:
    environment = world(tmp_path, xml)
    assert list(environment.spec.reward_terms) == paid
    assert list(environment.robot.terminations) == ends
    assert environment.spec.can_fall == bool(ends)
    environment.reset()
    step = environment.step(np.zeros((3, environment.model.nu)))
    np.testing.assert_allclose(step.reward, step.terms.sum(axis=1))


def test_what_is_named_is_all_that_is_paid(tmp_path: Path) -> None:
    term = RewardTerm(rewards.upright, 2.0)
    environment = world(tmp_path, WALKER, rewards={"up": term})
    assert (environment.spec.reward_terms, dict(environment.robot.terminations)) == (("up",), {})
    environment.reset()
    assert environment.step(np.zeros((3, 3))).reward == pytest.approx(2.0, abs=1e-2)
    ends = {"low": Termination(partial(terminations.low, limit=0.1))}
    environment = world(tmp_path, WALKER, terminations=ends)
    assert list(environment.spec.reward_terms) == ["forward", "alive", "effort"]
    assert list(environment.robot.terminations) == ["low"]


def test_what_is_chosen_is_what_the_names_mean(tmp_path: Path) -> None:
    """Chosen for a robot whose base, pose and direction are given."""
    given = {"base": "trunk", "keyframe": "qpos0", "direction": [0.0, 1.0]}
    environment = world(tmp_path, WALKER, **given)
    environment.reset()
    step = environment.step(np.full((3, 3), 0.2))
    simulation = environment.simulation
    expected = rewards.forward(simulation, "trunk", "qpos0", (0.0, 1.0))
    np.testing.assert_array_equal(step.terms[:, 0], expected)
    np.testing.assert_array_equal(simulation.forward_speed, expected)
    np.testing.assert_array_equal(step.terms[:, 2], -0.1 * rewards.effort(simulation))


@pytest.mark.parametrize(
    ("given", "steps"), [({}, 4), ({"control_period": 0.012}, 2), ({"frame_skip": 7}, 7)]
)
def test_a_step_lasts_what_it_shall(given: dict[str, Any], steps: int, tmp_path: Path) -> None:
    environment = world(tmp_path, WALKER, **given)
    assert environment.robot.frame_skip == steps
    assert environment.spec.control_dt == pytest.approx(0.005 * steps)


def test_a_slow_model_is_stepped_once(tmp_path: Path) -> None:
    slow = ARM.replace("<worldbody>", '<option timestep="0.05"/><worldbody>', 1)
    assert world(tmp_path, slow).robot.frame_skip == 1


def test_an_episode_starts_near_its_pose_and_within_the_joints_limits(tmp_path: Path) -> None:
    environment = world(tmp_path, WALKER, 40, reset_noise_scale=0.7)
    environment.reset()
    qpos, qvel = environment.simulation.qpos, environment.simulation.qvel
    assert np.array_equal(qpos[:, :14], np.tile(environment.model.key("crouch").qpos[:14], (40, 1)))
    assert not qvel[:, :12].any()
    assert 0.6 < np.abs(qpos[:, 16] - 0.2).max() <= 0.7
    assert 0.6 < np.abs(qvel[:, 12:]).max() <= 0.7
    assert qpos[:, 15].max() == 0.0  # the knee's end
    assert qpos[:, 15].min() < -1.0


@pytest.mark.parametrize(("keyframe", "hip"), [("", 0.3), ("crouch", 0.3), ("qpos0", 0.0)])
def test_the_first_keyframe_with_a_name_is_the_pose(keyframe: str, hip: float, tmp_path: Path) -> None:
    environment = world(tmp_path, WALKER, keyframe=keyframe, reset_noise_scale=0.0)
    environment.reset()
    assert environment.simulation.qpos[0, 14] == hip


def test_home_goes_before_other_keyframes(tmp_path: Path) -> None:
    home = '<key name="home" qpos="0 2 0.1 1 0 0 0  0 0 0.40 0.7071 0.7071 0 0  0.5 -0.6 0.2"/></keyframe>'
    environment = world(tmp_path, WALKER.replace("</keyframe>", home), reset_noise_scale=0.0)
    environment.reset()
    assert environment.simulation.qpos[0, 14] == 0.5


KEYED = ARM.replace(
    "</worldbody>", '<body name="hand" mocap="true"><geom size="0.01" contype="0"/></body></worldbody>'
).replace('<motor joint="shoulder"', '<general dyntype="filterexact" dynprm="0.1" joint="shoulder"')
KEY = """<keyframe><key name="up" qpos="0.4 -0.2" qvel="0.1 0.3" act="0.7" ctrl="-1.5 2" mpos="1 2 3"
  mquat="0.6 0 0.8 0"/></keyframe></mujoco>"""


@pytest.mark.parametrize("keyframe", ["", "up", "qpos0"])
def test_an_episode_starts_as_mujoco_resets_to_a_keyframe(keyframe: str, tmp_path: Path) -> None:
    """With controls, activations, velocities and mocap bodies; of no keyframe as MuJoCo resets to none."""
    xml = KEYED.replace("</mujoco>", KEY)
    environment = world(tmp_path, xml, keyframe=keyframe, reset_noise_scale=0.0)
    simulation, data = environment.simulation, mujoco.MjData(environment.model)
    names = ("qpos", "qvel", "act", "ctrl", "mocap_pos", "mocap_quat", "actuator_force", "qacc")
    found = {name: simulation.field(name) for name in names}

    def reset() -> None:
        mujoco.mj_resetData(environment.model, data)
        if keyframe != "qpos0":
            mujoco.mj_resetDataKeyframe(environment.model, data, 0)
        mujoco.mj_forward(environment.model, data)

    for _ in range(2):  # what an episode leaves is not where the next one starts
        environment.reset()
        reset()
        for name in names:
            np.testing.assert_array_equal(found[name], [getattr(data, name)] * 3, err_msg=name)
        data.ctrl[:] = (0.5, 1.0)
        mujoco.mj_step(environment.model, data, environment.robot.frame_skip)
        environment.advance(np.tile(data.ctrl, (3, 1)))
        np.testing.assert_array_equal(simulation.qpos, [data.qpos] * 3)


def test_noise_is_added_to_a_keyframe_s_velocities(tmp_path: Path) -> None:
    environment = world(tmp_path, KEYED.replace("</mujoco>", KEY), 40, reset_noise_scale=0.05)
    environment.reset()
    off = environment.simulation.qvel - (0.1, 0.3)
    assert 0.04 < np.abs(off).max() <= 0.05
    assert len(np.unique(off)) == off.size


def test_a_command_without_a_range_is_given_one(tmp_path: Path) -> None:
    own = """<actuator>
      <motor name="motor" joint="left_hip" gear="10"/>
      <motor name="strong" joint="left_hip" forcerange="-4 8"/>
      <general name="geared" joint="left_hip" gainprm="-2" forcerange="-4 8"/>
      <position name="servo" joint="left_knee" kp="20" gear="2"/>
      <velocity name="pace" joint="left_knee" kv="2"/>
      <motor name="given" joint="right_hip" ctrlrange="-3 5"/>
    </actuator>"""
    xml = WALKER[: WALKER.index("<actuator>")] + own + WALKER[WALKER.index("</actuator>") + 11 :]
    environment = world(tmp_path, xml)
    ranges = np.array([(-1, 1), (-4, 8), (-4, 2), (-np.pi, 0), (-1, 1), (-3, 5)])
    np.testing.assert_allclose(environment.simulation.ctrl_range, ranges)
    told = [words for word, words in environment.robot.introduction() if word == "commands"]
    assert told == [
        "of motor, pace have no range in the file: ±1 is taken",
        "of strong, geared have no range in the file: that of their greatest force",
        "of servo have no range in the file: their joints' ranges",
    ]


def test_a_fall_is_charged_where_a_termination_is_one(tmp_path: Path) -> None:
    own = robot(tmp_path, WALKER, reset_noise_scale=0.0, keyframe="qpos0")
    environment = own.make(2, {"fall": FALL}, 0, 1)
    environment.reset()
    for _ in range(200):
        step = environment.step(np.zeros((2, 3)))
        assert np.array_equal(step.cost[:, 0], step.terminated)
        if step.terminated.any():
            break
    else:
        pytest.fail("it stands on one leg and does not fall")
    names = {name for name, ended in step.telemetry.items() if "termination" in name and ended.any()}
    assert names <= {"termination/low", "termination/tilted"}
    ends = {"high": Termination(partial(terminations.high, limit=9.0))}
    with pytest.raises(PgrobotError, match=r"no fall ends an episode of model, so it cannot be"):
        robot(tmp_path, WALKER, terminations=ends).make(2, {"fall": FALL}, 0, 1)


def test_a_fixed_robot_has_no_speed(tmp_path: Path) -> None:
    with pytest.raises(PgrobotError, match=r"model has no forward speed"):
        _ = world(tmp_path, ARM).simulation.forward_speed


def test_it_tells_what_it_is(tmp_path: Path) -> None:
    assert list(robot(tmp_path, WALKER).introduction()) == [
        ("base", "trunk, which flies free; it starts 0.44 m high in the pose crouch"),
        ("step", "20 ms: 4 of MuJoCo's 5 ms; an episode is at most 1,000 steps, 20 s"),
        ("reward", "1 forward + 1 alive - 0.1 effort"),
        ("ends by", "low, tilted"),
        ("commands", "of right_hip have no range in the file: that of their greatest force"),
        (
            "may limit",
            "action_rate, torque, joint_velocity, power, joint_limit, fall, speed (with task.speed_threshold)",
        ),
    ]
    told = dict(robot(tmp_path, ARM.replace('pos="0 0 0.5"', 'pos="0 0 0.02"').replace(
        "<worldbody>", '<worldbody><geom name="table" type="plane" size="1 1 1"/>'
    )).introduction())  # fmt: skip
    assert told["base"] == "stand, which is fixed; it starts 0.02 m high in the pose qpos0"
    assert (told["ends by"], told["may limit"]) == (
        "nothing but its time",
        "action_rate, torque, joint_velocity, power",
    )
    low = WALKER.replace('pos="0 0 0.42"', 'pos="0 0 0.2"')
    told = dict(robot(tmp_path, low, keyframe="qpos0").introduction())
    assert told["warning"].startswith("right_foot starts 23 cm inside floor: give the model a keyframe in ")


NO_ACTUATOR = ARM[: ARM.index("<actuator>")] + "</mujoco>"
NO_JOINT = '<mujoco><worldbody><body name="b"><geom size="1"/></body></worldbody></mujoco>'
NO_MESH = ARM.replace("<worldbody>", '<asset><mesh name="hull" file="hull.stl"/></asset><worldbody>', 1)


@pytest.mark.parametrize(
    ("xml", "sentence"),
    [
        (NO_JOINT, r"model\.xml has no joints, so nothing of it can move: give its bodies a <joint>\."),
        (
            NO_ACTUATOR,
            r"model has no actuators, so there is nothing to learn: give its MJCF file an <actuator>\.",
        ),
        (NO_MESH, r"MuJoCo cannot compile .*model\.xml: .*hull\.stl"),
        ("a robot of my own", r"MuJoCo cannot compile .*model\.xml: XML parse error"),
        ("<html></html>", r"MuJoCo cannot compile .*model\.xml: .*"),
    ],
    ids=["joints", "actuators", "mesh", "text", "html"],
)
def test_a_file_that_is_no_robot_is_refused(xml: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        world(tmp_path, xml)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"xml_file": "default"}, "task.xml_file=default is no model: give the path of a MJCF file."),
        (
            {"xml_file": "hoper.xml"},
            "there is no MJCF file 'hoper.xml', nor a model of that name: did you mean",
        ),
        ({"frame_skip": -1}, "task.frame_skip must be a whole number of at least 0, not -1"),
        ({"control_period": 0.0}, "task.control_period must be a number above 0, not 0.0"),
        ({"reset_noise_scale": -1.0}, "task.reset_noise_scale must be a number of at least 0, not -1.0"),
        (
            {"rewards": {"pace": RewardTerm(partial(rewards.forward, base="trnk"), 1.0)}},
            "task.base=trnk is no body that hangs on the world itself: did you mean 'trunk'?",
        ),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(PgrobotError) as refusal:
        world(tmp_path, WALKER, **options)
    assert str(refusal.value).startswith(sentence)


def menagerie(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """A package like mujoco-menagerie, which finds one robot in a checkout."""

    def xml(entry: str) -> Path:
        if not (root / "my_arm").is_dir():
            raise RuntimeError("'my_arm' not found under MENAGERIE_ROOT")
        return root / "my_arm" / f"{entry}.xml"

    known = SimpleNamespace(entry_names=("arm", "scene"), default_scene="scene", xml=xml)
    package: Any = ModuleType("mujoco_menagerie")
    package.names, package.get = lambda: ["my_arm", "my_dog"], lambda name: known
    monkeypatch.setitem(sys.modules, "mujoco_menagerie", package)


def test_a_robot_of_menagerie_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    menagerie(monkeypatch, tmp_path)
    with pytest.raises(
        PgrobotError, match=r"the files of my_arm are not here .*MENAGERIE_ROOT.* clone https"
    ):
        typed("menagerie:my_arm/scene")
    (tmp_path / "my_arm").mkdir()
    (tmp_path / "my_arm" / "arm.xml").write_text(ARM)
    (tmp_path / "my_arm" / "scene.xml").write_text('<mujoco><include file="arm.xml"/></mujoco>')
    for name in ("menagerie:my_arm/scene", "menagerie:my_arm/scene.xml", "menagerie:my_arm"):
        assert typed(name) == tmp_path / "my_arm" / "scene.xml"
    made = robot(tmp_path, ARM, xml_file="menagerie:my_arm/arm")
    assert made.title == "arm"
    assert made.make(1, {}, 0, 1).model.nu == 2
    assert sorted(made.model_files().content) == ["arm.xml"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("menagerie:my_arn/scene", "Menagerie has no robot 'my_arn': did you mean 'my_arm'?"),
        ("menagerie:my_arm/scenes", "my_arm of Menagerie has no model 'scenes': did you mean 'scene'?"),
    ],
)
def test_a_name_that_menagerie_does_not_know_is_refused(
    name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    menagerie(monkeypatch, tmp_path)
    with pytest.raises(PgrobotError) as refusal:
        typed(name)
    assert str(refusal.value) == f"task.xml_file={name}: {sentence}"


def test_without_its_package_menagerie_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco_menagerie", None)
    with pytest.raises(
        PgrobotError, match=r"needs the package mujoco-menagerie: pip install 'pgrobot\[menag"
    ):
        typed("menagerie:unitree_go1/scene")


def test_terms_may_be_of_ones_own_beside_those(tmp_path: Path) -> None:
    def own(simulation: Simulation, action: np.ndarray) -> np.ndarray:
        return action[:, 0]

    terms = {"own": RewardTerm(own, 3.0), "alive": RewardTerm(rewards.alive, 1.0)}
    environment = world(tmp_path, WALKER, rewards=terms)
    environment.reset()
    assert environment.step(np.full((3, 3), 0.5)).reward.tolist() == [2.5] * 3


def test_the_compiled_model_is_the_files_but_for_what_was_added(tmp_path: Path) -> None:
    made = robot(tmp_path, WALKER).build_model()
    plain = mujoco.MjModel.from_xml_string(WALKER)
    assert np.array_equal(made.body_mass, plain.body_mass)
    assert made.nsensor == 0
    assert np.array_equal(made.actuator_ctrlrange[:2], plain.actuator_ctrlrange[:2])
