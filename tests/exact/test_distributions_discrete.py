"""Discrete actions: what is drawn, and what the differentiable stand-ins are worth."""

from __future__ import annotations

import itertools

import pytest
import torch
from scipy.stats import chisquare
from torch import distributions as peer
from torch.distributions import kl_divergence
from torch.func import grad

from pgrobot.distributions import Binned, Categorical, MultiCategorical
from pgrobot.errors import PgrobotError
from pgrobot.policies.heads.categorical import CategoricalHead
from pgrobot.types import Action

LOGITS = torch.tensor([0.5, -1.0, 1.5, 0.0], dtype=torch.float64)
TARGET = torch.tensor([0.3, -0.2, 0.9, 0.4], dtype=torch.float64)


def jacobian() -> torch.Tensor:
    probs = LOGITS.softmax(-1)
    return torch.diag(probs) - torch.outer(probs, probs)


def test_categorical_equals_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
    one, other = Categorical(logits[0]), Categorical(logits[1])
    theirs = [peer.Categorical(logits=x) for x in logits]
    action = one.sample(generator)
    assert bool(((action == 0) | (action == 1)).all())
    assert bool((action.sum(-1) == 1).all())
    torch.testing.assert_close(one.log_prob(action), theirs[0].log_prob(action.argmax(-1)))
    torch.testing.assert_close(one.entropy(), theirs[0].entropy())
    torch.testing.assert_close(one.kl(other), kl_divergence(*theirs))


def test_binned_is_a_categorical_per_actuator_over_evenly_spaced_values() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 3, 11, generator=generator)
    one, other = Binned(logits[0]), Binned(logits[1])
    theirs = [peer.Independent(peer.Categorical(logits=x), 1) for x in logits]
    torch.testing.assert_close(one.centres, torch.linspace(-1, 1, 11))
    action = one.sample(generator)
    index = (one.centres == action.unsqueeze(-1)).int().argmax(-1)
    assert torch.equal(one.centres[index], action)
    torch.testing.assert_close(one.log_prob(action), theirs[0].log_prob(index))
    torch.testing.assert_close(one.entropy(), theirs[0].entropy())
    torch.testing.assert_close(one.kl(other), kl_divergence(*theirs))


def test_every_bin_finds_itself() -> None:
    """Whatever their number, the values that are drawn are mapped back to their own bins; others to the nearest."""
    for count in range(2, 60):
        binned = Binned(torch.arange(float(count)).expand(1, 1, count))
        log_probs = binned.log_prob(binned.centres.view(count, 1, 1)).flatten()
        torch.testing.assert_close(log_probs, binned.bins.log_probs.flatten())
    binned = Binned(torch.arange(3.0).view(1, 3))
    near, far = torch.tensor([[0.4], [-7.0], [7.0]]), torch.tensor([[0.0], [-1.0], [1.0]])
    assert torch.equal(binned.log_prob(near), binned.log_prob(far))


