"""A discriminator pays for what was shown: by the log ratio of densities, and both sides are read alike."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from curious import bonus, paid, rollout
from torch import Tensor
from toys import TargetWorld, make

from pgrobot.errors import PgrobotError
from pgrobot.origin import Origin

WORLD = TargetWorld(4, 0)
QUANTILES = torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(30) + 0.5) / 30)
QUANTILES = QUANTILES / QUANTILES.std(correction=0)


def write(path: Path, obs: Tensor, following: Tensor, action: Tensor, **changes: Any) -> str:
    """Demonstrations of one episode."""
    steps = len(obs)
    arrays: Mapping[str, Any] = {
        "observations": obs,
        "next_observations": following,
        "actions": action,
        "rewards": np.zeros(steps),
        "terminations": np.zeros(steps, bool),
        "truncations": np.arange(steps) == steps - 1,
    }
    np.savez(path, **{key: np.asarray(value) for key, value in {**arrays, **changes}.items()})
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two files of a target world's: the action is half of the target, in units of its space of ± 2."""
    folder, draw = tmp_path_factory.mktemp("shown"), torch.Generator().manual_seed(7)
    found = []
    for index in range(2):
        path = torch.randn(21, 2, generator=draw)
        found.append(write(folder / f"{index}.npz", path[:-1], path[1:], path[:-1, :1].clamp(-2.0, 2.0)))
    return found


def made(files: list[str], **changes: Any) -> Any:
    origin = changes.pop("origin", Origin({"policy": 2}))
    return bonus("discriminator", files=files, origin=origin, **{"spec": WORLD.spec, **changes})


def grid(mean: float, deviation: float) -> Tensor:
    """Pairs of quantiles of a Gaussian, each as likely as any other, ``[900, 2]``."""
    return mean + deviation * torch.cartesian_prod(QUANTILES, QUANTILES)


@pytest.mark.parametrize("inputs", ["state", "state_action"])
def test_its_logit_is_the_log_ratio_of_two_gaussians(inputs: str, tmp_path: Path) -> None:
    """Of equal deviations it is linear, ``Σ ((m₁ − m₀) x + (m₀² − m₁²) / 2) / σ²``, as without hidden layers."""
    shown, acted, deviation = 0.3, -0.2, 0.25
    pairs, own = grid(shown, deviation), grid(acted, deviation)
    nothing = torch.zeros(900, 1)
    spec = dataclasses.replace(
        WORLD.spec, observation={"policy": type(WORLD.spec.observation["policy"]).numbered("policy", (1,))}
    )
    first, second = (pairs[:, :1], pairs[:, 1:]) if inputs == "state" else (pairs[:, :1], nothing)
    action = nothing if inputs == "state" else 2.0 * pairs[:, 1:]  # a policy unit is 2 of the space
    one = made(
        [write(tmp_path / "shown.npz", first, second, action)],
        width=1, spec=spec, origin=Origin({"policy": 1}), inputs=inputs, hidden=[], penalty=0.0, share=1.0,
        minibatch=900, epochs=250, rate=0.1, reward="airl", scaled=False,
    )  # fmt: skip
    states = own.view(30, 30, 2)
    given = rollout(
        30,
        30,
        1,
        obs={"policy": states[..., :1]},
        next_obs={"policy": states[..., 1:]},
        action=states[..., 1:],
    )
    told = one.fit(given)
    slope = (shown - acted) / deviation**2
    wanted = slope * states.sum(-1) + (acted**2 - shown**2) / deviation**2
    with torch.no_grad():
        found = one.logit(one._read(one._whitening, given)["policy"])
    assert float((found - wanted).abs().max()) < 0.03 * float(wanted.abs().max())
    once = paid(one, given)
    torch.testing.assert_close(once, one.logit(one.seen(given)["policy"]).detach())
    one.reward = "gail"
    torch.testing.assert_close(paid(one, given), -(1.0 - once.sigmoid()).log(), rtol=1e-3, atol=1e-4)
    right = 0.5 * (1.0 + math.erf((shown - acted) / (2.0 * deviation)))
    for side in ("shown", "policy"):  # half the distance of the means along their line, in deviations
        assert told[f"intrinsic/discriminator/accuracy_{side}"] == pytest.approx(right, abs=0.05)


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_the_penalty_is_the_gradient_by_finite_differences(files: list[str], activation: str) -> None:
    one = made(files, activation=activation, penalty=3.0)
    one.networks.double()
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-5
    slopes = []
    for entry in range(4):
        offset = torch.zeros(4, dtype=torch.float64)
        offset[entry] = step
        with torch.no_grad():
            slopes.append((one.logit(x + offset) - one.logit(x - offset)) / (2.0 * step))
    expected = 0.5 * torch.stack(slopes).square().sum(0).mean()
    torch.testing.assert_close(one.steepness(x), expected, rtol=1e-6, atol=1e-9)
    weight = one.networks["logit"].output.weight
    (gradient,) = torch.autograd.grad(one.steepness(x), weight)
    sides = []
    for offset_of_weight in (step, -2.0 * step):
        weight.data[0, 0] += offset_of_weight
        sides.append(one.steepness(x).item())
    assert gradient[0, 0].item() == pytest.approx((sides[0] - sides[1]) / (2.0 * step), rel=1e-5)
    one.networks.float()
    terms = made(files, penalty=3.0)
    terms._whitened_by(rollout())
    rows = {"policy": torch.randn(40, 4)}
    shown = terms.joined(terms._whitening, **terms.shown)
    assert terms.losses(rows)["penalty"].item() == pytest.approx(
        3.0 * terms.steepness(shown).item(), rel=1e-5
    )


