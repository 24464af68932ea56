"""What a scheme builds a run from: the parts that its config names, each with random streams of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from pgrobot.algorithm import Algorithm, Surroundings
from pgrobot.answers import check_columns
from pgrobot.bodies.trial import check_sizes
from pgrobot.constraints import Constraint, CostColumns, tightening_of
from pgrobot.cores import physical_cores
from pgrobot.critics import Critic
from pgrobot.errors import PgrobotError
from pgrobot.factories import CriticFactory, IntrinsicRewardFactory, MultiplierFactory, PolicyFactory
from pgrobot.frozen import freeze_parts
from pgrobot.groups import FEATURES, critic_widths
from pgrobot.initialisation import CRITIC, POLICY, Initialisation
from pgrobot.inputs import check_origins
from pgrobot.learner import Learner
from pgrobot.objectives import TermContext
from pgrobot.policies import Policy
from pgrobot.posing import columns_of
from pgrobot.randomness import component_seed, stream
from pgrobot.reduce import ALONE
from pgrobot.schemes.networks import network_of
from pgrobot.sequences import check_sequences
from pgrobot.signatures import takes
from pgrobot.targets import construct
from pgrobot.types import EnvironmentSpec

Made = TypeVar("Made", bound=Learner)


@dataclass(frozen=True)
class Blueprint:
    """The parts of a run.

    Every method that makes something random takes the name of the learner that it is for, whose streams are then
    independent of those of all others; the only learner of a run needs no name.

    Attributes:
        cfg: the job's config, checked.
        spec: of the environments.
        threads: cores of an update; 0: the physical cores.
        anew: whether the run begins, and is not taken up again or looked at.
    """

    cfg: DictConfig
    spec: EnvironmentSpec
    threads: int
    anew: bool = False

    def stream(self, name: str, learner: str = "") -> torch.Generator:
        """A random stream where the networks live."""
        return stream(self.cfg.seed, f"{learner}/{name}" if learner else name, self.cfg.device)

    def weights(self, name: str, learner: str = "") -> torch.Generator:
        """The random stream of a network's weights: of the CPU, so that they are the same wherever they then live."""
        return stream(self.cfg.seed, f"{learner}/{name}" if learner else name)

    @contextmanager
    def _seeded(self, name: str, learner: str) -> Iterator[None]:
        """What a part draws from torch's global generator while it is made comes from the seed as well."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(component_seed(self.cfg.seed, f"{learner}/{name}" if learner else name))
            yield

    def cost_columns(self, num_envs: int) -> CostColumns:
        """What turns the costs of so many environments into columns."""
        return CostColumns(build_constraints(self.cfg), num_envs)

    def policy(self, learner: str = "") -> Policy:
        """A policy as it is before training."""
        make: PolicyFactory = construct(self.cfg, "policy")
        with self._seeded("policy", learner):
            made = make(
                observation=self.spec.widths,
                actions=self.spec.actions,
                generator=self.weights("policy", learner),
            )
        check_sizes("policy", made, ("action_size", "carry_size", "sequence"))
        if self.anew:
            made.begin(self.spec)
        freeze_parts(POLICY, made, self._frozen(POLICY))
        return made.to(self.cfg.device)

    @property
    def initialisation(self) -> Initialisation:
        """What of another run this one begins as."""
        node: Any = OmegaConf.to_container(self.cfg.initialise)
        return Initialisation(**node)

    def _frozen(self, owner: str) -> list[str]:
        """What of the policy or the critic stays as it is; a name of neither counts as the policy's, to be refused."""
        names = self.initialisation.freeze
        of_critic = [name for name in names if name.partition(".")[0] == CRITIC]
        return of_critic if owner == CRITIC else [name for name in names if name not in of_critic]

    def critic(self, columns: Sequence[str], shows: Mapping[str, int], learner: str = "") -> Critic:
        """A critic of these columns as it is before training, for a policy that ``shows`` such groups."""
        make: CriticFactory = construct(self.cfg, "critic")
        with self._seeded("critic", learner):
            made = make(
                observation=critic_widths(self.spec, shows),
                columns=columns,
                generator=self.weights("critic", learner),
            )
        freeze_parts(CRITIC, made, self._frozen(CRITIC), made.rescaled)
        return made.to(self.cfg.device)

    def learner(self, policy: Policy, learner: str = "") -> Learner:
        """The learner of a policy as it is before training; raises as ``learner_of``."""
        return self.learner_of(Learner, policy, learner)

    def learner_of(self, kind: type[Made], policy: Policy, learner: str = "") -> Made:
        """A learner of a class of one's own.

        Raises:
            PgrobotError: a part refuses its values, or learns from sequences that no rollout consists of.
        """
        make_intrinsic: dict[str, IntrinsicRewardFactory] = construct(self.cfg, "intrinsic")
        make_multiplier: MultiplierFactory = construct(self.cfg, "multiplier")
        constraints = build_constraints(self.cfg)
        intrinsic = []
        for name, make_one in make_intrinsic.items():
            offered = {"spec": self.spec, "origin": policy.origin}
            asked: dict[str, Any] = {key: each for key, each in offered.items() if takes(make_one, key)}
            with self._seeded(f"intrinsic/{name}", learner):
                one = make_one(
                    observation=self.spec.widths,
                    actions=len(self.spec.actuators),
                    generator=self.weights(f"intrinsic/{name}", learner),
                    **asked,
                )
            intrinsic.append(one)
        check_columns(intrinsic)
        columns = columns_of(constraints, intrinsic)
        critic = self.critic(columns, policy.shows, learner)
        check_origins(policy, critic)
        check_sequences(self.cfg.horizon, {"policy": policy, "critic": critic})
        algorithm = self._algorithm(policy)
        _check_shared(policy, critic, algorithm.memory)
        return kind(
            policy=policy,
            critic=critic,
            intrinsic=intrinsic,
            constraints=constraints,
            multiplier=make_multiplier(constraints=constraints, columns=columns),
            algorithm=algorithm,
            surroundings=Surroundings(
                iterations=iterations(self.cfg, self.cfg.annealing_steps),
                max_episode_steps=self.spec.max_episode_steps,
                streams={name: self.stream(f"{name}_shuffle", learner) for name in ("policy", "critic")},
                cores=self.threads or physical_cores(),
                reduce=ALONE,
                critic_warmup=self.initialisation.critic_warmup,
            ),
            auxiliary=self._auxiliary(algorithm, policy, learner),
        )

    def _algorithm(self, policy: Policy) -> Algorithm:
        """The algorithm, whose terms are told of the policy as far as they ask."""
        algorithm = Algorithm(**construct(self.cfg, "algorithm"))
        context = TermContext(
            spec=self.spec,
            origin=policy.origin,
            action_size=policy.action_size,
            carry_size=policy.carry_size,
            rows=self.cfg.num_envs * self.cfg.horizon,
            seed=self.cfg.seed,
        )
        terms: Mapping[str, Any] = algorithm.objective
        told = {
            name: term(context=context) if isinstance(term, partial) else term for name, term in terms.items()
        }
        return replace(algorithm, objective=told)

    def _auxiliary(self, algorithm: Algorithm, policy: Policy, learner: str) -> dict[str, nn.Module]:
        """The networks of the objective's terms that have one, each with a random stream of its own."""
        made = {}
        for name, term in algorithm.objective.items():
            if getattr(term, "has_network", False):
                where = f"algorithm.objective.{name}"
                with self._seeded(where, learner):
                    made[name] = network_of(where, term, policy, self.spec, self.weights(where, learner))
        return made


def _check_shared(policy: Policy, critic: Critic, memory: int) -> None:
    """Refuse features that are shown to a critic which does not read them, or which would read those of the past."""
    read = getattr(critic, "groups", (FEATURES,))  # one of the user's own may read all that there is
    if FEATURES in policy.shows and FEATURES not in read:
        raise PgrobotError(
            f"policy.share_features=true shows the critic what the policy's encoder says, and critic.groups does not "
            f"read it: critic.groups=[{FEATURES}]"
        )
    if FEATURES in policy.shows and memory > 1:
        raise PgrobotError(
            "policy.share_features=true shows features as the encoder made them when it acted, and with "
            f"algorithm.memory={memory} all but one of an update's rollouts are of older encoders: set only one of them"
        )


def build_constraints(cfg: DictConfig) -> tuple[Constraint, ...]:
    """The budgets, in the order of the cost columns."""
    return tuple(
        Constraint(str(name), c.budget, c.unit, c.limit, tightening_of(c.get("schedule")))
        for name, c in cfg.constraint.items()
    )


def iterations(cfg: DictConfig, steps: int) -> int:
    """Iterations that take so many environment steps or a few more."""
    return math.ceil(steps / (cfg.num_envs * cfg.horizon))
