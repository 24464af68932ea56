"""Demonstrations beside a surrogate: the gradient by brute force, and what no weight and all weight make of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demonstrated import make_spec, written
from problems import RATIO, make_problem
from torch import Tensor
from torch.func import grad, hessian, jacrev
from toys import make_policy

import pgrobot
from pgrobot.batch import Batch
from pgrobot.compilation.trace import trace
from pgrobot.configure import build
from pgrobot.demonstrations import as_learnt, read_demonstrations
from pgrobot.errors import PgrobotError
from pgrobot.objectives import Cloning, Demonstration, Ratio, SelfImitation, TermContext
from pgrobot.origin import Origin
from pgrobot.policies.heads.gaussian import GaussianHead
from pgrobot.solvers import (
    Constant,
    FlatParameters,
    FullStep,
    GaussNewtonFisher,
    KLRadius,
    LearningRate,
    NaturalGradientSolver,
    PolicyProblem,
)

DAMPING = 0.1


def context(rows: int = 64, **changes: Any) -> TermContext:
    told = {
        "spec": make_spec(),
        "origin": Origin({"policy": 2}),
        "action_size": 1,
        "carry_size": 0,
        "rows": rows,
        "seed": 0,
    }
    return TermContext(**(told | changes))


def make_term(file: Path, weight: float, decay: float = 0.9, rows: int = 0, **changes: Any) -> Demonstration:
    term = Demonstration(str(file), weight, decay, rows, context(**changes))
    term.ready()
    term.show(0)
    return term


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("shown") / "demonstrations.pt", lengths=(9, 7, 14))


def solver(problem: PolicyProblem, vector: Tensor) -> NaturalGradientSolver:
    return NaturalGradientSolver(
        vector,
        problem,
        fisher=GaussNewtonFisher(1.0),
        damping=DAMPING,
        iterations=500,
        tolerance=1e-14,
        step=KLRadius(Constant(0.01)),
        acceptance=FullStep(),
        generator=torch.Generator().manual_seed(0),
    )


def scores(problem: PolicyProblem, vector: Tensor, file: Path) -> Tensor:
    """``∇ log π`` of every demonstrated row, one by one: ``[N_d, P]``."""
    read = as_learnt(read_demonstrations(file), make_spec(), Origin({"policy": 2}))
    obs, action = read.obs["policy"].double(), read.action.double()

    def log_prob(v: Tensor) -> Tensor:
        said = problem.ask(v)(
            {"policy": obs}, torch.zeros(len(obs), 0), torch.zeros(len(obs), dtype=torch.bool)
        )
        return said.log_prob(action)

    return jacrev(log_prob)(vector)


def test_the_gradient_is_the_policys_and_a_share_of_every_demonstrated_score(file: Path) -> None:
    problem, vector, batch = make_problem(rows=64)
    both = problem.with_terms({"surrogate": RATIO, "demonstration": make_term(file, 0.3)})
    own = jacrev(lambda v: problem.distribution(v, batch).log_prob(batch.action))(vector)
    expected = (own * batch.advantage.unsqueeze(-1)).mean(0) + 0.3 / 64 * scores(problem, vector, file).sum(0)
    found = -grad(lambda v: both.loss(v, batch)[0])(vector)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)  # it was read in single precision
    report = both.loss(vector, batch)[1]
    torch.testing.assert_close(report["objective/demonstration"], -report["demonstration/nll"] * 30 / 64)


def test_no_weight_is_the_natural_policy_gradient_to_the_last_bit(file: Path) -> None:
    problem, vector, batch = make_problem(rows=64)
    start = vector.clone()
    solver(problem, vector).solve(batch)
    alone = vector.clone()
    vector.copy_(start)
    both = problem.with_terms({"surrogate": RATIO, "demonstration": make_term(file, 0.0)})
    solver(both, vector).solve(batch)
    assert torch.equal(vector, alone)
    assert not torch.equal(alone, start)


def test_all_weight_is_the_step_of_cloning_in_the_metric_of_the_rollout(file: Path) -> None:
    """The cosine to ``(F + ηI)⁻¹ ∇ log-likelihood``, F the Hessian of the rollout's own divergence, is one."""
    problem, vector, batch = make_problem(rows=64)
    start = vector.clone()
    metric = hessian(lambda v: problem.kl(v, batch))(start) + DAMPING * torch.eye(
        len(start), dtype=torch.float64
    )
    expected = torch.linalg.solve(metric, scores(problem, start, file).mean(0))
    cosines = []
    for weight in (0.1, 1e2, 1e8):
        vector.copy_(start)
        solver(
            problem.with_terms({"surrogate": RATIO, "demonstration": make_term(file, weight)}), vector
        ).solve(batch)
        cosines.append(float(torch.cosine_similarity(vector - start, expected, dim=0)))
    assert cosines[0] < 0.95 < cosines[1]
    assert cosines[2] == pytest.approx(1.0, abs=1e-9)


