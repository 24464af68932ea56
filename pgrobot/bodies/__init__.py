"""Bodies: networks that turn what a policy or a critic reads into features, with an output layer of its own on top."""

from pgrobot.bodies.body import Body, BodyFactory
from pgrobot.bodies.gru import Gru
from pgrobot.bodies.linear import linear
from pgrobot.bodies.lstm import Lstm
from pgrobot.bodies.mlp import Mlp

__all__ = ["Body", "BodyFactory", "Gru", "Lstm", "Mlp", "linear"]
