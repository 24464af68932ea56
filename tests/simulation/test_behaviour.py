"""A robot's own code: what it returns is copied, and mistakes in it are told in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pgrobot.envs.costs import Violations
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment, Robot, Simulation
from pgrobot.types import Observation

CART = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <body name="cart">
      <joint name="rail" type="slide" axis="1 0 0"/>
      <geom size="0.1" mass="1"/>
    </body>
  </worldbody>
  <actuator><motor name="motor" joint="rail" ctrlrange="-1 1" ctrllimited="true"/></actuator>
</mujoco>
"""
HERE = f"{__name__}.Cart"


@dataclass(frozen=True, kw_only=True)
class Cart(Robot):
    """Every function returns what the test asks for, else views of the simulation's memory."""

    answers: dict[str, Any]

    models: ClassVar = {"v1": "unused"}

    def _answer(self, name: str, simulation: Simulation, usual: Callable[[], Any]) -> Any:
        answer = self.answers.get(name, usual)
        return answer(simulation) if answer is not usual else usual()

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return self.answers.get("reward_terms", ("place",))

    def observation(self, simulation: Simulation) -> Observation:
        return self._answer("observation", simulation, lambda: {"policy": simulation.qpos})

    def observation_names(self, simulation: Simulation) -> Any:
        return self._answer("observation_names", simulation, dict)

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        return self._answer("terms", simulation, lambda: (simulation.qpos[:, 0],))

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return self._answer("terminated", simulation, lambda: simulation.qpos[:, 0] > 0.5)

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        return self._answer("reward_state", simulation, lambda: simulation.qpos)

    def forward_speed(self, simulation: Simulation) -> np.ndarray:
        usual = lambda: (simulation.after[:, 0] - simulation.before[:, 0]) / simulation.dt
        return self._answer("forward_speed", simulation, usual)

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return self._answer("initial_state", simulation, lambda: (np.zeros(1), np.zeros(1)))


class Place:
    """A cost that is the live position."""

    parts = ("cart",)

    def bind(self, simulation: Simulation) -> Place:
        self.simulation = simulation
        return self

    def __call__(self) -> np.ndarray:
        return self.simulation.qpos

    def reset(self, ids: np.ndarray) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "cart.xml"
    path.write_text(CART)
    return path


def make(model: Path, cost: Any = None, kind: type[Cart] = Cart, **answers: Any) -> BatchEnvironment:
    robot = kind(
        name="cart", version="v1", xml_file=str(model), frame_skip=10, max_episode_steps=20,
        speed_threshold=1.0, answers=answers,
    )  # fmt: skip
    return robot.make(3, {"place": cost} if cost else {}, 0, 1)


def test_nothing_that_was_handed_on_moves_with_the_simulation(model: Path) -> None:
    """Observations, terminal ones included, rewards, costs and landmarks, though the robot returns live views."""
    environment = make(model, Place())
    first = environment.reset()["policy"]
    seen = [environment.step(np.array([[1.0], [0.5], [0.0]])) for _ in range(15)]
    assert np.array_equal(first, np.zeros((3, 1)))
    places = np.stack([step.next_obs["policy"][:, 0] for step in seen])
    end = int(np.argmax([step.terminated[0] for step in seen]))
    assert 5 < end < 12
    assert np.all(np.diff(places[: end + 1, 0]) > 0)
    assert places[end, 0] > 0.5, "the terminal observation is not the next episode's first"
    assert seen[end].obs["policy"][0, 0] == 0.0
    for t, step in enumerate(seen):
        assert np.array_equal(step.reward, places[t])
        assert np.array_equal(step.cost[:, 0], places[t])
        assert np.array_equal(step.telemetry["violation/place"][:, 0], places[t])


def test_a_live_landmark_still_tells_before_from_after(model: Path) -> None:
    environment = make(model)
    environment.reset()
    environment.step(np.ones((3, 1)))
    environment.step(np.ones((3, 1)))
    assert environment.simulation.forward_speed == pytest.approx([0.15] * 3, rel=0.2)


def test_a_buffer_that_a_robot_fills_anew_changes_nothing_that_was_returned(model: Path) -> None:
    buffer, over = np.empty((3, 1)), np.empty(3, dtype=bool)

    def observation(simulation: Simulation) -> Observation:
        np.copyto(buffer, simulation.qpos)
        return {"policy": buffer}

    def terminated(simulation: Simulation) -> np.ndarray:
        return np.greater(simulation.qpos[:, 0], 0.5, out=over)

    environment = make(model, observation=observation, terminated=terminated)
    environment.reset()
    steps = [environment.step(np.ones((3, 1))) for _ in range(15)]
    end = int(np.argmax([step.terminated[0] for step in steps]))
    assert [bool(step.terminated[0]) for step in steps].count(True) == 1
    places = [float(step.next_obs["policy"][0, 0]) for step in steps[: end + 1]]
    assert places == sorted(set(places))
    assert places[-2] <= 0.5 < places[-1]


