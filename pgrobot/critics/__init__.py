"""Critics: modules that predict the return of every reward and cost column."""

from pgrobot.critics.critic import Critic
from pgrobot.critics.network import NetworkCritic

__all__ = ["Critic", "NetworkCritic"]
