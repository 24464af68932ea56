"""Pictures of a simulation."""

from __future__ import annotations

import atexit
import weakref

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError


class Camera:
    """Follows the robot: the model's camera ``track`` where it has one, else a free camera on its first body.

    Args:
        model: the compiled model.
        width, height: pixels; at most the model's off-screen buffer, 640 × 480 unless it says otherwise.

    Raises:
        PgrobotError: nothing can be drawn on this machine, or not in this size.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        try:
            self._renderer = mujoco.Renderer(model, height, width)
        except Exception as error:  # each graphics backend raises a type of its own
            raise PgrobotError(
                f"this machine cannot draw {width} × {height} pictures ({error}); without a display set MUJOCO_GL=egl."
            ) from error
        self._close = weakref.finalize(self, _release, self._renderer)
        atexit.register(self._close)  # registered after MuJoCo's own, so it runs while graphics still work
        self._model = model
        if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, "track") >= 0:
            self._view: str | mujoco.MjvCamera = "track"
        else:
            self._view = mujoco.MjvCamera()
            mujoco.mjv_defaultFreeCamera(model, self._view)
            self._view.type = mujoco.mjtCamera.mjCAMERA_TRACKING
            self._view.trackbodyid = 1

    def picture(self, data: mujoco.MjData) -> np.ndarray:
        """What the camera sees ``[height, width, 3]``, uint8; computes what follows from the state in ``data``."""
        mujoco.mj_forward(self._model, data)
        self._renderer.update_scene(data, self._view)
        return self._renderer.render().copy()

    def close(self) -> None:
        """Release the graphics context."""
        self._close()


def _release(renderer: mujoco.Renderer) -> None:
    """Close a renderer in its own context: what it frees would be another's, whose pictures then go wrong."""
    renderer.render()  # which makes its context the current one
    renderer.close()
