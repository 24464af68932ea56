"""Training in a run directory: iterations, metrics, evaluations and checkpoints, from wherever the past ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from omegaconf import DictConfig

from pgrobot import checkpoint
from pgrobot.assembly import ACCOUNTING, Assembly, TaskMaker
from pgrobot.diagnostics import Accounting, ViolationMap
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.loop import train
from pgrobot.past import fitting, load_checkpoint, resumed_checkpoint
from pgrobot.pictures import Picture, check_picture
from pgrobot.run.broken import BrokenEpisodes
from pgrobot.run.evaluation import EvaluationPlan, as_metrics, evaluation
from pgrobot.run.faults import FaultRecorder
from pgrobot.run.judgement import Judged, judgement
from pgrobot.run.selection import WORST, Score, score
from pgrobot.run.stop import StopRequest
from pgrobot.run_directory import RunDirectory
from pgrobot.schemes import load_policies
from pgrobot.types import Illustrated, Metrics, State, Tracker

_logger = logging.getLogger(__name__)


class Training:
    """A run between its first and its last iteration.

    Args:
        cfg: the job's config.
        assembly: as built for it.
        directory: where it is kept.
        trackers: told every iteration's metrics, and shown its pictures.
        task: of evaluations.
        threads: their physics threads.

    Attributes:
        step: environment steps done.
        wall_s: seconds spent, those of the past included.
        training_s: the part of them that was collecting and learning.
        metrics: of the last iteration.
    """

    def __init__(
        self,
        cfg: DictConfig,
        assembly: Assembly,
        directory: RunDirectory,
        trackers: Sequence[Tracker],
        task: TaskMaker,
        threads: int,
    ) -> None:
        self.metrics: Metrics = {}
        self.training_s = 0.0
        self._cfg = cfg
        self._assembly = assembly
        self._directory = directory
        self._trackers = trackers
        self._task = task
        self._threads = threads
        self._faults = FaultRecorder(directory, directory.config)
        self._done = 0
        self._broken = BrokenEpisodes()
        self._best = WORST
        self._past_s = 0.0
        self._began = time.perf_counter()

    @property
    def step(self) -> int:
        return self._done * self._assembly.steps_per_iteration

    @property
    def wall_s(self) -> float:
        return self._past_s + time.perf_counter() - self._began

    @property
    def spent(self) -> dict[str, Any]:
        """What training spent of every budget so far; empty where there is none."""
        accounting = self._assembly.diagnostics.get(ACCOUNTING)
        return accounting.told() if isinstance(accounting, Accounting) else {}

    def start(self) -> None:
        """Save the beginning, so that there always is something to resume."""
        checkpoint.save(self._directory.checkpoint("last"), self.state_dict())

    def restore(self) -> None:
        """Take up the past where the last checkpoint left it.

        Raises:
            PgrobotError: the checkpoint cannot be read, or is already past the last iteration.
        """
        path = self._directory.checkpoint("last")
        state = resumed_checkpoint(path, self._directory.path)
        with fitting(path, self._directory.path):
            self._load(state)
        if self._cfg.resume_fresh:
            self._assembly.collector.restart()
            _logger.warning(
                "resume_fresh=true: the episodes that were running at step %d are cut, and new ones begin",
                self.step,
            )
        last = self._assembly.iterations
        if self._done > last or (self._done == last and self._directory.finished):
            raise PgrobotError(
                f"{self._directory.path} is done with its {self.step} steps: go on by adding total_steps=<more>"
            )
        self._directory.rewind(self.step)
        if self._cfg.total_steps > self._cfg.annealing_steps:
            _logger.warning(
                "total_steps=%d goes beyond annealing_steps=%d, from where on annealed rates stay as they are then: "
                "add annealing_steps=%d to anneal over all of the run instead",
                self._cfg.total_steps,
                self._cfg.annealing_steps,
                self._cfg.total_steps,
            )

    def run(self, stop: StopRequest) -> None:
        """Train until the last iteration, or until asked to stop; either way everything is saved.

        Raises:
            FailureError: too many updates in a row were skipped, or all were; or every episode broke.
        """
        assembly = self._assembly
        remaining = range(self._done, self._done if self._exhausted else assembly.iterations)
        before = time.perf_counter()
        for _, learnt in train(
            assembly.collector, assembly.learners, remaining, tuple(assembly.diagnostics.values())
        ):
            seconds = time.perf_counter() - before
            self._done += 1
            self.training_s += seconds
            metrics = self._look(learnt)
            metrics |= {
                "time/wall_s": self.wall_s,
                "time/env_steps_per_s": assembly.steps_per_iteration / seconds,
            }
            self.metrics = metrics
            self._directory.metrics.write(self.step, metrics)
            for tracker in self._trackers:
                tracker.write(self.step, metrics)
            for diagnostic in assembly.diagnostics.values():
                if isinstance(diagnostic, Illustrated):
                    self.show(diagnostic.pictures())
            if self._due(self._cfg.checkpoint.every):
                self._save("last", f"step_{self.step}")
            elif stop.asked:
                self._save("last")
            if stop.asked:
                return
            if self._exhausted:
                break
            before = time.perf_counter()
        self._faults.conclude(self._done)
        self._broken.conclude()

    def show(self, pictures: Mapping[str, Picture]) -> None:
        """Keep pictures of the present state in the run directory and hand them to the trackers, by name."""
        for name, picture in pictures.items():
            try:
                check_picture(name, picture)
            except PgrobotError as error:
                _logger.warning("%s It is not shown.", error)
                continue
            for tracker in (self._directory.gallery, *self._trackers):
                tracker.show(self.step, name, picture)

    def mirror(self, pictures: Mapping[str, Picture]) -> None:
        """Show pictures that the run directory has already to the trackers, by name."""
        for name, picture in pictures.items():
            for tracker in self._trackers:
                tracker.show(self.step, name, picture)

    def judge(self, stop: StopRequest) -> dict[str, Any]:
        """Evaluate the best policy in both modes, on episodes that did not choose it.

        Raises:
            AskedToStop: before it was done, which costs nothing: a resumed run judges anew.
            FailureError: a simulation broke in every episode, which tells nothing of the policy.
        """
        if not self._directory.checkpoint("best").exists():
            raise FailureError(
                f"No checkpoint could be written to {self._directory.path}, so there is no policy to judge: make room "
                "on its disk, and begin anew"
            )
        state = load_checkpoint(self._directory.checkpoint("best"))
        load_policies(self._assembly.policies, state)
        watch = self._assembly.policy.register_forward_pre_hook(stop.check)  # it acts in every step
        try:
            if self._cfg.evaluation.alone:
                self._assembly.environment.close()
            judged = Judged("checkpoints/best.pt", state["global_step"])
            plan = self._plan("final", self._cfg.evaluation.final_episodes)
            violations = ViolationMap(self._assembly.environment.spec)
            told = judgement(self._cfg, self._task, self._assembly.policy, plan, judged, [violations])
        finally:
            watch.remove()
        if told["failures"] >= told["return"]["episodes"]:
            raise FailureError(
                f"A simulation broke in every one of the {told['failures']} episodes that were to judge the best policy"
            )
        self._show_violations(violations)
        return {**told, "best_step": state["global_step"], "skipped_updates": self._faults.skipped}

    def _show_violations(self, violations: ViolationMap) -> None:
        if not violations.violated:
            return
        self.show({"violation/by_time": violations.table()})
        if self._cfg.evaluation.pictures:
            self.show({"violation/map": violations.image()})

    def state_dict(self) -> State:
        """Everything that a bit-exact continuation needs, the clock, and what wrote it."""
        assembly = self._assembly
        return {
            "iteration": self._done,
            "global_step": self.step,
            "learners": {name: learner.state_dict() for name, learner in assembly.learners.items()},
            "acting": assembly.acting,
            "collector": assembly.collector.state_dict(),
            "diagnostics": {name: part.state_dict() for name, part in assembly.diagnostics.items()},
            "skipped": self._faults.skipped,
            "best": {"feasible": self._best.feasible, "merit": self._best.merit},
            "clock": {"wall_s": self.wall_s, "training_s": self.training_s},
            "config": self._directory.config,
            "versions": {name: version(name) for name in ("pgrobot", "torch", "mujoco")},
        }

    def _load(self, state: State) -> None:
        assembly = self._assembly
        for name, learner in assembly.learners.items():
            learner.load_state_dict(state["learners"][name])
        assembly.collector.load_state_dict(state["collector"])
        for name, part in assembly.diagnostics.items():
            if name in state["diagnostics"]:  # else it is new, and begins here
                part.load_state_dict(state["diagnostics"][name])
        self._faults.skipped = state["skipped"]
        self._best = Score(**state["best"])
        self._past_s = state["clock"]["wall_s"]
        self.training_s = state["clock"]["training_s"]
        self._done = state["iteration"]

    def _look(self, metrics: Metrics) -> Metrics:
        """Add to what was learnt: broken simulations, skipped updates, an evaluation if one is due."""
        collector = self._assembly.collector
        failures = collector.failures
        self._broken.look(collector.ended, failures)
        self._faults.look(self.step, self._assembly.learners)
        told = metrics | {"simulation/failures": float(len(failures))}
        return told | self._evaluate() if self._due(self._cfg.evaluation.every) else told

    def _evaluate(self) -> Metrics:
        plan = self._plan("selection", self._cfg.evaluation.episodes)
        with self._alone():
            told = evaluation(self._cfg, self._task, self._assembly.policy, plan)
        candidate = score(told["return"]["mean"], list(told["costs"].values()), told["failures"])
        if candidate >= self._best:
            kept, self._best = self._best, candidate
            if not self._save("best"):
                self._best = kept  # as the file does
        return as_metrics(told)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Close the environments of the training for a while, where none may exist beside those of an evaluation."""
        if not self._cfg.evaluation.alone:
            yield
            return
        collector = self._assembly.collector
        state = collector.state_dict()
        self._assembly.environment.close()
        yield
        collector.load_state_dict(state)
        if self._cfg.resume_fresh:
            collector.restart()

    def _plan(self, purpose: str, episodes: int) -> EvaluationPlan:
        chosen = self._cfg.evaluation
        return EvaluationPlan(
            episodes, purpose, chosen.mode, chosen.confidence, chosen.bound, chosen.seed, self._threads
        )

    def _due(self, every: int) -> bool:
        """Whether this iteration crossed a multiple of ``every`` steps, or is the last."""
        before = self.step - self._assembly.steps_per_iteration
        ends = self._exhausted or self._done == self._assembly.iterations
        return self.step // every > before // every or ends

    @property
    def _exhausted(self) -> bool:
        """Whether there is nothing left to learn from, before the last iteration."""
        return bool(getattr(self._assembly.collector, "exhausted", False))

    def _save(self, *names: str) -> bool:
        """Write checkpoints and tell whether all were; one that finds no room costs that checkpoint, not the run."""
        state, saved = self.state_dict(), True
        for name in names:
            try:
                checkpoint.save(self._directory.checkpoint(name), state)
            except PgrobotError as error:
                _logger.warning("%s Training goes on.", error)
                saved = False
        return saved
