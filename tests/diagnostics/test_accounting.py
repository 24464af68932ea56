"""What training spent, against a loop over environments and steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from pgrobot.constraints import Constraint
from pgrobot.diagnostics import Accounting
from pgrobot.types import Rollout

from .test_episodes import COLUMNS, NOBODY, rollout

GAMMA = 0.9
UNITS = {"step": 0.4, "episode": 2.0, "discounted": 1.5, "probability": 0.3}


def budgets(unit: str) -> tuple[Constraint, ...]:
    return tuple(Constraint(name, UNITS[unit], unit, 0.0) for name in ("speed", "torque"))


def experience(sizes: Sequence[tuple[int, int]], rate: float, seed: int) -> list[Rollout]:
    """Consecutive rollouts with ages, in which some ends are censored and many steps cost nothing."""
    generator = torch.Generator().manual_seed(seed)
    told = []
    age = torch.zeros(sizes[0][1], dtype=torch.long)
    for t, n in sizes:
        cost = torch.randn(t, n, len(COLUMNS), generator=generator).clamp(min=0.0)
        done = torch.rand(t, n, generator=generator) < rate
        made = rollout(cost, done)
        ages = []
        for ended in done:
            ages.append(age)
            age = torch.where(ended, 0, age + 1)
        censored = done & (torch.rand(t, n, generator=generator) < 0.2)
        told.append(replace(made, age=torch.stack(ages), censored=censored))
    return told


class Naive:
    """One environment and one step at a time."""

    def __init__(self, constraint: Constraint, envs: int) -> None:
        self.constraint, self.running = constraint, [[] for _ in range(envs)]  # type: list[list[float]]
        self.cost = self.paying = self.steps = self.regret = 0.0
        self.worst = -math.inf

    def __call__(self, r: Rollout) -> dict[str, float]:
        c, column = self.constraint, COLUMNS.index(f"cost/{self.constraint.name}")
        above = 0.0
        for n, costs in enumerate(self.running):
            for t in range(len(r.done)):
                paid = float(r.reward[t, n, column])
                costs.append(paid)
                self.cost += paid
                self.paying += paid > 0.0
                self.steps += 1
                if r.terminated[t, n] or r.truncated[t, n]:
                    if not r.censored[t, n]:
                        amount = sum(
                            p * GAMMA**i if c.unit == "discounted" else p for i, p in enumerate(costs)
                        )
                        weight = len(costs) if c.unit == "step" else 1
                        above += amount - c.budget * weight
                        self.worst = max(self.worst, amount / weight)
                    costs.clear()
        self.regret += max(0.0, above)
        told = {
            "cost": self.cost, "violations": 1000.0 * self.paying / self.steps, "worst": self.worst,
            "regret": self.regret,
        }  # fmt: skip
        return {f"training/{c.name}/{key}": value for key, value in told.items() if math.isfinite(value)}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5])
def test_equals_a_loop(unit: str, rate: float) -> None:
    constraints = budgets(unit)
    accounting, naive = Accounting(constraints, GAMMA), [Naive(c, 6) for c in constraints]
    for iteration, r in enumerate(experience([(17, 6)] * 5, rate, seed=3)):
        wanted = naive[0](r) | naive[1](r)
        found = accounting(iteration, NOBODY, {"robot": r})
        assert found == pytest.approx(wanted, rel=1e-9)
    assert ("training/speed/worst" in wanted) == (rate > 0.0)
    assert accounting.told()["speed"] == {k.split("/")[2]: v for k, v in found.items() if "/speed/" in k}


def episodes(amounts: Sequence[float]) -> Rollout:
    """Episodes of one step each."""
    reward = torch.zeros(len(amounts), 1, len(COLUMNS))
    reward[:, 0, 1] = torch.tensor(amounts)
    return replace(rollout(reward, torch.ones(len(amounts), 1, dtype=torch.bool)))


def test_within_an_iteration_episodes_make_up_for_each_other_and_iterations_do_not() -> None:
    accounting = Accounting((Constraint("speed", 2.0, "episode", 0.0),), GAMMA)
    regrets = [
        accounting(i, NOBODY, {"robot": episodes(amounts)})["training/speed/regret"]
        for i, amounts in enumerate(([5.0, 0.0], [3.0, 0.0], [1.0], [4.0, 1.0]))
    ]
    assert regrets == [1.0, 1.0, 1.0, 2.0]


def test_resumes_to_the_last_bit() -> None:
    rollouts = experience([(9, 4)] * 6, 0.1, seed=5)
    whole, before, after = (Accounting(budgets("discounted"), GAMMA) for _ in range(3))
    wanted = [whole(i, NOBODY, {"robot": r}) for i, r in enumerate(rollouts)]
    got = [before(i, NOBODY, {"robot": r}) for i, r in enumerate(rollouts[:3])]
    state = before.state_dict()
    before(9, NOBODY, {"robot": rollouts[5]})  # what is done after saving leaves the saved state alone
    after.load_state_dict(state)
    got += [after(i, NOBODY, {"robot": r}) for i, r in enumerate(rollouts[3:])]
    assert got == wanted
    assert after.told() == whole.told()


def test_what_is_no_number_counts_nowhere() -> None:
    accounting = Accounting((Constraint("speed", 2.0, "episode", 0.0),), GAMMA)
    told = accounting(0, NOBODY, {"robot": episodes([math.nan, math.inf, 5.0])})
    assert told == {
        "training/speed/cost": 5.0, "training/speed/violations": pytest.approx(1000 / 3),
        "training/speed/worst": 5.0, "training/speed/regret": 3.0,
    }  # fmt: skip


def test_an_episode_that_was_cut_between_rollouts_has_no_part_in_the_next_one() -> None:
    accounting = Accounting((Constraint("speed", 2.0, "episode", 0.0),), GAMMA)
    running = replace(
        episodes([7.0]), terminated=torch.zeros(1, 1).bool(), truncated=torch.zeros(1, 1).bool()
    )
    accounting(0, NOBODY, {"robot": running})
    anew = replace(episodes([1.0]), episode_start=torch.ones(1, 1, dtype=torch.bool))
    told = accounting(1, NOBODY, {"robot": anew})
    assert (told["training/speed/worst"], told["training/speed/cost"]) == (1.0, 8.0)


def test_several_learners_have_accounts_of_their_own() -> None:
    constraints = (Constraint("speed", 2.0, "episode", 0.0),)
    accounting = Accounting(constraints, GAMMA)
    told = accounting(0, {"a": None, "b": None}, {"a": episodes([5.0]), "b": episodes([1.0])})
    assert (told["a/training/speed/worst"], told["b/training/speed/worst"]) == (5.0, 1.0)
    assert accounting.told()["b"]["speed"]["regret"] == 0.0
