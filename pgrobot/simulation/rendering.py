"""Which renderer MuJoCo takes."""

from __future__ import annotations

import ctypes.util
import sys
from collections.abc import MutableMapping


def select_renderer(environ: MutableMapping[str, str]) -> None:
    """Choose EGL where there is no display, unless something was chosen; MuJoCo reads it when first imported."""
    headless = sys.platform == "linux" and not environ.get("DISPLAY") and not environ.get("WAYLAND_DISPLAY")
    if headless and "MUJOCO_GL" not in environ and ctypes.util.find_library("EGL"):
        environ["MUJOCO_GL"] = "egl"
