"""Behavioural cloning: one policy learns from demonstrations what to do, and acts in evaluations alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from pgrobot.demonstrations import Demonstrations, as_learnt, check_against, named, read_demonstrations
from pgrobot.errors import PgrobotError, nearest
from pgrobot.groups import TIME
from pgrobot.initialisation import CRITIC, POLICY
from pgrobot.learner import Learner
from pgrobot.policies import Policy
from pgrobot.ranges import above, described, is_number
from pgrobot.schemes.blueprint import Blueprint
from pgrobot.schemes.single import LEARNER
from pgrobot.signatures import takes
from pgrobot.solvers import own_state
from pgrobot.targets import construct
from pgrobot.types import Collector, Environment, EnvironmentSpec, Metrics, Rollout, State

part_of_one = described(
    lambda value: is_number(value) and 0.0 <= value < 1.0, float, "a number of at least 0 and below 1"
)


@dataclass(frozen=True)
class Clone:
    """A learner whose rollouts are demonstrations; a step of training is a step that was shown.

    Some episodes are held out. Once ``patience`` passes over the others have brought no policy under which those are
    likelier, the run ends, with the policy under which they were likeliest.

    Attributes:
        file: the demonstrations, as of ``pgrobot.demonstrations.read_demonstrations``.
        held_out: the share of the episodes that is held out, at least one; 0: none, and the run goes on to its end.
        patience: as above, in passes over the demonstrations that are learnt from.
    """

    file: Annotated[str, named]
    held_out: Annotated[float, part_of_one]
    patience: Annotated[float, above(0.0)]
    acting: ClassVar[str] = LEARNER
    demonstrates: ClassVar[bool] = True

    def learners(self, parts: Blueprint) -> dict[str, Learner]:
        _check_parts(parts)
        policy = parts.policy()
        if policy.shows or policy.action_size != len(parts.spec.actions):
            raise PgrobotError(
                "scheme=clone needs a policy that draws actions and nothing else, for no goals were shown: use another "
                "policy"
            )
        return {LEARNER: parts.learner_of(Cloner, policy)}

    def policy(self, policies: Mapping[str, Policy]) -> Policy:
        return policies[LEARNER]

    def collector(
        self, parts: Blueprint, environment: Environment, learners: Mapping[str, Learner]
    ) -> Collector:
        # here, for its room imports MuJoCo, which those who only want the learners need not have
        from pgrobot.collectors.demonstrations import DemonstrationCollector

        spec, learner = environment.spec, learners[LEARNER]
        assert isinstance(learner, Cloner)
        shown = _with_costs(read_demonstrations(self.file), spec)
        check_against(shown, spec)
        learnt, held_out = self._split(shown, parts.stream("held_out"))
        policy = learner.policy
        policy.origin.fix(
            {name: value[:1].numpy() for name, value in learnt.obs.items() if name in spec.widths}
        )
        read = as_learnt(learnt, spec, policy.origin).obs
        seen = {**read, TIME: (learnt.age / spec.max_episode_steps).unsqueeze(-1)}
        for name, part in ((POLICY, policy), (CRITIC, learner.critic)):
            if not parts.initialisation.takes(name):  # else it begins as the function that it was
                part.merge(seen)
        if len(held_out):
            learner.hold_out(held_out, spec, self.patience * len(learnt))
        return DemonstrationCollector(
            demonstrations=learnt,
            spec=spec,
            policy=policy,
            cost_columns=parts.cost_columns(spec.num_envs),
            horizon=parts.cfg.horizon,
            generator=parts.stream("demonstrations"),
            learner=LEARNER,
            exhausted=lambda: learner.settled,
        )

    def _split(
        self, shown: Demonstrations, generator: torch.Generator
    ) -> tuple[Demonstrations, list[Demonstrations]]:
        """What is learnt from, and the episodes that are held out."""
        count = len(shown.episodes)
        order = torch.randperm(count, generator=generator).tolist()
        held = max(round(self.held_out * count), 1) if self.held_out else 0
        if held >= count:
            raise PgrobotError(
                f"{shown.source} holds {count} episode{'s' * (count > 1)}, of which scheme.held_out={self.held_out:g} "
                "leaves none to learn from: record more, or use scheme.held_out=0, which learns from all and stops at "
                "total_steps"
            )
        return shown.of(sorted(order[held:])), [shown.of([each]) for each in sorted(order[:held])]


class Cloner(Learner):
    """A learner that looks at episodes which it does not learn from, and says when they have become no likelier.

    Attributes:
        settled: whether it is done: it holds the policy under which they were likeliest.
    """

    settled = False
    _held_out: tuple[tuple[Mapping[str, Tensor], Tensor, Tensor], ...] = ()
    _patience = 0.0
    _least = float("inf")
    _since = 0  # steps learnt from since it was found
    _best: State

    def hold_out(self, episodes: list[Demonstrations], spec: EnvironmentSpec, patience: float) -> None:
        """Look at these after every update; ``patience`` in steps that are learnt from."""
        read = [as_learnt(each, spec, self.policy.origin) for each in episodes]
        self._held_out = tuple((one.obs, one.action, one.episode_start) for one in read)
        self._patience = patience
        self._best = own_state(self.policy)

    @torch.no_grad()
    def update(self, rollout: Rollout) -> Metrics:
        """As a learner; and look at what is held out. Patience begins when the policy learns."""
        waiting = self._warming_up
        metrics = super().update(rollout)
        if not self._held_out:
            return metrics
        loss = self.held_out_nll()
        self._since += 0 if waiting else rollout.log_prob.numel()
        if loss < self._least:
            self._least, self._since, self._best = loss, 0, own_state(self.policy)
        self.settled = self._since >= self._patience
        if self.settled:
            self.policy.load_state_dict(self._best)
        return metrics | {"clone/held_out_nll": loss}

    @torch.no_grad()
    def held_out_nll(self) -> float:
        """Minus the mean log-likelihood of a step that is held out, in nats."""
        found = []
        for obs, action, start in self._held_out:
            said, _ = self.policy.along(obs, torch.zeros(self.policy.carry_size), start, action)
            found.append(said.log_prob(action))
        return -float(torch.cat(found).mean())

    def state_dict(self) -> State:
        """Also what was likeliest, and since when."""
        held = {"least": self._least, "since": self._since, "settled": self.settled}
        return super().state_dict() | ({"held_out": {**held, "best": self._best}} if self._held_out else {})

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        super().load_state_dict(state)
        if self._held_out:
            told = state["held_out"]
            self._least, self._since, self.settled = told["least"], told["since"], told["settled"]
            self._best = told["best"]


def _check_parts(parts: Blueprint) -> None:
    """Refuse what reads an advantage, or prices costs in it: of actions of others there is none.

    Raises:
        PgrobotError: names the first.
    """
    for name, term in construct(parts.cfg, "algorithm.objective").items():
        kind: Any = term.func if isinstance(term, partial) else type(term)
        if getattr(kind, "reads_advantage", True):
            raise PgrobotError(
                f"algorithm.objective.{name} ({kind.__name__}) reads the advantage, and what a demonstrator did says "
                "nothing of the policy's: scheme=clone goes with algorithm=clone"
            )
    if getattr(construct(parts.cfg, "multiplier").func, "prices", True):
        raise PgrobotError(
            "scheme=clone imitates, whatever costs: use multiplier=none, and let the end judge"
        )
    if parts.cfg.intrinsic:
        raise PgrobotError("scheme=clone has no use for intrinsic rewards: use intrinsic={}")
    for name, wrapper in construct(parts.cfg, "wrapper").items():
        if takes(wrapper, "training"):
            raise PgrobotError(
                f"scheme=clone trains in no environment, which is all that the wrapper {name} changes: leave it out"
            )


def _with_costs(shown: Demonstrations, spec: EnvironmentSpec) -> Demonstrations:
    """With the costs that are limited, in their order."""
    for name in spec.costs:
        if name not in shown.costs:
            raise PgrobotError(
                f"{shown.source} tells no cost {name!r}, which the run limits ({nearest(name, shown.costs)}): record "
                "it from a run that limits the same, or leave constraints out, constraint=[]"
            )
    places = [shown.costs.index(name) for name in spec.costs]
    return replace(shown, cost=shown.cost[:, places], costs=spec.costs)
