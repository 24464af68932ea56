"""What the learning study is to reach."""

from __future__ import annotations

from collections.abc import Mapping

# The best published returns after 1M steps (REINFORCE: 3M), several of them maxima over training on older robots.
GOALS: Mapping[str, Mapping[str, float]] = {
    "ppo": {
        "halfcheetah": 5784, "hopper": 2609, "walker2d": 3589, "swimmer": 282, "reacher": -4.1,
        "inverteddoublependulum": 9231, "ant": 3258, "humanoid": 787,
    },
    "trpo": {
        "halfcheetah": 4471, "hopper": 3372, "walker2d": 4502, "swimmer": 359, "reacher": -5.1,
        "inverteddoublependulum": 8435, "ant": 3554, "humanoid": 810,
    },
    "npg": {
        "halfcheetah": 3485, "hopper": 1915, "walker2d": 2503, "reacher": -4.5,
        "inverteddoublependulum": 9243, "ant": 2358, "humanoid": 765,
    },
    "a2c": {
        "halfcheetah": 1830, "hopper": 1253, "walker2d": 1092, "swimmer": 201, "reacher": -6.7,
        "inverteddoublependulum": 9258, "ant": 3485, "humanoid": 1726,
    },
    "reinforce": {
        "halfcheetah": 884, "hopper": 396, "walker2d": 412, "reacher": -10.5,
        "inverteddoublependulum": 1060, "ant": 475, "humanoid": 438,
    },
}  # fmt: skip
