"""Which renderer MuJoCo takes."""

from __future__ import annotations

import ctypes.util
import importlib
import logging
import sys
from collections.abc import MutableMapping

NO_RENDERER = "disabled"


def select_renderer(environ: MutableMapping[str, str]) -> None:
    """Choose EGL where there is no display, unless something was chosen; MuJoCo reads it when first imported."""
    headless = sys.platform == "linux" and not environ.get("DISPLAY") and not environ.get("WAYLAND_DISPLAY")
    if headless and "MUJOCO_GL" not in environ and ctypes.util.find_library("EGL"):
        environ["MUJOCO_GL"] = "egl"


def import_mujoco(environ: MutableMapping[str, str]) -> None:
    """Import MuJoCo, which refuses to be imported where ``MUJOCO_GL`` asks for a renderer that it cannot load.

    Only pictures need one, so it is imported without any then, a warning says so, and whoever draws is refused.
    """
    select_renderer(environ)
    try:
        importlib.import_module("mujoco")
    except Exception as error:  # each renderer fails in a way of its own
        asked = environ.get("MUJOCO_GL", NO_RENDERER)
        if asked == NO_RENDERER:
            raise
        environ["MUJOCO_GL"] = NO_RENDERER
        importlib.import_module("mujoco")
        logging.getLogger(__name__).warning(
            "MUJOCO_GL=%s names no renderer that can be loaded here (%s): everything but pictures works; egl, glfw and "
            "osmesa are those of MuJoCo.",
            asked,
            " ".join(str(error).split()),
        )
