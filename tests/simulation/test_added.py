"""What a config adds to a robot does what it says and changes nothing else; where it is wrong, a sentence says so."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import mujoco
import numpy as np
import pytest

from pgrobot.assembly import build
from pgrobot.cli import main
from pgrobot.configure import build_environment, compose, search_path, validated
from pgrobot.diagnostics import EpisodeStatistics
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment
from pgrobot.types import Step

OWN = "modules=[own_functions]"
EFFORT = "+task.rewards.effort={_target_:own_functions.effort,weight:-0.5,power:3}"
PLACE = "+task.observations.place={_target_:own_functions.place,body:foot}"
LOW = "+task.terminations.low={_target_:own_functions.low,height:1.24}"


def made(*overrides: str, num_envs: int = 3) -> BatchEnvironment:
    environment = build_environment(validated(compose([*search_path([]), OWN, *overrides])), num_envs, 0, 1)
    assert isinstance(environment, BatchEnvironment)
    return environment


def stepped(environment: BatchEnvironment, steps: int = 20) -> list[Step]:
    environment.reset()
    random = np.random.default_rng(0)
    return [environment.step(random.uniform(-1, 1, (3, 3))) for _ in range(steps)]


def test_a_reward_term_is_added_with_its_weight() -> None:
    with_effort, plain = made(EFFORT), made()
    assert with_effort.spec.reward_terms == (*plain.spec.reward_terms, "effort")
    for step, before in zip(stepped(with_effort), stepped(plain), strict=True):
        assert np.array_equal(step.terms[:, :-1], before.terms)
        assert np.array_equal(step.reward, before.reward + step.terms[:, -1])
        assert np.array_equal(step.obs["policy"], before.obs["policy"])
    actions = np.random.default_rng(0).uniform(-1, 1, (3, 3))
    assert np.allclose(stepped(with_effort, 1)[0].terms[:, -1], -0.5 * (np.abs(actions) ** 3).sum(axis=1))


def test_a_weight_of_zero_changes_no_bit() -> None:
    for step, before in zip(
        stepped(made(f"{EFFORT}", "task.rewards.effort.weight=0")), stepped(made()), strict=True
    ):
        assert step.reward.tobytes() == before.reward.tobytes()
        assert step.terminated.tobytes() == before.terminated.tobytes()


def test_a_function_is_given_the_action_only_if_it_asks() -> None:
    environment = made("+task.rewards.speed={_target_:own_functions.speed,weight:2}")
    step = stepped(environment, 1)[0]
    assert np.array_equal(step.terms[:, -1], 2.0 * environment.simulation.qvel[:, 0])


def test_entries_are_appended_to_what_the_policy_sees() -> None:
    environment, plain = made(PLACE), made()
    names = environment.spec.observation["policy"].names
    assert names == (*plain.spec.observation["policy"].names, "place/0", "place/1", "place/2")
    step = stepped(environment, 1)[0]
    foot = environment.simulation.field("xpos")[:, environment.simulation.body("foot")]
    assert np.array_equal(step.next_obs["policy"][:, -3:], foot)
    assert np.array_equal(step.next_obs["policy"][:, :-3], stepped(plain, 1)[0].next_obs["policy"])


def test_an_episode_begins_without_the_speed_of_the_one_before() -> None:
    environment = made("+task.observations.pace={_target_:own_functions.pace}", "task.max_episode_steps=7")
    random = np.random.default_rng(0)
    assert not environment.reset()["policy"][:, -1].any()
    ended = 0
    for _ in range(40):
        step = environment.step(random.uniform(-1, 1, (3, 3)))
        done = step.terminated | step.truncated
        assert not step.obs["policy"][done, -1].any()
        assert np.array_equal(step.obs["policy"][~done], step.next_obs["policy"][~done])
        assert step.next_obs["policy"][:, -1].any()
        ended += done.sum()
    assert ended > 10
    assert not environment.reset()["policy"][:, -1].any()


def test_what_an_episode_begins_with_is_a_number() -> None:
    environment = made("+task.observations.entry={_target_:own_functions.entry,height:0.5}")
    environment.reset()
    starts = environment.draw(np.arange(3))
    starts.qpos[1, 1] = 0.4
    with pytest.raises(PgrobotError, match=r"task\.observations\.entry .*nan"):
        environment.start(np.arange(3), starts)


def test_a_new_group_is_for_whoever_chooses_it() -> None:
    cfg = validated(
        compose([OWN, "debug=tiny", f"{PLACE[:-1]},group:privileged}}", "critic.groups=[policy,privileged]"])
    )
    assembly = build(cfg, 1)
    assert assembly.environment.spec.widths == {"policy": 11, "privileged": 3}
    (learner,) = assembly.learners.values()
    assert learner.learner.critic.body.layers[0].in_features == 14
    assert assembly.policy.body.layers[0].in_features == 11
    rollout = assembly.collector.collect()["robot"]
    assert rollout.obs["privileged"].shape == (32, 8, 3)


def test_a_termination_ends_episodes_and_is_counted() -> None:
    environment = made(LOW)
    for step in stepped(environment):
        ended = step.telemetry["termination/low"][:, 0]
        assert np.array_equal(ended, step.terminated)  # nothing falls so soon
        assert np.array_equal(ended, step.next_obs["policy"][:, 0] < 1.24)
    cfg = validated(compose([OWN, "debug=tiny", LOW, "task.max_episode_steps=8"]))
    rollout = build(cfg, 1).collector.collect()["robot"]
    low = rollout.telemetry["termination/low"][..., 0].bool()
    whole = rollout.done & ~rollout.censored
    metrics = EpisodeStatistics(environment.spec)(0, {"robot": None}, {"robot": rollout})
    assert 0 < (low & whole).sum() < rollout.done.sum()
    assert metrics["termination/low"] == int((low & whole).sum()) / int(whole.sum())


def test_a_broken_simulation_is_discarded_with_what_was_added() -> None:
    environment = made(EFFORT, PLACE, LOW)
    environment.reset()
    environment.simulation.batch.field("qvel")[1] = 1e12
    step = environment.step(np.ones((3, 3)))
    assert list(step.failures) == [1]
    assert step.censored.tolist() == [False, True, False]
    assert step.terms[1].tolist() == [0.0] * 4
    assert not step.telemetry["termination/low"][1]
    assert np.isfinite(step.next_obs["policy"]).all()


def test_what_a_broken_simulation_is_put_back_to_neither_counts_nor_ends_the_run() -> None:
    # The default height of 1.25 lies below both limits: without the discard it were NaN, and an end.
    environment = made(
        "+task.rewards.hole={_target_:own_functions.missing,weight:1,height:1.2501}",
        "task=hopper",
        "+task.terminations.low={_target_:own_functions.low,height:1.2501}",
    )
    environment.reset()
    height = environment.simulation.batch.field("qpos")[:, 1]
    height[:] = 1.4
    environment.simulation.batch.field("qvel")[1] = 1e12
    step = environment.step(np.ones((3, 3)))
    assert list(step.failures) == [1]
    assert height[1] == pytest.approx(1.25, abs=1e-2)
    assert np.isfinite(step.terms).all()
    assert not step.telemetry["termination/low"].any()
    assert not step.terminated.any()


def test_the_state_goes_on_exactly() -> None:
    environment, again = made(PLACE), made(PLACE)
    stepped(environment, 5)
    again.reset()
    again.load_state_dict(environment.state_dict())
    action = np.full((3, 3), 0.3)
    first, second = environment.step(action), again.step(action)
    assert np.array_equal(first.next_obs["policy"], second.next_obs["policy"])


def test_options_of_a_group_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "task" / "rewards"
    folder.mkdir(parents=True)
    for name in ("effort", "more"):
        (folder / f"{name}.yaml").write_text(
            f"{name}: {{_target_: own_functions.effort, weight: -0.5, power: 3}}"
        )
    monkeypatch.setenv("PGROBOT_CONFIG_PATH", str(tmp_path))
    both = "+task/rewards=[effort,more]"
    for typed, sentence in (
        (["+task/rewards=mor"], "Unknown task/rewards 'mor': did you mean 'more'"),
        (["task/rewards=mor"], "Unknown task/rewards 'mor': did you mean 'more'"),
        ([both, "nope=1"], "Unknown key or group 'nope'"),
    ):
        with pytest.raises(PgrobotError, match=sentence):
            made(*typed)
    assert made(both).spec.reward_terms[3:] == ("effort", "more")
    assert made(both, "~task.rewards.more").spec.reward_terms[3:] == ("effort",)
    assert made(both, "task.rewards.more.weight=2").robot.rewards["more"].weight == 2.0


@pytest.mark.parametrize("what", ["qpos", "qvel", "ctrl", "by_substep", "after"])
def test_what_looks_at_a_simulation_cannot_change_it(what: str) -> None:
    with pytest.raises(ValueError, match="read-only"):
        made(f"+task.rewards.own={{_target_:own_functions.shove,weight:1,what:{what}}}")


def test_a_reward_term_cannot_change_the_action() -> None:
    with pytest.raises(ValueError, match="read-only"):
        made("+task.rewards.own={_target_:own_functions.forces,weight:1}")


def test_a_reward_beyond_float32_is_refused() -> None:
    environment = made("+task.rewards.own={_target_:own_functions.speed,weight:1e300}")
    with pytest.raises(
        PgrobotError, match=r"speed of task.rewards.own, with its weight 1e\+300, is .* too large"
    ):
        stepped(environment, 1)


def wrong(kind: str, name: str, function: str, keys: str = "") -> list[str]:
    return [f"+task.{kind}.{name}={{_target_:own_functions.{function}{keys}}}"]


WEIGHT = ",weight:1"
WRONG = [
    (
        wrong("rewards", "own", "place", f"{WEIGHT},body:foot"),
        "own_functions.place of task.rewards.own has to return numbers (64,), but returned float64 (64, 3).",
    ),
    (
        wrong("observations", "own", "speed"),
        "own_functions.speed of task.observations.own has to return numbers (64, any), but returned float64 (64,).",
    ),
    (
        wrong("observations", "own", "nothing"),
        "own_functions.nothing of task.observations.own returns nothing",
    ),
    (
        wrong("terminations", "own", "speed"),
        "own_functions.speed of task.terminations.own has to return bool (64,), a truth value per simulation, but",
    ),
    (
        wrong("observations", "own", "entry", ",height:9"),
        "own_functions.entry of task.observations.own has to return finite numbers, but returned nan for simulation 0.",
    ),
    (
        wrong("rewards", "own", "raises", WEIGHT),
        " raised IndexError: index 99 is out of bounds",
    ),
    (
        wrong("rewards", "own", "Unnamed", WEIGHT),
        "task.rewards.own._target_: Unnamed is a class, where a function",
    ),
    (
        wrong("rewards", "own", "misnamed", WEIGHT),
        "task.rewards.own.actions must be given, as misnamed needs it: call the parameter 'action', which pgrobot",
    ),
    (wrong("rewards", "own", "efort", WEIGHT), "own_functions has no 'efort': did you mean 'effort'?"),
    (
        wrong("rewards", "own", "effort", f"{WEIGHT},pwer:2"),
        "task.rewards.own has no key 'pwer': did you mean 'power'?",
    ),
    (
        wrong("rewards", "own", "effort", WEIGHT),
        "task.rewards.own.power must be given, as effort needs it: add +task",
    ),
    (
        wrong("rewards", "own", "effort", f"{WEIGHT},power:x"),
        "task.rewards.own.power must be a number, not 'x'",
    ),
    (
        wrong("rewards", "own", "speed", ",weight:x"),
        "task.rewards.own.weight must be a finite number, not 'x'",
    ),
    (
        wrong("rewards", "own", "speed", ",weight:.inf"),
        "task.rewards.own.weight must be a finite number, not",
    ),
    (
        wrong("rewards", "own", "speed"),
        "task.rewards.own.weight must be given: add +task.rewards.own.weight=<value>",
    ),
    (
        wrong("rewards", "own", "heavy", WEIGHT),
        "a parameter 'weight', which is a key of task.rewards.own itself",
    ),
    (
        wrong("rewards", "own", "alone", WEIGHT),
        "own_functions.alone cannot be called with a simulation: too many pos",
    ),
    (
        ["+task.rewards.own={_target_:owns.speed,weight:1}"],
        "'owns.speed', which is not trusted: if you trust it, add",
    ),
    (
        ["+task.rewards.own={_target_:os.getpid,weight:1}"],
        "'os.getpid', which is not trusted: if you trust it, add",
    ),
    (
        ["+task.rewards.own.weight=1"],
        "task.rewards.own._target_ must be given: add +task.rewards.own._target_=",
    ),
    (
        ["+task.rewards=1"],
        "task.rewards consists of keys, such as task.rewards.energy._target_, so it cannot be 1",
    ),
    (
        ["+task.rewards.own=1"],
        "task.rewards.own consists of keys, such as task.rewards.own._target_, so it cannot be 1",
    ),
    (
        wrong("rewards", "ctrl", "speed", WEIGHT),
        "task.rewards.ctrl: Hopper-v5 has a reward term 'ctrl' of its own, beside forward, survive: choose another",
    ),
    (
        wrong("observations", "critic", "entry", ",height:0,group:critic")
        + wrong("observations", "time", "entry", ",height:0,group:time"),
        "task.observations.time.group is 'time', which pgrobot adds itself: choose another name.",
    ),
    (
        [
            "task=gymnasium",
            "task.id=Pendulum-v1",
            "constraint=none",
            *wrong("rewards", "own", "speed", WEIGHT),
        ],
        "task has no key 'rewards': those of ant, ",
    ),
]


@pytest.mark.parametrize(("overrides", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_what_is_wrong_is_said_before_training(
    overrides: Sequence[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["train", OWN, *overrides, "compile=false", f"hydra.run.dir={run}"]) in (1, 2)
    told = capsys.readouterr().err
    assert sentence in told
    assert "Traceback" not in told
    assert not run.exists()


def test_a_name_that_is_taken_in_its_group() -> None:
    with pytest.raises(PgrobotError, match="an entry 'policy/0' is in the group 'policy' already"):
        made("task._target_=own_functions.Unnamed", *wrong("observations", "policy", "entry", ",height:0"))


def test_no_number_in_a_later_step() -> None:
    environment = made("+task.rewards.own={_target_:own_functions.missing,weight:0,height:1.2}")
    with pytest.raises(
        PgrobotError, match=r"task.rewards.own has to return finite numbers, but returned nan for"
    ):
        stepped(environment, 100)


PUSHED = "+task.observations.pushed={_target_:own_functions.pushed,body:foot}"


def test_contact_forces_are_computed_for_who_reads_them() -> None:
    environment, plain = made(PUSHED), made()
    for step, before in zip(stepped(environment, 30), stepped(plain, 30), strict=True):
        assert np.array_equal(step.reward, before.reward)
        pushed = step.next_obs["policy"][:, -6:]
    body = environment.simulation.body("foot")
    for i in range(3):
        data = environment.simulation.batch.get_data(i)
        mujoco.mj_rnePostConstraint(copy(environment.model), data)
        assert np.array_equal(pushed[i], data.cfrc_ext[body])
    assert np.abs(pushed).max() > 1.0