def test_both_sides_are_read_alike(files: list[str]) -> None:
    """A policy that does what was shown, in its own units and beyond their range, is what was shown."""
    one = made(files, inputs="state_action")
    shown = one.shown
    assert len(shown["action"]) == 40
    assert float(shown["action"].abs().max()) <= 1.0
    wild = torch.where(shown["action"].abs() == 1.0, 7.0 * shown["action"], shown["action"])
    given = rollout(
        40, 1, obs={"policy": shown["obs"].unsqueeze(1)}, next_obs={"policy": shown["next_obs"].unsqueeze(1)},
        action=wild.unsqueeze(1),
    )  # fmt: skip
    assert torch.equal(one.seen(given)["policy"].squeeze(1), one.joined(one._whitened_by(given), **shown))
    assert bool((wild.abs() > 1.0).any())


def test_both_sides_are_whitened_by_what_was_shown_once_and_all_that_was_done(files: list[str]) -> None:
    one, given = made(files), [rollout(seed=seed) for seed in range(2)]
    for each in given:
        one.fit(each)
    rows = torch.cat([one.shown["next_obs"], *(each.next_obs["policy"].flatten(0, 1) for each in given)])
    assert float(one._whitening.moments.count) == len(rows) == 40 + 2 * 36
    torch.testing.assert_close(one._whitening.moments.mean.float(), rows.mean(0), rtol=1e-5, atol=1e-6)


def test_a_minibatch_meets_any_of_what_was_shown(files: list[str]) -> None:
    """As many rows as of the policy, none twice, each as often as any other."""
    one, times = made(files), torch.zeros(40)
    for _ in range(400):
        drawn = one._drawn(10)["obs"]
        met = (drawn.unsqueeze(1) == one.shown["obs"]).all(-1)
        assert met.sum(0).max() == 1
        times += met.sum(0)
    assert float((times / 400 - 1 / 4).abs().max()) < 0.09  # 4 standard errors
    assert len(one._drawn(100)["obs"]) == 40


def test_what_was_shown_is_measured_from_the_policy_s_origin(files: list[str]) -> None:
    origin = Origin({"policy": 2})
    one = made(files, origin=origin)
    origin.fix({"policy": np.array([[100.0, 0.5]])})
    near = made(files)
    torch.testing.assert_close(one.shown["obs"], near.shown["obs"] - torch.tensor([100.0, 0.0]))


def test_a_policy_learns_what_was_shown_without_any_reward(tmp_path: Path) -> None:
    """The action that was shown is half of the target, of which the world's reward knows nothing."""
    draw = torch.Generator().manual_seed(3)
    seen = 2.0 * torch.rand(400, 2, generator=draw) - 1.0
    file = write(tmp_path / "half.npz", seen, seen, seen[:, :1])  # of a space of ± 2: 0.5 in policy units
    one = made([file], inputs="state_action", hidden=[16], rate=1e-2, epochs=3, minibatch=128, discount=0.0)
    collector, learner = make(TargetWorld(16, 0, costs=False), intrinsic=[one], rate=3e-2)
    for _ in range(14):
        given = collector.collect()["robot"]
        learner.update(dataclasses.replace(given, reward=torch.zeros_like(given.reward)))
    given = collector.collect()["robot"]
    said, _ = learner.policy(given.obs, given.carry, given.episode_start)
    target = given.obs["policy"][..., :1]
    error = float((said.mean - 0.5 * target).square().mean() / (0.5 * target).square().mean())
    assert error < 0.5, error


def test_without_weight_it_changes_nothing(files: list[str]) -> None:
    collector, learner = make(TargetWorld(4, 0))
    watched, watching = make(TargetWorld(4, 0), intrinsic=[made(files, weight=0.0)])
    for _ in range(3):
        told, also = learner.update(collector.collect()["robot"]), watching.update(watched.collect()["robot"])
        assert told == {key: value for key, value in also.items() if not key.startswith("intrinsic/")}
    assert torch.equal(learner.policy_vector.vector, watching.policy_vector.vector)


def test_it_goes_on_from_its_state_and_finds_other_demonstrations(files: list[str]) -> None:
    whole, given = made(files), [rollout(seed=seed) for seed in range(3)]
    whole.fit(given[0])
    state = whole.state_dict()
    resumed = made(files, seed=4)
    resumed.load_state_dict(state)
    for each in given[1:]:
        assert torch.equal(paid(whole, each), paid(resumed, each))
        assert whole.fit(each) == resumed.fit(each)
    with pytest.raises(PgrobotError, match="other demonstrations than those that the run learnt from"):
        made(files[::-1]).load_state_dict(state)


def test_bad_demonstrations_are_refused_before_anything_learns(files: list[str], tmp_path: Path) -> None:
    other = write(tmp_path / "other.npz", torch.zeros(5, 3), torch.zeros(5, 3), torch.zeros(5, 1))
    far = write(tmp_path / "far.npz", torch.zeros(5, 2), torch.zeros(5, 2), torch.full((5, 1), 3.0))
    for named, told in (
        ([], "intrinsic.discriminator.files names no demonstrations: pgrobot record <run> makes some"),
        ([files[0], other], "other.npz shows .* another robot"),
        ([far], "is 3 in step 0, and Target takes between -2 and 2"),
        (["nowhere.npz"], "There are no demonstrations nowhere.npz"),
    ):
        with pytest.raises(PgrobotError, match=told):
            made(named)


def test_padding_is_no_policy(files: list[str]) -> None:
    one, weight = made(files), torch.ones(12, 3)
    weight[8:] = 0.0
    read = []
    losses = one.losses
    one.losses = lambda rows: read.append(len(rows["policy"])) or losses(rows)
    one.fit(rollout(weight=weight))
    assert read == 2 * [24]
