"""Deep networks: what a gradient becomes on its way through the layers, at initialisation and in training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vjp
from toys import make_critic, make_policy

from pgrobot.bodies import Mlp, linear
from pgrobot.bodies import mlp as networks
from pgrobot.bodies.mlp import ACTIVATIONS, Residual
from pgrobot.errors import PgrobotError
from pgrobot.randomness import stream
from pgrobot.solvers import FlatParameters


def mlp(
    sizes: Sequence[int],
    activation: str,
    gain: float,
    generator: torch.Generator,
    *options: Any,
    **named: Any,
) -> nn.Sequential:
    """A body and the output layer that a policy or a critic puts on top of it."""
    body = Mlp(sizes[0], sizes[1:-1], activation, generator, *options, **named)
    return nn.Sequential(*body.layers, linear(body.width, sizes[-1], gain, generator))


def inputs(rows: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pulled_back(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """A random gradient at a module's output ``[rows, *]`` and what it is at its input."""
    output, back = vjp(module, x)
    gradient = inputs(*output.shape, seed=1)
    return gradient, back(gradient)[0].detach()


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_the_plain_network_is_linear_layers_and_activations_in_turn(norm: str) -> None:
    """Without options: the weights that orthogonal initialisation draws, layer after layer, and their outputs."""
    generator = stream(3, "network")
    expected: list[nn.Module] = []
    for index, (width, outputs) in enumerate(itertools.pairwise((5, 16, 8, 2))):
        linear = nn.Linear(width, outputs)
        nn.init.orthogonal_(linear.weight, 0.01 if index == 2 else math.sqrt(2.0), generator=generator)
        nn.init.zeros_(linear.bias)
        if index == 0 and norm == "layer":
            nn.init.normal_(linear.bias, generator=generator)
        norms = [nn.LayerNorm(outputs)] if norm == "layer" else []
        expected += [linear] if index == 2 else [linear, *norms, nn.Tanh()]
    peer = nn.Sequential(*expected)
    options = {} if norm == "none" else {"norm": norm}
    ours = mlp((5, 16, 8, 2), "tanh", 0.01, stream(3, "network"), **options)
    assert list(ours.state_dict()) == list(peer.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), peer.parameters(), strict=True))
    x = inputs(7, 5).float()
    assert torch.equal(ours(x), peer(x))


