"""What robots remember: drawn for each environment from its own stream, moved on, drawn anew, and resumed exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest

from pgrobot.envs.hopper import Hopper
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment, Robot, Simulation, Starts, Streams
from pgrobot.simulation.auto_reset import streams
from pgrobot.simulation.functions import ObservedEntries
from pgrobot.types import Observation, Step

CHASE = """
<mujoco>
  <option timestep="0.01"/>
  <size nuserdata="2"/>
  <worldbody>
    <body name="cart">
      <joint name="rail" type="slide" axis="1 0 0"/>
      <geom size="0.1" mass="1"/>
    </body>
    <body name="goal" mocap="true" pos="0 0 1"/>
  </worldbody>
  <actuator>
    <general name="motor" joint="rail" ctrlrange="-1 1" ctrllimited="true" dyntype="filter" dynprm="0.5" gear="5"/>
  </actuator>
</mujoco>
"""
INTERVAL = 2, 5


@dataclass(frozen=True, kw_only=True)
class Chase(Robot):
    """Every function returns what the test asks for, else chases a place that is drawn anew now and then."""

    answers: Mapping[str, Any]

    models: ClassVar = {"v1": "unused"}

    def _answer(self, name: str, usual: Any) -> Any:
        return self.answers.get(name, usual)

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "place", "closer"

    def memory(self, simulation: Simulation) -> Mapping[str, int]:
        found: Mapping[str, int] = self._answer("memory", {"place": 1, "left": 1, "last": 1})
        return found

    def observation(self, simulation: Simulation) -> Observation:
        kept = [simulation.memory(name) for name in ("place", "left", "last")]
        return {"policy": np.concatenate((simulation.qpos, *kept), axis=1)}

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        return np.abs(simulation.qpos - simulation.memory("place"))

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        closer = (simulation.before - simulation.after)[:, 0]
        return simulation.memory("place")[:, 0].copy(), closer

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return np.abs(simulation.qpos[:, 0]) > 1.5

    def initial_states(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Starts:
        starts = Starts(
            qpos=randoms.uniform(-1.0, 1.0, 1),
            qvel=randoms.normal(1),
            state={
                "mocap_pos": randoms.uniform(0.0, (1.0, 2.0, 3.0), (1, 3)),
                "act": randoms.uniform(-1.0, 1.0, 1),
                "userdata": randoms.uniform(5.0, 6.0, 2),
            },
            memory=dict(self.redrawn(simulation, ids, randoms)),
        )
        found: Starts = self._answer("initial_states", lambda usual: usual)(starts)
        return found

    def remembered(self, simulation: Simulation, action: np.ndarray) -> Mapping[str, np.ndarray]:
        usual = {"left": simulation.memory("left") - 1.0, "last": action}
        found: Mapping[str, np.ndarray] = self._answer("remembered", usual)
        return found

    def due(self, simulation: Simulation) -> np.ndarray:
        found: np.ndarray = self._answer("due", simulation.memory("left")[:, 0] <= 0.0)
        return found

    def redrawn(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Mapping[str, np.ndarray]:
        usual = {"place": randoms.uniform(-1.0, 1.0, 1), "left": randoms.integers(*INTERVAL, 1)}
        found: Mapping[str, np.ndarray] = self._answer("redrawn", usual)
        return found


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., BatchEnvironment]:
    path = tmp_path_factory.mktemp("chase") / "chase.xml"
    path.write_text(CHASE)

    def made(num_envs: int, seed: int = 0, threads: int = 1, observations: Any = (), **answers: Any) -> Any:
        robot = Chase(
            name="chase", version="v1", xml_file=str(path), frame_skip=4, max_episode_steps=12,
            speed_threshold=np.inf, answers=answers, observations=dict(observations),
        )  # fmt: skip
        return robot.make(num_envs, {}, seed, threads)

    return made


def actions(steps: int, num_envs: int) -> np.ndarray:
    """Those of environment ``i`` do not depend on how many there are, ``[steps, N, 1]``."""
    return np.stack([np.random.default_rng((3, i)).uniform(-1, 1, (steps, 1)) for i in range(num_envs)], 1)


def run(environment: BatchEnvironment, told: np.ndarray) -> list[Step]:
    return [environment.step(action) for action in told]


def of(steps: list[Step], rows: Any = slice(None)) -> np.ndarray:
    """All that was seen and earned, ``[T, n, *]``."""
    return np.stack(
        [np.hstack((s.obs["policy"], s.next_obs["policy"], s.terms, s.reward[:, None]))[rows] for s in steps]
    )


def test_each_environment_draws_from_its_own_stream_in_the_order_that_was_asked_for(make: Any) -> None:
    """Against a loop over generators, through starts, places that are drawn anew, and ends of episodes."""
    environment = make(3)
    shown = environment.reset()["policy"]
    told = actions(40, 3)
    steps = run(environment, told)
    anew = ends = 0
    for i, random in enumerate(streams(0, 3)):
        seen, age = shown[i], 0
        for t in range(-1, 40):
            if t >= 0:
                step, age = steps[t], age + 1
                kept = [seen[1], seen[2] - 1.0, told[t, i, 0]]
                assert step.terms[i, 0] == seen[1], (
                    "what a step earns is of the place that was seen before it"
                )
                if kept[1] <= 0.0:
                    kept[:2] = random.uniform(-1.0, 1.0), random.integers(*INTERVAL, endpoint=True)
                    anew += 1
                seen = step.next_obs["policy"][i]
                assert seen[1:].tolist() == kept
                assert step.truncated[i] == (age == 12)
            if t < 0 or step.truncated[i] or step.terminated[i]:
                first = [random.uniform(-1.0, 1.0)]
                random.standard_normal(), random.uniform(0.0, (1.0, 2.0, 3.0), (1, 3))
                random.uniform(-1.0, 1.0), random.uniform(5.0, 6.0, 2)
                first += [random.uniform(-1.0, 1.0), random.integers(*INTERVAL, endpoint=True), 0.0]
                seen = shown[i] if t < 0 else step.obs["policy"][i]
                assert seen.tolist() == first
                age, ends = 0, ends + 1
    assert anew > 20
    assert ends > 9


def test_what_is_drawn_depends_neither_on_the_number_of_environments_nor_on_threads(make: Any) -> None:
    many, two, one = make(5, threads=2), make(2), make(1)
    starts = [environment.reset()["policy"] for environment in (many, two, one)]
    told = actions(30, 5)
    full = run(many, told)
    assert np.array_equal(starts[0][:2], starts[1])
    assert np.array_equal(starts[0][:1], starts[2])
    assert np.array_equal(of(full, slice(2)), of(run(two, told[:, :2])))
    assert np.array_equal(of(full, slice(1)), of(run(one, told[:, :1])))


def test_a_resumed_environment_goes_on_to_the_last_bit(make: Any) -> None:
    whole, half, other = make(4), make(4), make(4, seed=9)
    told = actions(50, 4)
    for environment in (whole, half, other):
        environment.reset()
    run(half, told[:17])
    state = half.state_dict()
    saved = {name: value.clone() for name, value in state["memory"].items()}
    expected = of(run(whole, told)[17:])
    run(half, told[:5])  # what was handed out is a copy
    assert all(bool((saved[name] == value).all()) for name, value in state["memory"].items())
    other.load_state_dict(state)
    assert np.array_equal(of(run(other, told[17:])), expected)


def test_a_state_of_another_memory_is_refused(make: Any) -> None:
    state = make(2).state_dict()
    del state["memory"]["left"]
    with pytest.raises(
        PgrobotError, match=r"the saved memory does not fit Chase-v1: it has .*'last': \(2, 1\)"
    ):
        make(2).load_state_dict(state)


def test_progress_is_that_towards_one_place(make: Any) -> None:
    """A place that is drawn after a step does not count in what the step earned, nor as a jump in the next one."""
    environment = make(3)
    seen = environment.reset()["policy"]
    for action in actions(30, 3):
        step = environment.step(action)
        before, after = (np.abs(qpos - seen[:, 1]) for qpos in (seen[:, 0], step.next_obs["policy"][:, 0]))
        np.testing.assert_array_equal(step.terms[:, 1], before - after)
        seen = step.obs["policy"]


def test_an_episode_may_start_from_any_state_of_mujocos(make: Any) -> None:
    environment = make(3)
    environment.simulation.field("xpos")
    environment.reset()
    simulation, random = environment.simulation, streams(0, 3)[1]
    random.uniform(-1.0, 1.0, 1), random.standard_normal(1)
    goal = random.uniform(0.0, (1.0, 2.0, 3.0), (1, 3))
    assert np.array_equal(simulation.field("mocap_pos")[1], goal)
    assert np.array_equal(simulation.field("xpos")[1, 2], goal[0])
    activation = random.uniform(-1.0, 1.0, 1)
    assert np.array_equal(simulation.field("act")[1], activation)
    assert np.allclose(simulation.field("actuator_force")[1], activation), "it is there from the first moment"
    assert np.array_equal(simulation.field("userdata")[1], random.uniform(5.0, 6.0, 2))
    run(environment, actions(5, 3))
    assert np.array_equal(simulation.field("mocap_pos")[1], goal)


def test_ages_are_those_of_the_episodes(make: Any) -> None:
    entry = ObservedEntries(lambda simulation: simulation.age[:, None].astype(float))
    environment = make(2, observations={"age": entry})
    assert environment.reset()["policy"][:, -1].tolist() == [0.0, 0.0]
    steps = run(environment, np.zeros((13, 2, 1)))
    assert [s.next_obs["policy"][0, -1] for s in steps] == [*range(1, 13), 1.0]
    assert steps[11].obs["policy"][0, -1] == 0.0


def test_functions_of_a_config_see_what_is_remembered(make: Any) -> None:
    environment = make(2, observations={"told": ObservedEntries(lambda s: s.memory("place"))})
    observed = environment.reset()["policy"]
    assert np.array_equal(observed[:, 1], observed[:, -1])
    with pytest.raises(PgrobotError, match="the robot remembers no 'plase': did you mean 'place'"):
        environment.simulation.memory("plase")
    with pytest.raises(ValueError, match="read-only"):
        environment.simulation.memory("place")[:] = 0.0


@dataclass(frozen=True, kw_only=True)
class ManyHoppers(Hopper):
    """Draws all at once what ``Hopper`` draws one by one, and remembers what nobody reads."""

    def memory(self, simulation: Simulation) -> Mapping[str, int]:
        return {"last": 3}

    def remembered(self, simulation: Simulation, action: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"last": action}

    def initial_states(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Starts:
        scale, model = self.reset_noise_scale, simulation.model
        qpos = model.qpos0 + randoms.uniform(-scale, scale, model.nq)
        return Starts(qpos, randoms.uniform(-scale, scale, model.nv))


@dataclass(frozen=True, kw_only=True)
class Reminded(Hopper):
    """Adds a memory to the starts that ``Hopper`` draws."""

    def memory(self, simulation: Simulation) -> Mapping[str, int]:
        return {"ones": 2}

    def initial_states(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Starts:
        starts = super().initial_states(simulation, ids, randoms)
        return replace(starts, memory={"ones": np.ones((len(ids), 2))})


@pytest.mark.parametrize("kind", [ManyHoppers, Reminded])
def test_a_memory_that_nobody_reads_changes_no_bit(kind: type[Hopper]) -> None:
    """``Hopper`` is Gymnasium's own; so is one that draws many starts at once, in the same order."""
    options: dict[str, Any] = {
        "name": "hopper", "version": "v5", "xml_file": "default", "frame_skip": 4, "max_episode_steps": 1000,
        "speed_threshold": 1.0, "forward_reward_weight": 1.0, "ctrl_cost_weight": 1e-3, "healthy_reward": 1.0,
        "terminate_when_unhealthy": True, "healthy_state_range": (-100.0, 100.0), "healthy_z_range": (0.7, np.inf),
        "healthy_angle_range": (-0.2, 0.2), "reset_noise_scale": 5e-3,
        "exclude_current_positions_from_observation": True,
    }  # fmt: skip
    plain, reminded = (robot(**options).make(3, {}, 5, 1) for robot in (Hopper, kind))
    assert np.array_equal(plain.reset()["policy"], reminded.reset()["policy"])
    told = np.random.default_rng(0).uniform(-1, 1, (60, 3, 3))
    one, other = run(plain, told), run(reminded, told)
    assert any(step.terminated.any() for step in one)
    assert np.array_equal(of(one), of(other))


