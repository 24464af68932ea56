"""The policy of two levels: one draws goals, the other acts on what it sees, its goal and the time left for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor

from pgrobot.bodies import BodyFactory
from pgrobot.bodies.trial import ROWS, starts
from pgrobot.distributions import Distribution, TwoLevel
from pgrobot.errors import PgrobotError
from pgrobot.groups import GOAL, TIME_LEFT, Groups, selected
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.policies.heads.head import HeadFactory
from pgrobot.policies.levels import (
    Goal,
    GoalNode,
    High,
    Level,
    Moment,
    Source,
    Switch,
    SwitchFactory,
    SwitchNode,
)
from pgrobot.policies.policy import Policy
from pgrobot.ranges import Built, Called, at_least, positive
from pgrobot.types import Action, EnvironmentSpec


class Said(NamedTuple):
    """What both levels say in a step."""

    low: Distribution  # over what is done                                   […, A]
    high: Distribution  # over goals, whether one is drawn or not            […, G]
    joint: TwoLevel  # over what both draw together                          […, A + G + switch.width]
    held: Tensor  # the goal that is held                                    […, G]
    age: Tensor  # steps since one was drawn, modulo ``every``               […, 1]
    carry: Tensor  # what is remembered from here on                         […, H]


class HierarchicalPolicy(Policy):
    """Every ``every`` steps the high level draws a goal, and in all of them the low level acts.

    One policy: what is drawn is what is done and, where the time has come, a goal, so that
    ``log π = log π_low(a | s, z, time left) + 1[switch] log π_high(z' | s)``, in which ``z`` is the goal that is held.
    A goal that is drawn at one step acts from the next one on. An episode begins with option 0, or a goal of zeros: its
    first step acts on that, and draws the first goal. With ``every=1`` and one option it is the low level's network to
    the last bit. A switch that is learnt draws goals earlier as well.

    It remembers what both levels remember, the goal and how long it has been held.

    See docs/derivations.md#two-levels.

    Args:
        observation: width of each observation group.
        actions: the entries of the environment's action.
        groups: the observation groups that the low level reads, or entries of them by their full names, in that order.
        body: makes the network of the low level up to its features.
        head: makes what turns its last numbers into a distribution over actions.
        goal: what goals are.
        every: steps between two goals, at most.
        switch: when one is drawn before.
        high: the network of the high level.
        low: where the low level comes from.
        observation_clip: bound on normalised observations.
        generator: random stream of the weights.
        observation_memory: environment steps that the normalisers remember.

    Raises:
        PgrobotError: the task has no such observation group or entry, or a part refuses its values.
    """

    free_to_differ: ClassVar[Sequence[str]] = ("groups", "observation_memory", "low")

    def __init__(
        self,
        observation: Mapping[str, int],
        actions: Sequence[Action],
        groups: Groups,
        body: Annotated[BodyFactory, Called("hidden", BodyFactory)],
        head: Annotated[HeadFactory, Called("_target_", HeadFactory)],
        goal: Annotated[Goal, GoalNode("_target_")],
        every: Annotated[int, at_least(1)],
        switch: Annotated[SwitchFactory, SwitchNode("_target_", SwitchFactory)],
        high: Annotated[High, Built("_target_")],
        low: Annotated[Source, Built("_target_")],
        observation_clip: Annotated[float, positive],
        generator: torch.Generator,
        observation_memory: Annotated[float, positive] = math.inf,
    ) -> None:
        super().__init__(observation)
        self.goal, self.every, self.body, self.head, self.source = goal, every, body, head, low
        # the goal, and where it may change, the time left: the low level is told them, and critics see them
        self.shows = {GOAL: goal.width, TIME_LEFT: int(every > 1)}
        self.told = sum(self.shows.values())
        low_reads = selected("policy.groups", groups, observation)
        high_reads = selected("policy.high.groups", high.groups, observation)
        normalizer = lambda width: ObservationNormalizer(width, observation_clip, observation_memory)
        self.low = Level(
            low_reads, self.told, actions, body, head, normalizer(low_reads.width), generator, "policy"
        )
        self.high = Level(
            high_reads, 0, goal.actions, high.body, goal.head, normalizer(high_reads.width), generator, "policy.high"
        )  # fmt: skip
        self.switch: Switch = switch(
            reads=high_reads,
            told=self.told,
            body=high.body,
            normalizer=normalizer(high_reads.width),
            generator=generator,
        )
        self.groups = tuple(dict.fromkeys((*low_reads.groups, *high_reads.groups)))
        self.channel = goal.channel(self._says(observation))
        width = self.high.head.action_size
        self.drawn = (self.low.head.action_size, width, self.switch.width)
        self.action_size = sum(self.drawn)
        self.of_high = (self.high.carry_size, self.switch.carry_size)
        self.parts = (self.low.carry_size, sum(self.of_high), width, 1, self.channel.width)
        self.carry_size = sum(self.parts)
        self.sequence = self._sequence()
        if low.frozen:
            self.low.freeze()

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        said = self.levels(obs, carry, episode_start)
        return said.joint, said.carry

    def levels(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> Said:
        """What each level says by itself, and both together; as of ``forward``."""
        of_low, of_high, *_ = carry.split(self.parts, -1)
        of_switch = of_high
        if self.switch.carry_size:
            of_high, of_switch = of_high.split(self.of_high, -1)
        held, age = self._own(carry, episode_start)
        told = torch.cat(tuple(self.show(obs, carry, episode_start).values()), -1)
        acts, of_low = self.low.say(obs, told, of_low, episode_start)
        says, of_high = self.high.say(obs, held[..., :0], of_high, episode_start)
        drawn, kept = self.channel.opened(says)
        due = age.squeeze(-1) == 0.0
        now = Moment(obs, told, of_switch, episode_start, due, self.channel.idle(held))
        joint, of_switch = self.switch.joint(acts, drawn, now)
        if self.switch.carry_size:
            of_high = torch.cat((of_high, of_switch), -1)
        return Said(acts, says, joint, held, age, torch.cat((of_low, of_high, held, age, kept), -1))

    def show(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> Mapping[str, Tensor]:
        held, age = self._own(carry, episode_start)
        left = torch.remainder(-age, self.every) / self.every
        return {GOAL: self.goal.shown(held), TIME_LEFT: left[..., : self.shows[TIME_LEFT]]}

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        *levels, held, age, kept = carry.split(self.parts, -1)
        _, goal, fires = action.split(self.drawn, -1)
        drawn = self.switch.fires(fires, age == 0.0)
        held = torch.where(drawn, self.channel.held(goal, kept), held)
        age = torch.remainder(torch.where(drawn, 0.0, age) + 1.0, self.every)
        return torch.cat((*levels, held, age, torch.zeros_like(kept)), -1)

    @property
    def memory_size(self) -> int:
        return sum(self.parts[:2])

    def command(self, action: Tensor) -> Tensor:
        return action[..., : self.low.head.action_size]

    def begin(self, spec: EnvironmentSpec) -> None:
        most = spec.max_episode_steps
        if self.every > most:
            raise PgrobotError(
                f"policy.every={self.every} is longer than an episode of {spec.name}, which has {most} steps: with "
                f"policy.every={most} the first goal lasts all of it"
            )
        self.source.fill(self, spec)

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        self.low.merge(obs)
        self.high.merge(obs)
        self.switch.merge(obs)

    @property
    def normalizer(self) -> ObservationNormalizer:
        """The low level's, which says where observations were in training."""
        return self.low.normalizer

    def _own(self, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        """The goal that is held before a step ``[…, G]``, and the steps since one was drawn ``[…, 1]``."""
        *_, held, age, _ = carry.split(self.parts, -1)
        starts = episode_start.unsqueeze(-1)
        return torch.where(starts, 0.0, held), torch.where(starts, 0.0, age)

    @torch.no_grad()
    def _says(self, observation: Mapping[str, int]) -> Distribution:
        """What the high level says of goals, on some rows."""
        obs = {name: torch.zeros(ROWS, observation[name]) for name in self.high.reads.groups}
        carry = torch.zeros(ROWS, self.high.carry_size)
        return self.high.say(obs, carry[..., :0], carry, starts())[0]

    def _sequence(self) -> int:
        """How many steps gradients flow through, on which all who ask for some have to agree."""
        asked = {
            "policy.body.sequence": self.low.body.sequence,
            "policy.high.body.sequence": self.high.body.sequence,
            "policy.goal.sequence": self.goal.sequence,
        }
        longest = max(asked, key=lambda key: asked[key])
        for key, steps in asked.items():
            if 1 < steps < asked[longest]:
                raise PgrobotError(
                    f"{key}={steps} and {longest}={asked[longest]} are the steps of the same chunks: set both alike"
                )
        return asked[longest]
