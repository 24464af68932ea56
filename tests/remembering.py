"""Small policies and critics that remember, for tests."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pgrobot.bodies import Body, linear
from pgrobot.critics import Critic
from pgrobot.distributions import Gaussian
from pgrobot.policies import Policy
from pgrobot.randomness import stream


def weights(name: str, rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(0.5 * torch.randn(rows, columns, generator=stream(3, name)))


class Echo(Policy):
    """Draws a push and a note; the push goes out, and the note is what it remembers until the next step."""

    action_size = 2
    carry_size = 1

    def __init__(self, sequence: int) -> None:
        super().__init__()
        self.sequence = sequence
        self.weight = weights("echo", 3, 2)
        self.log_std = nn.Parameter(torch.full((2,), -0.5))

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        held = torch.where(episode_start.unsqueeze(-1), 0.0, carry)
        mean = torch.cat((obs["policy"], held), -1) @ self.weight
        return Gaussian(mean, self.log_std.expand_as(mean)), held

    def remember(self, carry: Tensor, action: Tensor) -> Tensor:
        return carry + action[..., 1:]

    def command(self, action: Tensor) -> Tensor:
        return action[..., :1]

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        pass


class Elman(Policy):
    """A recurrent network of three units: ``h' = tanh(W x + U h)``; with ``units`` zero it remembers nothing."""

    action_size = 1

    def __init__(self, sequence: int, units: int = 3) -> None:
        super().__init__()
        self.sequence = sequence
        self.carry_size = units
        self.input = weights("input", 2, units)
        self.recurrent = weights("recurrent", units, units)
        self.output = weights("output", units + 2, 1)
        self.log_std = nn.Parameter(torch.full((1,), -0.5))

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        held = torch.where(episode_start.unsqueeze(-1), 0.0, carry)
        following = torch.tanh(obs["policy"] @ self.input + held @ self.recurrent)
        mean = torch.cat((following, obs["policy"]), -1) @ self.output
        return Gaussian(mean, self.log_std.expand_as(mean)), following

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        pass


class ElmanCritic(Critic):
    """The same network with an output per column."""

    def __init__(self, columns: int, sequence: int, units: int = 3) -> None:
        super().__init__()
        self.sequence = sequence
        self.carry_size = units
        self.input = weights("critic_input", 2, units)
        self.recurrent = weights("critic_recurrent", units, units)
        self.output = weights("critic_output", units, columns)
        self.register_buffer("unit", torch.ones(columns))

    @property
    def scale(self) -> Tensor:
        unit: Tensor = self.unit
        return unit

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Tensor, Tensor]:
        held = torch.where(episode_start.unsqueeze(-1), 0.0, carry)
        following = torch.tanh(obs["policy"] @ self.input + held @ self.recurrent)
        return following @ self.output, following

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        pass

    def rescale(self, returns: Tensor) -> dict[str, Tensor]:
        return {}


class LinearMemory(Body):
    """``h' = A h + B x``, shown beside x: with the right matrices a Kalman filter."""

    sequence = 10

    def __init__(self, inputs: int, generator: torch.Generator, units: int = 1) -> None:
        super().__init__()
        self.carry_size, self.width = units, inputs + units
        self.layer = linear(inputs + units, units, 0.5, generator)

    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        held = torch.where(episode_start.unsqueeze(-1), 0.0, carry)
        following = self.layer(torch.cat((x, held), -1))
        return torch.cat((x, following), -1), following
