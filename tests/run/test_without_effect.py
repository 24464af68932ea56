"""Keys that do nothing beside what else is said: refused in a new run, and no obstacle to one that goes on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from pgrobot.errors import PgrobotError
from pgrobot.run import prepare

from .conftest import Finished

BONUSES = ("rnd", "icm", "count", "grid", "discriminator")
OTHERS = {
    "grid": ["intrinsic.grid.size={policy/*:0.5}"],
    "discriminator": ["intrinsic.discriminator.files=[a.npz]"],
}


@pytest.mark.parametrize("name", BONUSES)
def test_steps_over_which_a_constant_weight_fades_are_refused(name: str) -> None:
    chosen = [f"intrinsic=[{name}]", *OTHERS.get(name, [])]
    key = f"intrinsic.{name}"
    prepare(chosen)
    prepare([*chosen, "annealing_steps=1000"])
    prepare([*chosen, f"{key}.annealing_steps=1000", f"{key}.schedule=linear"])
    sentence = (
        f"{key}.annealing_steps=1000 does nothing where {key}.schedule=constant: leave it out, or use {key}."
    )
    with pytest.raises(PgrobotError, match=re.escape(f"{sentence}schedule=linear")):
        prepare([*chosen, f"{key}.annealing_steps=1000"])


def test_a_run_that_goes_on_keeps_what_did_nothing(finished: Finished, tmp_path: Path) -> None:
    """Its config has numbers only, of which nobody knows whether they were typed, and another length of annealing."""
    run = Path(shutil.copytree(finished("intrinsic=[count]"), tmp_path / "run"))
    content = yaml.safe_load((run / "config.yaml").read_text())
    assert content["intrinsic"]["count"]["annealing_steps"] == 256
    content["intrinsic"]["count"]["annealing_steps"] = 100
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    assert prepare([f"resume={run}", "total_steps=512", "annealing_steps=512"]).cfg.total_steps == 512
