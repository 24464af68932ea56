"""What a certificate says, and that the same one comes again."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from scipy import stats

import pgrobot
from pgrobot import checkpoint
from pgrobot.certificate.document import readable
from pgrobot.certificate.fingerprints import policy_hash
from pgrobot.certificate.terms import check_apart, planned_looks
from pgrobot.cli import main
from pgrobot.constraints.bounds import clopper_pearson
from pgrobot.constraints.inference import shared_level
from pgrobot.errors import PgrobotError
from pgrobot.randomness import component_seed

from .conftest import certificate, quietly


def test_it_tells_what_was_judged_and_every_figure_follows_from_its_columns(run: Path) -> None:
    told = certificate(run)
    columns = {name: np.array(column) for name, column in told["episodes"].items()}
    count = len(columns["return"])
    assert told["looks"][-1]["episodes"] == count <= 100
    assert told["return"]["mean"] == columns["return"].mean()
    assert told["episode_length"]["mean"] == columns["length"].mean()
    speed, fall = told["costs"]["speed"], told["costs"]["fall"]
    assert speed["mean"] == columns["cost/speed"].sum() / columns["length"].sum()
    hits = (columns["cost/fall"] > fall["limit"]).sum()
    looks, sides = len(told["terms"]["looks"]), 2 * len(told["costs"])
    low, high = told["return"]["ci95"]
    error = columns["return"].std(ddof=1) / math.sqrt(count)
    shared = stats.t.ppf(1.0 - 0.05 / 2 / looks, count - 1)  # two ends, at every look
    assert looks == 2
    assert [low, high] == pytest.approx([told["return"]["mean"] + side * shared * error for side in (-1, 1)])
    level = shared_level(0.95, looks)
    assert [fall["lower"], fall["upper"]] == list(clopper_pearson(hits, count, level))
    together = shared_level(shared_level(0.95, sides), looks)
    both = fall["simultaneous"]
    assert [both["lower"], both["upper"]] == list(clopper_pearson(hits, count, together))
    assert {name: told["circumstances"]["versions"][name] for name in ("torch", "numpy")} == {
        "torch": torch.__version__, "numpy": np.__version__,
    }  # fmt: skip
    assert told["policy"]["checkpoint"] == "checkpoints/best.pt"
    assert set(told["model"]["sha256"]) == {"hopper.xml"}


def test_other_terms_are_told_of_from_then_on(own: Path) -> None:
    """Who tries seeds until one satisfies has to say so; another policy begins anew."""
    first = certificate(own)
    told = pgrobot.certify(own, episodes=10, seed=3)
    assert told["earlier"] == [{"terms": first["terms"], "verdict": first["verdict"]}]
    assert told["episodes"]["return"][0] != first["episodes"]["return"][0]
    (own / "checkpoints" / "step_128.pt").replace(own / "checkpoints" / "best.pt")
    assert pgrobot.certify(own, episodes=10)["earlier"] == []


def test_the_claim_says_what_it_cannot_rule_out(own: Path) -> None:
    """Three episodes that cost the same have no variance, and say nothing of rarer ones."""
    few = pgrobot.certify(own, episodes=3, bound="student-t")
    assert few["warnings"][0].startswith("speed: all 3 episodes cost the same")
    assert few["claim"].endswith("That is so if the warning about speed is unfounded.")
    assert pgrobot.verify(own, rerun=False)["holds"]


def test_the_hash_is_of_the_policy_and_not_of_its_file(run: Path) -> None:
    state = checkpoint.load(run / "checkpoints" / "best.pt")
    before = policy_hash(state)
    assert certificate(run)["policy"]["sha256"] == before
    state["iteration"] += 1
    state["learners"] = dict(reversed(state["learners"].items()))
    policy = state["learners"]["robot"]["policy"]
    state["learners"]["robot"]["policy"] = dict(reversed(policy.items()))
    assert policy_hash(state) == before
    for name, value in policy.items():
        if isinstance(value, torch.Tensor) and value.numel() and value.is_floating_point():
            kept = value.clone()
            value.view(-1)[-1] = torch.nextafter(value.view(-1)[-1], torch.tensor(9.0, dtype=value.dtype))
            assert policy_hash(state) != before, name
            value.copy_(kept)
    assert policy_hash(state) == before


def test_it_looks_twice_as_late_each_time() -> None:
    assert planned_looks(1600) == (100, 200, 400, 800, 1600)
    assert planned_looks(10_000) == (625, 1250, 2500, 5000, 10_000)
    assert planned_looks(201) == (50, 100, 201)
    assert planned_looks(99) == (99,)


def test_streams_are_its_own_and_others_are_refused(
    own: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = certificate(run)["batches"][0]["seeds"]
    assert seeds == {name: component_seed(10_000, f"certificate/1/{name}") for name in seeds}
    check_apart({"a": 1}, {"b": 2})
    with pytest.raises(
        PgrobotError, match="The stream a of the certificate is that of training's environment"
    ):
        check_apart({"a": 1}, {"training's environment": 1})
    monkeypatch.setattr("pgrobot.certificate.terms.purpose", lambda batch: "final")
    with pytest.raises(PgrobotError, match="is that of the evaluation final/environment"):
        pgrobot.certify(own, episodes=60)


def test_numbers_fill_lines_and_read_back_as_they_were() -> None:
    value = {
        "a": {},
        "b": [],
        "c": [0.1 * i for i in range(60)],
        "d": {"e": [{"f": None}], "g": True},
        "h": ["i"],
    }
    text = readable(value)
    assert json.loads(text) == value
    assert max(map(len, text.splitlines())) <= 120
    assert len(text.splitlines()) < 30


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"episodes": 1}, "^episodes must be a whole number of at least 2, not 1$"),
        ({"bound": "bootstrap"}, "use --bound student-t, or --bound betting"),
        ({"episode": 3}, "certify takes no 'episode': did you mean 'episodes'"),
    ],
)
def test_what_cannot_be_certified_is_refused(run: Path, change: dict[str, Any], words: str) -> None:
    before = (run / "certificate.json").read_bytes()
    with pytest.raises(PgrobotError, match=words):
        pgrobot.certify(run, **change)
    assert (run / "certificate.json").read_bytes() == before


@pytest.mark.parametrize(
    ("verbs", "option", "value", "told"),
    [
        ("certify evaluate", "--episodes", "1", "a whole number of at least 2, not 1"),
        ("record", "--episodes", "0", "a whole number of at least 1, not 0"),
        ("certify evaluate record", "--seed", "-1", "a whole number of at least 0, not -1"),
        ("certify evaluate", "--confidence", "2", "a number between 0 and 1, not 2.0"),
        ("certify evaluate", "--confidence", "nan", "a number between 0 and 1, not nan"),
    ],
)
def test_a_wrong_number_is_told_by_its_option(
    run: Path, verbs: str, option: str, value: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in verbs.split():
        assert main([verb, str(run), option, value]) == 2
        assert capsys.readouterr().err == f"pgrobot: {option} must be {told}\n"


def test_a_run_without_a_best_policy_or_without_budgets_is_refused(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = yaml.safe_load((own / "config.yaml").read_text(encoding="utf-8"))
    (own / "config.yaml").write_text(yaml.safe_dump({**config, "constraint": {}}), encoding="utf-8")
    with pytest.raises(PgrobotError, match="limits nothing, so there is nothing to certify"):
        pgrobot.certify(own)
    (own / "checkpoints" / "best.pt").unlink()
    assert main(["certify", str(own)]) == 2
    assert main(["verify", str(own)]) == 2
    assert capsys.readouterr().err.count("has no checkpoint 'best'") == 2


def test_the_status_says_whether_all_is_satisfied(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certify", str(own), "--episodes", "60", "--seed", "7"]) == 1
    told = capsys.readouterr().out
    assert "after 60 episodes: " in told
    assert "It is not shown that every budget is satisfied" in " ".join(told.split())
    assert "\nconstraint " in told, "its title has room"
    assert "1 earlier certificate of this policy on other terms" in " ".join(told.split())


def test_a_directory_that_takes_no_file_is_found_out_before_any_episode(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (own / "certificate.json").read_bytes()

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr("pgrobot.certificate.certifying.opened", None)  # nothing is opened
    with pytest.raises(PgrobotError, match="The disk is full"):
        quietly(own, {"episodes": 100})
    assert (own / "certificate.json").read_bytes() == before
    assert not list(own.glob("*.tmp"))
