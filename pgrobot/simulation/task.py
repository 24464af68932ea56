"""What a robot has to state to become N environments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.action_scaling import Actions
from pgrobot.simulation.batch import Physics
from pgrobot.simulation.costs import Cost
from pgrobot.simulation.environment import BatchEnvironment
from pgrobot.simulation.functions import Observations, Rewards, Terminations
from pgrobot.simulation.model import built_in, compiled, specified, typed
from pgrobot.simulation.model_files import ModelFiles
from pgrobot.simulation.options import check_options
from pgrobot.simulation.sensors import equipped
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.starts import Starts, Streams, drawn_one_by_one
from pgrobot.simulation.variation import NOTHING, Plan, Variation
from pgrobot.types import EntryNames, Environment, Observation


@runtime_checkable
class Modelled(Protocol):
    """A task built from a MJCF file, of which a run keeps a copy."""

    def model_files(self) -> ModelFiles:
        """The file that one of its options names, with all that it loads.

        Raises:
            PgrobotError: there is no such file, or it cannot be compiled or copied.
        """
        ...


@runtime_checkable
class Introduced(Protocol):
    """A task that chooses something by itself."""

    def introduction(self) -> Sequence[tuple[str, str]]:
        """What it is and what was chosen: words, each with what there is to say of it.

        Raises:
            PgrobotError: as of ``make``.
        """
        ...


class Task(Protocol):
    """What the configuration node ``task`` builds."""

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> Environment:
        """Build ``num_envs`` environments that report ``costs``; ``threads=0``: one per physical core."""
        ...


@runtime_checkable
class Variable(Protocol):
    """A task whose model may vary from simulation to simulation."""

    def make_varied(
        self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int, plan: Plan
    ) -> Environment:
        """``make`` such environments."""
        ...


@dataclass(frozen=True, kw_only=True)
class Robot(ABC):
    """A robot family: its options are fields, its behaviour is functions of a ``Simulation``.

    Every function works on all N simulations at once and returns new arrays.

    Attributes:
        name: the configuration's name, e.g. ``"hopper"``.
        version: Gymnasium's version of the task.
        xml_file: the path of a MJCF file, the name of one of gymnasium's models, or ``"default"``: this version's own.
        frame_skip: MuJoCo steps per environment step.
        max_episode_steps: steps after which an episode is truncated.
        speed_threshold: what the constraint ``speed`` allows by default, m/s; infinite where none is known.
        rewards, observations, terminations: what a config adds to it, by name; see ``pgrobot.simulation.functions``.
        actions: what the numbers of a policy command; see ``pgrobot.simulation.action_scaling``.
    """

    name: str
    version: str
    xml_file: str
    frame_skip: int
    max_episode_steps: int
    speed_threshold: float
    rewards: Rewards = field(default_factory=dict, hash=False)
    observations: Observations = field(default_factory=dict, hash=False)
    terminations: Terminations = field(default_factory=dict, hash=False)
    actions: Actions = field(default_factory=dict, hash=False)

    models: ClassVar[Mapping[str, str]]  # version -> absolute path, or file name in the gymnasium package

    def __post_init__(self) -> None:
        check_options(self)
        if not isinstance(getattr(self, "models", None), Mapping):
            raise PgrobotError(
                f"{type(self).__name__} has no models: say which MJCF file is which version's, as in "
                'models: ClassVar = {"v1": "/path/to/robot.xml"}.'
            )
        if self.version not in self.models:
            raise PgrobotError(
                f"task.version={self.version} does not exist for {type(self).__name__}: "
                f"{nearest(str(self.version), self.models)}"
            )

    def model_files(self) -> ModelFiles:
        return ModelFiles.of("xml_file", self.model_file)

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> BatchEnvironment:
        """Build ``num_envs`` environments.

        Raises:
            PgrobotError: bad sizes, a model that does not compile, or a cost this robot cannot provide.
        """
        return self.make_varied(num_envs, costs, seed, threads, NOTHING)

    def make_varied(
        self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int, plan: Plan
    ) -> BatchEnvironment:
        """``make`` environments whose models vary; raises PgrobotError also where the plan does not fit the model."""
        for name, value, least in (("num_envs", num_envs, 1), ("threads", threads, 0), ("seed", seed, 0)):
            if value < least:
                raise PgrobotError(f"{name} has to be at least {least}, got {value}.")
        model = equipped(self, costs)
        robot = self.completed(model)

        def made(contact_forces: bool) -> BatchEnvironment:
            physics = Physics(model, num_envs, robot.frame_skip, threads, contact_forces)
            variation = Variation(plan, physics, seed)
            simulation = Simulation(physics, robot.forward_speed, robot.fallen)
            return BatchEnvironment(robot, simulation, costs, seed, variation)

        environment = made(robot.needs_contact_forces)
        return made(contact_forces=True) if environment.behaviour.lacks_forces else environment

    @property
    def model_file(self) -> Path:
        """The MJCF file that it is built from; raises PgrobotError where there is none."""
        if self.xml_file == "default":
            return built_in(self.models[self.version], type(self).__name__)
        return typed(self.xml_file)

    def build_model(self) -> mujoco.MjModel:
        """Compile the model that is simulated; raises PgrobotError where MuJoCo cannot, or there is no such file.

        A robot may add to what its file says what its options say, such as the walls of a maze.
        """
        return compiled(self.model_file)

    def build_spec(self) -> mujoco.MjSpec:
        """What ``build_model`` compiles, for costs that add sensors; raises PgrobotError as that does.

        A robot that adds to its file does so here, and has ``build_model`` compile this.
        """
        return specified(self.model_file)

    def completed(self, model: mujoco.MjModel) -> Self:
        """The robot with all that it leaves open chosen by its model; as a rule nothing is."""
        return self

    @property
    def title(self) -> str:
        """Gymnasium's name of the task, e.g. ``"Hopper-v5"``."""
        return f"{type(self).__name__}-{self.version}"

    @property
    @abstractmethod
    def reward_terms(self) -> tuple[str, ...]:
        """R names, in the order of ``terms``."""

    @property
    def needs_contact_forces(self) -> bool:
        """Whether it reads ``cfrc_ext``, ``cfrc_int`` or ``cacc``, which costs extra time; if not, it is found out."""
        return False

    @abstractmethod
    def observation(self, simulation: Simulation) -> Observation:
        """Observation groups, ``[N, D]`` each."""

    def observation_names(self, simulation: Simulation) -> EntryNames:
        """Names of the entries of observation groups, ``D`` of each, such as ``simulation.names("qpos")[0]``.

        The entries of a group that has none here are called ``<group>/<i>``; so are all of a class that overrides
        ``observation`` and not this.
        """
        return {}

    @abstractmethod
    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        """The reward terms of the last step, R arrays ``[N]``, for the action ``[N, A]`` that was taken."""

    def total(self, terms: tuple[np.ndarray, ...]) -> np.ndarray:
        """The reward ``[N]``: the sum of the terms, added in the order in which Gymnasium adds them."""
        return reduce(np.add, terms)

    def terminated(self, simulation: Simulation) -> np.ndarray:
        """Which simulations ended for good ``[N]`` bool."""
        return np.zeros(simulation.num_envs, dtype=bool)

    @property
    def ending(self) -> str:
        """What it is called that an episode ends for good, logged as ``termination/<name>``; empty: it is not."""
        return ""

    @property
    def can_fall(self) -> bool:
        """Whether an episode that ends for good has ended in a fall, which the constraint ``fall`` counts."""
        return False

    def fallen(self, simulation: Simulation) -> np.ndarray:
        """Which simulations fell in the last step ``[N]`` bool.

        Raises:
            PgrobotError: no fall ends the robot's episodes.
        """
        if not self.can_fall:
            raise PgrobotError(
                f"no fall ends an episode of {self.title}, so it cannot be constrained by fall: say of a body when it "
                "lies, by constraint.fall.cost.body and .height, or leave it out with ~constraint.fall."
            )
        return self.terminated(simulation)

    def measured(self, simulation: Simulation) -> Mapping[str, np.ndarray]:
        """What is logged of a step as ``measured/<name>/mean``, ``[N]`` by name; nothing by default."""
        return {}

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        """What the reward compares before and after a step ``[N, M]``, a copy."""
        return np.zeros((simulation.num_envs, 0))

    def forward_speed(self, simulation: Simulation) -> np.ndarray:
        """Speed over the last step, m/s ``[N]``.

        Raises:
            PgrobotError: the robot has no notion of speed.
        """
        raise PgrobotError(
            f"{self.title} has no forward speed, so it cannot be constrained by speed: leave it out with "
            "~constraint.speed."
        )

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw one initial state: ``qpos [nq]`` and ``qvel [nv]``."""
        raise PgrobotError(
            f"{type(self).__name__} has to define initial_state, which draws the start of one episode, or "
            "initial_states, which draws many."
        )

    def initial_states(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Starts:
        """Draw the starts of ``n`` episodes in simulations ``ids``; by default ``initial_state`` of each.

        Whoever overrides it may start from more of MuJoCo's state, and from what is remembered.
        """
        return drawn_one_by_one(self.initial_state, simulation, randoms)

    def memory(self, simulation: Simulation) -> Mapping[str, int]:
        """Widths of what each simulation remembers from step to step, by name; nothing by default.

        ``simulation.memory(name)`` is what it remembers, ``[N, W]``: zeros at the start of an episode, or what
        ``initial_states`` draws.
        """
        return {}

    def remembered(self, simulation: Simulation, action: np.ndarray) -> Mapping[str, np.ndarray]:
        """What is remembered after a step with the action ``[N, A]``: ``[N, W]`` by name, the rest stays.

        It is called when the step has been rewarded, and before it is observed.
        """
        return {}

    def due(self, simulation: Simulation) -> np.ndarray:
        """In which simulations something is drawn anew after this step, ``[N]`` bool; called after ``remembered``."""
        return np.zeros(simulation.num_envs, dtype=bool)

    def redrawn(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Mapping[str, np.ndarray]:
        """Draw anew what simulations ``ids``, those that are due, remember: ``[n, W]`` by name, the rest stays."""
        return {}
