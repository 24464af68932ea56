"""Bodies: networks that turn what a policy or a critic reads into features, with an output layer of its own on top."""

from pgrobot.bodies.body import Body, BodyFactory
from pgrobot.bodies.cnn import Cnn
from pgrobot.bodies.encoder import Encoder
from pgrobot.bodies.gru import Gru
from pgrobot.bodies.linear import linear
from pgrobot.bodies.lstm import Lstm
from pgrobot.bodies.making import make_body
from pgrobot.bodies.mlp import Mlp
from pgrobot.bodies.predictor import Predictor

__all__ = ["Body", "BodyFactory", "Cnn", "Encoder", "Gru", "Lstm", "Mlp", "Predictor", "linear", "make_body"]
