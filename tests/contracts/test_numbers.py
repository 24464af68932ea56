"""Random numbers that are drawn ahead are those that would be drawn one by one."""

from __future__ import annotations

import numpy as np
import pytest

from pgrobot.simulation.auto_reset import streams
from pgrobot.wrappers.numbers import Numbers

ENVS, WIDTH = 3, 5


def _normal(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return random.standard_normal(shape)


def _uniform(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return random.random(shape)


@pytest.mark.parametrize("draw", [_normal, _uniform])
def test_rows_are_those_of_the_stream_whoever_takes_them_and_whenever_they_are_saved(draw: object) -> None:
    numbers, alone = Numbers(streams(1, ENVS), WIDTH, draw), streams(1, ENVS)  # type: ignore[arg-type]
    chance = np.random.default_rng(0)
    for _ in range(300):  # more than are drawn at once
        ids = np.flatnonzero(chance.random(ENVS) < 0.7)
        rows = numbers(ids)
        expected = [draw(alone[i], (1, WIDTH))[0] for i in ids]  # type: ignore[operator]
        assert np.array_equal(rows, np.reshape(expected, (len(ids), WIDTH)))
        if chance.random() < 0.1:
            numbers.settle()
            for i in range(ENVS):
                assert numbers._randoms[i].bit_generator.state == alone[i].bit_generator.state


def test_others_streams_are_taken_over_where_they_are() -> None:
    left, right = streams(1, 1), streams(2, 1)
    numbers = Numbers(left, WIDTH, _normal)
    numbers(np.arange(1))
    numbers.forget()
    left[0].bit_generator.state = right[0].bit_generator.state
    assert np.array_equal(numbers(np.arange(1)), _normal(right[0], (1, WIDTH)))