@pytest.mark.parametrize("depth", [1, 8, 32])
def test_an_orthogonal_linear_chain_multiplies_gradients_by_its_gain_to_its_depth(
    depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(networks.ACTIVATIONS, "linear", nn.Identity)
    gain = math.sqrt(2.0)
    chain = mlp((16,) * (depth + 2), "linear", gain, stream(0, "chain")).double()
    # Orthogonal in single precision, where the weights are drawn; made so in double for the test.
    for layer in chain:
        if isinstance(layer, nn.Linear):
            u, _, v = torch.linalg.svd(layer.weight.data)
            torch.testing.assert_close(gain * u @ v, layer.weight.data, rtol=0, atol=1e-6)
            layer.weight.data = gain * u @ v
    after, before = pulled_back(chain, inputs(4, 16))
    torch.testing.assert_close(
        before.norm(dim=-1), gain ** (depth + 1) * after.norm(dim=-1), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("width", [3, 17, 100])
def test_gradients_cross_32_residual_layers_at_their_size(activation: str, norm: str, width: int) -> None:
    """From the last branch to the first and to the observations; with layer norm every single row's."""
    network = mlp((width, *[64] * 32, 4), activation, 0.01, stream(0, "deep"), "residual", norm).double()
    places = [index for index, layer in enumerate(network) if isinstance(layer, Residual)]
    assert len(places) == 31
    x = inputs(64, width)
    stem, blocks = network[: places[0]], network[places[0] : places[-1] + 1]
    after, before = pulled_back(blocks, stem(x).detach())
    ratio = before.norm(dim=-1) / after.norm(dim=-1)
    assert 0.5 < float(ratio.mean()) < 2.0
    if norm == "layer":
        assert 0.5 < float(ratio.min()) < float(ratio.max()) < 2.0
    after, before = pulled_back(network[: places[-1] + 1], x)
    share = min(1.0, math.sqrt(2.0 * width / 64))  # of the features' gradient that few observations can see
    assert 0.5 * share < float((before.norm(dim=-1) / after.norm(dim=-1)).mean()) < 2.0


def test_layer_norm_forgets_neither_the_length_of_an_observation_nor_jumps_at_its_mean() -> None:
    for block in ("plain", "residual"):
        network = mlp((3, 16, 16, 2), "tanh", 1.0, stream(0, "n"), block, "layer").double()
        x = inputs(8, 3)
        outputs = torch.stack([network(scale * x) for scale in (1e-9, -1e-9, 1.0, 2.0)]).detach()
        torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-7)
        assert float((outputs[2] - outputs[3]).norm(dim=-1).min()) > 0.05


def gradient_norms(network: nn.Sequential) -> list[float]:
    """Norm of the gradient of a loss in every weight matrix, from the input on."""
    parameters = FlatParameters(network)
    x, target = inputs(64, 5), inputs(64, 2, seed=1)

    def loss(vector: Tensor) -> Tensor:
        return (functional_call(network, parameters.views(vector), x) - target).square().mean()

    gradient = grad(loss)(parameters.vector)
    return [
        float(gradient[where].norm())
        for name, where in parameters.slices.items()
        if name.endswith("weight")
        and gradient[where].numel() >= 10
        and network.get_parameter(name).dim() == 2
    ]


def test_a_plain_network_of_small_gain_vanishes_where_a_residual_one_does_not() -> None:
    sizes = (5, *[32] * 32, 2)
    plain = mlp(sizes, "tanh", 1.0, stream(0, "deep")).double()
    with torch.no_grad():
        for layer in plain[:-1]:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(0.5)
    residual = mlp(sizes, "tanh", 1.0, stream(0, "deep"), "residual", "layer").double()
    vanished, kept = gradient_norms(plain), gradient_norms(residual)
    assert len(vanished) == len(kept) == 33
    assert max(vanished) < 1e-4, "what the last layers are told is as small: their features have vanished"
    assert min(kept) > 0.01
    assert max(kept[1:-1]) < 4 * min(kept[1:-1]), "every branch is told about as much"
    after, before = pulled_back(plain[:-1], inputs(64, 5))
    assert float((before.norm(dim=-1) / after.norm(dim=-1)).max()) < 1e-4


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_every_layer_of_a_deep_policy_receives_a_gradient(norm: str) -> None:
    policy = make_policy({"policy": 5}, 2, [16] * 16, block="residual", norm=norm)
    parameters = FlatParameters(policy)
    obs, empty = {"policy": inputs(32, 5).float()}, torch.zeros(32, 0)
    start = torch.zeros(32, dtype=torch.bool)
    action = inputs(32, 2, seed=1).float()

    def log_prob(vector: Tensor) -> Tensor:
        return (
            functional_call(policy, parameters.views(vector), (obs, empty, start))[0].log_prob(action).mean()
        )

    gradient = grad(log_prob)(parameters.vector)
    norms = {name: float(gradient[where].norm()) for name, where in parameters.slices.items()}
    assert all(norm > 1e-5 for norm in norms.values()), norms
    assert len(norms) == 1 + 2 * 17 + (2 * 16 if norm == "layer" else 0)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_residual_network_of_depth_32_learns(norm: str) -> None:
    """A wave, in 150 steps of Adam."""
    x = torch.linspace(-2.0, 2.0, 64).unsqueeze(-1)
    network = mlp((1, *[16] * 32, 1), "tanh", 1.0, stream(0, "deep"), "residual", norm)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (network(x) - torch.sin(2.0 * x)).square().mean()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.02


@pytest.mark.parametrize("hidden", [(), (8,), (8, 8, 8)])
@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("block", ["plain", "residual"])
def test_a_critic_of_any_kind_keeps_its_predictions_when_it_is_rescaled(
    hidden: tuple[int, ...], block: str, norm: str
) -> None:
    columns = ("reward", "cost/speed")
    critic = make_critic(columns, {"policy": 3}, hidden=hidden, block=block, norm=norm)
    with torch.no_grad():
        critic.output.weight.normal_(generator=torch.Generator().manual_seed(0))
    obs = {"policy": inputs(20, 3).float()}
    before = critic.value(obs)
    critic.rescale(inputs(50, 2).float() * torch.tensor([100.0, 0.01]))
    assert float(critic.scale[0]) > 10
    torch.testing.assert_close(critic.value(obs), before)


def test_residual_networks_of_one_hidden_layer_or_none_are_plain() -> None:
    for sizes in ((5, 2), (5, 8, 2)):
        for norm in ("none", "layer"):
            plain, residual = (
                mlp(sizes, "elu", 1.0, stream(0, "n"), block, norm) for block in ("plain", "residual")
            )
            x = inputs(3, 5).float()
            assert torch.equal(plain(x), residual(x))


def test_residual_layers_of_different_widths_are_refused() -> None:
    with pytest.raises(PgrobotError, match=r"hidden layers of one width, not \[8, 4\]"):
        mlp((5, 8, 4, 2), "tanh", 1.0, stream(0, "n"), "residual")
