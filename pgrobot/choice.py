"""An algorithm as a config says it: what its parts declare, and which solver moves the policy on which objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args, get_origin

from pgrobot.advice import declaring
from pgrobot.objectives import Objective
from pgrobot.signatures import Hint, hint_of, hints
from pgrobot.solvers import SolverFactory

OBJECTIVE = "algorithm.objective"
POLICY = "algorithm.policy_solver"


@dataclass(frozen=True, slots=True)
class Posed:
    """An objective, and who moves the policy on it.

    Attributes:
        objective: the path of its terms: the algorithm's, or one that a solver made of solvers poses besides.
        solver: the path of the solver.
    """

    objective: str
    solver: str

    @property
    def own(self) -> bool:
        """Whether it is the algorithm's; else it begins where another solver has moved the policy to."""
        return self.objective == OBJECTIVE


@dataclass(frozen=True)
class Choice:
    """An algorithm as a config says it.

    Attributes:
        node: its content, every value checked by itself.
        parts: what its nodes name, by their keys.
        rows: of an update, all environments and rollouts together.
    """

    node: Mapping[str, Any]
    parts: Mapping[str, Any]
    rows: int

    def says(self, path: str, word: str, *, otherwise: bool = False) -> bool:
        """What a part declares; ``otherwise`` where it does not, or there is none."""
        return bool(getattr(self.parts.get(path), word, otherwise))

    def at(self, path: str) -> Mapping[str, Any]:
        """The node of a path that begins with ``algorithm``."""
        node: Any = self.node
        for key in path.split(".")[1:]:
            node = node[key]
        found: Mapping[str, Any] = node
        return found

    def terms(self, objective: str = OBJECTIVE, **declarations: bool) -> list[str]:
        """The paths of an objective's terms that declare all of it."""
        paths = [f"{objective}.{name}" for name in self.at(objective)]
        return declaring({path: self.parts[path] for path in paths}, **declarations)

    def surrogates(self, objective: str = OBJECTIVE, **declarations: bool) -> list[str]:
        """Those that read the advantage to estimate the policy gradient."""
        paths = self.terms(objective, reads_advantage=True, **declarations)
        return [path for path in paths if not self.says(path, "imitates")]

    def weight(self, path: str) -> float | None:
        """A term's weight; nothing where a class of the user's own knows."""
        weight: float | None = self.at(path).get("weight")
        return weight

    @cached_property
    def solvers(self) -> list[str]:
        """The paths of all that move the policy: the solver, and those that it is made of."""
        return list(self._solvers(POLICY))

    @cached_property
    def problems(self) -> list[Posed]:
        """All that the policy is moved on, the algorithm's objective first."""
        return list(self._posed(OBJECTIVE, POLICY))

    def steps(self, posed: Posed) -> float:
        """How many steps the policy takes on it before it is posed anew, about another policy."""
        solver = self.at(posed.solver)
        of_a_pass = solver.get("epochs", 1) * self.rows / solver.get("minibatch", self.rows)
        return float((self.node["passes"] if posed.own else 1) * of_a_pass)

    def _solvers(self, path: str) -> Iterator[str]:
        yield path
        for below in self._below(path, _is_solver):
            yield from self._solvers(below)

    def _posed(self, objective: str, solver: str) -> Iterator[Posed]:
        first = f"{solver}.{getattr(self.parts[solver], 'solves', '')}"
        parts = self._below(solver, _is_solver)
        if first not in parts:
            yield Posed(objective, solver)
        else:
            yield from self._posed(objective, first)
        for other in (part for part in parts if part != first):
            for posed in self._below(solver, _is_objective):
                yield from self._posed(posed, other)

    def _below(self, path: str, wanted: Any) -> list[str]:
        """The paths of the parameters of a part that are ``wanted``."""
        known, node = hints(self.parts[path]), self.at(path)
        return [f"{path}.{key}" for key, hint in known.items() if key in node and wanted(hint)]


def _is_solver(hint: Hint) -> bool:
    return hint.type is SolverFactory


def _is_objective(hint: Hint) -> bool:
    return get_origin(hint.type) is Mapping and hint_of(get_args(hint.type)[1]).type is Objective
