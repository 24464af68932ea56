"""What changes an environment from outside: masks, delays, noise, shields."""

from pgrobot.simulation.wrappers.arrays import ArrayEnvironment
from pgrobot.simulation.wrappers.inspected import innermost, wrapped
from pgrobot.simulation.wrappers.wrapped import WrappedEnvironment, Wrapper

__all__ = ["ArrayEnvironment", "WrappedEnvironment", "Wrapper", "innermost", "wrapped"]
