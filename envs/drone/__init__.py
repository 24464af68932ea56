"""A quadrotor that hovers, flies a corridor of pillars, or a course of gates."""
