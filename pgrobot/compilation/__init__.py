"""Compiling the hot functions into one native call each, with an eager path that computes the same."""

from pgrobot.compilation.compiled import Compiled, Function

__all__ = ["Compiled", "Function"]
