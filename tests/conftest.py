"""What every test process starts with."""

from __future__ import annotations

import gc
import os

# Read when torch and W&B are first imported, so set before any test imports them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"

import hydra_memory
import torch

import pgrobot.simulation  # noqa: F401  chooses how a machine without a display draws, before MuJoCo is imported

torch.set_num_threads(1)

# What was imported stays for good: to search it for garbage time and again would take a tenth of the suite's time.
gc.freeze()
gc.set_threshold(50_000, 20, 100)

hydra_memory.remember()
