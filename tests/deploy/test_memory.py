"""A policy with a memory and a history, masked in training: trained, loaded, acting, exported, as it is evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pgrobot
from pgrobot.assembly import build_environment
from pgrobot.deploy.parity import session
from pgrobot.errors import PgrobotError
from pgrobot.past import saved_config
from pgrobot.randomness import stream
from pgrobot.run.evaluation import DETERMINISTIC, actor


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("memory") / "run"
    pgrobot.train(
        quiet=True, task="hopper", policy="recurrent", critic="recurrent", wrapper=["mask", "history"], debug="tiny",
        num_envs=4, horizon=16, total_steps=64, threads=1, tracker=[],
        **{
            "algorithm.policy_solver.minibatch": 32, "hydra.run.dir": run, "policy.previous_action": True,
            "policy.units": 8, "wrapper.history.steps": 2,
        },
    )  # fmt: skip
    return run


def test_it_acts_as_it_is_judged_with_its_memory_inside(remembered: Path) -> None:
    """The mask stays behind: it is shown what was left to it. The history it makes itself."""
    policy = pgrobot.load(remembered)
    assert policy.spec.left_behind == ("mask",)
    assert policy.spec.observation["policy"].names[:2] == ("qpos/rootz", "qpos/rooty")
    assert policy.policy.carry_size == 5 + 8 + 3  # an observation, the units, an action
    cfg = saved_config(remembered)
    whole = build_environment(cfg, 3, 5, 1)
    del cfg.wrapper.history
    single = build_environment(cfg, 3, 5, 1)
    judged = actor(policy.policy.policy, whole.spec, DETERMINISTIC, stream(0, "noise"))  # type: ignore[arg-type]
    both, one, start, state = whole.reset(), single.reset(), np.ones(3, bool), None
    for _ in range(40):
        action = judged(both, start)
        assert np.array_equal(policy.act(one["policy"]), action)
        predicted, state = policy.predict(one["policy"], state, start, deterministic=True)
        assert np.array_equal(predicted, action)
        both, step = whole.step(action).obs, single.step(action)
        one, start = step.obs, step.terminated | step.truncated
        policy.reset(start)
    with pytest.raises(PgrobotError, match=r"remembers 3 environments and is shown 2: reset\(\) it first"):
        policy.act(one["policy"][:2])
    whole.close()
    single.close()


def test_its_memory_goes_in_and_out_of_onnx(remembered: Path, tmp_path: Path) -> None:
    told = pgrobot.export(remembered, output=tmp_path / "out")
    assert [str(port) for port in told.inputs] == [
        "policy [N, 5] float64", "episode_start [N] bool", "carry_in [N, 16] float32",
    ]  # fmt: skip
    assert told.difference <= 1e-5
    runtime, policy = session((tmp_path / "out" / "policy.onnx").read_bytes()), pgrobot.load(remembered)
    carry, start, random = np.zeros((2, 16), np.float32), np.ones(2, bool), np.random.default_rng(0)
    for _ in range(5):
        obs = random.normal(size=(2, 5))
        action, carry = runtime.run(None, {"policy": obs, "episode_start": start, "carry_in": carry})
        assert action == pytest.approx(policy.act(obs), abs=1e-5)
        start = np.zeros(2, bool)


def test_it_is_judged_again(remembered: Path) -> None:
    told = pgrobot.evaluate(remembered)
    assert np.isfinite(told["return"]["mean"])
