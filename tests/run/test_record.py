"""Demonstrations of a run are the episodes that an evaluation of it has, and nothing is left by halves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pgrobot
from pgrobot import cli, recording
from pgrobot.demonstrations import check_against, read_demonstrations
from pgrobot.deploy import load
from pgrobot.errors import PgrobotError
from pgrobot.spec_file import read_spec

from .conftest import Finished


def test_the_episodes_are_those_of_the_evaluation(finished_run: Path) -> None:
    path = pgrobot.record(finished_run, episodes=5)
    assert path == finished_run / "demonstrations.pt"
    shown = read_demonstrations(finished_run)
    judged = pgrobot.evaluate(finished_run, episodes=5)
    sums = [sum(shown.reward[rows].tolist()) for rows in shown.episodes]  # in the evaluation's own order
    assert float(np.mean(sums)) == judged["return"]["mean"]
    lengths = [rows.stop - rows.start for rows in shown.episodes]
    assert (float(np.mean(lengths)), min(lengths)) == (
        judged["episode_length"]["mean"],
        judged["episode_length"]["min"],
    )
    costs = [shown.cost[rows].sum(0) for rows in shown.episodes]
    speed = judged["costs"]["speed"]
    per_step = torch.stack(costs).sum(0)[shown.costs.index("speed")] / len(shown)
    assert speed["unit"] == "step"
    np.testing.assert_allclose(float(per_step), speed["mean"], rtol=1e-12)
    assert shown.provenance["checkpoint"] == "best.pt"
    assert (shown.provenance["mode"], shown.provenance["task"]) == ("stochastic", "Hopper-v5")


def test_what_the_policy_does_there_is_what_was_recorded(finished_run: Path) -> None:
    """The deterministic action in every recorded state, asked anew, and the successors follow each other."""
    shown = read_demonstrations(pgrobot.record(finished_run, episodes=3, mode="deterministic"))
    spec = read_spec(finished_run)
    check_against(shown, spec)
    policy = load(finished_run)
    again = [policy.act(row) for row in shown.obs["policy"].numpy()]
    np.testing.assert_allclose(np.stack(again), shown.action.numpy(), atol=1e-6)
    within = ~shown.done
    assert torch.equal(shown.next_obs["policy"][within], shown.obs["policy"][1:][within[:-1]])
    assert not torch.equal(
        shown.next_obs["policy"][shown.done][0], shown.obs["policy"][shown.episodes[1].start]
    )


def test_another_seed_shows_other_episodes_and_another_file_takes_them(
    finished_run: Path, tmp_path: Path
) -> None:
    first = read_demonstrations(pgrobot.record(finished_run, episodes=2))
    path = pgrobot.record(finished_run, episodes=2, seed=7, output=tmp_path / "other.pt", checkpoint="last")
    other = read_demonstrations(path)
    assert path == tmp_path / "other.pt"
    assert first.sha256 != other.sha256
    assert other.provenance["seed"] == 7


def test_an_interrupt_leaves_nothing(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recording, "run_acting", interrupted)
    assert cli.main(["record", str(finished_run)]) == 130
    assert capsys.readouterr().err == "pgrobot: interrupted\n"
    assert not list(finished_run.glob("demonstrations*"))


def test_the_command_says_what_it_wrote(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shown.pt"
    assert cli.main(["record", str(finished()), "--episodes", "2", "--output", str(path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == str(path)
    assert told[1].startswith("2 episodes, ")
    assert f"scheme.file={path}" in told[2]


def test_what_cannot_be_is_refused(finished: Finished, tmp_path: Path) -> None:
    run = finished()
    with pytest.raises(PgrobotError, match="episodes must be a whole number of at least 1, not 0"):
        pgrobot.record(run, episodes=0)
    with pytest.raises(PgrobotError, match=r"ends with \.pt, not shown\.npz"):
        pgrobot.record(run, output="shown.npz")
    with pytest.raises(PgrobotError, match="cannot be written: no such file or directory"):
        pgrobot.record(run, output=tmp_path / "nowhere" / "shown.pt")
    with pytest.raises(PgrobotError, match="record takes no 'modes'"):
        pgrobot.record(run, modes="stochastic")
    with pytest.raises(PgrobotError, match="There is no run directory"):
        pgrobot.record(tmp_path / "nowhere")
