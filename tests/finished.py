"""A finished run that several rooms' tests look at or copy."""

from __future__ import annotations

from pathlib import Path

import pgrobot


def hopper(run: Path) -> Path:
    """Train a tiny Hopper-v5 without trackers, with checkpoints of steps 128 and 256."""
    pgrobot.train(
        quiet=True, task="hopper", debug="tiny", num_envs=4, horizon=16, total_steps=256, threads=1, tracker=[],
        **{
            "algorithm.policy_solver.minibatch": 32, "evaluation.every": 128, "checkpoint.every": 128,
            "hydra.run.dir": run,
        },
    )  # fmt: skip
    return run
