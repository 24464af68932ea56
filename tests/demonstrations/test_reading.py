"""Demonstrations are what they were when they were written, and what is none of the robot's is refused."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from demonstrated import NAMES, make_demonstrations, make_spec, written

from pgrobot import files
from pgrobot.demonstrations import (
    Demonstrations,
    as_learnt,
    check_against,
    check_demonstrations,
    read_demonstrations,
    write_file,
)
from pgrobot.errors import PgrobotError
from pgrobot.origin import Origin


def assert_same(one: Demonstrations, other: Demonstrations, *but: str) -> None:
    for field in fields(Demonstrations):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name in ("source", "provenance", *but):
            continue
        pairs = [(ours[key], theirs[key]) for key in ours] if isinstance(ours, dict) else [(ours, theirs)]
        for first, second in pairs:
            same = torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second
            assert same, field.name


def test_what_is_written_is_read(tmp_path: Path) -> None:
    shown = make_demonstrations()
    path = tmp_path / "demonstrations.pt"
    write_file(path, shown)
    for named in (path, tmp_path):  # a run directory that holds it
        read = read_demonstrations(named)
        assert_same(read, shown)
        assert (read.sha256, read.provenance, read.source) == (shown.sha256, {"task": "Cart"}, str(path))
    assert set(torch.load(path, weights_only=True)) > {
        "sha256",
        "obs",
        "names",
        "provenance",
        "episode_start",
    }
    assert list(tmp_path.iterdir()) == [path]


def test_episodes_are_told_apart() -> None:
    shown = make_demonstrations((5, 3, 4))
    assert shown.episodes == (slice(0, 5), slice(5, 8), slice(8, 12))
    assert shown.age.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3]
    torch.testing.assert_close(
        shown.returns, torch.stack([shown.reward[a:b].sum() for a, b in ((0, 5), (5, 8), (8, 12))])
    )
    some = shown.of([2, 0])
    assert torch.equal(some.action, torch.cat((shown.action[8:], shown.action[:5])))
    assert torch.equal(
        some.next_obs["policy"], torch.cat((shown.next_obs["policy"][8:], shown.next_obs["policy"][:5]))
    )
    check_demonstrations(some)


def test_arrays_are_read(tmp_path: Path) -> None:
    shown = make_demonstrations()
    np.savez(
        tmp_path / "shown.npz",
        observations=shown.obs["policy"],
        next_observations=shown.next_obs["policy"],
        actions=shown.action[:, 0],
        rewards=shown.reward,
        terminations=shown.terminated,
        truncations=shown.done.int(),  # some tools flag both at once: then there is no future value
        observation_names=list(NAMES),
        action_names=["motor"],
        **{"costs/speed": shown.reward.square()},
    )
    read = read_demonstrations(tmp_path / "shown.npz")
    assert_same(read, shown, "cost", "costs")
    assert read.costs == ("speed",)
    assert torch.equal(read.cost[:, 0], shown.reward.square())


class Dataset:
    """What ``minari.load_dataset`` returns, as far as it is asked.

    Where an episode terminated both flags are set, and where it was cut none is, as where a recording was ended.
    """

    def __init__(self, shown: Demonstrations) -> None:
        self.shown = shown

    def iterate_episodes(self) -> Any:
        for rows in self.shown.episodes:
            last = self.shown.next_obs["policy"][rows][-1:]
            observations = torch.cat((self.shown.obs["policy"][rows], last)).numpy()
            yield SimpleNamespace(
                observations={"arm": {"place": observations}, "goal": observations[:, :1]},
                actions=self.shown.action[rows].numpy().astype(np.float32),
                rewards=self.shown.reward[rows].numpy(),
                terminations=self.shown.terminated[rows].numpy(),
                truncations=self.shown.terminated[rows].numpy(),
            )


def test_a_minari_dataset_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = make_demonstrations()
    module = ModuleType("minari")
    module.load_dataset = {"cart/expert-v0": Dataset(shown)}.__getitem__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "minari", module)
    read = read_demonstrations("minari:cart/expert-v0")
    assert_same(read, shown, "names", "actions", "action", "obs", "next_obs")
    assert torch.equal(read.action, shown.action.float().double())
    assert torch.equal(read.obs["arm/place"], shown.obs["policy"])
    assert torch.equal(read.obs["goal"], shown.obs["policy"][:, :1])
    within = ~shown.done
    assert torch.equal(read.next_obs["arm/place"][within], shown.obs["policy"][1:][within[:-1]])
    assert torch.equal(read.next_obs["arm/place"][shown.done], shown.next_obs["policy"][shown.done])
    with pytest.raises(PgrobotError, match="Minari has no dataset 'cart/novice-v0' on this machine"):
        read_demonstrations("minari:cart/novice-v0")


def test_without_minari_its_datasets_are_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(PgrobotError, match=r"not installed: pip install 'pgrobot\[minari\]'"):
        read_demonstrations("minari:mujoco/hopper/expert-v0")


def test_rows_are_what_a_policy_reads_and_draws() -> None:
    """An offset of millions is subtracted in float64; an action becomes policy units, half of a range from −1 to 3."""
    origin = Origin({"policy": 2})
    far = torch.tensor([4_500_000.001, 0.0], dtype=torch.float64)
    shown = make_demonstrations()
    moved = make_demonstrations(
        obs={"policy": shown.obs["policy"] + far}, next_obs={"policy": shown.next_obs["policy"] + far},
        action=shown.action + 1.0,
    )  # fmt: skip
    origin.fix({"policy": moved.obs["policy"].numpy()})
    spec = replace(make_spec(), action_low=np.array([-1.0]), action_high=np.array([3.0]))
    rows = as_learnt(moved, spec, origin)
    for name in ("obs", "next_obs"):
        expected = (getattr(moved, name)["policy"] - origin.value).float()
        assert torch.equal(getattr(rows, name)["policy"], expected), name
    torch.testing.assert_close(rows.action, (shown.action / 2.0).float(), rtol=1e-6, atol=1e-7)
    assert float(rows.action.abs().max()) <= 1.0


def poisoned(value: float) -> torch.Tensor:
    obs = make_demonstrations().obs["policy"].clone()
    obs[7, 1] = value
    return obs


SPOILT: dict[str, tuple[dict[str, Any], str]] = {
    "nan": ({"obs": {"policy": poisoned(float("nan"))}}, "observation 'policy' is nan in step 7, entry 1"),
    "infinity": (
        {"obs": {"policy": poisoned(float("inf"))}},
        "observation 'policy' is inf in step 7, entry 1",
    ),
    "too large": (
        {"reward": torch.full((12,), 1e300, dtype=torch.float64)},
        r"reward is 1e\+300 in step 0, which is too large for single precision",
    ),
    "reward": ({"reward": torch.full((12,), float("nan"), dtype=torch.float64)}, "reward is nan in step 0"),
    "length": (
        {"action": torch.zeros(11, 1, dtype=torch.float64)},
        r"action is torch.float64 \[11, 1\], where numbers of 12",
    ),
    "shape": (
        {"action": torch.zeros(12, dtype=torch.float64)},
        r"action has the shape \[12\], where 2 dimensions",
    ),
    "flags": ({"terminated": torch.zeros(12)}, "terminated is .* where true or false of 12 steps are needed"),
    "successor": (
        {"next_obs": {"policy": torch.zeros(12, 3)}},
        r"the shape \[12, 2\] and its successor \[12, 3\]",
    ),
    "groups": ({"next_obs": {}}, "other groups of next observations"),
    "names": ({"actions": ("a", "b")}, "action has 1 entries and 2 names"),
    "costs": ({"costs": ("speed",)}, "there are 0 costs and 1 names"),
    "no end": (
        {"terminated": torch.zeros(12, dtype=torch.bool), "truncated": torch.zeros(12, dtype=torch.bool)},
        "no episode ends in its 12 steps",
    ),
    "cut": (
        {"terminated": torch.tensor([0] * 4 + [1] + [0] * 7, dtype=torch.bool)},
        "the last episode does not end",
    ),
    "no start": (
        {"episode_start": torch.tensor([1] + [0] * 11, dtype=torch.bool)},
        "step 5 begins no episode",
    ),
    "start": ({"episode_start": torch.ones(12, dtype=torch.bool)}, "step 1 begins an episode within another"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_contradicts_itself_is_refused(name: str, tmp_path: Path) -> None:
    changes, message = SPOILT[name]
    shown = make_demonstrations(**changes)
    with pytest.raises(PgrobotError, match=message):
        check_demonstrations(shown)
    with pytest.raises(PgrobotError, match=message):
        write_file(tmp_path / "demonstrations.pt", shown)
    assert list(tmp_path.iterdir()) == []


OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "entries": (
        {},
        {"names": ("position", "speed")},
        "observes 'velocity' in 'policy', which Cart does not have, and lacks 'speed' in 'policy', which",
    ),
    "order": (
        {},
        {"names": NAMES[::-1]},
        "'position' in 'policy' where Cart has 'velocity': the same entries in another",
    ),
    "width": (
        {"names": {"policy": ()}},
        {"names": (*NAMES, "force")},
        r"shows torch.float64 \[2\] as 'policy', and Cart float64 \[3\]",
    ),
    "actions": (
        {},
        {"actions": ("hip", "knee")},
        "is told 'motor', which Cart does not have, and lacks 'hip', 'knee'",
    ),
    "number": ({"actions": ()}, {"actions": ("hip", "knee")}, "has 1 actions, and Cart 2"),
    "range": (
        {"action": torch.full((12, 1), 2.5, dtype=torch.float64)},
        {},
        "action 'motor' is 2.5 in step 0, and Cart takes between -2 and 2",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_demonstrations_of_another_robot_are_refused(name: str) -> None:
    shown, robot, message = OTHERS[name]
    with pytest.raises(PgrobotError, match=message):
        check_against(make_demonstrations(**shown), make_spec(**robot))


def test_those_of_the_robot_are_taken() -> None:
    check_against(make_demonstrations(), make_spec())
    check_against(make_demonstrations(names={"policy": ()}, actions=()), make_spec())
    check_against(
        make_demonstrations(action=torch.full((12, 1), 2.0 + 1e-7, dtype=torch.float64)), make_spec()
    )
    spec = make_spec()
    seen = {"policy": spec.observation["policy"], "camera": spec.observation["policy"]}
    with pytest.raises(PgrobotError, match="no observation 'camera', which Cart has"):
        check_against(make_demonstrations(), replace(spec, observation=seen))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "demonstrations.pt")
    whole = path.read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pt").write_text("hello")
    torch.save({"learners": {}}, tmp_path / "last.pt")
    torch.save({**torch.load(path), "format": 2}, tmp_path / "later.pt")
    torch.save({"kind": "demonstrations", "format": 1}, tmp_path / "empty.pt")
    torch.save({**torch.load(path), "reward": torch.zeros(12).double()}, tmp_path / "changed.pt")
    torch.save(make_spec(), tmp_path / "code.pt")
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "few.npz", observations=np.zeros((3, 2)))
    np.savez(tmp_path / "other.npz", obs=np.zeros((3, 2)))
    (tmp_path / "run").mkdir()
    refused = {
        "cut.pt": "damaged or cut short",
        "text.pt": "is not a file of demonstrations",
        "last.pt": "holds no demonstrations but something else",
        "later.pt": "has format 2",
        "empty.pt": "lacks a part of demonstrations",
        "changed.pt": "was changed since it was written",
        "code.pt": "reading that could run code",
        "text.npz": "is not a .npz file",
        "few.npz": "has no 'next_observations'; it needs",
        "other.npz": "has the key 'obs'",
        "demonstration.pt": r"There are no demonstrations .* \(did you mean 'demonstrations.pt'\?\): pgrobot record",
        "run": "holds no demonstrations.pt: pgrobot record",
    }
    for name, message in refused.items():
        with pytest.raises(PgrobotError, match=message):
            read_demonstrations(tmp_path / name)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "demonstrations.pt")
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(PgrobotError, match="The disk is full"):
        written(path, seed=1)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
