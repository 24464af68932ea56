"""A certificate that was tampered with is found out, whatever was changed; a true one comes again to the last bit."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pgrobot
from pgrobot import checkpoint
from pgrobot.certificate import untold, verifying
from pgrobot.certificate.document import DamagedError, batches_of, terms_of
from pgrobot.certificate.fingerprints import fingerprints, sealed
from pgrobot.certificate.statement import statement
from pgrobot.certificate.verifying import first_difference
from pgrobot.cli import main
from pgrobot.errors import PgrobotError
from pgrobot.schemes import build_constraints

from .conftest import certificate, edit

TINY = {
    "debug": "tiny", "task": "hopper", "num_envs": 4, "horizon": 16, "total_steps": 128, "threads": 1, "quiet": True,
    "algorithm.policy_solver.minibatch": 32,
}  # fmt: skip
# Not derived from anything: who changes them and seals the file again is not found out by them.
TOLD = ("format", "made", "circumstances", "earlier", "sha256")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every number and word stands; of a long column the first."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:1]):
            yield from leaves(item, (*path, index))
    else:
        yield path


def changed(content: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """The same with another value of the same type at one place."""
    content = copy.deepcopy(content)
    parent: Any = content
    for key in path[:-1]:
        parent = parent[key]
    value = parent[path[-1]]
    if isinstance(value, bool) or value is None:
        parent[path[-1]] = 0.5
    elif isinstance(value, str):
        parent[path[-1]] = value + "x"
    elif isinstance(value, int):
        parent[path[-1]] = value + 1
    else:
        parent[path[-1]] = math.nextafter(value, math.inf)
    return content


class Checks:
    """Hashes and figures, of many changed certificates of one run."""

    def __init__(self, run: Path) -> None:
        self.content = certificate(run)
        self.file = run / "certificate.json"
        self.found = fingerprints(run)
        self.run = run
        terms = terms_of(self.content, self.file)
        self.judged = verifying._opened_on(terms, run, run / "checkpoints" / "best.pt", None, ())
        self.fresh = verifying.stated_anew(self.judged, terms, untold)

    def hold(self, content: dict[str, Any]) -> bool:
        """Whether both checks pass; the figures with the same opened run, since terms change no environment."""
        if not all(finding.holds for finding in verifying._hashes(content, self.found)):
            return False
        try:
            terms = terms_of(content, self.file)
            return verifying._figures(content, self.judged, terms, self.file).holds
        except DamagedError:
            return False

    def comes_again(self, content: dict[str, Any]) -> bool:
        """Whether episodes that are run again are these."""
        return not first_difference({key: content.get(key) for key in self.fresh}, self.fresh)


@pytest.fixture(scope="module")
def checks(run: Path) -> Checks:
    return Checks(run)


def test_every_place_that_says_something_is_guarded_even_if_sealed_again(checks: Checks) -> None:
    """By hashes and figures; what only the episodes show, run again, is the episodes' own and how they were drawn."""
    assert checks.hold(checks.content)
    assert checks.comes_again(checks.content)
    places = [path for path in leaves(checks.content) if path[0] not in TOLD]
    assert len(places) > 50
    missed = [path for path in places if checks.hold(changed(checks.content, path))]
    assert [path for path in missed if path[0] not in ("batches", "episodes")] == []
    assert [path for path in missed if checks.comes_again(changed(checks.content, path))] == []
    assert {path[-1] for path in missed if path[0] == "batches"} <= set(checks.content["costs"])


def test_every_part_that_is_missing_is_missed(checks: Checks) -> None:
    for name in set(checks.content) - set(TOLD):
        content = {key: value for key, value in checks.content.items() if key != name}
        assert not checks.hold(content), name
    for column in checks.content["episodes"]:
        content = copy.deepcopy(checks.content)
        del content["episodes"][column]
        assert not checks.hold(content), column
        content = copy.deepcopy(checks.content)
        content["episodes"][column].pop()
        assert not checks.hold(content), column


def test_every_value_of_every_column_counts(checks: Checks) -> None:
    random = np.random.default_rng(0)
    for name, column in checks.content["episodes"].items():
        content = copy.deepcopy(checks.content)
        content["episodes"][name][int(random.integers(1, len(column)))] += 1
        assert not checks.hold(content) or not checks.comes_again(content), name
        if name != "cost/fall":  # of which all that matters is whether it is above its limit
            assert not checks.hold(content), name


def test_the_seal_misses_nothing(checks: Checks) -> None:
    content = checks.content
    assert sealed(content) == content["sha256"]
    for path in leaves(content):
        if path != ("sha256",):
            assert sealed(changed(content, path)) != content["sha256"], path


