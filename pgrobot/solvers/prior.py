"""The policy that a run began as, for terms of the objective that keep to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from torch import Tensor

from pgrobot.policies import Policy
from pgrobot.solvers.parameters import FlatParameters
from pgrobot.types import State


class Prior:
    """Parameters and buffers of a policy at some time, in tensors of their own, which nothing moves.

    A compiled step reads these very tensors, so that they are replaced in place.

    Args:
        vector: the parameters ``[P]``.
        parameters: the layout of the vector.
        buffers: by name.
    """

    def __init__(self, vector: Tensor, parameters: FlatParameters, buffers: Mapping[str, Tensor]) -> None:
        self.vector = vector.clone()
        self.buffers = {name: value.clone() for name, value in buffers.items()}
        self._parameters = parameters

    @classmethod
    def of(cls, policy: Policy, parameters: FlatParameters) -> Self:
        """A policy as it is now."""
        state = policy.state_dict()
        buffers = {name: value for name, value in state.items() if name not in parameters.slices}
        return cls(parameters.vector, parameters, buffers)

    @property
    def state(self) -> dict[str, Tensor]:
        """All of it by name, for ``torch.func.functional_call``."""
        return {**self._parameters.views(self.vector), **self.buffers}

    def state_dict(self) -> State:
        """Its parameters and its buffers."""
        return {"vector": self.vector.clone(), "buffers": {k: v.clone() for k, v in self.buffers.items()}}

    def load_state_dict(self, state: State) -> None:
        """Become what ``state`` says."""
        self.vector.copy_(state["vector"])
        for name, value in state["buffers"].items():
            if self.buffers[name].shape == value.shape:
                self.buffers[name].copy_(value)
            else:  # counts of a normaliser, which no step reads
                self.buffers[name] = value.clone()
