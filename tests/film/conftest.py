"""A run of a second, trained once, and what the tests of pictures need."""

from __future__ import annotations

from pathlib import Path

import mujoco
import pytest
from finished import hopper

from pgrobot.errors import PgrobotError
from pgrobot.simulation.camera import Camera


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of Hopper-v5 with checkpoints of steps 128 and 256."""
    return hopper(tmp_path_factory.mktemp("film") / "run")


@pytest.fixture(scope="session")
def graphics() -> None:
    """Skip where nothing can be drawn."""
    model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><body/></worldbody></mujoco>")
    try:
        Camera(model, 8, 8).close()
    except PgrobotError as error:
        pytest.skip(f"no pictures here: {error}")
