"""A run of an older version is completed, evaluated and resumed, or refused with the version that made it.

``made_by_7662861`` is a run directory as commit 7662861 wrote it.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgrobot import api, past
from pgrobot.errors import PgrobotError
from pgrobot.provenance import source_commit, this_version
from pgrobot.run import nobody, prepare, run, silent_console
from pgrobot.run.execution import Surroundings
from pgrobot.run_directory import made_by
from pgrobot.spec_file import read_spec
from pgrobot.variance.measurement import MeasurementPlan, opened

OLD = Path(__file__).parent / "made_by_7662861"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def change(path: Path, **keys: Any) -> None:
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(content | keys))


def test_it_is_evaluated_as_the_version_that_made_it_did(old: Path) -> None:
    told, before = api.evaluate(old), json.loads((old / "result.json").read_text())
    assert told["return"]["mean"] == pytest.approx(before["return"]["mean"])
    for name, cost in before["costs"].items():
        assert told["costs"][name]["mean"] == pytest.approx(cost["mean"])


def test_it_is_resumed(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    request = prepare([f"resume={old}", "total_steps=256"])
    result = run(request, Surroundings(("pgrobot",), "", "", 1, silent_console(), nobody))
    assert (result.status, result.evaluation["env_steps"]) == ("finished", 256)
    assert yaml.safe_load((old / "config.yaml").read_text())["annealing_steps"] == 128
    steps = [json.loads(line)["global_step"] for line in (old / "metrics.jsonl").read_text().splitlines()]
    assert steps == [64, 128, 192, 256]
    assert made_by(old) == this_version()
    assert read_spec(old).costs == tuple(yaml.safe_load((old / "config.yaml").read_text())["constraint"])
    assert [message for message in caplog.messages if "whose prices were in reward per cost" in message]
    caplog.clear()
    run(
        prepare([f"resume={old}", "total_steps=320"]),
        Surroundings(("pgrobot",), "", "", 1, silent_console(), nobody),
    )
    assert not [message for message in caplog.messages if "prices" in message], "it is told once"


def test_its_learner_is_opened_to_compare_gradients(old: Path) -> None:
    with opened(old, [], MeasurementPlan("last", 4, 16, 0, 1, 0.95, 0.01)) as subject:
        assert subject.step == 128


def test_who_made_it_is_read_from_its_manifest(old: Path) -> None:
    assert made_by(old) == "pgrobot 0.1.0 at 7662861"
    (old / "manifest.json").write_text("{}")
    assert made_by(old) == ""
    assert this_version().startswith("pgrobot ")
    assert source_commit()[:7] in this_version()


def test_a_key_that_it_lacks_is_filled_and_said(
    old: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    content = yaml.safe_load((old / "config.yaml").read_text())
    del content["evaluation"]["bound"]
    del content["multiplier"]["derivative_delay"]
    (old / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(
        PgrobotError, match=r"evaluation\.bound.*made by pgrobot 0\.1\.0 at 7662861, and this is"
    ):
        api.evaluate(old)
    rows = (
        *past.CONFIG,
        past.Added("evaluation", "", "bound", lambda node: "student-t"),
        past.Added("multiplier", "pgrobot.constraints.PID", "derivative_delay", lambda node: 10),
        past.Added("multiplier", "pgrobot.constraints.Lagrangian", "not_of_this_one", lambda node: 0),
    )
    monkeypatch.setattr(past, "CONFIG", rows)
    with caplog.at_level(logging.WARNING):
        told = api.evaluate(old)
    assert told["return"]["mean"] == pytest.approx(
        json.loads((old / "result.json").read_text())["return"]["mean"]
    )
    sentence = caplog.records[-1].getMessage()
    assert sentence.startswith(
        f"{old} was made by pgrobot 0.1.0 at 7662861, whose configs lack keys; it goes on as it was, with "
    )
    for key in (
        "constraint.torque.cost.substeps='last'",
        "evaluation.bound='student-t'",
        "multiplier.derivative_delay=10",
    ):
        assert key in sentence
    assert "not_of_this_one" not in sentence


def test_a_mirror_keeps_to_what_it_did() -> None:
    wandb = {"_target_": "pgrobot.tracking.Wandb", "project": "p", "entity": "", "mode": "offline"}
    config = {
        "total_steps": 1,
        "tracker": {"wandb": wandb, "other": {"_target_": "pgrobot.tracking.TensorBoard"}},
    }
    filled = past.completed(config, past.CONFIG)
    assert filled["tracker.wandb.alert_after"] == 0
    assert filled["tracker.wandb.checkpoints"] is False
    assert set(config["tracker"]["other"]) == {"_target_"}


def test_how_it_made_steps_of_gradients_is_a_chain_in_the_order_of_the_steps(old: Path) -> None:
    content = yaml.safe_load((old / "config.yaml").read_text())
    was = content["algorithm"]["policy_solver"] | {"max_gradient_norm": 0.25}
    content["algorithm"]["policy_solver"] = dict(reversed(was.items()))  # whatever the order of its keys
    past.complete_config(content, old)
    for part, norm in (("policy", 0.25), ("critic", 0.5)):
        solver = content["algorithm"][f"{part}_solver"]
        assert {"max_gradient_norm", "optimizer"}.isdisjoint(solver)
        assert list(solver["chain"]) == ["clip", "optimizer"]
        assert solver["chain"]["clip"] == {"_target_": "pgrobot.solvers.ClipByGlobalNorm", "max_norm": norm}
        assert solver["chain"]["optimizer"]["_target_"] == "pgrobot.solvers.Adam"


def test_states_are_completed_at_every_place_that_a_row_names() -> None:
    state = {"learners": {"a": {"policy": {"mean": 2.0}}, "b": {"policy": {"mean": 3.0, "origin": 1.0}}}}
    row = past.Added("learners.*.policy", "", "origin", lambda node: -node["mean"])
    assert past.completed(state, (row,)) == {"learners.a.policy.origin": -2.0}
    assert state["learners"]["a"]["policy"] == {"mean": 2.0, "origin": -2.0}
    assert state["learners"]["b"]["policy"]["origin"] == 1.0


def test_a_key_that_nothing_knows_is_refused_with_the_version_that_wrote_it(old: Path) -> None:
    change(old / "config.yaml", learning_speed=1)
    sentence = r"'learning_speed'.*; .*old was made by pgrobot 0\.1\.0 at 7662861, and this is pgrobot"
    for attempt in (lambda: api.evaluate(old), lambda: prepare([f"resume={old}", "total_steps=256"])):
        with pytest.raises(PgrobotError, match=sentence):
            attempt()


def test_what_is_typed_is_not_blamed_on_a_version(old: Path) -> None:
    for key, attempt in (
        ("episodes", lambda: api.evaluate(old, episodes=1)),
        (
            "evaluation.final_episodes",
            lambda: prepare([f"resume={old}", "total_steps=256", "evaluation.final_episodes=1"]),
        ),
    ):
        with pytest.raises(PgrobotError, match=rf"^{key} must be .* of at least 2, not 1$"):
            attempt()


def test_a_checkpoint_that_does_not_fit_says_which_version_made_it(old: Path) -> None:
    content = yaml.safe_load((old / "config.yaml").read_text())
    content["policy"]["hidden"] = [5]
    (old / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(PgrobotError, match=r"best\.pt does not fit.*made by pgrobot 0\.1\.0 at 7662861"):
        api.evaluate(old)
