"""Checkpoints: what goes in comes out, and nothing else is ever loaded."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pgrobot import checkpoint
from pgrobot.errors import PgrobotError

STATE = {
    "iteration": 3,
    "learners": {"robot": {"vector": torch.linspace(-1.0, 1.0, 1001), "updates": 7}},
    "collector": {"rng": np.random.PCG64(5).state, "generator": torch.Generator().manual_seed(3).get_state()},
    "best": {"merit": -1.5, "feasible": False, "name": "Läufer", "none": None, "nested": [1, [2.5, "x"]]},
}


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return type(b) is torch.Tensor and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return type(b) is list and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


def test_what_is_saved_is_loaded_to_the_last_bit(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.pt", STATE)
    assert equal({**STATE, "format": 1}, checkpoint.load(tmp_path / "last.pt"))
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_saved_state_is_plain(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 1)
    checkpoint.save(
        tmp_path / "a.pt", {"module": module.state_dict(), "weight": module.weight, "pair": (1, 2)}
    )
    loaded = checkpoint.load(tmp_path / "a.pt")
    assert type(loaded["module"]) is dict
    assert loaded["pair"] == [1, 2]
    assert type(loaded["weight"]) is torch.Tensor
    assert not loaded["weight"].requires_grad
    assert torch.equal(loaded["weight"], module.weight)


def test_a_view_does_not_take_along_what_it_views(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.pt", {"row": torch.zeros(1000, 1000)[3]})
    assert (tmp_path / "a.pt").stat().st_size < 10_000


@pytest.mark.parametrize(
    ("value", "name"),
    [(np.float64(1.0), "numpy.float64"), (np.zeros(2), "numpy.ndarray"), ({1, 2}, "builtins.set")],
)
def test_what_would_not_load_is_not_saved(tmp_path: Path, value: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"state/learners/1/x is a {name}"):
        checkpoint.save(tmp_path / "a.pt", {"learners": [0, {"x": value}]})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, STATE)
    (tmp_path / "last.pt.tmp").symlink_to("/dev/full")
    with pytest.raises(
        PgrobotError, match=r"The disk is full: .*last\.pt needs 0\.\d+ MB and .* MB are free; what"
    ):
        checkpoint.save(path, {"other": 1})
    assert equal({**STATE, "format": 1}, checkpoint.load(path))
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    checkpoint.save(path, {"other": 1})  # there is room again
    assert checkpoint.load(path)["other"] == 1


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        PgrobotError, match=r"last\.pt \(.* MB\) cannot be written: no such file or directory"
    ):
        checkpoint.save(tmp_path / "gone" / "last.pt", STATE)


def test_a_missing_checkpoint_names_its_neighbours(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "best.pt", STATE)
    with pytest.raises(PgrobotError, match=r"There is no checkpoint .*last\.pt; its folder holds best\.pt"):
        checkpoint.load(tmp_path / "last.pt")


def test_a_directory_is_not_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(PgrobotError, match="cannot be read: is a directory"):
        checkpoint.load(tmp_path)


def test_a_cut_checkpoint_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.pt", STATE)
    content = (tmp_path / "last.pt").read_bytes()
    for size in range(0, len(content), 97):
        (tmp_path / "cut.pt").write_bytes(content[:size])
        with pytest.raises(PgrobotError, match=r"cut\.pt is not a checkpoint, or it is damaged or cut short"):
            checkpoint.load(tmp_path / "cut.pt")


def test_a_flipped_bit_is_refused_or_harmless(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.pt", STATE)
    content = (tmp_path / "last.pt").read_bytes()
    refusals = []
    for position in range(0, len(content), 41):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        (tmp_path / "bad.pt").write_bytes(damaged)
        try:
            loaded = checkpoint.load(tmp_path / "bad.pt")
        except PgrobotError as error:
            refusals.append(str(error))
        else:
            assert equal({**STATE, "format": 1}, loaded)
    assert len(refusals) > 50
    assert all("damaged" in refusal for refusal in refusals)


def test_files_of_other_programs_are_refused(tmp_path: Path) -> None:
    torch.save({"model_state_dict": {"w": torch.zeros(2)}}, tmp_path / "foreign.pt")
    with pytest.raises(PgrobotError, match="PyTorch file of another program"):
        checkpoint.load(tmp_path / "foreign.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(PgrobotError, match="holds more than tensors, numbers and strings"):
        checkpoint.load(tmp_path / "module.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(PgrobotError, match="not a checkpoint"):
        checkpoint.load(tmp_path / "text.pt")
    np.savez(tmp_path / "arrays.npz", a=np.zeros(2))
    with pytest.raises(PgrobotError, match="not a PyTorch file"):
        checkpoint.load(tmp_path / "arrays.npz")


def test_another_format_is_refused(tmp_path: Path) -> None:
    torch.save({"format": 2}, tmp_path / "new.pt")
    with pytest.raises(PgrobotError, match="has format 2 and this pgrobot reads format 1"):
        checkpoint.load(tmp_path / "new.pt")


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


def test_a_malicious_file_is_not_executed(tmp_path: Path) -> None:
    evil = Evil(tmp_path / "pwned")
    torch.save({"format": 1, "x": evil}, tmp_path / "zip.pt")
    torch.save({"format": 1, "x": evil}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(evil))
    with pytest.raises(PgrobotError, match="reading that could run code"):
        checkpoint.load(tmp_path / "zip.pt")
    for name in ("old.pt", "raw.pt"):
        with pytest.raises(PgrobotError, match="is not a checkpoint"):
            checkpoint.load(tmp_path / name)
    assert not evil.target.exists()
    torch.load(tmp_path / "zip.pt", weights_only=False)  # the attack itself works
    assert evil.target.exists()


KILLED_WHILE_SAVING = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from pgrobot import checkpoint

path = Path(sys.argv[1]) / "last.pt"
checkpoint.save(path, {"n": 0, "a": torch.zeros(50_000)})
random.seed(1)
before = 0
for _ in range(12):
    child = os.fork()
    if child == 0:
        n = before
        while True:
            n += 1
            checkpoint.save(path, {"n": n, "a": torch.full((50_000,), float(n))})
    time.sleep(random.uniform(0.02, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    state = checkpoint.load(path)
    assert state["n"] >= before and bool((state["a"] == state["n"]).all())
    before = state["n"]
print(before)
"""


def test_a_kill_at_any_moment_leaves_a_checkpoint(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_SAVING, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 12  # it was saving when it was killed