NAN = np.full((3, 1), np.nan)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (
            {"observation": lambda s: s.qpos},
            (
                f"{HERE}.observation has to return a dict of observation groups, such as {{'policy': array}}, but "
                "returned float64 (3, 1)."
            ),
        ),
        (
            {"observation": lambda s: {"critic": s.qpos}},
            f"{HERE}.observation has to return a group 'policy', which is what the policy sees: it returned critic.",
        ),
        (
            {"observation": lambda s: {"policy": s.qpos[:, 0]}},
            f"{HERE}.observation has to return numbers (3, any) as 'policy', but returned float64 (3,).",
        ),
        (
            {"observation": lambda s: {"policy": np.zeros((3, 0))}},
            f"{HERE}.observation returns nothing as 'policy': it is (3, 0).",
        ),
        (
            {"observation": lambda s: {"policy": np.array([["a"]] * 3)}},
            f"{HERE}.observation has to return numbers (3, any) as 'policy', but returned <U1 (3, 1).",
        ),
        (
            {"observation": lambda s: {"policy": s.qpos, "time": s.qpos}},
            f"{HERE}.observation returns a group 'time', which pgrobot adds itself: choose another name.",
        ),
        (
            {"observation_names": lambda _: ["place"]},
            (
                f"{HERE}.observation_names has to return a dict of names by observation group, such as "
                "{'policy': names}, but returned a list of 1."
            ),
        ),
        (
            {"observation_names": lambda _: {"polcy": ["place"]}},
            f"{HERE}.observation_names names entries of 'polcy', which is no observation group: did you mean 'policy'?",
        ),
        (
            {"observation_names": lambda _: {"policy": ["place", "speed"]}},
            f"{HERE}.observation_names has 2 names for the 1 entries of 'policy'.",
        ),
        (
            {
                "observation": lambda simulation: {"policy": np.zeros((3, 2))},
                "observation_names": lambda _: {"policy": ["place", "place"]},
            },
            f"{HERE}.observation_names calls two entries of 'policy' 'place'.",
        ),
        (
            {"reward_terms": "place"},
            f"{HERE}.reward_terms has to be a tuple of names, not 'place': a tuple of one is written ('place',).",
        ),
        (
            {"reward_terms": ("place", "place")},
            f"{HERE}.reward_terms has to be at least one name, and no name twice, not ('place', 'place').",
        ),
        (
            {"terms": lambda s: s.qpos[:, 0]},
            (
                f"{HERE}.terms has to return a tuple of 1, one [N] array for each of reward_terms (place), but "
                "returned float64 (3,)."
            ),
        ),
        (
            {"terms": lambda s: (s.qpos[:, 0],) * 2},
            (
                f"{HERE}.terms has to return a tuple of 1, one [N] array for each of reward_terms (place), but "
                "returned a tuple of 2."
            ),
        ),
        (
            {"terms": lambda s: (s.qpos,)},
            f"{HERE}.terms has to return numbers (3,) as 'place', but returned float64 (3, 1).",
        ),
        (
            {"terms": lambda s: (1.0,)},
            f"{HERE}.terms has to return numbers (3,) as 'place', but returned 1.0.",
        ),
        (
            {"terminated": lambda s: np.zeros(3)},
            f"{HERE}.terminated has to return bool (3,), a truth value per simulation, but returned float64 (3,).",
        ),
        (
            {"terminated": lambda s: False},
            f"{HERE}.terminated has to return bool (3,), a truth value per simulation, but returned False.",
        ),
        (
            {"reward_state": lambda s: s.qpos[:, 0]},
            f"{HERE}.reward_state has to return numbers (3, any), but returned float64 (3,).",
        ),
        (
            {"initial_state": lambda s: np.zeros(1)},
            f"{HERE}.initial_state has to return two arrays, qpos (1,) and qvel (1,), but returned float64 (1,).",
        ),
        (
            {"initial_state": lambda s: (np.zeros(2), np.zeros(1))},
            f"{HERE}.initial_state has to return numbers (1,) as 'qpos', but returned float64 (2,).",
        ),
        (
            {"initial_state": lambda s: (0.0, np.zeros(1))},
            f"{HERE}.initial_state has to return numbers (1,) as 'qpos', but returned 0.0.",
        ),
        (
            {"initial_state": lambda s: (np.array([np.nan]), np.zeros(1))},
            (
                f"{HERE}.initial_state draws a start with nan as the position of joint 'rail': MuJoCo takes finite "
                "numbers within ±1e10."
            ),
        ),
        (
            {"initial_state": lambda s: (np.zeros(1), np.array([-2e10]))},
            (
                f"{HERE}.initial_state draws a start with -20000000000.0 as the velocity of joint 'rail': MuJoCo takes "
                "finite numbers within ±1e10."
            ),
        ),
        (
            {"observation": lambda s: {"policy": NAN}},
            f"{HERE}.observation returned nan as entry 0 of 'policy' at the start of an episode of simulation 0.",
        ),
    ],
)
def test_a_mistake_in_a_robot_is_told_before_its_first_step(
    answers: dict[str, Any], sentence: str, model: Path
) -> None:
    with pytest.raises(PgrobotError) as told:
        make(model, **answers).reset()
    assert str(told.value) == sentence


