"""N environments on one simulation: time limit, same-step auto-reset, true next observation, failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import mujoco
import numpy as np
import torch

from pgrobot.errors import PgrobotError
from pgrobot.simulation.action_scaling import scaled
from pgrobot.simulation.auto_reset import AutoReset, EpisodeClock
from pgrobot.simulation.batch import check_state
from pgrobot.simulation.behaviour import Behaviour
from pgrobot.simulation.costs import Cost
from pgrobot.simulation.read_only import unwritten
from pgrobot.simulation.results import words_of
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.starts import Starts, Streams
from pgrobot.simulation.strength import STRENGTH, UNLIMITED, actuator_torques
from pgrobot.simulation.units import control_units
from pgrobot.simulation.variation import Variation
from pgrobot.types import (
    MEASURED,
    TERMINATION,
    TORQUE_LIMITS,
    Action,
    EnvironmentSpec,
    Observation,
    State,
    Step,
)

if TYPE_CHECKING:
    from pgrobot.simulation.task import Robot


class BatchEnvironment(AutoReset):
    """``N`` environments of one robot, stepped together.

    Every step returns new arrays: nothing returned is ever overwritten.
    """

    def __init__(
        self,
        robot: Robot,
        simulation: Simulation,
        costs: Mapping[str, Cost],
        seed: int,
        variation: Variation,
    ) -> None:
        if not simulation.actuators:
            raise PgrobotError(
                f"{robot.title} has no actuators, so there is nothing to learn: give its MJCF file an <actuator>."
            )
        self.robot = robot
        self.simulation = simulation
        self._clock = EpisodeClock(simulation.num_envs, robot.max_episode_steps, seed)
        simulation.age = unwritten(self._clock.age)
        self.behaviour = Behaviour(robot, simulation, costs)
        self._mark = simulation.after  # what the reward compares with after the next step
        self._limits: np.ndarray | None = None  # what its actuators give, found when a step first tells of it
        self._variation = variation
        self._observation = variation.joined(self.behaviour.observation())
        spec = EnvironmentSpec(
            name=robot.title,
            num_envs=simulation.num_envs,
            observation=variation.groups(self.behaviour.groups),
            action_low=simulation.ctrl_range[:, 0],
            action_high=simulation.ctrl_range[:, 1],
            actions=tuple(
                Action(name, unit, 0, gives)
                for name, unit, gives in zip(
                    simulation.actuators,
                    control_units(self.model, simulation.batch.models.varied),
                    strengths(simulation),
                    strict=True,
                )
            ),
            reward_terms=self.behaviour.reward_terms,
            costs=tuple(costs),
            violations=self.behaviour.parts,
            highest_cost=self.behaviour.highest,
            counted=self.behaviour.counted,
            can_fall=robot.can_fall,
            max_episode_steps=robot.max_episode_steps,
            control_dt=simulation.dt,
        )
        self.spec = scaled(robot.actions, spec)

    @property
    def model(self) -> mujoco.MjModel:
        """The compiled model that all environments share, but for what varies."""
        return self.simulation.model

    @property
    def randoms(self) -> list[np.random.Generator]:
        """The random streams, one per environment."""
        return self._clock.randoms

    def reset(self) -> Observation:
        """Start a new episode everywhere; the streams go on.

        Raises:
            PgrobotError: MuJoCo would not accept a state that the robot drew, or it is observed as no number.
        """
        super().reset()
        for group, array in self._observation.items():
            bad = np.argwhere(~np.isfinite(array))
            if bad.size:
                i, entry = bad[0]
                raise PgrobotError(
                    f"{words_of(self.robot.observation)} returned {array[i, entry]} as entry {entry} of {group!r} at "
                    f"the start of an episode of simulation {i}."
                )
        return self._observation

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in environments ``ids`` (sorted)."""
        self._begin(ids)
        return self._observation

    def set_state(self, ids: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> Observation:
        """Start a new episode in environments ``ids`` (sorted) from states ``[n, nq]`` and ``[n, nv]``.

        Raises:
            PgrobotError: MuJoCo would not accept a state; nothing was changed.
        """
        return self.start(ids, Starts(qpos, qvel))

    def start(self, ids: np.ndarray, starts: Starts) -> Observation:
        """Start a new episode in environments ``ids`` (sorted), in any state of MuJoCo and of the robot's memory.

        Raises:
            PgrobotError: MuJoCo would not accept a state; nothing was changed.
        """
        check_state(f"{self.spec.name} cannot start", self.model, starts.qpos, starts.qvel)
        self._begin(ids, starts)
        return self._observation

    def draw(self, ids: np.ndarray) -> Starts:
        """Draw how episodes of simulations ``ids`` start."""
        return self.behaviour.starts(ids, Streams([self.randoms[i] for i in ids]))

    def advance(self, action: np.ndarray) -> Step:
        """Advance as ``step`` does, but leave an ended episode as it ended.

        Raises:
            PgrobotError: the action has another shape.
        """
        simulation, behaviour = self.simulation, self.behaviour
        self.check_action(action)
        simulation.batch.field("ctrl")[:] = action
        self._variation.act()
        broken = simulation.batch.step()
        if broken:  # finite again before anything reads it
            simulation.batch.reset(np.fromiter(broken, dtype=np.int32))
        self._variation.rest()

        over = self._clock.tick()
        simulation.before, simulation.after = self._mark, unwritten(behaviour.reward_state())
        terms = behaviour.terms(unwritten(action))
        violations = behaviour.violations()
        force = simulation.actuator_force
        telemetry = {"torque": force * simulation.gear, "power": force * simulation.actuator_velocity}
        if simulation.varies(*STRENGTH):
            telemetry[TORQUE_LIMITS] = self._torque_limits()
        telemetry |= {f"violation/{name}": amounts for name, amounts in violations.items()}
        terminated, endings = behaviour.terminated()
        telemetry |= {f"{TERMINATION}{name}": ended[:, None] for name, ended in endings.items()}
        telemetry |= {f"{MEASURED}{name}": value[:, None] for name, value in behaviour.measured().items()}
        self._mark = simulation.after
        if behaviour.memory.any:
            behaviour.memory.advance(unwritten(action), self.randoms, broken)
            self._mark = unwritten(behaviour.reward_state())
        next_obs = self._variation.joined(behaviour.observation())
        step = Step(
            obs=next_obs,
            next_obs=next_obs,
            reward=behaviour.total(terms),
            terms=_columns(terms, simulation.num_envs),
            cost=_columns([amounts.sum(axis=1) for amounts in violations.values()], simulation.num_envs),
            terminated=terminated,
            truncated=over,
            censored=np.zeros(simulation.num_envs, dtype=bool),
            telemetry=telemetry,
            failures={},
        )
        if self._variation.any:
            telemetry |= self._variation.telemetry()
        if broken:
            step = self._discard(step, broken)
        if self._variation.any:
            self._variation.count(step.reward, step.terminated | step.truncated, step.censored)
        if behaviour.added.any:
            behaviour.check_finite(next_obs, step.terms)
        self._observation = next_obs
        return step

    def state_dict(self) -> State:
        """Everything a bit-exact continuation needs."""
        return {
            "physics": torch.from_numpy(self.simulation.batch.state.copy()),
            "reward_state": torch.from_numpy(self._mark.copy()),
            "observation": {k: torch.from_numpy(v.copy()) for k, v in self._observation.items()},
            "costs": self.behaviour.state_dict(),
            **self._clock.state_dict(),
            **({"variation": self._variation.state_dict()} if self._variation.any else {}),
            **({"memory": self.behaviour.memory.state_dict()} if self.behaviour.memory.any else {}),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict``.

        Raises:
            PgrobotError: the state is of another robot or number of environments.
        """
        simulation = self.simulation
        self.check_saved("simulations", "they hold {} numbers", state["physics"], simulation.batch.state)
        self._limits = None
        if self._variation.any:
            self._variation.load_state_dict(state["variation"])
        simulation.batch.state[:] = state["physics"].numpy()
        simulation.after = self._mark = unwritten(state["reward_state"].numpy().copy())
        self._observation = {k: v.numpy().copy() for k, v in state["observation"].items()}
        self._clock.load_state_dict(state)
        self.behaviour.load_state_dict(state["costs"])
        if self.behaviour.memory.any:
            self.behaviour.memory.load_state_dict(state.get("memory", {}))

    def close(self) -> None:
        """Nothing to release: the physics threads end with the last reference to the simulation."""

    def _begin(self, ids: np.ndarray, starts: Starts | None = None) -> None:
        """Start a new episode in simulations ``ids``, from drawn or given states."""
        simulation, behaviour = self.simulation, self.behaviour
        simulation.batch.reset(ids)
        self._limits = None
        if self._variation.any:
            self._variation.begin(ids)
        if starts is None:
            starts = self.draw(ids)
            check_state(f"{words_of(behaviour.draws)} draws a start", self.model, starts.qpos, starts.qvel)
        behaviour.memory.begin(ids, behaviour.draws, starts.memory)
        state = {"qpos": starts.qpos, "qvel": starts.qvel, **starts.state}
        for name, value in state.items():
            simulation.batch.field(name)[ids] = value
        simulation.batch.forward(ids)
        self._clock.begin(ids)
        before, after, now = simulation.before.copy(), simulation.after.copy(), behaviour.reward_state()
        before[ids] = after[ids] = now[ids]  # no speed is left of the episode before
        simulation.before, simulation.after = unwritten(before), unwritten(after)
        self._mark = unwritten(now) if behaviour.memory.any else simulation.after
        behaviour.forget(ids)
        self._observation = self._variation.joined(behaviour.observation())
        behaviour.added.check_observed(self._observation)

    def _torque_limits(self) -> np.ndarray:
        """The least and the greatest torque that each actuator gives in each simulation, ``[N, 2 A]``, a copy."""
        if self._limits is None:
            torques = actuator_torques(self.model, self.simulation.model_field)
            self._limits = torques.reshape(len(torques), -1)
        return self._limits.copy()

    def _discard(self, step: Step, broken: Mapping[int, str]) -> Step:
        """Truncate broken simulations: they earn and cost nothing; what they saw last counts as successor."""
        ids = np.fromiter(broken, dtype=np.intp)
        sentences = {
            i: f"simulation {i} of {self.spec.name} broke in step {self._clock.age[i]} of its episode: {cause}; "
            "the episode was truncated and a new one begun."
            for i, cause in broken.items()
        }
        for group, array in step.next_obs.items():
            array[ids] = self._observation[group][ids]
        for array in (step.reward, step.terms, step.cost, step.terminated, *step.telemetry.values()):
            array[ids] = 0
        step.truncated[ids] = step.censored[ids] = True
        return replace(step, failures=sentences)


def strengths(simulation: Simulation) -> list[tuple[float, float]]:
    """What each actuator gives at least and at most; not known where that varies by simulation: steps tell it."""
    if simulation.varies(*STRENGTH):
        return [UNLIMITED] * simulation.model.nu
    return [
        (low, high) for low, high in actuator_torques(simulation.model, simulation.model_field)[0].tolist()
    ]


def _columns(arrays: tuple[np.ndarray, ...] | list[np.ndarray], rows: int) -> np.ndarray:
    """Arrays ``[N]`` as the columns of one ``[N, K]``."""
    out = np.empty((rows, len(arrays)))
    for column, array in enumerate(arrays):
        out[:, column] = array
    return out
