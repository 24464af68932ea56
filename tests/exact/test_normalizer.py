"""Running statistics against the statistics of everything at once."""

from __future__ import annotations

import torch
from toys import make_critic

from pgrobot.normalizer import ColumnScaler, ObservationNormalizer, RunningMoments


def test_merging_parts_equals_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    data = 100.0 + 3.0 * torch.randn(1000, 4, generator=generator, dtype=torch.float64)
    moments = RunningMoments(4)
    for part in (data[:1], data[1:10], data[10:700].view(69, 10, 4), data[700:]):
        moments.merge(part)
    torch.testing.assert_close(moments.mean, data.mean(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(moments.variance, data.var(0, correction=0), rtol=1e-10, atol=0)
    assert float(moments.count) == 1000


def test_normalised_data_is_standard_and_clipped() -> None:
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(5000, 3, generator=generator) * torch.tensor([1e-3, 1.0, 1e3]) + 7.0
    normalizer = ObservationNormalizer(3, clip=2.5)
    assert torch.equal(normalizer(data), data.clamp(-2.5, 2.5)), "the identity before anything was merged"
    normalizer.merge(data)
    out = ObservationNormalizer(3, clip=1e9)
    out.load_state_dict(normalizer.state_dict())
    torch.testing.assert_close(out(data).mean(0), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(out(data).std(0), torch.ones(3), rtol=1e-3, atol=0)
    assert float(normalizer(data).abs().max()) == 2.5


def test_a_constant_feature_stays_finite() -> None:
    normalizer = ObservationNormalizer(1, clip=10.0)
    normalizer.merge(torch.full((10, 1), 5.0))
    assert float(normalizer(torch.full((1, 1), 5.0))) == 0.0
    assert torch.isfinite(normalizer(torch.full((1, 1), 6.0))).all()


def test_column_scaler_divides_by_the_deviation_and_keeps_constant_columns() -> None:
    scaler = ColumnScaler(3)
    returns = torch.tensor([[1.0, 0.0, 5.0], [5.0, 0.0, 5.0]])
    factor = scaler.merge(returns)
    torch.testing.assert_close(scaler.scale, torch.tensor([2.0, 1.0, 1.0]))
    torch.testing.assert_close(factor, torch.tensor([0.5, 1.0, 1.0]))


def test_rescaling_keeps_every_prediction() -> None:
    """The output layer absorbs a new scale: values are the same before and after (PopArt)."""
    critic = make_critic(("reward", "cost/a"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    obs = {"policy": torch.randn(50, 2, generator=generator)}
    with torch.no_grad():
        before = critic.value(obs)
        critic.rescale(torch.randn(500, 2, generator=generator) * torch.tensor([100.0, 0.01]))
        torch.testing.assert_close(critic.value(obs), before, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(critic.scaler.scale, torch.tensor([100.0, 0.01]), rtol=0.1, atol=0)
