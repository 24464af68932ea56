"""A quadrotor that hovers."""
