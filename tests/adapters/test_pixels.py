"""Environments that are seen by what they draw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.error import DependencyNotInstalled

import pgrobot
from pgrobot.cli import main
from pgrobot.errors import PgrobotError
from pgrobot.simulation.adapters import PixelTask
from pgrobot.simulation.adapters.pixels import Pictures

ID = "toys/Drawn-v0"


class Drawn(gymnasium.Env):
    """A bar as long as it is far, four times as large as it will be seen."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, render_mode: str | None = None, drawn: Any = None) -> None:
        self.render_mode, self._drawn, self._far = render_mode, drawn, 0.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._far = float(self.np_random.uniform(-1.0, 1.0))
        return np.array([self._far], np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._far = float(np.clip(self._far + 0.2 * action[0], -1.0, 1.0))
        return np.array([self._far], np.float32), -(self._far**2), False, False, {}

    def render(self) -> Any:
        if self._drawn is not None:
            return self._drawn
        picture = np.zeros((32, 32, 3), np.uint8)
        picture[:, : round(16 * (self._far + 1.0))] = (255, 0, 0)
        return picture


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    gymnasium.register(ID, Drawn, max_episode_steps=10)
    yield
    gymnasium.registry.pop(ID)


def task(**settings: Any) -> PixelTask:
    return PixelTask(**{"id": ID, "kwargs": {}, "size": 8, "grey": False} | settings)


def test_a_picture_is_the_mean_of_what_a_pixel_covers() -> None:
    environment = task().make(2, {}, 0, 1)
    group = environment.spec.observation["policy"]
    assert (group.shape, group.dtype) == ((8, 8, 3), "uint8")
    seen = environment.reset()["policy"]
    for i in range(2):
        large = environment.instance(i).unwrapped.render().astype(float)
        mean = large.reshape(8, 4, 8, 4, 3).mean((1, 3))
        assert np.abs(seen[i] - mean).max() <= 0.5
    grey = task(grey=True).make(2, {}, 0, 1).reset()["policy"]
    assert grey.shape == (2, 8, 8, 1)
    assert np.abs(grey[..., 0] - 0.299 * seen[..., 0]).max() <= 1.0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"kwargs": {"render_mode": "human"}},
            "render_mode is rgb_array, by which task=pixels sees: leave it out",
        ),
        ({"kwargs": {"drawn": "nothing"}}, "toys/Drawn-v0 drew a str, and has to draw an array of uint8"),
        ({"id": "toys/Drawm-v0"}, "is no registered Gymnasium environment"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        task(**settings).make(1, {}, 0, 1).reset()


@pytest.mark.parametrize("missing", [DependencyNotInstalled, ImportError])
def test_what_draws_and_is_not_installed_is_told(
    missing: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(self: Drawn) -> None:
        raise missing("pygame is not installed, run `pip install more`")

    monkeypatch.setattr(Drawn, "render", render)
    sentence = r"package that is not there, pygame is not installed: pip install 'pgrobot\[pixels\]'$"
    with pytest.raises(PgrobotError, match=sentence):
        task().make(1, {}, 0, 1).reset()


def test_a_policy_of_two_pictures_is_resumed_and_acts_on_one_at_a_time(tmp_path: Path) -> None:
    """And its critic reads what its encoder makes of them."""
    run = tmp_path / "run"
    overrides = [
        "debug=tiny", "task=pixels", f"task.id={ID}", "task.size=8", "wrapper=history", "wrapper.history.steps=2",
        "policy/body=encoder", "policy/body@policy.body.encoder=cnn", "policy.body.encoder.filters=[[2,4,2]]",
        "policy.share_features=true", "critic.groups=[policy/features]", "num_envs=4", "horizon=16", "threads=1",
        "evaluation.episodes=2", "evaluation.final_episodes=2", "diagnostics.sensitivity.at_end=true",
        f"hydra.run.dir={run}",
    ]  # fmt: skip
    assert main(["train", *overrides, "total_steps=64"]) == 0
    assert main(["train", f"resume={run}", "total_steps=128"]) == 0
    policy, drawn = pgrobot.load(run), gymnasium.make(ID, render_mode="rgb_array")
    seen = Pictures(drawn, 8, grey=True)
    picture, _ = seen.reset(seed=1)
    assert policy.spec.observation["policy"].shape == (8, 8, 1)
    policy.reset()
    first, action = picture, policy.act(picture)
    expected = lambda now, before: inner.action(np.concatenate((now, before), -1))
    inner = Inner(policy)
    assert action == pytest.approx(expected(first, first), abs=1e-6)
    picture, *_ = seen.step(action)
    assert policy.act(picture) == pytest.approx(expected(picture, first), abs=1e-6)
    with pytest.raises(PgrobotError, match="has to be an image of uint8, not float64"):
        policy.act(picture / 255.0)


class Inner:
    """What the policy says that was trained, which is shown two pictures at once."""

    def __init__(self, trained: Any) -> None:
        self._policy = trained.policy.policy

    def action(self, both: np.ndarray) -> np.ndarray:
        obs = {"policy": torch.from_numpy(both)[None]}
        with torch.no_grad():
            said, _ = self._policy(obs, torch.zeros(1, 0), torch.ones(1, dtype=torch.bool))
        return said.mean.numpy()[0].clip(-1.0, 1.0)
