"""One seed, an independent stream per component.

Adding a component, or removing one, leaves every other component's random numbers as they were: that is what
makes a null add-on bit-identical to its absence.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch


def component_seed(seed: int, component: str) -> int:
    """Derive the 63-bit seed of a named component, e.g. ``"environment"`` or ``"action_noise"``."""
    words = np.random.SeedSequence([seed, zlib.crc32(component.encode())]).generate_state(2, np.uint32)
    return (int(words[0]) << 31) ^ int(words[1])


def stream(seed: int, component: str, device: str = "cpu") -> torch.Generator:
    """Return the random stream of a named component on a device."""
    generator = torch.Generator(device)
    generator.manual_seed(component_seed(seed, component))
    return generator
