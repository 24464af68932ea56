"""Robot tasks of pgrobot, installed as ``pgrobot.envs``; importing it registers them with Gymnasium."""

import pgrobot.simulation  # noqa: F401  chooses how to draw without a display, before MuJoCo is imported

from .registration import register

register()
