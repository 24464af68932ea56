"""Registered Gymnasium environments of which only their pictures are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import DependencyNotInstalled

from pgrobot.errors import PgrobotError, in_a_sentence
from pgrobot.ranges import at_least
from pgrobot.simulation.adapters.gymnasium import GymnasiumTask, registered

MODE = "rgb_array"
LARGEST = 255


class Pictures(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Shows what an environment draws, small, in place of what it observes.

    A picture is shrunk by the mean of the area that a pixel covers, and grey is the luma of ITU-R 601.

    Args:
        environment: draws arrays.
        size: height and width.
        grey: whether there is one channel, and not three.
    """

    def __init__(self, environment: gymnasium.Env, size: int, grey: bool) -> None:
        super().__init__(environment)
        self._size, self._grey = size, grey
        self.observation_space = spaces.Box(0, LARGEST, (size, size, 1 if grey else 3), np.uint8)

    def observation(self, observation: Any) -> np.ndarray:
        """What is drawn at this moment, ``[H, W, C]`` uint8."""
        from PIL import Image

        picture = Image.fromarray(self._drawn()).resize((self._size, self._size), Image.Resampling.BOX)
        seen = np.array(picture.convert("L") if self._grey else picture)
        return seen.reshape(self._size, self._size, -1)

    def _drawn(self) -> np.ndarray:
        name = self.spec.id if self.spec else type(self.unwrapped).__name__
        try:
            found: Any = self.env.render()
        except (ImportError, DependencyNotInstalled) as error:
            what = str(error).partition(", run `")[0]  # Gymnasium's own remedy installs more than is needed
            raise PgrobotError(
                f"{name} is drawn by a package that is not there, {what}: pip install 'pgrobot[pixels]'"
            ) from error
        except Exception as error:  # each renderer has its own
            raise PgrobotError(f"{name} cannot be drawn: {in_a_sentence(error)}") from error
        if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.shape[2:] != (3,):
            raise PgrobotError(
                f"{name} drew a {type(found).__name__}, and has to draw an array of uint8 (H, W, 3): it has to know "
                f"render_mode={MODE}"
            )
        return found


@dataclass(frozen=True, kw_only=True)
class PixelTask(GymnasiumTask):
    """A Gymnasium environment that a policy sees as a person would: by what it draws.

    Attributes:
        size: height and width of a picture, in pixels.
        grey: whether pictures have one channel; else red, green and blue.
    """

    size: Annotated[int, at_least(1)]
    grey: bool

    def build(self) -> gymnasium.Env:
        if "render_mode" in self.kwargs:
            raise PgrobotError(f"task.kwargs.render_mode is {MODE}, by which task=pixels sees: leave it out")
        return Pictures(registered(self.id, {**self.kwargs, "render_mode": MODE}), self.size, self.grey)