def test_the_weight_is_a_power_of_the_decay(file: Path) -> None:
    problem = make_problem()[0].with_terms(
        {"surrogate": RATIO, "demonstration": make_term(file, 0.4, decay=0.95)}
    )
    told = [problem.adapt(0.01) for _ in range(50)]
    weights = [metrics["objective/demonstration/weight"] for metrics in told]
    np.testing.assert_allclose(weights, 0.4 * 0.95 ** np.arange(50), rtol=1e-13)
    assert [set(metrics) for metrics in told] == [{"objective/demonstration/weight"}] * 50


def test_rows_are_drawn_anew_for_each_update_in_the_same_tensors(file: Path) -> None:
    term = make_term(file, 1.0, rows=10)
    whole = as_learnt(read_demonstrations(file), make_spec(), Origin({"policy": 2}))
    tensors, seen = (term._obs["policy"], term._action), []
    for update in (0, 1, 0):
        term.show(update)
        assert term._obs["policy"] is tensors[0]
        assert term._action is tensors[1]
        where = [int((whole.obs["policy"] == row).all(1).nonzero()) for row in term._obs["policy"]]
        assert len(set(where)) == 10
        assert torch.equal(whole.action[where], term._action)
        seen.append(where)
    assert seen[0] == seen[2] != seen[1]
    drawn = torch.zeros(30)
    for update in range(600):
        term.show(update)
        drawn += torch.tensor(
            [(row == whole.obs["policy"]).all(1).tolist() for row in term._obs["policy"]]
        ).sum(0)
    assert float((drawn / 600 - 1 / 3).abs().max()) < 0.08  # 4 standard errors: each as often as any other


def test_the_rows_of_an_update_count_for_all(file: Path) -> None:
    """Ten of thirty weigh as the thirty do, beside a rollout of 64."""
    problem, vector, batch = make_problem(rows=64)
    both = problem.with_terms({"surrogate": RATIO, "demonstration": make_term(file, 1.0, rows=10)})
    report = both.loss(vector, batch)[1]
    torch.testing.assert_close(report["objective/demonstration"], -report["demonstration/nll"] * 30 / 64)


