"""Weights & Biases: one run per job in ``<run>/wandb/``, offline unless a key exists."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pgrobot.errors import PgrobotError, nearest
from pgrobot.files import strict
from pgrobot.pictures import Image, Picture, Table, Video
from pgrobot.ranges import at_least
from pgrobot.tracking.alerts import Alert, Alerts
from pgrobot.tracking.mirrors import PATIENCE, RunInfo
from pgrobot.types import Metrics

log = logging.getLogger(__name__)

BESIDE = ("config.yaml", "spec.json", "manifest.json")  # what a checkpoint needs in order to be used
Mode = Literal["auto", "online", "offline"]


@dataclass(frozen=True, slots=True)
class Wandb:
    """Settings of the mirror.

    Nobody is ever asked for a key. ``wandb sync <run>/wandb/offline-run-*`` uploads an offline run.

    Args:
        project: where the run is filed.
        entity: user or team it belongs to; empty: the default of the account.
        mode: ``offline``; ``online``, where a key exists (WANDB_API_KEY, netrc or W&B's own settings) and the server
            takes it, else offline with one line that says so; or ``auto``, what the environment variable WANDB_MODE
            says, else as ``online``.
        checkpoints: whether the end uploads ``best.pt`` and ``last.pt``, with what is needed to use them, as versions
            of the model ``checkpoint-<id>`` under the aliases ``best`` and ``last``.
        alert_after: iterations in a row that a measured cost is above its budget before an alert says so; 0: no alerts,
            these nor those of skipped updates, of the run's health, of a run that failed and of budgets that the
            verdict finds violated.

    Raises:
        PgrobotError: An unknown mode.
    """

    project: str
    entity: str
    mode: Mode
    checkpoints: bool
    alert_after: Annotated[int, at_least(0)]

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise PgrobotError(f"There is no W&B mode {self.mode!r}: {nearest(self.mode, get_args(Mode))}")

    def open(self, run: RunInfo) -> WandbRun:
        import wandb

        mode = os.environ.get("WANDB_MODE", "online") if self.mode == "auto" else self.mode
        if mode == "online" and not _logged_in():
            mode = "offline"
        settings = wandb.Settings(
            console="off",
            silent=True,
            init_timeout=PATIENCE / 2,
            finish_timeout=PATIENCE / 2,
            finish_timeout_raises=True,
        )
        wandb_run = wandb.init(
            project=self.project,
            entity=self.entity or None,
            id=run.id,
            name=run.name,
            group=run.group or None,
            job_type="train",
            tags=run.tags,
            config=dict(run.config),
            dir=run.directory,
            mode=mode,  # type: ignore[arg-type]
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # another run of this process, in a multirun say, is another run of W&B
            settings=settings,
        )
        return WandbRun(wandb_run, run, Alerts(self.alert_after), checkpoints=self.checkpoints)


def _logged_in() -> bool:
    """Whether the server knows us, asking it and never the user; if not, one line says why."""
    import wandb

    try:
        if wandb.login(prompt=False):
            return True
        log.info("W&B has no key here: this run is tracked offline.")
    except wandb.Error as error:
        log.warning("W&B does not answer: this run is tracked offline (%s).", " ".join(str(error).split()))
    return False


class WandbRun:
    """One run of W&B. Its steps are environment steps, and its end is that of the run.

    A resumed run goes on under its id at the steps that W&B does not have yet: those it has it keeps, which are the
    same to the last bit. Of a run that was stopped W&B says that it finished, for its other words are of failures; its
    summary says ``stopped``.
    """

    def __init__(self, wandb_run: Any, run: RunInfo, alerts: Alerts, *, checkpoints: bool) -> None:
        self._run = wandb_run
        self._directory = run.directory
        self._alerts = alerts
        self._checkpoints = checkpoints
        self._ending = run.ending
        self._findings = run.findings
        wandb_run.define_metric("global_step")
        wandb_run.define_metric("*", step_metric="global_step")

    def write(self, step: int, metrics: Metrics) -> None:
        self._run.log({"global_step": step, **metrics}, step=step, commit=True)
        self._tell(self._alerts.look(step, metrics))
        self._tell(self._alerts.examine(self._findings()))

    def show(self, step: int, name: str, picture: Picture) -> None:
        # W&B has closed the row of `step`: pictures are in one of their own, at the same place of the axis
        row = {"global_step": step, name: _media(picture)}
        self._run.log(row, step=step + 1, commit=False)

    def close(self) -> None:
        ending = self._ending()
        result = json.loads((self._directory / "result.json").read_text()) if ending == "finished" else {}
        self._run.summary.update({**headline(ending, result), "result": result})
        self._tell(self._alerts.conclude(ending, result))
        if self._checkpoints:
            self._log_checkpoints()
        self._run.finish(exit_code=1 if ending == "failed" else 0)

    def _tell(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self._run.alert(alert.title, alert.text, level=alert.level)

    def _log_checkpoints(self) -> None:
        import wandb

        for alias in (
            "best",
            "last",
        ):  # W&B's own alias of the newest version, `latest`, is that of the last one
            path = self._directory / "checkpoints" / f"{alias}.pt"
            if not path.exists():
                continue
            artifact = wandb.Artifact(f"checkpoint-{self._run.id}", type="model")
            for file in (path, *(self._directory / name for name in BESIDE)):
                artifact.add_file(str(file), name=str(file.relative_to(self._directory)))
            self._run.log_artifact(artifact, aliases=[alias])


def _media(picture: Picture) -> Any:
    import wandb
    from PIL import Image as Pixels

    match picture:
        case Image(png, _, caption):
            return wandb.Image(Pixels.open(io.BytesIO(png)), caption=caption)
        case Table(columns, rows):
            return wandb.Table(columns=list(columns), data=strict(list(rows)))
        case Video(path, caption):
            return wandb.Video(str(path), caption=caption, format="mp4")


def headline(ending: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """What a summary begins with: W&B sorts it by name, hence the numbers.

    The verdict is ``satisfied`` if every budget is, ``violated`` as soon as one is, else ``undecided``; ``none`` where
    nothing was limited. Of a run without a result it is how that ended.
    """
    if not result:
        return {"1 verdict": ending}
    verdicts = {cost["verdict"] for cost in result["costs"].values()}
    worst = next((word for word in ("violated", "undecided", "satisfied") if word in verdicts), "none")
    return {"1 verdict": worst, "2 return": result["return"]["mean"], "3 best step": result["best_step"]}
