"""Where a step under budgets goes, against a general solver of constrained programs, over all cases."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from scipy.optimize import minimize

from pgrobot.laboratory import QuadraticModel
from pgrobot.solvers import ConstrainedStep, Enforcement, ProjectedStep
from pgrobot.solvers.programs import furthest, least_excess, nearest

Array = np.ndarray


def slsqp(target: Array, curvature: float, rows: Array, room: Array, ball: int, start: Array) -> Array:
    """Minimise ``target·u + ½ curvature ‖u‖²`` where ``rows u ≤ room``, the first ``ball`` entries in the unit ball."""
    limits = [{"type": "ineq", "fun": lambda u: room - rows @ u, "jac": lambda u: -rows}]
    if ball:
        shorter = lambda u: np.pad(-2.0 * u[:ball], (0, len(u) - ball))
        limits.append({"type": "ineq", "fun": lambda u: 1.0 - u[:ball] @ u[:ball], "jac": shorter})
    found = minimize(
        lambda u: target @ u + 0.5 * curvature * u @ u, start, jac=lambda u: target + curvature * u,
        constraints=limits, method="SLSQP", options={"ftol": 1e-15, "maxiter": 200},
    )  # fmt: skip
    return np.asarray(found.x)


def test_the_constrained_step_is_the_optimum_in_every_case() -> None:
    """300 problems with 1 to 3 costs: within reach it has the greatest gain, else the smallest largest excess."""
    cases: Counter[tuple[str, int]] = Counter()
    agreed = 0
    for seed in range(300):
        model = QuadraticModel(seed)
        x, case, price = model.planned(ConstrainedStep())
        rows, room = model.rows @ model.root / model.unit[:, None], model.room / model.unit
        u = np.linalg.solve(model.root, x)
        assert u @ u <= 1.0 + 1e-9
        if case == "recovery":
            assert np.max(rows @ u - room) > 0.0  # there is indeed nothing within reach
            assert not price.any()
            target, limits = (
                np.append(np.zeros(model.size), 1.0),
                np.column_stack([rows, -np.ones(len(rows))]),
            )
            starts = [np.append(v, np.max(rows @ v - room) + 0.1) for v in (0.0 * u, 0.5 * u)]
            mine = float(np.max(rows @ u - room))
        else:
            assert (rows @ u <= room + 1e-9).all()
            gain = model.gain @ model.root
            target, limits = -gain / np.linalg.norm(gain), rows
            least = nearest(rows, room)
            assert least is not None
            starts = [least.y, 0.9 * u]
            mine = float(target @ u)
            # the conditions of Karush, Kuhn and Tucker, which no other point has
            left = gain - (price * model.unit) @ rows
            assert left @ u == pytest.approx(np.linalg.norm(left) * np.linalg.norm(u), abs=1e-7)
            assert price * (room - rows @ u) == pytest.approx(0.0, abs=1e-7)
        peers = [slsqp(target, 0.0, limits, room, model.size, start) for start in starts]
        inside = [p for p in peers if p[: model.size] @ p[: model.size] <= 1.0 + 1e-9]
        best = min((float(target @ p) for p in inside if (limits @ p <= room + 1e-9).all()), default=math.inf)
        assert mine <= best + 1e-7  # never worse than what the other one found
        agreed += abs(mine - best) < 1e-6
        cases[case, len(room)] += 1
    assert agreed >= 298, agreed
    assert set(cases) == {(case, k) for case in ("bound", "restoring", "recovery") for k in (1, 2, 3)}
    assert min(cases.values()) >= 5, cases


@pytest.mark.parametrize("metric", ["kl", "l2"])
def test_the_projected_step_is_the_nearest_point_that_keeps_to_the_limits(metric: str) -> None:
    cases: Counter[str] = Counter()
    for seed in range(100):
        model = replaced_room(QuadraticModel(seed))
        reward = np.linalg.solve(model.fisher, model.gain)
        reward *= math.sqrt(model.radius / model.spent(reward))
        x, case, price = model.planned(ProjectedStep(metric))
        # to coordinates in which the metric is the identity
        root = model.root if metric == "kl" else np.eye(model.size) * np.linalg.norm(reward)
        unit = np.linalg.norm(model.rows @ root, axis=1)
        rows, left = model.rows @ root / unit[:, None], (model.room - model.rows @ reward) / unit
        peer = reward + root @ slsqp(np.zeros(model.size), 1.0, rows, left, 0, np.zeros(model.size))
        short = min(1.0, math.sqrt(model.radius / model.spent(peer)))
        assert x == pytest.approx(short * peer, abs=1e-6 * np.abs(peer).max())
        assert model.spent(x) <= model.radius * (1.0 + 1e-9)
        assert (price >= 0.0).all()
        if (
            metric == "kl"
        ):  # it is the step of the natural gradient that knows these prices, as far as it was without
            reach = math.sqrt(model.radius / model.spent(np.linalg.solve(model.fisher, model.gain)))
            priced = np.linalg.solve(model.fisher, model.gain - price @ model.rows)
            assert short * reach * priced == pytest.approx(x, abs=1e-6 * np.abs(x).max())
        cases[f"{case}, {'shortened' if short < 1.0 - 1e-9 else 'whole'}"] += 1
    # a projection in the metric of the region leads into it where standing still is allowed
    whole, shortened = (f"bound, {word}" in cases for word in ("whole", "shortened"))
    assert (whole, shortened) == (True, metric == "l2"), cases
    assert {"restoring, whole", "restoring, shortened"} <= set(cases)


def replaced_room(model: QuadraticModel) -> QuadraticModel:
    """Most projections of the model's own are longer than the region; with half as much to restore some are not."""
    model.room = 0.5 * model.room
    return model


