"""``pgrobot probe``: quantiles by hand, the same episodes as an evaluation's, and whether budgets held a policy."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from pgrobot.assembly import configured
from pgrobot.cli import main
from pgrobot.configure import compose, validated
from pgrobot.constraints import Constraint
from pgrobot.episodes import Episodes
from pgrobot.probing import enforced, spending
from pgrobot.run.evaluation import EvaluationPlan, run_acting

from .conftest import Finished

UNITS = ("step", "episode", "discounted", "probability")


def drawn(count: int) -> Episodes:
    random = np.random.default_rng(0)
    costs, none = random.integers(0, 9, (count, 4)).astype(float), np.zeros(4)
    lengths, returns = random.integers(1, 20, count), random.random(count)
    return Episodes(returns, lengths, costs, 0.5 * costs, (), 20, none, none, none, 0.9, False)


def test_quantiles_means_and_shares_by_hand() -> None:
    """21 episodes: the 5 % quantile is the second least, and so on, without anything in between."""
    episodes = drawn(21)
    constraints = [Constraint(unit, 0.5, unit, 4.0) for unit in UNITS]
    told = spending(episodes, constraints)
    total, length = episodes.costs, episodes.lengths
    each = [total[:, 0] / length, total[:, 1], 0.5 * total[:, 2], total[:, 3]]
    means = [
        total[:, 0].sum() / length.sum(),
        total[:, 1].mean(),
        0.5 * total[:, 2].mean(),
        (total[:, 3] > 4.0).mean(),
    ]
    for unit, amounts, mean in zip(UNITS, each, means, strict=True):
        assert told[unit]["mean"] == pytest.approx(mean, rel=1e-12)
        ordered = [sorted(amounts)[k] for k in (1, 5, 10, 15, 19)]
        assert list(told[unit]["quantiles"].values()) == pytest.approx(ordered, rel=1e-12)
        assert list(told[unit]["quantiles"]) == ["5", "25", "50", "75", "95"]
        within = sum(amount <= (4.0 if unit == "probability" else 0.5) for amount in amounts)
        assert told[unit]["within"] == pytest.approx(within / 21)


def test_a_random_policy_uses_all_of_what_it_can_do() -> None:
    cfg = validated(compose(["task=lqr", "constraint=[]", "evaluation.num_envs=4"]))
    seen = []

    def acting(spec):  # noqa: ANN001, ANN202
        from pgrobot.film import agent

        act = agent("random", spec, 3)
        return lambda *told: seen.append(act(*told)) or seen[-1]

    run_acting(cfg, configured, acting, EvaluationPlan(4, "probe", "stochastic", 0.95, "student-t", 1, 1))
    drawn = np.concatenate(seen).ravel()
    assert abs(drawn.mean()) < 0.2 * drawn.std()
    assert drawn.max() - drawn.min() == pytest.approx(math.sqrt(12.0) * drawn.std(), rel=0.1)


def test_a_run_is_probed_beside_a_random_policy(
    finished: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(finished())
    capsys.readouterr()
    assert main(["probe", path, "--episodes", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["policies"]) == ["random", "best"]
    assert list(told["policies"]["best"]["costs"]) == ["speed", "torque", "fall"]
    assert told["notes"][0].startswith("The trained policy was kept to these budgets by its multiplier: ")
    alone = ["probe", "task=hopper", "threads=1", "evaluation.num_envs=3", "--episodes", "3", "--json"]
    assert main(alone) == 0
    same = json.loads(capsys.readouterr().out)
    assert same["policies"]["random"] == told["policies"]["random"], "a task by itself is that of the run"
    assert main([word for word in alone if word != "--json"]) == 0
    shown = capsys.readouterr().out
    assert "within" in shown
    assert "torque" in shown


@pytest.mark.parametrize(
    ("lines", "keepers"),
    [
        ([], ("its multiplier",)),
        (["multiplier=none"], ()),
        (["algorithm=p3o"], ("its algorithm",)),
        (["algorithm=p3o", "constraint=[speed]"], ("its algorithm",)),
        (["multiplier=none", "wrapper=[noise,early_termination]"], ("wrapper.early_termination",)),
    ],
)
def test_what_holds_a_policy_to_its_budgets_is_found(lines: list[str], keepers: tuple[str, ...]) -> None:
    assert enforced(validated(compose(["task=hopper", *lines]))) == keepers


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "the following arguments are required: a run, or key=value, as task=hopper"),
        (["task=hoper"], "Unknown task 'hoper': did you mean 'hopper'?"),
        (
            ["task=hopper", "constraint=[]"],
            "nothing is limited here, so there is nothing to probe: choose costs, as in",
        ),
        (["task=hopper", "--episodes", "1"], "--episodes has to be at least 2, not 1"),
        (["task=hopper", "--mode", "deterministic"], "--mode goes with a run"),
        (["task=hopper", "--checkpoint", "last"], "--checkpoint goes with a run"),
        (["task=hopper", "elsewhere"], "one run, or key=value, not both: 'elsewhere'"),
        (["elsewhere"], "There is no run directory elsewhere"),
    ],
)
def test_what_cannot_be_probed_is_said(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", *words]) == 2
    assert sentence in capsys.readouterr().err
