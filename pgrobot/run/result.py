"""What a run came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgrobot.errors import PgrobotError

FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """A run that ended.

    Attributes:
        path: the run directory, absolute.
        status: ``finished``, or ``stopped`` on request, to be resumed.
        metrics: of the last iteration.
        evaluation: the content of ``result.json``; empty unless finished.
        exit_code: what the command line ends with.
        stopped_by: ``callback``, or the name of a signal, ``SIGINT``; empty unless stopped, be it before the film or
            the report of a run that has finished.
    """

    path: Path
    status: str
    metrics: Mapping[str, float]
    evaluation: Mapping[str, Any]
    exit_code: int
    stopped_by: str

    def __repr__(self) -> str:
        """Short, as a notebook shows it."""
        told = {"return": f"{self.evaluation['return']['mean']:.6g}"} if "return" in self.evaluation else {}
        words = "".join(f", {name} {word}" for name, word in {**told, **self.verdicts}.items())
        return f"<Result {self.status}: {self.path}{words}>"

    @property
    def verdicts(self) -> dict[str, str]:
        """``satisfied``, ``violated`` or ``undecided`` for every constraint; empty unless finished."""
        return {name: cost["verdict"] for name, cost in self.evaluation.get("costs", {}).items()}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a run, which is saved and may go on.

    Attributes:
        result: the run, ``stopped``; ``pgrobot.train(resume=result.path)`` takes it up again. Or ``finished``: only its
            films or its report are missing.
    """

    def __init__(self, result: Result) -> None:
        saved = f"stopped and saved, to go on by pgrobot.train(resume={str(result.path)!r})"
        whole = f"{result.path} has finished; only films or report of it are missing"
        super().__init__(whole if result.status == FINISHED else saved)
        self.result = result


def read_result(run: Path) -> dict[str, Any]:
    """Read ``result.json``; empty where there is none.

    Raises:
        PgrobotError: it is not what a run writes.
    """
    path = run / "result.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PgrobotError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or "status" not in content:
        raise PgrobotError(f"{path} is not the result of a run")
    return content
