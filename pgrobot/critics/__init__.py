"""Critics: modules that predict the return of every reward and cost column."""

from pgrobot.critics.critic import Critic
from pgrobot.critics.mlp import MlpCritic

__all__ = ["Critic", "MlpCritic"]