def test_a_broken_simulation_forgets_and_leaves_the_others(make: Any) -> None:
    broken, whole = make(3), make(3)
    for environment in (broken, whole):
        environment.reset()
    told = actions(20, 3)
    run(broken, told[:3]), run(whole, told[:3])
    poison = told[3].copy()
    poison[1] = np.nan
    step, other = broken.step(poison), whole.step(told[3])
    assert step.censored.tolist() == [False, True, False]
    assert np.isfinite(step.obs["policy"]).all()
    assert step.obs["policy"][1, 3] == 0.0
    assert np.array_equal(of([step], [0, 2]), of([other], [0, 2]))
    assert np.array_equal(of(run(broken, told[4:]), [0, 2]), of(run(whole, told[4:]), [0, 2]))


def wrong(**parts: Any) -> Any:
    return lambda starts: replace(starts, **parts)


HERE = f"{__name__}.Chase"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"memory": {"place": 0}}, f"{HERE}.memory has to say how many numbers 'place' is, at least 1, not 0."),
    ({"memory": {"place": 1.5}}, f"{HERE}.memory has to say how many numbers 'place' is, at least 1, not 1.5."),
    ({"memory": ["place"]},
     f"{HERE}.memory has to return a dict of widths, such as {{'command': 3}}, but returned a list of 1."),
    ({"memory": {3: 1}}, f"{HERE}.memory has to name what is remembered by texts, not 3."),
    ({"remembered": {"last": np.zeros(2)}},
     f"{HERE}.remembered has to return numbers (2, 1) as 'last', but returned float64 (2,)."),
    ({"remembered": {"lost": np.zeros((2, 1))}},
     f"{HERE}.remembered remembers 'lost', which {HERE}.memory does not declare: "),
    ({"remembered": {"last": np.full((2, 1), np.nan)}},
     f"{HERE}.remembered has to return finite numbers as 'last', but returned nan."),
    ({"remembered": None}, f"{HERE}.remembered has to return a dict of what is remembered, but returned None."),
    ({"due": np.ones(2)},
     f"{HERE}.due has to return bool (2,), a truth value per simulation, but returned float64 (2,)."),
    ({"due": np.array([False, True]), "redrawn": {"place": np.zeros((2, 1))}},
     f"{HERE}.redrawn has to return numbers (1, 1) as 'place', but returned float64 (2, 1)."),
    ({"initial_states": lambda starts: (starts.qpos, starts.qvel)},
     f"{HERE}.initial_states has to return Starts, but returned a tuple of 2."),
    ({"initial_states": wrong(qpos=np.zeros((2, 2)))},
     f"{HERE}.initial_states has to return numbers (2, 1) as 'qpos', but returned float64 (2, 2)."),
    ({"initial_states": wrong(qpos=np.full((2, 1), np.inf))},
     f"{HERE}.initial_states draws a start with inf as the position of joint 'rail'"),
    ({"initial_states": wrong(state={"mocap": np.zeros((2, 3))})},
     f"{HERE}.initial_states starts with 'mocap', which is no state of MuJoCo's to start from beside qpos and qvel"),
    ({"initial_states": wrong(state={"act": np.full((2, 1), np.nan)})},
     f"{HERE}.initial_states has to return finite numbers as 'act', but returned nan."),
    ({"initial_states": wrong(memory={"places": np.zeros((2, 1))})},
     f"{HERE}.initial_states remembers 'places', which {HERE}.memory does not declare: did you mean 'place' or 'last'"),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "sentence"), REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence(
    make: Any, answers: dict[str, Any], sentence: str
) -> None:
    def used() -> None:
        environment = make(2, **answers)
        environment.reset()
        environment.step(np.zeros((2, 1)))

    with pytest.raises(PgrobotError) as caught:
        used()
    assert str(caught.value).startswith(sentence)


def test_a_robot_has_to_draw_its_starts(make: Any) -> None:
    class Startless(Chase):
        initial_states = Robot.initial_states

    robot = make(1).robot
    startless = Startless(**{each.name: getattr(robot, each.name) for each in fields(robot)})
    environment = startless.make(1, {}, 0, 1)
    with pytest.raises(
        PgrobotError, match="Startless has to define initial_state, which draws the start of one"
    ):
        environment.reset()


def test_streams_draw_what_each_generator_draws() -> None:
    ours, plain = Streams(streams(4, 3)), streams(4, 3)
    draws: list[tuple[np.ndarray, Callable[[np.random.Generator], Any]]] = [
        (ours.uniform(-2.0, (1.0, 3.0), 2), partial(np.random.Generator.uniform, low=-2.0, high=(1.0, 3.0), size=2)),
        (ours.normal((2, 2)), lambda random: random.standard_normal((2, 2))),
        (ours.integers(1, 4, 5), lambda random: random.integers(1, 5, 5)),
        (ours.draw(lambda random: random.exponential()), lambda random: random.exponential()),
    ]  # fmt: skip
    for found, drawn in draws:
        assert np.array_equal(found, [drawn(random) for random in plain])
    assert len(ours) == 3