def test_what_changes_later_is_told_when_it_does(model: Path) -> None:
    switch = {"width": 1, "groups": ("policy",)}

    def observation(simulation: Simulation) -> Observation:
        return {group: np.zeros((3, switch["width"])) for group in switch["groups"]}

    environment = make(model, observation=observation)
    environment.reset()
    switch["width"] = 2
    with pytest.raises(PgrobotError, match=r"numbers \(3, 1\) as 'policy', but returned float64 \(3, 2\)"):
        environment.step(np.zeros((3, 1)))
    switch |= {"width": 1, "groups": ("policy", "critic")}
    with pytest.raises(
        PgrobotError, match="the groups policy at every step, but returned a dict of policy, critic"
    ):
        environment.step(np.zeros((3, 1)))


def test_a_speed_of_another_shape_is_told(model: Path) -> None:
    environment = make(model, forward_speed=lambda s: s.qvel)
    with pytest.raises(
        PgrobotError, match=r"Cart.forward_speed has to return numbers \(3,\), but returned float64 \(3, 1\)"
    ):
        _ = environment.simulation.forward_speed


def test_a_function_that_takes_other_arguments_is_told(model: Path) -> None:
    class Short(Cart):
        def terms(self, simulation: Simulation) -> tuple[np.ndarray, ...]:  # type: ignore[override]
            return (simulation.qpos[:, 0],)

    with pytest.raises(
        PgrobotError, match=r"Short.terms\(.*\) .* has to take 2 arguments after self: too many"
    ):
        make(model, kind=Short)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"__call__": lambda self: np.zeros(3)},
            r"Place of constraint 'place' has to return numbers \(3, 1\), but returned float64 \(3,\)",
        ),
        (
            {"__call__": lambda self: np.zeros((3, 2))},
            r"Place of constraint 'place' has to return numbers \(3, 1\), but returned float64 \(3, 2\)",
        ),
        ({"__call__": lambda self: None}, r"has to return numbers \(3, 1\), but returned None"),
        (
            {"parts": "cart"},
            r"'parts' has to be a tuple of names, not 'cart': a tuple of one is written \('cart',\)",
        ),
        (
            {"bind": lambda self, simulation: None},
            (
                "has to return a bound cost, with parts, __call__, reset, state_dict, load_state_dict, but returned "
                "None, which has no 'parts'"
            ),
        ),
        ({"highest": "some"}, "Place of constraint 'place' calls 'highest' has to be a number above 0"),
        ({"bind": 3}, "constraint.place.cost is .*, which has no method 'bind'"),
        ({"reset": lambda self: None}, "has to take 1 arguments after self: too many positional arguments"),
    ],
)
def test_a_mistake_in_a_cost_is_told_at_once(changes: dict[str, Any], sentence: str, model: Path) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        make(model, type("Place", (Place,), changes)())


def test_a_cost_that_binds_a_class_of_pgrobots_is_called_by_its_own_name(model: Path) -> None:
    class Height:
        def bind(self, simulation: Simulation) -> Violations:
            return Violations(("cart",), lambda: np.zeros(3))

    with pytest.raises(PgrobotError, match=r"Height of constraint 'place' has to return numbers \(3, 1\)"):
        make(model, Height())


def test_a_robot_without_actuators_is_refused(model: Path) -> None:
    model.write_text(
        CART.replace('<motor name="motor" joint="rail" ctrlrange="-1 1" ctrllimited="true"/>', "")
    )
    with pytest.raises(PgrobotError, match="Cart-v1 has no actuators, so there is nothing to learn"):
        make(model)


def test_a_state_that_is_refused_changes_nothing(model: Path) -> None:
    environment = make(model)
    environment.reset()
    environment.step(np.ones((3, 1)))
    before = environment.simulation.batch.state.copy()
    with pytest.raises(PgrobotError, match="Cart-v1 cannot start with inf as the velocity of joint 'rail'"):
        environment.set_state(np.arange(1), np.zeros((1, 1)), np.full((1, 1), np.inf))
    assert np.array_equal(environment.simulation.batch.state, before)
