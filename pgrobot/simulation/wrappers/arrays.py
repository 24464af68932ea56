"""A simulator that hands out tensors, for those who take NumPy's arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from pgrobot.types import Environment, Observation, State, Step


class ArrayEnvironment:
    """An environment of tensors as one of NumPy's arrays.

    What lies in the memory of the CPU is handed on as it is, not copied; from another device it is fetched.

    Args:
        environment: the one of tensors; it is given actions and numbers of environments in tensors of the CPU.

    Attributes:
        spec: that of the environment.
    """

    def __init__(self, environment: Environment[Tensor]) -> None:
        self.spec = environment.spec
        self._environment = environment

    def reset(self) -> Observation:
        """Start a new episode everywhere; the streams go on."""
        return _arrays(self._environment.reset())

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in environments ``ids`` (sorted) and return what all ``N`` observe."""
        return _arrays(self._environment.restart(torch.from_numpy(ids)))

    def step(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, in the units of the action space, and begin anew where an episode ended."""
        step = self._environment.step(torch.from_numpy(action))
        return Step(
            obs=_arrays(step.obs),
            next_obs=_arrays(step.next_obs),
            reward=_array(step.reward),
            terms=_array(step.terms),
            cost=_array(step.cost),
            terminated=_array(step.terminated),
            truncated=_array(step.truncated),
            censored=_array(step.censored),
            telemetry=_arrays(step.telemetry),
            failures=step.failures,
        )

    def state_dict(self) -> State:
        """Everything a bit-exact continuation needs: the environment's."""
        return self._environment.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict``."""
        self._environment.load_state_dict(state)

    def close(self) -> None:
        """Release what the environment holds."""
        self._environment.close()


def _array(tensor: Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().cpu().numpy()
    return found


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: _array(tensor) for name, tensor in tensors.items()}
