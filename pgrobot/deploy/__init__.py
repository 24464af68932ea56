"""What becomes of a policy after training: loaded or exported, it acts anywhere, without a simulator.

``pgrobot.deploy.exporting`` writes ONNX; it is not imported here, for loading should not wait for it.
"""

from pgrobot.deploy.loading import load
from pgrobot.deploy.policy import TrainedPolicy
from pgrobot.deploy.travelling import Travelling

__all__ = ["TrainedPolicy", "Travelling", "load"]