def test_a_compiled_step_reads_the_rows_of_its_update(file: Path) -> None:
    problem, vector, batch = make_problem(rows=8)
    term = make_term(file, 1.0, rows=4)
    both = problem.with_terms({"surrogate": RATIO, "demonstration": term})
    graph = trace(lambda v: (grad(lambda x: both.loss(x, batch)[0])(v),), (vector,))
    assert any(tensor is term._action for tensor in graph.captured)
    assert any(tensor is term._obs["policy"] for tensor in graph.captured)
    term.show(3)
    again = grad(lambda x: both.loss(x, batch)[0])(vector)
    inputs = [
        vector if index == len(graph.captured) else tensor for index, tensor in enumerate(graph.example)
    ]
    torch.testing.assert_close(graph.module(*inputs)[0], again)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "memory": ({"carry_size": 3}, "a policy that remembers cannot be: use another policy, or scheme=clone"),
    "goals": ({"action_size": 2}, "a policy that draws more than actions cannot be"),
    "robot": ({"spec": make_spec(actions=("hip",))}, "is told 'motor', which Cart does not have"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_policy_or_robot_that_does_not_fit_is_refused(name: str, file: Path) -> None:
    changes, message = REFUSED[name]
    with pytest.raises(PgrobotError, match=message):
        Demonstration(str(file), 0.1, 0.9, 0, context(**changes)).ready()
    with pytest.raises(PgrobotError, match="has 30 rows, of which an update cannot see 31"):
        Demonstration(str(file), 0.1, 0.9, 31, context()).ready()


def regulated(decay: float, file: Path, updates: int) -> float:
    """The gain that DAPG comes to on a scalar regulator, its advantages and states integrated exactly.

    ``s' = 0.9 s + 0.5 u``, cost ``s² + u²``, γ = 0.95, ``u = −k s`` plus noise: under gain k the value of s is
    ``−P s²`` with ``P = (1 + k²) / (1 − γ (0.9 − 0.5 k)²)``, and ``A`` what ``−(s² + u² + γ P s'²)`` is above
    its mean.
    """
    head = partial(GaussianHead, log_std=-1.0, log_std_bounds=(-1.0 - 1e-12, -1.0 + 1e-12))
    policy = make_policy({"policy": 1}, 1, (), head).double()
    parameters = FlatParameters(policy)
    told = context(rows=36, spec=make_spec(names=("position",)), origin=Origin({"policy": 1}))
    term = Demonstration(str(file), 0.5, decay, 0, told)
    term.ready()
    term.show(0)
    problem = PolicyProblem(policy, parameters, {"surrogate": Ratio(1.0), "demonstration": term})
    ascent = NaturalGradientSolver(
        parameters.vector,
        problem,
        fisher=GaussNewtonFisher(1.0),
        damping=1e-8,
        iterations=20,
        tolerance=1e-12,
        step=LearningRate(Constant(1.0)),
        acceptance=FullStep(),
        generator=torch.Generator().manual_seed(0),
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(6)
    s, noise = (torch.from_numpy(x.reshape(-1, 1)) for x in np.meshgrid(nodes, nodes))
    weight = torch.from_numpy(np.outer(weights, weights).reshape(-1, 1) / weights.sum() ** 2)
    nothing, start = torch.zeros(36, 0, dtype=torch.float64), torch.zeros(36, dtype=torch.bool)

    def gain() -> float:
        with torch.no_grad():
            at_one = policy({"policy": torch.ones(1, 1, dtype=torch.float64)}, nothing[:1], start[:1])[0].mean
            at_zero = policy({"policy": torch.zeros(1, 1, dtype=torch.float64)}, nothing[:1], start[:1])[
                0
            ].mean
        return float(at_zero - at_one)

    for _ in range(updates):
        with torch.no_grad():
            reference = policy({"policy": s}, nothing, start)[0]
        action = reference.mean + reference.std * noise
        k = gain()
        price = 0.95 * (1.0 + k**2) / (1.0 - 0.95 * (0.9 - 0.5 * k) ** 2)
        worth = -(s**2 + action**2 + price * (0.9 * s + 0.5 * action) ** 2).squeeze(-1)
        mean = torch.from_numpy(weights / weights.sum()) @ worth.view(6, 6)  # over the noise, for every state
        batch = Batch(
            obs={"policy": s},
            carry=nothing,
            episode_start=start,
            action=action,
            log_prob=reference.log_prob(action),
            reference=reference,
            advantage=(worth.view(6, 6) - mean).flatten(),
            cost_advantage=nothing,
            slack=nothing,
            control=nothing,
            weight=weight,
        )
        ascent.solve(batch)
        problem.adapt(0.0)
    return gain()


def test_on_a_regulator_the_bias_of_demonstrations_vanishes(tmp_path: Path) -> None:
    """The demonstrator's gain is 0.2, the best one solves Riccati's equation; a weight that stays stays between."""
    price = 1.0
    for _ in range(200):
        best = 0.95 * price * 0.9 * 0.5 / (1.0 + 0.95 * price * 0.25)
        price = 1.0 + best**2 + 0.95 * price * (0.9 - 0.5 * best) ** 2
    shown = torch.randn(40, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    file = written(
        tmp_path / "shown.pt",
        lengths=(40,),
        obs={"policy": shown},
        next_obs={"policy": shown},
        action=2.0 * (-0.2 * shown),  # policy units are half of the actions' range
        names={"policy": ("position",)},
    )
    fades, stays = regulated(0.7, file, 50), regulated(1.0, file, 50)
    assert fades == pytest.approx(best, abs=1e-6)
    assert 0.2 < stays < best - 0.05


# ---- runs


TINY = {
    "task": "hopper",
    "tracker": "none",
    "compile": False,
    "num_envs": 4,
    "horizon": 8,
    "threads": 1,
    "policy.hidden": [4],
    "critic.hidden": [4],
    "algorithm.critic_solver.minibatch": 16,
    "algorithm.critic_solver.epochs": 2,
    "constraint": [],
}
FILE = "algorithm.objective.demonstration.file"


def hopping(path: Path, seed: int = 0) -> Path:
    """Demonstrations of the hopper's widths, without names."""
    nameless = {"names": {"policy": ()}, "actions": (), "action": torch.zeros(32, 3).double()}
    return written(path, lengths=(20, 12), width=11, seed=seed, **nameless)


def states(updates: int, **settings: Any) -> dict[str, Any]:
    assembly = build(pgrobot.compose(**{**TINY, **settings}), 1)
    try:
        (learner,) = assembly.learners.values()
        for _ in range(updates):
            (rollout,) = assembly.collector.collect().values()
            metrics = learner.update(rollout)
            assert metrics["guard/skipped_updates"] == 0.0
        return learner.state_dict()
    finally:
        assembly.environment.close()


def test_a_run_without_weight_is_npgs_to_the_last_bit(tmp_path: Path) -> None:
    path = hopping(tmp_path / "shown.pt")
    ours = states(3, algorithm="dapg", **{FILE: str(path), "algorithm.objective.demonstration.weight": 0.0})
    npg = states(3, algorithm="npg")
    weighed = states(3, algorithm="dapg", **{FILE: str(path)})
    for name, value in npg["policy"].items():
        assert torch.equal(ours["policy"][name], value), name
    assert any(not torch.equal(weighed["policy"][name], value) for name, value in npg["policy"].items())


def test_a_run_goes_on_with_its_own_demonstrations_alone(tmp_path: Path) -> None:
    path = hopping(tmp_path / "shown.pt")
    settings = {**TINY, "algorithm": "dapg", FILE: str(path), "algorithm.objective.demonstration.rows": 8}
    whole, parts = (build(pgrobot.compose(**settings), 1) for _ in range(2))
    try:
        for assembly, updates in ((whole, 2), (parts, 1)):
            for _ in range(updates):
                assembly.learners["robot"].update(assembly.collector.collect()["robot"])
        saved = parts.learners["robot"].state_dict(), parts.collector.state_dict()
    finally:
        parts.environment.close()
    again = build(pgrobot.compose(**settings), 1)
    hopping(path, seed=1)
    other = build(pgrobot.compose(**settings), 1)
    try:
        again.learners["robot"].load_state_dict(saved[0])
        again.collector.load_state_dict(saved[1])
        again.learners["robot"].update(again.collector.collect()["robot"])
        one, two = (each.learners["robot"].state_dict() for each in (whole, again))
        assert torch.equal(one["weights"], two["weights"])
        assert all(torch.equal(one["policy"][name], two["policy"][name]) for name in one["policy"])
        with pytest.raises(
            PgrobotError, match=r"demonstration\.file holds something else than what the run learnt"
        ):
            other.learners["robot"].load_state_dict(saved[0])
    finally:
        for assembly in (whole, again, other):
            assembly.environment.close()


def test_no_demonstrations_are_refused_before_anything_is_made() -> None:
    with pytest.raises(
        PgrobotError, match=r"demonstration\.file has to name demonstrations .* pgrobot record <run>"
    ):
        pgrobot.compose(algorithm="dapg")
    with pytest.raises(PgrobotError, match="There are no demonstrations nowhere"):
        build(pgrobot.compose(**TINY, algorithm="dapg", **{FILE: "nowhere"}), 1)


# ---- self-imitation


def test_self_imitation_is_the_likelihood_of_what_went_better() -> None:
    problem, vector, batch = make_problem(rows=32)
    ours = problem.with_terms({"own": SelfImitation(0.7)})
    score = jacrev(lambda v: problem.distribution(v, batch).log_prob(batch.action))(vector)
    expected = 0.7 * (score * batch.advantage.clamp(min=0.0).unsqueeze(-1)).mean(0)
    assert 0 < int((batch.advantage < 0.0).sum()) < 32
    torch.testing.assert_close(-grad(lambda v: ours.loss(v, batch)[0])(vector), expected)
    clones = problem.with_terms({"own": Cloning(1.0)})
    torch.testing.assert_close(-grad(lambda v: clones.loss(v, batch)[0])(vector), score.mean(0))


def test_with_monte_carlo_its_advantage_is_what_was_earned_above_the_value() -> None:
    settings = {
        "algorithm": "a2c",
        "algorithm/estimator": "monte_carlo",
        "algorithm.normalisation": "raw",
        "algorithm.discounts.reward": 0.9,
        "+algorithm.objective.own": {"_target_": "pgrobot.objectives.SelfImitation", "weight": 1.0},
    }
    assembly = build(pgrobot.compose(**{**TINY, **settings}), 1)
    try:
        rollout = assembly.collector.collect()["robot"]
        learner = assembly.learners["robot"].learner
        posed = learner.pose(rollout)
        values = learner.seen(rollout)[1]
    finally:
        assembly.environment.close()
    earned, after = torch.zeros(8, 4), values.next[-1, :, 0]
    for t in reversed(range(8)):
        ends = rollout.done[t] if t < 7 else torch.ones(4, dtype=torch.bool)
        after = torch.where(ends, torch.where(rollout.terminated[t], 0.0, values.next[t, :, 0]), after)
        after = rollout.reward[t, :, 0] + 0.9 * after
        earned[t] = after
    torch.testing.assert_close(
        posed.policy.advantage.view(8, 4), earned - values.now[..., 0], rtol=1e-4, atol=1e-5
    )


def test_self_imitation_goes_with_ppo_and_not_with_a_baseline_that_reads_the_action() -> None:
    own = {"+algorithm.objective.own": {"_target_": "pgrobot.objectives.SelfImitation", "weight": 0.1}}
    cfg = pgrobot.compose(**own, **{"algorithm/estimator": "vtrace"})
    assert cfg.algorithm.estimator.objective_has_ratio
    with pytest.raises(
        PgrobotError, match="own imitates by what the baseline Projection leaves of the advantage"
    ):
        pgrobot.compose(**own, **{"algorithm/baseline": "linear"})
