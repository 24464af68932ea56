"""Past experience: what the last rollouts count, what an update sees of them, and what it does not."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from problems import at, make_batch
from scipy.optimize import minimize
from torch import Tensor
from torch.func import grad
from toys import ABOVE, TargetWorld, make

from pgrobot.batch import Batch
from pgrobot.collectors import SimulationCollector
from pgrobot.constraints import Lagrangian
from pgrobot.distributions import Categorical, Gaussian
from pgrobot.errors import PgrobotError
from pgrobot.estimators import effective_sample_share, vtrace
from pgrobot.learner import Learner
from pgrobot.objectives import ClippedRatio, GeneralizedClippedRatio
from pgrobot.policies import Policy
from pgrobot.replay import Experience, OptimalWeights, UniformWeights, Window, side_by_side, staleness
from pgrobot.retrospect import valued
from pgrobot.solvers import TotalVariationAdaptive
from pgrobot.types import Metrics, Rollout

BARS = {"rho_bar": 1.0, "c_bar": 1.0, "pg_rho_bar": math.inf}
VTRACE = partial(vtrace, lam=0.95, **BARS, objective_has_ratio=True)


# ---- what the steps of each policy count ----------------------------------------------------------------------------


def solved(memory: int, rollouts: float, tradeoff: float) -> np.ndarray:
    """The program of the weights, as a general solver finds it: nothing of it comes from the code under test."""
    index, start = np.arange(1.0, memory + 1), np.full(memory, 1.0 / memory)
    limits = [
        {"type": "eq", "fun": lambda v: v.sum() - 1.0},
        {"type": "ineq", "fun": lambda v: rollouts - index @ v},
        {"type": "ineq", "fun": lambda v: 1.0 / rollouts - v @ v},
    ]

    def least(goal: Any) -> np.ndarray:
        options = {"ftol": 1e-10, "maxiter": 1000}
        found = minimize(goal, start, bounds=[(0, 1)] * memory, constraints=limits, options=options)
        assert found.success, found.message
        return np.asarray(found.x)

    newest, most = least(lambda v: index @ v), least(lambda v: v @ v)
    unit_of_age, unit_of_size = rollouts - index @ newest, 1.0 / rollouts - most @ most
    return least(lambda v: tradeoff * (v @ v) / unit_of_size + (1.0 - tradeoff) * (index @ v) / unit_of_age)


@pytest.mark.parametrize(
    ("memory", "rollouts", "tradeoff"),
    [(4, 2.0, 1.0), (3, 2.0, 0.5), (3, 2.0, 0.0), (8, 4.0, 0.5), (5, 2.7, 0.8), (10, 4.0, 1.0)],
)
def test_weights_add_up_to_one_and_minimise_the_bound(memory: int, rollouts: float, tradeoff: float) -> None:
    found = OptimalWeights(rollouts, tradeoff)(memory)
    assert len(found) == memory
    assert math.fsum(found) == pytest.approx(1.0, abs=1e-14)
    assert min(found) > 0.0
    assert list(found) == sorted(found, reverse=True)
    np.testing.assert_allclose(found, solved(memory, rollouts, tradeoff), atol=2e-5)


def test_the_papers_weights_keep_samples_and_change() -> None:
    """B = 2: ε/2 per update, twice as many of them, and 10/3 instead of 2 rollouts' worth of samples."""
    found = OptimalWeights(2.0, 1.0)(4)
    assert found == pytest.approx((0.4, 0.3, 0.2, 0.1))
    assert staleness(found) == pytest.approx(2.0)
    assert 1.0 / sum(weight**2 for weight in found) == pytest.approx(10.0 / 3.0)
    assert OptimalWeights(1.0, 1.0)(1) == UniformWeights()(1) == (1.0,)
    assert OptimalWeights(2.0, 1.0)(2) == UniformWeights()(2) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("memory", "rollouts", "message"),
    [
        (1, 2.0, "memory=1 holds fewer samples than the 2 rollouts.* use algorithm.memory=2 or more"),
        (9, 2.0, "memory=9 keeps rollouts to which .* gives no weight: the newest 4 .* use algorithm.memory=4"),
    ],
)  # fmt: skip
def test_a_memory_that_weights_cannot_use_is_refused(memory: int, rollouts: float, message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        Window(memory, OptimalWeights(rollouts, 1.0))


def test_the_effective_share_counts_weights_and_leaves_padding_out() -> None:
    weight, ratio = torch.tensor([[0.4], [0.3], [0.2], [0.1], [0.0]]), torch.zeros(5)
    assert effective_sample_share(ratio, weight) == pytest.approx(1.0 / (4.0 * 0.3))
    assert effective_sample_share(ratio, weight[:, :0]) == pytest.approx(1.0)
    said = torch.tensor([1.0, 2.0]).log()
    assert effective_sample_share(said, torch.zeros(2, 0)) == pytest.approx(9.0 / (2.0 * 5.0))


# ---- the surrogate --------------------------------------------------------------------------------------------------


def gaussians(rows: int = 512) -> tuple[Gaussian, Gaussian, Gaussian, Tensor, Tensor]:
    """Who acted, who the update begins with, and who is sought, near each other; actions and advantages."""
    generator = torch.Generator().manual_seed(3)
    draw = lambda: torch.randn(rows, 2, generator=generator)
    behaviour = Gaussian(draw(), torch.full((rows, 2), -0.5))
    reference, sought = (Gaussian(behaviour.mean + 0.1 * draw(), behaviour.log_std) for _ in range(2))
    return behaviour, reference, sought, behaviour.sample(generator), torch.randn(rows, generator=generator)


def told(term: Any, sought: Gaussian, batch: Batch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The term's value, its gradient in the mean and its metrics."""
    moved = lambda mean: term(at(Gaussian(mean, sought.log_std)), batch)
    value, metrics = moved(sought.mean)
    return value, grad(lambda mean: moved(mean)[0])(sought.mean), metrics


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_on_the_policys_own_samples_the_term_is_ppos_bit_for_bit(dtype: torch.dtype) -> None:
    behaviour, _, sought, action, advantage = gaussians()
    own, sought = (Gaussian(p.mean.to(dtype), p.log_std.to(dtype)) for p in (behaviour, sought))
    batch = make_batch(own, action.to(dtype), advantage.to(dtype))
    value, gradient, metrics = told(GeneralizedClippedRatio(1.0, 0.2), sought, batch)
    expected, slope, ppo = told(ClippedRatio(1.0, 0.2), sought, batch)
    assert torch.equal(value, expected)
    assert torch.equal(gradient, slope)
    assert torch.equal(metrics["policy/clip_fraction"], ppo["policy/clip_fraction"])
    assert 0.1 < float(metrics["policy/clip_fraction"]) < 0.9
    assert float(metrics["policy/off_center"]) == 0.0


def test_the_term_is_the_definition_sample_by_sample() -> None:
    behaviour, reference, sought, action, advantage = gaussians()
    acted = behaviour.log_prob(action)
    batch = replace(make_batch(reference, action, advantage), log_prob=acted)
    value, gradient, metrics = told(GeneralizedClippedRatio(1.0, 0.1), sought, batch)
    ratio, center = (sought.log_prob(action) - acted).exp(), (reference.log_prob(action) - acted).exp()
    terms, live = [], []
    for rho, c, a in zip(ratio.tolist(), center.tolist(), advantage.tolist(), strict=True):
        terms.append(min(rho * a, min(max(rho, c - 0.1), c + 0.1) * a))
        live.append(not ((rho > c + 0.1 and a > 0) or (rho < c - 0.1 and a < 0)))
    assert float(value) == pytest.approx(sum(terms) / len(terms), rel=1e-5)
    assert torch.equal(gradient.abs().sum(-1) > 0.0, torch.tensor(live))
    _, around_one, _ = told(ClippedRatio(1.0, 0.1), sought, batch)
    assert not torch.equal(around_one == 0.0, gradient == 0.0), "or the centre would not matter here"
    assert float(metrics["policy/off_center"]) == pytest.approx(
        float(((center - 1).abs() > 0.1).float().mean())
    )


def test_what_it_reports_is_the_total_variation() -> None:
    """Every action once, weighed by the probability with which an older policy took it: ½ Σ |π − π_k|."""
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    behaviour, reference, sought = logits.log_softmax(-1)
    every = lambda x: Categorical(x.expand(5, 5))
    action = torch.eye(5, dtype=torch.float64)
    batch = replace(
        make_batch(every(reference), action, torch.ones(5, dtype=torch.float64)),
        log_prob=every(behaviour).log_prob(action),
        weight=behaviour.exp().unsqueeze(-1),
    )
    _, metrics = GeneralizedClippedRatio(1.0, 0.2)(at(every(sought)), batch)
    exact = 0.5 * (sought.exp() - reference.exp()).abs().sum()
    torch.testing.assert_close(metrics["policy/total_variation"], exact, rtol=0, atol=1e-14)


# ---- the rate -------------------------------------------------------------------------------------------------------


def test_the_rate_falls_once_an_update_and_ends_passes_where_it_is_told_to() -> None:
    rate = TotalVariationAdaptive(initial=1e-3, clip=0.1, factor=1.03, stops=False)
    assert rate.follow(1e-3, 0.051) == 1e-3 / 1.03
    assert rate.follow(1e-3, 0.049) == 1e-3
    assert (rate.ends(0.051), replace(rate, stops=True).ends(0.051)) == (False, True)
    assert not replace(rate, stops=True).ends(0.049)
    rate = replace(rate, clip=1e-6)
    collector, made = following(rate, passes=3)
    rates = [made.update(collector.collect()["robot"])["policy/learning_rate"] for _ in range(3)]
    assert rates == [1e-3, 1e-3 / 1.03, 1e-3 / 1.03 / 1.03], "not in every pass"
    one, other = following(replace(rate, stops=True), passes=3)[1], following(rate, passes=1)[1]
    rollout = collector.collect()["robot"]
    one.update(rollout)
    other.update(rollout)
    assert torch.equal(one.policy_vector.vector, other.policy_vector.vector)


def following(rate: TotalVariationAdaptive, **settings: Any) -> tuple[SimulationCollector, Learner]:
    """A learner of GePPO's surrogate whose policy has that rate."""
    term = {"surrogate": GeneralizedClippedRatio(1.0, rate.clip)}
    collector, made = make(TargetWorld(4, 0), terms=term, rate=rate.initial, **settings)
    made.policy_solver._schedule, made.policy_solver._follows = rate, rate.follows  # type: ignore[attr-defined]
    return collector, made


def test_a_rate_whose_metric_nobody_reports_is_refused() -> None:
    with pytest.raises(PgrobotError, match="follows policy/total_variation, which nothing reports"):
        make(TargetWorld(4, 0), rate=TotalVariationAdaptive(1e-3, 0.1, 1.03, stops=False))


# ---- what an update sees --------------------------------------------------------------------------------------------


def learner(memory: int = 1, **settings: Any) -> Learner:
    """With V-trace, and no rollout yet."""
    _, made = make(TargetWorld(4, 0), memory=memory, **settings)
    made.poser.algorithm = replace(made.poser.algorithm, estimator=VTRACE)
    return made


@pytest.fixture(scope="module")
def rollouts() -> list[Rollout]:
    """Of a policy that learns, so that each is of another one, with both kinds of end."""
    collector, acting = make(TargetWorld(4, 1, length=5, fatal=0.8))
    found = []
    for _ in range(6):
        found.append(collector.collect()["robot"])
        acting.update(found[-1])
    return found


def states(made: Learner) -> dict[str, Any]:
    state = made.state_dict()
    del state["window"]
    return state


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    elif isinstance(one, Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def test_a_memory_of_one_is_its_absence_bit_for_bit(
    rollouts: list[Rollout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update is handed the very rollout, and nothing of it is kept."""
    with_it = learner(1)
    newest = Experience(rollouts[0], torch.zeros(4, 0))
    assert with_it._window.joined(newest, again=False) is newest
    metrics = [with_it.update(rollout) for rollout in rollouts[:3]]
    assert with_it.state_dict()["window"] == []
    assert not [name for name in metrics[-1] if name.startswith("replay/")]
    without = learner(1)
    monkeypatch.setattr(without, "_window", Nothing())
    assert [without.update(rollout) for rollout in rollouts[:3]] == metrics
    assert_same(states(without), states(with_it))


class Nothing:
    """No window at all."""

    def joined(self, newest: Experience, *, again: bool) -> Experience:
        del again
        return newest

    def keep(self, newest: Experience) -> None:
        del newest

    def metrics(self, experience: Experience, log_ratio: Tensor) -> Metrics:
        del experience, log_ratio
        return {}

    def state_dict(self) -> list[Any]:
        return []


def test_an_update_learns_from_all_as_each_stands(
    rollouts: list[Rollout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Actions, behaviour and weights are those of each rollout; estimates what each alone would have."""
    made = learner(3, sample_weights=Falling(), passes=1, minibatch=64, normalisation="raw")
    batches: list[Batch] = []
    solve = made.policy_solver.solve
    monkeypatch.setattr(made.policy_solver, "solve", lambda batch: (batches.append(batch), solve(batch))[1])
    for rollout in rollouts[:3]:
        made.update(rollout)
    before = [
        made.poser.estimate(r, valued(made.critic, r, torch.zeros(4, 0)), made.poser.log_ratio(r))
        for r in rollouts
    ]
    seen = [rollouts[3], rollouts[2], rollouts[1]]
    moved = [float(made.poser.log_ratio(rollout).exp().sub(1.0).abs().mean()) for rollout in seen]
    metrics, batch = made.update(rollouts[3]), batches[-1]
    apart = lambda x: x.unflatten(0, (16, 12)).split(4, 1)
    for name in ("action", "log_prob"):
        for part, rollout in zip(apart(getattr(batch, name)), seen, strict=True):
            assert torch.equal(part, getattr(rollout, name))
    assert [part.unique().tolist() for part in apart(batch.weight)] == [
        pytest.approx([1.0]), pytest.approx([0.6]), pytest.approx([0.4])
    ]  # fmt: skip
    advantage = torch.cat([before[index].advantage[..., 0] for index in (3, 2, 1)], 1).flatten()
    torch.testing.assert_close(batch.advantage, advantage, rtol=1e-5, atol=1e-6)
    assert metrics["replay/rollouts"] == 3.0
    assert metrics["replay/staleness"] == pytest.approx(0.3 * 1 + 0.2 * 2)
    variation = 0.5 * (0.5 * moved[0] + 0.3 * moved[1] + 0.2 * moved[2])
    assert metrics["replay/total_variation"] == pytest.approx(variation, rel=1e-5)


class Falling:
    """Weights that can be told from each other."""

    def __call__(self, memory: int) -> tuple[float, ...]:
        return (0.5, 0.3, 0.2)[:memory]


def test_budgets_normalisers_and_bonuses_see_the_newest_alone(rollouts: list[Rollout]) -> None:
    """Two learners with other parameters after the first update, whose statistics are the same to the last bit."""
    seen: list[Rollout] = []
    alone, past = (learner(memory, intrinsic=[Bonus(seen)]) for memory in (1, 3))
    for index, rollout in enumerate(rollouts[:4]):
        one, other = alone.update(rollout), past.update(rollout)
        assert one["cost/above/mean"] == other["cost/above/mean"]
        assert (index == 0) == torch.equal(alone.policy_vector.vector, past.policy_vector.vector)
        assert [r.log_prob is rollout.log_prob for r in seen[-2:]] == [True, True], "the very one"
    for part in ("policy", "critic"):
        one, other = (getattr(made, part).normalizer.state_dict() for made in (alone, past))
        assert_same(dict(one), dict(other))
    count = past.policy.normalizer.moments.count
    assert count == 4 * rollouts[0].log_prob.numel()


class Bonus:
    """Pays nothing, and notes what it is fitted to."""

    column = "bonus/none"

    def __init__(self, seen: list[Rollout]) -> None:
        self._seen = seen

    def __call__(self, rollout: Rollout) -> Rollout:
        return rollout.with_column(self.column, torch.zeros_like(rollout.log_prob), episodic=True)

    def fit(self, rollout: Rollout) -> Metrics:
        self._seen.append(rollout)
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        del state


def test_prices_move_on_the_newest_alone(rollouts: list[Rollout]) -> None:
    def priced(memory: int) -> dict[str, Any]:
        price = Lagrangian((ABOVE,), ("reward", "cost/above"), "sgd", 0.1, 0.0, 10.0)
        made = learner(memory, multiplier=price)
        for rollout in rollouts[:3]:
            made.update(rollout)
        return dict(price.state_dict())

    assert_same(priced(1), priced(3))


def test_advantages_have_the_scale_of_all_and_costs_are_centred_on_the_newest(
    rollouts: list[Rollout],
) -> None:
    """The mean advantage of what the present policy did is zero; that of an older one's actions need not be."""
    made = learner(2)
    made.update(rollouts[0])
    made.update(rollouts[1])
    posed = made.pose(rollouts[2])
    assert float(posed.policy.advantage.mean()) == pytest.approx(0.0, abs=1e-6)
    assert float(posed.policy.advantage.std(correction=0)) == pytest.approx(1.0, rel=1e-5)
    cost = posed.policy.cost_advantage.unflatten(0, (16, 8))
    assert float(cost[:, :4].mean()) == pytest.approx(0.0, abs=1e-6)
    assert abs(float(cost[:, 4:].mean())) > 1e-3
    again = made.pose(rollouts[1]).policy.action.unflatten(0, (16, 8))
    assert torch.equal(again[:, 4:], rollouts[0].action), "itself and the one before, not twice itself"
    assert made.seen(rollouts[2])[0].rollout.log_prob.shape == (16, 4), "a rollout by itself"


def test_a_shorter_rollout_is_padded_with_what_counts_nothing(rollouts: list[Rollout]) -> None:
    """Its values and estimates stay what they are, whether it ends with an episode or in the middle of one."""
    made = learner()
    made.update(rollouts[0])
    whole, short = rollouts[1], cut(rollouts[2], 11)
    joined = side_by_side([Experience(r, torch.zeros(4, 0)) for r in (short, whole)], (1.0, 0.5)).rollout
    assert joined.log_prob.shape == (16, 8)
    assert joined.weight[:11, :4].eq(1).all()
    assert joined.weight[11:, :4].eq(0).all()
    assert joined.weight[:, 4:].eq(0.5).all()
    assert joined.censored[11:, :4].all(), "no budget counts it"
    assert not joined.episode_start[11:, :4].any()
    assert not joined.done[11:, :4].any()

    def estimate(rollout: Rollout) -> Any:
        values = valued(made.critic, rollout, torch.zeros(rollout.log_prob.shape[1], 0))
        return made.poser.estimate(rollout, values, made.poser.log_ratio(rollout))

    both = estimate(joined)
    for name in ("advantage", "target", "weight"):
        own, old = getattr(estimate(short), name), getattr(estimate(whole), name)
        torch.testing.assert_close(getattr(both, name)[:11, :4], own, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(getattr(both, name)[:, 4:], old, rtol=1e-5, atol=1e-6)


def cut(rollout: Rollout, steps: int) -> Rollout:
    """The first steps of a rollout."""
    of = lambda x: {name: value[:steps] for name, value in x.items()}
    shorter = {
        name: getattr(rollout, name)[:steps]
        for name in (
            "action", "log_prob", "reward", "terminated", "truncated", "censored", "episode_start", "age", "paid",
            "carry", "weight", "duration",
        )
    }  # fmt: skip
    return replace(rollout, **shorter, obs=of(rollout.obs), next_obs=of(rollout.next_obs), telemetry={})


# ---- GePPO and PPO, and going on ------------------------------------------------------------------------------------


def test_with_one_policy_geppo_is_ppo_bit_for_bit(rollouts: list[Rollout]) -> None:
    """Where log-probs are told as the update computes them: a clip's centre is 1 but for the rounding of the two."""
    ppo, geppo = (
        make(TargetWorld(4, 0), terms={"surrogate": term(1.0, 0.2)}, sample_weights=weights)[1]
        for term, weights in (
            (ClippedRatio, UniformWeights()),
            (GeneralizedClippedRatio, OptimalWeights(1.0, 1.0)),
        )
    )
    for rollout in rollouts[:3]:
        with torch.no_grad():
            acted: Policy = geppo.policy
            log_prob = acted(rollout.obs, rollout.carry, rollout.episode_start)[0].log_prob(rollout.action)
        own = replace(rollout, log_prob=log_prob)
        one, other = ppo.update(own), geppo.update(own)
        assert one.items() <= other.items()
        assert other.keys() - one.keys() == {"policy/off_center", "policy/total_variation"}
    assert_same(ppo.state_dict(), geppo.state_dict())


def test_what_remembers_goes_on_bit_for_bit(rollouts: list[Rollout]) -> None:
    """The window is in the state, which loads as plain tensors."""
    rate = TotalVariationAdaptive(1e-3, 1e-3, 1.03, stops=False)
    straight, taken_up = (following(rate, memory=3, sample_weights=Falling())[1] for _ in range(2))
    for made in (straight, taken_up):
        made.poser.algorithm = replace(made.poser.algorithm, estimator=VTRACE)
    for rollout in rollouts[:3]:
        straight.update(rollout)
    file = io.BytesIO()
    torch.save(straight.state_dict(), file)
    file.seek(0)
    taken_up.load_state_dict(torch.load(file, weights_only=True))
    assert len(taken_up.state_dict()["window"]) == 2, (
        "the newest of a memory of three takes the place of the oldest"
    )
    for rollout in rollouts[3:]:
        assert straight.update(rollout) == taken_up.update(rollout)
    assert_same(straight.state_dict(), taken_up.state_dict())


def test_every_rollout_brings_what_the_critic_remembered_before_it(rollouts: list[Rollout]) -> None:
    """Kept as it was, also in the state."""
    met = [
        Experience(rollout, torch.full((4, 3), float(index))) for index, rollout in enumerate(rollouts[:3])
    ]
    window, taken_up = (Window(3, Falling()) for _ in range(2))
    for one in met[:2]:
        window.keep(one)
    taken_up.load_state_dict(window.state_dict())
    for each in (window, taken_up):
        carry = each.joined(met[2], again=False).carry
        assert carry[:, 0].tolist() == [2.0] * 4 + [1.0] * 4 + [0.0] * 4


def test_what_is_kept_stays_what_it_was(rollouts: list[Rollout]) -> None:
    made = learner(2)
    made.update(rollouts[0])
    state = made.state_dict()["window"]
    kept = state[0]["rollout"]
    assert torch.equal(kept["log_prob"], rollouts[0].log_prob)
    assert torch.equal(kept["obs"]["policy"], rollouts[0].obs["policy"]), "as it was observed, not normalised"
    kept["log_prob"].zero_()
    assert rollouts[0].log_prob.abs().min() > 0.0, "in storage of its own"
