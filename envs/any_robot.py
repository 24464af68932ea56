"""Any robot: what its MJCF file says is enough to train it. ``task=robot task.xml_file=/path/to/robot.xml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.ranges import above, at_least
from pgrobot.simulation import Robot, Simulation, Starts, Streams
from pgrobot.simulation.functions import RewardTerm, Termination
from pgrobot.simulation.menagerie import SCHEME
from pgrobot.simulation.model import compiled
from pgrobot.simulation.units import HINGE, SLIDE
from pgrobot.types import EntryNames, Observation

from . import rewards, terminations
from .base import FIXED, Base, base_of, find_base
from .chosen import give_ranges, missing_ranges, sentences
from .once import once
from .posture import pose_of, state_of, velocity_of
from .remembering import after_a_step, widths
from .seen import Seen
from .sensing import add_contact_sensors, asked


@dataclass(frozen=True, kw_only=True)
class AnyRobot(Robot):
    """A robot that is described by its model alone, with rewards and terminations that are named in the config.

    Where no rewards are named, those are taken that fit: going forward and staying up for a robot that moves about,
    keeping its pose for one that is fixed. Where no terminations are named either, falls end an episode.

    Attributes:
        frame_skip: MuJoCo steps per environment step; 0: as many as come nearest to ``control_period``.
        control_period: seconds per environment step, where ``frame_skip`` is 0.
        keyframe: the pose in which episodes start, and against which leaning is measured; empty: as
            ``pgrobot.envs.posture`` finds one.
        base: the body whose motion counts; empty: of those on the world the one with the most joints.
        direction: x and y of the way that is forward, as the robot stands in its pose.
        reset_noise_scale: hinges (rad) and slides (m) start within so much of the pose, and within so much speed.
    """

    frame_skip: Annotated[int, at_least(0)]
    control_period: Annotated[float, above(0.0)]
    keyframe: str
    base: str
    direction: Sequence[float]
    reset_noise_scale: Annotated[float, at_least(0.0)]

    models: ClassVar = {"v1": ""}

    @property
    def model_file(self) -> Path:
        if self.xml_file == "default":
            raise PgrobotError("task.xml_file=default is no model: give the path of a MJCF file.")
        return super().model_file

    @property
    def title(self) -> str:
        return Path(self.xml_file.removeprefix(SCHEME)).stem

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return ()  # all are named in the config, or chosen as if they were

    def build_model(self) -> mujoco.MjModel:
        """The file's model, with a range for every command and sensors for the contacts that are asked for.

        Raises:
            PgrobotError: as of ``Robot.build_model``; or it has no joints, or no part of a name.
        """
        if self._felt():
            return self.build_spec().compile()
        model = self._plain()
        give_ranges(model)
        return model

    def build_spec(self) -> mujoco.MjSpec:
        missing = missing_ranges(self._plain())  # which says what is wrong with the file
        spec = mujoco.MjSpec.from_file(str(self.model_file))
        for actuator, (limits, _) in missing.items():
            spec.actuators[actuator].ctrlrange = limits
            spec.actuators[actuator].ctrllimited = 1
        add_contact_sensors(spec, self._felt())
        return spec

    def completed(self, model: mujoco.MjModel) -> Self:
        """The same with everything chosen that is left open: how long a step is, what is paid, what ends an episode.

        Raises:
            PgrobotError: there is no such body, pose or direction.
        """
        steps = self.frame_skip or max(1, round(self.control_period / model.opt.timestep))
        base = self.base_in(model)
        if self.rewards:
            return replace(self, frame_skip=steps)
        where: dict[str, Any] = {"base": self.base, "keyframe": self.keyframe}
        forward = partial(rewards.forward, **where, direction=tuple(self.direction))
        moves = {"forward": RewardTerm(forward, 1.0), "alive": RewardTerm(rewards.alive, 1.0)}
        stays = {"pose": RewardTerm(partial(rewards.pose, **where), 1.0)}
        falls = {
            "low": Termination(partial(terminations.low, **where)),
            "tilted": Termination(partial(terminations.tilted, **where)),
        }
        return replace(
            self,
            frame_skip=steps,
            rewards={
                **(stays if base.kind == FIXED else moves),
                "effort": RewardTerm(rewards.effort, -0.1),
            },
            terminations=self.terminations or (falls if base.falls and np.any(model.opt.gravity) else {}),
        )

    def introduction(self) -> Sequence[tuple[str, str]]:
        """What it is and what was chosen for it: words, each with what there is to say."""
        model = self._plain()
        given = give_ranges(model)
        return sentences(self.completed(model), model, given)

    def base_in(self, model: mujoco.MjModel) -> Base:
        """The body whose motion counts; raises PgrobotError where there is no such body, pose or direction."""
        return find_base(model, self.base, self.keyframe, self.direction)

    def observation(self, simulation: Simulation) -> Observation:
        return {"policy": self._seen(simulation).entries(simulation)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        return {"policy": self._seen(simulation).names(simulation)}

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        return ()

    def memory(self, simulation: Simulation) -> Mapping[str, int]:
        return widths(self._functions(), simulation)

    def remembered(self, simulation: Simulation, action: np.ndarray) -> Mapping[str, np.ndarray]:
        return after_a_step(self._functions(), simulation)

    @property
    def can_fall(self) -> bool:
        return any(terminations.is_fall(each.function) for each in self.terminations.values())

    def fallen(self, simulation: Simulation) -> np.ndarray:
        if not self.can_fall:
            return super().fallen(simulation)
        falls = [each.function for each in self.terminations.values() if terminations.is_fall(each.function)]
        return np.asarray(reduce(np.logical_or, [function(simulation) for function in falls]))

    def forward_speed(self, simulation: Simulation) -> np.ndarray:
        base = self._base(simulation)
        return super().forward_speed(simulation) if base.kind == FIXED else base.along(simulation)[:, 0]

    def initial_states(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Starts:
        """Draw starts about a keyframe, with its controls, activations and mocap bodies as they are."""
        starts = super().initial_states(simulation, ids, randoms)
        state = state_of(simulation.model, self.keyframe)
        rows = {name: np.repeat(value[None], len(ids), axis=0) for name, value in state.items()}
        return replace(starts, state=rows)

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        model, scale = simulation.model, self.reset_noise_scale
        qpos, qvel = pose_of(model, self.keyframe), velocity_of(model, self.keyframe)
        moving = np.flatnonzero(np.isin(model.jnt_type, (HINGE, SLIDE)))
        place, (low, high) = model.jnt_qposadr[moving], model.jnt_range[moving].T
        drawn = qpos[place] + random.uniform(-scale, scale, len(moving))
        limited = model.jnt_limited[moving].astype(bool)
        # a pose that lies beyond a limit stays there
        inside = np.clip(drawn, np.minimum(low, qpos[place]), np.maximum(high, qpos[place]))
        qpos[place] = np.where(limited, inside, drawn)
        qvel[model.jnt_dofadr[moving]] += random.uniform(-scale, scale, len(moving))
        return qpos, qvel

    def _plain(self) -> mujoco.MjModel:
        """The model as the file has it; raises PgrobotError where nothing in it can move."""
        model = compiled(self.model_file)
        if not model.njnt:
            raise PgrobotError(
                f"{self.model_file} has no joints, so nothing of it can move: give its bodies a <joint>."
            )
        return model

    def _felt(self) -> list[str]:
        """The parts whose contacts the rewards and terminations ask for."""
        return asked(self._functions())

    def _functions(self) -> list[Callable[..., Any]]:
        """All that the config adds to it, of which observations ask for nothing."""
        paid = [term.function for term in self.rewards.values()]
        return paid + [each.function for each in self.terminations.values()]

    def _base(self, simulation: Simulation) -> Base:
        return base_of(simulation, self.base, self.keyframe, tuple(self.direction))

    def _seen(self, simulation: Simulation) -> Seen:
        return once(simulation, ("seen", self.base), lambda: Seen.of(simulation, self._base(simulation)))