def test_the_frequencies_of_gumbel_max_are_the_probabilities() -> None:
    rows = 200_000
    drawn = Categorical(LOGITS.expand(rows, 4)).sample(torch.Generator().manual_seed(0)).sum(0)
    assert chisquare(drawn.numpy(), rows * LOGITS.softmax(-1).numpy()).pvalue > 0.01
    binned = Binned(LOGITS.float().expand(rows // 2, 2, 4)).sample(torch.Generator().manual_seed(1))
    counts = [int((binned == value).sum()) for value in Binned(LOGITS.float()).centres]
    assert chisquare(counts, rows * LOGITS.softmax(-1).numpy()).pvalue > 0.01


def expected_gradient(weights: torch.Tensor) -> torch.Tensor:
    """Expectation of the straight-through gradient of ``‖z − t‖² · w₀ + t·z · w₁``, exact in what is drawn."""
    rows = 400

    def objective(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = Categorical(logits).straight_through(torch.Generator().manual_seed(0))
        value = weights[0] * (drawn - TARGET).square().sum(-1) + weights[1] * drawn @ TARGET
        return value.sum(), drawn

    gradient, drawn = grad(objective, has_aux=True)(LOGITS.expand(rows, 4).contiguous())
    outcome = drawn.argmax(-1)
    assert torch.equal(drawn, torch.eye(4).double()[outcome]), "what goes forward is one-hot"
    each = torch.stack([gradient[outcome == k][0] for k in range(4)])
    assert all(torch.equal(row, each[k]) for row, k in zip(gradient, outcome.tolist(), strict=True))
    return LOGITS.softmax(-1) @ each


def test_straight_through_is_exact_for_linear_functions() -> None:
    gradient = expected_gradient(torch.tensor([0.0, 1.0]).double())
    torch.testing.assert_close(gradient, jacobian() @ TARGET, rtol=0, atol=1e-15)


def test_the_bias_of_straight_through_for_a_squared_distance_is_two_j_pi() -> None:
    values = (torch.eye(4).double() - TARGET).square().sum(-1)
    exact = jacobian() @ values
    bias = expected_gradient(torch.tensor([1.0, 0.0]).double()) - exact
    torch.testing.assert_close(bias, 2 * jacobian() @ LOGITS.softmax(-1), rtol=0, atol=1e-15)
    assert float(bias.abs().max()) > 0.1


def test_straight_through_torques_have_the_gradient_of_the_mean() -> None:
    def drawn(logits: torch.Tensor) -> torch.Tensor:
        return Binned(logits).straight_through(torch.Generator().manual_seed(0)).sum()

    logits = LOGITS.expand(7, 2, 4).contiguous()
    torch.testing.assert_close(grad(drawn)(logits), grad(lambda x: Binned(x).mean.sum())(logits))
    hard = Binned(logits).sample(torch.Generator().manual_seed(0))
    assert torch.equal(Binned(logits).straight_through(torch.Generator().manual_seed(0)), hard)


def test_a_cold_relaxed_sample_is_the_sample() -> None:
    categorical = Categorical(LOGITS.expand(500, 4))
    hard = categorical.sample(torch.Generator().manual_seed(0))
    soft = categorical.relaxed_sample(torch.Generator().manual_seed(0), 1e-6)
    torch.testing.assert_close(soft, hard)
    warm = categorical.relaxed_sample(torch.Generator().manual_seed(0), 1.0)
    torch.testing.assert_close(warm.sum(-1), torch.ones(500).double())
    assert torch.equal(warm.argmax(-1), hard.argmax(-1))
    binned = Binned(LOGITS.expand(500, 2, 4))
    torch.testing.assert_close(
        binned.relaxed_sample(torch.Generator().manual_seed(0), 1e-6),
        binned.sample(torch.Generator().manual_seed(0)),
    )


def test_the_gradient_of_a_relaxed_sample_is_that_of_the_relaxed_objective() -> None:
    """Finite differences of the mean over the same noise."""

    def objective(logits: torch.Tensor) -> torch.Tensor:
        rows = Categorical(logits.expand(64, 4)).relaxed_sample(torch.Generator().manual_seed(0), 0.5)
        return (rows - TARGET).square().sum(-1).mean()

    steps = 1e-5 * torch.eye(4).double()
    slopes = torch.stack([(objective(LOGITS + s) - objective(LOGITS - s)) / 2e-5 for s in steps])
    torch.testing.assert_close(grad(objective)(LOGITS), slopes, rtol=0, atol=1e-9)


def test_what_is_ruled_out_is_never_drawn_and_leaves_no_nan() -> None:
    logits = LOGITS.clone()
    logits[2] = -torch.inf
    ruled = Categorical(logits.expand(2000, 4))
    kept = Categorical(LOGITS[[0, 1, 3]])
    assert float(ruled.sample(torch.Generator().manual_seed(0))[:, 2].sum()) == 0.0
    torch.testing.assert_close(ruled.entropy()[0], kept.entropy())
    other = Categorical(torch.where(logits.isinf(), logits, 0.5 * logits).expand(2000, 4))
    expected = kept.kl(Categorical(0.5 * LOGITS[[0, 1, 3]]))
    torch.testing.assert_close(ruled.kl(other)[0], expected)
    assert float(ruled.log_prob(torch.eye(4)[2].double())[0]) == -torch.inf
    gradient = grad(lambda x: Categorical(x).entropy() + Categorical(x).kl(Categorical(0.5 * x)))(logits)
    assert bool(gradient.isfinite().all())


# ---- choices: a categorical per action, each over as many as it has ------------------------------------------------


def chooser(*choices: int) -> CategoricalHead:
    return CategoricalHead([Action(f"action{a}", "", count) for a, count in enumerate(choices)])


def chosen(numbers: torch.Tensor, *choices: int) -> MultiCategorical:
    """What the head makes of the output layer's numbers."""
    start = torch.ones(numbers.shape[:-1], dtype=torch.bool)
    return chooser(*choices)(numbers, numbers, numbers[..., :0], start)[0]


@pytest.mark.parametrize("choices", [(2,), (2, 2, 2), (3, 1, 5)])
def test_choices_equal_a_categorical_of_torch_per_action(choices: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(2, 6, sum(choices), generator=generator, dtype=torch.float64)
    assert chooser(*choices).outputs == sum(choices)
    one, other = (chosen(x, *choices) for x in numbers)
    theirs = [[peer.Categorical(logits=row) for row in x.split(choices, -1)] for x in numbers]
    action = one.sample(generator)
    assert action.shape == (6, len(choices))
    by_action = list(zip(theirs[0], action.unbind(-1), strict=True))
    torch.testing.assert_close(one.log_prob(action), sum(p.log_prob(a) for p, a in by_action))
    torch.testing.assert_close(one.entropy(), sum(p.entropy() for p in theirs[0]))
    torch.testing.assert_close(one.kl(other), sum(map(kl_divergence, *theirs)))
    likely = torch.stack([p.probs.argmax(-1) for p in theirs[0]], -1).double()
    assert torch.equal(one.deterministic, likely)
    for off in (-0.3, 0.3):  # the nearest counts
        assert torch.equal(one.log_prob(action + off), one.log_prob(action))


def test_choices_are_drawn_as_often_as_they_are_likely_and_never_beyond_their_number() -> None:
    rows, numbers = 200_000, torch.tensor([0.5, -1.0, 1.5, 0.0, 0.7])
    drawn = chosen(numbers.expand(rows, 5), 3, 2).sample(torch.Generator().manual_seed(0))
    pairs = list(itertools.product(range(3), range(2)))
    counts = [int((drawn == torch.tensor(pair)).all(-1).sum()) for pair in pairs]
    assert sum(counts) == rows
    expected = torch.outer(numbers[:3].double().softmax(-1), numbers[3:].double().softmax(-1)).flatten()
    assert chisquare(counts, rows * expected.numpy()).pvalue > 0.01


def test_extreme_preferences_leave_no_nan() -> None:
    """A policy that has become certain still has an entropy, a divergence, and gradients of both."""
    certain = torch.tensor([1e4, -1e4, 0.0, 3e38, -3e38])
    distribution = chosen(certain, 3, 2)
    assert float(distribution.entropy()) == 0.0
    assert float(distribution.log_prob(distribution.deterministic)) == 0.0
    assert distribution.deterministic.tolist() == [0.0, 0.0]

    def measured(x: torch.Tensor) -> torch.Tensor:
        here = chosen(x, 3, 2)
        told = here.entropy() + here.kl(chosen(0.5 * x, 3, 2)) + here.log_prob(torch.zeros(2))
        return told + here.std.sum() + here.mean.sum()

    for x in (certain, certain.clamp(-1e4, 1e4), -certain.clamp(-80.0, 80.0)):
        assert bool(grad(measured)(x).isfinite().all())


def test_the_gradient_of_choices_is_that_of_finite_differences() -> None:
    at = torch.tensor([0.5, -1.0, 1.5, 0.0, 0.7], dtype=torch.float64)
    other, action = chosen(at.flip(0), 3, 2), torch.tensor([2.0, 0.0], dtype=torch.float64)

    def measured(x: torch.Tensor) -> torch.Tensor:
        here = chosen(x, 3, 2)
        return here.log_prob(action) + 2.0 * here.entropy() + 3.0 * here.kl(other)

    steps = 1e-6 * torch.eye(5).double()
    slopes = torch.stack([(measured(at + s) - measured(at - s)) / 2e-6 for s in steps])
    torch.testing.assert_close(grad(measured)(at), slopes, rtol=0, atol=1e-8)


def test_a_head_of_choices_needs_some() -> None:
    with pytest.raises(PgrobotError, match="draws choices, and there is no action"):
        chooser()
