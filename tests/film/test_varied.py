"""A film of a robot whose model varies shows the model that its episode has."""

from __future__ import annotations

import copy

import mujoco
import numpy as np
import pytest
from varied_worlds import actions, vary

from pgrobot.film.scene import scene_of
from pgrobot.simulation.camera import Camera

SIZE = {
    "size": {"field": "geom_size", "scale": [0.5, 1.5]},
    "place": {"field": "body_pos", "scale": [0.8, 1.2]},
}


@pytest.mark.usefixtures("graphics")
def test_a_picture_is_of_the_simulations_own_model_also_of_an_episode_that_ended() -> None:
    environment = vary(SIZE, 2)
    scene = scene_of(environment, 64, 48)

    def drawn(model: mujoco.MjModel) -> np.ndarray:
        plain = copy.copy(model)
        plain.vis.quality.shadowsize = 0
        camera = Camera(plain, 64, 48)
        picture = camera.picture(environment.simulation.batch.get_data(0))
        camera.close()
        return picture

    def own() -> np.ndarray:
        return drawn(environment.simulation.model_of(0))

    last: list[np.ndarray] = []
    environment.leaving = (*environment.leaving, lambda ids: last.append(own()) if 0 in ids else None)
    sizes = set()
    for _ in range(2):
        environment.reset()
        assert np.array_equal(scene.picture(ended=False), own())
        assert not np.array_equal(own(), drawn(environment.model)), (
            "the model that all share would have passed"
        )
        sizes.add(float(environment.simulation.model_of(0).geom_size[1, 0]))
    assert len(sizes) == 2
    for action in actions(environment, 200):
        step = environment.step(action)
        if step.terminated[0]:
            break
    assert np.array_equal(scene.picture(ended=True), last[-1])
    assert np.array_equal(scene.picture(ended=False), own())
    scene.close()
