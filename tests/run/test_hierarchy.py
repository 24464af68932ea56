"""Runs of hierarchical policies: gone on with, judged, loaded, exported, looked at; a low level of another run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import pgrobot
from pgrobot.deploy.parity import session
from pgrobot.errors import PgrobotError
from pgrobot.past import load_checkpoint

from .conftest import Finished, Train, assert_equal, metrics, start, state, tiny_request

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ["policy=hierarchical", "policy.every=3", "policy.high.body.hidden=[8]", "evaluation.every=1000"]
GOALS = {
    "drawn": ["policy.goal.size=2", "policy/body=gru", "policy.sequence=8", "constraint=[speed]"],
    "options": ["policy.goal=options", "policy.goal.count=3"],
    "reparameterised": ["policy.goal=reparameterised", "policy.goal.size=2", "policy.goal.sequence=8"],
    "switched": [
        "policy.goal=options",
        "policy.goal.count=3",
        "policy.switch=learnt",
        "policy.switch.probability=0.3",
    ],
}


def trained(row: dict[str, float]) -> dict[str, float]:
    """Without evaluations, one of which ends every run."""
    return {key: value for key, value in row.items() if not key.startswith("evaluation")}


@pytest.mark.parametrize("goal", GOALS)
def test_gone_on_with_it_is_the_same_run(
    goal: str, finished: Finished, resume: Train, tmp_path: Path
) -> None:
    """Interrupted in the midst of episodes and of goals."""
    whole = finished(*LEVELS, *GOALS[goal])
    start(tiny_request(tmp_path / "parts", *LEVELS, *GOALS[goal], "total_steps=128", "annealing_steps=256"))
    resume(tmp_path / "parts", "total_steps=256", "annealing_steps=256")
    assert_equal(*([trained(row) for row in metrics(run)] for run in (whole, tmp_path / "parts")))
    assert_equal(state(whole)["learners"], state(tmp_path / "parts")["learners"])
    assert_equal(state(whole)["collector"], state(tmp_path / "parts")["collector"])


@pytest.mark.parametrize("goal", GOALS)
def test_loaded_and_exported_it_acts_alike_with_its_goal_as_memory(
    goal: str, finished: Finished, tmp_path: Path
) -> None:
    run = finished(*LEVELS, *GOALS[goal])
    told = pgrobot.export(run, output=tmp_path / "out")
    assert told.difference <= 1e-5
    runtime, policy = session((tmp_path / "out" / "policy.onnx").read_bytes()), pgrobot.load(run)
    carry = np.zeros((2, policy.policy.carry_size), np.float32)
    first, random, seen = np.ones(2, bool), np.random.default_rng(0), []
    for _ in range(8):
        obs = random.normal(size=(2, 11))
        action, carry = runtime.run(None, {"policy": obs, "episode_start": first, "carry_in": carry})
        assert action == pytest.approx(policy.act(obs), abs=1e-5)
        seen.append(torch.from_numpy(carry).split(policy.policy.parts, -1))  # type: ignore[attr-defined]
        first = np.zeros(2, bool)
    assert [float(age[0]) for *_, age, _ in seen] == [1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.0]
    held = [one for *_, one, _, _ in seen]
    assert torch.equal(held[0], held[2])
    assert "policy.goal=options" in GOALS[goal] or not torch.equal(held[2], held[3])
    assert np.isfinite(pgrobot.evaluate(run)["return"]["mean"])


def logged(run: Path) -> set[str]:
    return {key for row in metrics(run) for key in row if key.startswith("level/")}


def test_its_levels_are_told_of_and_its_goals_shown(finished: Finished) -> None:
    """By the names on the page, each of them by some run."""
    page = (ROOT / "docs" / "hierarchy.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(level/[^`]+)` \|", page, flags=re.MULTILINE))
    found: set[str] = set()
    for goal, overrides in GOALS.items():
        run = finished(*LEVELS, *overrides)
        found |= logged(run)
        rows = metrics(run)
        if "policy.goal=options" in overrides:
            shares = [sum(row[f"level/option/{i}/share"] for i in range(3)) for row in rows]
            assert shares == pytest.approx([1.0] * len(rows))
        least, most = (1.3, 2.6) if goal == "switched" else (2.6, 3.2)
        assert all(least <= row["level/steps_per_goal"] <= most for row in rows)
        assert ("level/switch/share" in rows[0]) == (goal == "switched")
        assert (run / "figures" / "level" / "goals_256.png").is_file()
        lines = (run / "tables" / "level" / "goals_by_step_256.csv").read_text().splitlines()
        assert lines[0].startswith('"environment","step","age"')
        assert len(lines) == 4 * 16 + 1
    assert {re.sub(r"/\d+/", "/<i>/", name) for name in found} == documented
    assert not logged(finished())


def low(run: Path) -> dict[str, torch.Tensor]:
    policy = load_checkpoint(run / "checkpoints" / "last.pt")["learners"]["robot"]["policy"]
    return {key: value for key, value in policy.items() if key.startswith("low.")}


@pytest.mark.parametrize("frozen", ["true", "false"])
def test_a_low_level_of_another_run(frozen: str, finished: Finished, train: Train, tmp_path: Path) -> None:
    """Frozen it stays, to the last bit; and where it came from may be gone once the run has begun."""
    learnt = finished(*LEVELS, *GOALS["options"])
    away = tmp_path / "learnt"
    away.symlink_to(learnt)
    typed = [f"policy.low.run={away}", "policy.low.checkpoint=last", f"policy.low.frozen={frozen}"]
    run = train("next", *LEVELS, *GOALS["options"], *typed, "seed=2").path
    away.unlink()
    before, after = low(learnt), low(run)
    assert before.keys() == after.keys()
    same = {key: torch.equal(before[key], after[key]) for key in before}
    assert all(same.values()) == (frozen == "true")
    first = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    assert (first["level/low/kl"] == 0.0) == (frozen == "true")
    assert first["level/high/kl"] > 0.0
    assert pgrobot.load(run).policy.groups == ("policy",)


BAD = {
    "policy.every=0": "policy.every must be a whole number of at least 1, not 0",
    "policy.every=1001": "policy.every=1001 is longer than an episode of Hopper-v5, which has 1000 steps",
    "policy.goal=option": "policy.goal cannot be 'option': did you mean 'options'",
    "policy.goal.count=3": "policy.goal has no key 'count'",
    "policy.switch=learned": "policy.switch cannot be 'learned': did you mean 'learnt'",
    "policy.switch=learnt policy.switch.probability=1":
        "policy.switch.probability must be a number between 0 and 1, not 1",
    "policy.goal=reparameterised policy/head@policy.goal.draws=beta": "makes a Beta, which is none",
    "policy/head@policy.goal.draws=categorical": "policy.goal.draws draws choices",
    "policy/head@policy.goal.draws=smooth": "noise lasts from one step to the next",
    "policy.goal=reparameterised policy.goal.sequence=5": "do not divide horizon=16",
    "policy.goal=reparameterised policy.goal.sequence=8 policy/body=gru":
        "policy.goal.sequence=8 and policy.body.sequence=16 are the steps of the same chunks",
    "policy.low.frozen=true": "add policy.low.run=<run>",
    "policy.low.checkpoint=last": "add policy.low.run=<run>",
    "policy.low.run=nowhere": "There is no run directory nowhere",
    "policy.low.run=FLAT": "has no low level: its policy is pgrobot.policies.NetworkPolicy",
    "policy.low.run=RUN": "its goals are 3 options, and here 4 numbers drawn by GaussianHead",
    "policy.low.run=RUN policy.goal=options policy.goal.count=4": "its goals are 3 options, and here 4 options",
    "policy.low.run=RUN policy.goal=options policy.goal.count=3 policy.every=5":
        "its goals last 3 steps, and here 5: set policy.every=3",
    "policy.low.run=DRAWN policy/head@policy.goal.draws=squashed":
        "its goals are 2 numbers drawn by GaussianHead, and here 2 numbers drawn by SquashedHead",
    "policy.low.run=DRAWN policy.goal=reparameterised policy.goal.sequence=8":
        "its goals are 2 numbers drawn by GaussianHead, and here 2 numbers reparameterised by GaussianHead",
    "policy.low.run=RUN policy.goal=options policy.goal.count=3 policy.hidden=[9]": "set policy.body.hidden=",
    "policy.low.run=RUN policy.goal=options policy.goal.count=3 policy/head=beta":
        "policy.head is GaussianHead there and BetaHead here",
    "policy.low.run=RUN policy.goal=options policy.goal.count=3 policy.low.checkpoint=step_7":
        "has no checkpoint 'step_7'",
    "policy.low.run=RUN policy.goal=options policy.goal.count=3 task=walker2d":
        "this one reads of Walker2d-v5 qpos/thigh_left_joint",
    "policy.low.run=RUN policy.goal=options policy.goal.count=3 task=halfcheetah": "it reads of Hopper-v5 qpos/",
    "policy.low.run=RUN policy.goal=options policy.goal.count=3 policy.groups=[policy/qpos/rootz,policy/qpos/rooty]":
        "it reads of Hopper-v5 qpos/thigh_joint",
    "policy.low.run=RUN policy.goal=options policy.goal.count=3 task.frame_skip=8":
        "it acts every 0.008 s, and Hopper-v5 every 0.016 s",
}  # fmt: skip


@pytest.mark.parametrize("typed", BAD)
def test_what_cannot_be_is_told_in_a_sentence(typed: str, finished: Finished, tmp_path: Path) -> None:
    runs = {
        "RUN": lambda: finished(*LEVELS, *GOALS["options"]),
        "DRAWN": lambda: finished(*LEVELS, *GOALS["drawn"]),
        "FLAT": finished,
    }
    words = typed
    for name, run in runs.items():
        words = words.replace(name, str(run())) if name in words else words
    every = [] if "every" in typed else ["policy.every=3"]
    every += ["policy.goal.size=2", "policy/body=gru", "policy.sequence=8"] if "DRAWN" in typed else []
    with pytest.raises(PgrobotError, match=re.escape(BAD[typed])):
        start(tiny_request(tmp_path / "run", "policy=hierarchical", *every, *words.split()))
    assert not (tmp_path / "run").exists()