def test_made_up_episodes_are_found_out_by_running_them_again(
    own: Path, checks: Checks, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures that follow from them, sealed: nothing but the episodes themselves speaks against them."""
    edit(own, lambda content: content.update(forged(checks, cost=0.0)), seal=True)
    assert main(["verify", str(own), "--no-rerun"]) == 0
    assert "The certificate holds: episodes not run again." in capsys.readouterr().out
    assert main(["verify", str(own)]) == 1
    told = capsys.readouterr().out
    assert "NOT episodes the episodes are others, run again here: " in told
    assert "The certificate does not hold." in told


def forged(checks: Checks, cost: float | None = None, returns: float = 0.0) -> dict[str, Any]:
    """The statement of episodes of which every cost was changed, or what they return: they say what somebody wishes."""
    content = copy.deepcopy(checks.content)
    content["episodes"]["return"] = [returns + value for value in content["episodes"]["return"]]
    for name in () if cost is None else ("speed", "torque", "fall"):
        column = content["episodes"][f"cost/{name}"]
        content["episodes"][f"cost/{name}"] = [cost] * len(column)
        for batch in content["batches"]:
            batch["least"][name] = batch["most"][name] = cost
    cfg = checks.judged.cfg
    terms = terms_of(content, checks.file)
    batches = batches_of(content, checks.judged.spec, float(cfg.algorithm.discounts.cost), checks.file)
    for count in range(1, len(batches) + 1):
        stated = statement(batches[:count], tuple(build_constraints(cfg)), terms, checks.judged.spec.costs)
        if not stated["looks"][-1]["open"]:
            break
    return stated


def elsewhere(content: dict[str, Any]) -> None:
    content["circumstances"]["versions"]["torch"] = "1.0"
    content["circumstances"]["cpu"] = "another"


def test_elsewhere_a_fresh_bound_has_to_agree(
    own: Path, checks: Checks, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(own, elsewhere, seal=True)
    assert pgrobot.verify(own)["how"] == "equal to the last bit", "which needs no excuse"
    drawn = verifying.stated_anew

    def otherwise(*told: Any) -> dict[str, Any]:
        """As rounding changes episodes: all that is decided stays."""
        stated = drawn(*told)
        stated["episodes"]["return"][-1] += 1e-12
        return stated

    monkeypatch.setattr(verifying, "stated_anew", otherwise)
    assert main(["verify", str(own)]) == 0
    told = capsys.readouterr().out
    assert "ok  episodes the episodes are others here, by torch 1.0 there and " in told
    assert "cpu another there and " in told
    assert "ok  episodes torque was violated there (mean " in told
    assert "The certificate holds: a fresh bound agrees." in told
    edit(own, lambda content: content.update(forged(checks, cost=0.0)), seal=True)
    assert main(["verify", str(own)]) == 1
    told = capsys.readouterr().out
    assert "NOT episodes torque was satisfied there (mean 0.0) and is violated here" in told
    edit(own, lambda content: content.update(forged(checks, returns=1000.0)), seal=True)
    assert main(["verify", str(own)]) == 1, "though every budget is decided as it was"
    told = capsys.readouterr().out
    assert "ok  episodes torque was violated there" in told
    assert "NOT episodes the return had the mean " in told
    edit(own, lambda content: content.update(copy.deepcopy(checks.content)), seal=True)
    assert main(["verify", str(own)]) == 1, "here nothing excuses a difference"


@pytest.mark.parametrize(
    ("settings", "terms"),
    [
        (
            {
                "policy": "recurrent", "wrapper": ["mask", "noise", "delay"], "variation": ["mass"],
                "constraint.speed.unit": "discounted",
            },
            {},
        ),
        ({"scheme": "manager_worker", "wrapper": ["action_filter"]}, {"mode": "deterministic", "bound": "betting"}),
    ],
)  # fmt: skip
def test_every_kind_of_policy_comes_again_to_the_last_bit(
    tmp_path: Path, settings: dict[str, Any], terms: dict[str, Any]
) -> None:
    run = pgrobot.train(**TINY, **settings, **{"hydra.run.dir": tmp_path / "run", "tracker": []}).path
    told = pgrobot.certify(run, episodes=6, **terms)
    assert told["terms"]["variation"] == ("full" if "variation" in settings else "none")
    found = pgrobot.verify(run)
    assert found["holds"]
    assert found["how"] == "equal to the last bit"


def test_a_certificate_of_another_policy_config_or_model_says_which(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = own / "checkpoints" / "best.pt"
    state = checkpoint.load(best)
    kept = best.read_bytes()
    weights = next(
        v
        for v in state["learners"]["robot"]["policy"].values()
        if isinstance(v, torch.Tensor) and v.ndim == 2
    )
    weights[0, 0] += 1e-6
    checkpoint.save(best, state)
    assert main(["verify", str(own)]) == 1
    assert "NOT hashes   the policy is not the one that was certified: sha256 is " in capsys.readouterr().out
    best.write_bytes(kept)
    for file, part in ((own / "config.yaml", "config"), (own / "model" / "hopper.xml", "model")):
        before = file.read_bytes()
        file.write_bytes(before + b"\n")
        assert main(["verify", str(own)]) == 1
        assert f"NOT hashes   the {part} is not the one that was certified" in capsys.readouterr().out
        file.write_bytes(before)
    edit(own, lambda content: content.update(verdict="satisfied"), seal=False)
    assert main(["verify", str(own), "--no-rerun"]) == 1
    told = capsys.readouterr().out
    assert "NOT seal     the file was changed after it was written" in told
    assert "verdict is 'satisfied', not 'not satisfied'" in told


def test_what_is_no_certificate_is_said_to_be_none(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        assert main(["verify", *words]) == 2
        return capsys.readouterr().err

    file = own / "certificate.json"
    away = shutil.copy(file, tmp_path / "elsewhere.json")
    assert "lies in no run directory: name the run that it is about by --run" in said(str(away))
    assert main(["verify", str(away), "--run", str(own), "--no-rerun"]) == 0
    capsys.readouterr()
    assert "There is no run directory" in said(str(away), "--run", str(tmp_path / "gone"))
    edit(own, lambda content: content.update(format=2), seal=True)
    assert "has format 2 and this pgrobot reads format 1" in said(str(own))
    file.write_text("[1,", encoding="utf-8")
    assert "is not a certificate: it is no JSON" in said(str(own))
    file.write_text('{"format": 1, "verdict": NaN, "sha256": ""}', encoding="utf-8")
    assert "JSON knows no NaN" in said(str(own))
    file.write_text('{"status": "finished"}', encoding="utf-8")
    assert "is not a certificate of pgrobot" in said(str(own))
    file.unlink()
    assert "There is no certificate" in said(str(own))
    assert "There is no certificate" in said(str(own / "gone.json"))
    with pytest.raises(PgrobotError, match="certificate has to be a file or a run directory, not 3"):
        pgrobot.verify(3)  # type: ignore[arg-type]


def test_damage_is_a_finding_and_no_crash(
    own: Path, checks: Checks, capsys: pytest.CaptureFixture[str]
) -> None:
    """Types as nobody writes them, sealed: whoever verifies is told, not shown a traceback."""
    for path in leaves(certificate(own)):
        content = copy.deepcopy(checks.content)
        parent: Any = content
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = {}
        assert path[0] in TOLD or not checks.hold(content), path
    edit(own, lambda content: content.update(circumstances=[]), seal=True)
    assert main(["verify", str(own), "--no-rerun"]) == 0
    edit(own, lambda content: content.pop("earlier"), seal=True)
    assert main(["verify", str(own), "--no-rerun"]) == 2
    assert "does not say which certificates there were `earlier`" in capsys.readouterr().err
    (own / "certificate.json").write_text(json.dumps(checks.content).replace('"seed": ', '"seed": 1e999', 1))
    assert main(["verify", str(own)]) == 2
    assert "is beyond all numbers" in capsys.readouterr().err


def test_which_models_varied_is_no_word_of_the_certifier(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No figure shows it, and the terms are stated as they are told."""
    edit(own, lambda content: content["terms"].update(variation="nominal"), seal=True)
    assert main(["verify", str(own), "--no-rerun"]) == 1
    assert "terms/variation is nominal, not none" in capsys.readouterr().out


def test_intervals_meet_where_they_share_a_number() -> None:
    meet = verifying._meet
    assert meet((0.0, 1.0), (1.0, 2.0))
    assert not meet((0.0, 1.0), (1.5, 2.0))
    assert not meet((1.5, 2.0), (0.0, 1.0))
    assert meet((0.0, None), (5.0, 6.0))
    assert not meet((7.0, None), (5.0, 6.0))
    assert meet((None, None), (5.0, 6.0))
    assert meet((1.0, 1.0), (5.0, 6.0)), "all episodes of a sample alike: it says nothing of others"


def test_the_first_difference_is_named() -> None:
    one = {"a": [1, {"b": 2.0}], "c": "d"}
    assert first_difference(one, json.loads(json.dumps(one))) == ""
    assert first_difference(one, {**one, "a": [1, {"b": 3.0}]}) == "a/1/b is 2.0, not 3.0"
    assert first_difference(one, {**one, "a": [1]}) == "a is [1, {'b': 2.0}], not [1]"
    assert first_difference(one, {"a": one["a"]}) == "c is 'd', where there is none"
    assert first_difference({}, {"a": 1}) == "a is missing"
    assert first_difference({"a": 1}, {"a": True}) == "a is 1, not True"
    assert first_difference({"a": 1}, {"a": 1.0}) == "a is 1, not 1.0"
