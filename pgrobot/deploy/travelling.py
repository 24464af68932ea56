"""What of an environment's wrappers a policy takes along."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from omegaconf import DictConfig

from pgrobot.errors import PgrobotError
from pgrobot.policies import Acting
from pgrobot.targets import construct
from pgrobot.types import EnvironmentSpec


class Travelling(Protocol):
    """A wrapper's class that has ``travels = True``."""

    def carried(
        self, policy: Acting, spec: EnvironmentSpec, **settings: Any
    ) -> tuple[Acting, EnvironmentSpec]:
        """Put in front of a policy what the wrapper does, a class method.

        Args:
            policy: which reads what the wrapper shows.
            spec: of that.
            settings: of the wrapper, as its node in the config has them.

        Returns:
            A policy that reads what the wrapped environment shows, with the memory that this takes in its carry, so
            that it is exported like any other; and the spec of that environment.
        """
        ...


def unwrapped(cfg: DictConfig, policy: Acting, spec: EnvironmentSpec) -> tuple[Acting, EnvironmentSpec]:
    """The policy with all wrappers in front of it that travel; the others are not even imported.

    Raises:
        PgrobotError: a wrapper that travels does not say how.
    """
    for name in reversed([str(name) for name in cfg.wrapper if name not in spec.left_behind]):
        made = construct(cfg, f"wrapper.{name}")
        wrapper: Any = made.func if isinstance(made, partial) else made
        settings = made.keywords if isinstance(made, partial) else {}
        if not callable(getattr(wrapper, "carried", None)):
            raise PgrobotError(f"wrapper.{name} travels with its policy, but has no class method `carried`")
        policy, spec = wrapper.carried(policy, spec, **settings)
    return policy, spec
