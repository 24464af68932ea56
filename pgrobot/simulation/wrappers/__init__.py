"""What changes an environment from outside: masks, delays, noise, shields."""

from pgrobot.simulation.wrappers.inspected import innermost, wrapped
from pgrobot.simulation.wrappers.wrapped import WrappedEnvironment, Wrapper

__all__ = ["WrappedEnvironment", "Wrapper", "innermost", "wrapped"]
