"""What becomes of a policy after training: loaded, it acts anywhere, without a simulator."""

from pgrobot.deploy.loading import load
from pgrobot.deploy.policy import TrainedPolicy
from pgrobot.deploy.travelling import Travelling

__all__ = ["TrainedPolicy", "Travelling", "load"]