def test_damping_shapes_the_path_and_not_the_length() -> None:
    """With a metric that is not the KL's every step still spends all of the radius, and keeps to the limits."""
    cases: Counter[str] = Counter()
    for seed in range(60):
        model = QuadraticModel(seed, damping=0.5)
        x, case, _ = model.planned(ConstrainedStep())
        assert (
            model.spent(x) == pytest.approx(model.radius, rel=1e-6) or seed % 3 == 2
        )  # two may leave no more
        assert model.spent(x) <= model.radius * (1.0 + 1e-6)
        assert case == "recovery" or (model.rows @ x <= model.room + 1e-9 * model.unit).all()
        cases[case] += 1
    assert set(cases) == {"bound", "restoring", "recovery"}


def test_the_unit_of_a_cost_does_not_matter() -> None:
    for seed in range(30):
        model = QuadraticModel(seed)
        x, case, price = model.planned(ConstrainedStep())
        factor = 10.0 ** np.arange(-3, 3)[: len(model.room)]
        model.rows, model.room = model.rows * factor[:, None], model.room * factor
        again, same, prices = model.planned(ConstrainedStep())
        assert same == case
        assert again == pytest.approx(x, rel=1e-6, abs=1e-9)
        assert prices * factor == pytest.approx(price, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("enforcement", [ConstrainedStep(), ProjectedStep("kl"), ProjectedStep("l2")])
def test_a_limit_that_is_far_away_changes_nothing(enforcement: Enforcement) -> None:
    for seed in range(0, 30, 3):
        model = QuadraticModel(seed)
        x, case, price = model.planned(enforcement)
        far = np.random.default_rng(seed).standard_normal((1, model.size))
        model.rows, model.room = np.vstack([model.rows, far]), np.append(model.room, 1e9)
        again, same, prices = model.planned(enforcement)
        assert same == case
        assert again == pytest.approx(x, rel=1e-6, abs=1e-9)
        assert prices == pytest.approx(np.append(price, 0.0), rel=1e-6)


@pytest.mark.parametrize("enforcement", [ConstrainedStep(), ProjectedStep("kl"), ProjectedStep("l2")])
def test_costs_that_cannot_be_told_apart_are_one(enforcement: Enforcement) -> None:
    """The same cost twice, the second in another unit: the step is that of one, and they share its price."""
    for seed in range(0, 60, 3):
        model = QuadraticModel(seed)
        x, case, price = model.planned(enforcement)
        model.rows, model.room = (
            np.vstack([model.rows, 2.0 * model.rows]),
            np.append(model.room, 2.0 * model.room),
        )
        again, same, prices = model.planned(enforcement)
        assert same == case
        assert again == pytest.approx(x, rel=1e-5, abs=1e-8)
        assert prices[0] + 2.0 * prices[1] == pytest.approx(price[0], rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("enforcement", [ConstrainedStep(), ProjectedStep("kl"), ProjectedStep("l2")])
def test_limits_that_contradict_each_other_are_missed_by_as_much(enforcement: Enforcement) -> None:
    """A cost that has to fall by 0.2 and by less than −0.3, in units of reach: the step ends in the middle."""
    model = QuadraticModel(0)
    model.rows = np.vstack([model.rows, -model.rows])
    model.unit = np.repeat(model.unit, 2)
    model.room = model.unit * np.array([-0.2, -0.3])
    x, case, _ = model.planned(enforcement)
    assert case == "recovery"
    assert (model.rows @ x - model.room) / model.unit == pytest.approx([0.25, 0.25], rel=1e-6)


def test_a_cost_that_no_step_changes_counts_in_no_recovery() -> None:
    model = QuadraticModel(4)
    model.rows[1], model.room = 0.0, np.array([-2.0 * model.unit[0], -1.0])
    x, case, _ = model.planned(ConstrainedStep())
    assert case == "recovery"
    alone = QuadraticModel(4)
    alone.rows, alone.room, alone.unit = alone.rows[:1], model.room[:1], alone.unit[:1]
    assert x == pytest.approx(alone.planned(ConstrainedStep())[0], rel=1e-9)
    model.rows[:] = 0.0
    x, case, _ = model.planned(ConstrainedStep())
    assert (case, x.tolist()) == ("recovery", [0.0] * model.size)


def test_without_a_gain_the_step_is_the_least_that_restores() -> None:
    """The reward has no gradient where a policy is new, and costs may be exceeded there already."""
    model = QuadraticModel(0)
    model.gain, model.room = np.zeros(model.size), -0.5 * model.unit
    x, case, _ = model.planned(ConstrainedStep())
    least = np.linalg.solve(model.fisher, model.rows[0])
    assert case == "restoring"
    assert x == pytest.approx(model.room[0] * least / (model.rows[0] @ least), rel=1e-9)


def test_the_programs_know_when_there_is_nothing() -> None:
    up, down = np.array([[1.0], [-1.0]]), np.array([-1.0, -1.0])
    assert nearest(up, down) is None
    assert furthest(np.ones(1), up, down, 10.0) is None
    assert furthest(np.ones(1), up[:1], down[:1], 0.5) is None
    assert least_excess(up, down, 10.0) == pytest.approx([0.0])
    free = furthest(np.array([3.0, 4.0]), np.zeros((0, 2)), np.zeros(0), 2.0)
    assert free is not None
    assert free.y == pytest.approx([1.2, 1.6])
