"""A run in which no episode ends but by a simulation that breaks fails."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from pgrobot.cli import main
from pgrobot.errors import FailureError
from pgrobot.run import broken
from pgrobot.run.broken import BrokenEpisodes
from pgrobot.simulation.batch import Physics

from .conftest import TINY, metrics


@pytest.mark.parametrize("most", [2, 20])
def test_a_run_whose_every_episode_breaks_fails(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Soon where it is long, at its end where it is short; and when it is taken up at its end."""
    step, calls = Physics.step, count()

    def every_fifth(physics: Physics) -> dict[int, str]:
        found = step(physics)
        return dict.fromkeys(range(len(physics.state)), "pushed") if next(calls) % 5 == 4 else found

    monkeypatch.setattr(Physics, "step", every_fifth)
    monkeypatch.setattr(broken, "MOST_IN_A_ROW", most)
    run = tmp_path / "run"
    settings = [
        *TINY,
        "task.terminate_when_unhealthy=false",
        "~constraint.fall",
        "evaluation.every=256",
        "evaluation.episodes=2",
    ]
    assert main(["train", *settings, f"hydra.run.dir={run}"]) == 1
    which = "Every episode that ended in 2 iterations in a row" if most == 2 else "Every episode that ended"
    assert f"pgrobot: {which} was cut short by a simulation that broke, the last: " in capsys.readouterr().err
    assert len(metrics(run)) == (1 if most == 2 else 4)
    assert not (run / "result.json").exists()
    if most == 20:
        assert main(["train", f"resume={run}"]) == 1
        assert "A simulation broke in every one of the " in capsys.readouterr().err
        assert not (run / "result.json").exists()


def test_one_episode_that_ends_by_itself_is_enough() -> None:
    episodes = BrokenEpisodes()
    episodes.conclude()
    for _ in range(3):
        for _ in range(broken.MOST_IN_A_ROW - 1):
            episodes.look(1, ["it broke"])
        episodes.look(0, [])
        episodes.look(2, ["it broke"])
    episodes.conclude()
    for _ in range(broken.MOST_IN_A_ROW - 1):
        episodes.look(1, ["it broke"])
        episodes.look(0, [])
    with pytest.raises(FailureError, match=r"20 iterations in a row was cut short .* the last: it burst$"):
        episodes.look(1, ["it burst"])
