"""Past experience: the last rollouts take part in an update, each with what its own policy made of it."""

from pgrobot.replay.weights import OptimalWeights, SampleWeights, UniformWeights, shared_bound, staleness
from pgrobot.replay.window import Experience, Window, side_by_side

__all__ = [
    "Experience",
    "OptimalWeights",
    "SampleWeights",
    "UniformWeights",
    "Window",
    "shared_bound",
    "side_by_side",
    "staleness",
]
