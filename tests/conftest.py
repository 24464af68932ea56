"""What every test process starts with."""

from __future__ import annotations

import os

# Read when MuJoCo, torch and W&B are first imported, so set before any test imports them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"

import torch

torch.set_num_threads(1)
