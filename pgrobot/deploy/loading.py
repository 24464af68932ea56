"""Loading a trained policy from its run, without the environment that it was trained in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgrobot.blame import blaming
from pgrobot.deploy.policy import TrainedPolicy
from pgrobot.deploy.travelling import unwrapped
from pgrobot.errors import PgrobotError
from pgrobot.named_run import checkpoint_of, directory_of
from pgrobot.past import fitting, load_checkpoint, of_another, saved_config
from pgrobot.schemes import cast, policies_of, restored
from pgrobot.spec_file import read_spec
from pgrobot.targets import check_modules


def load(
    run: Any, checkpoint: str | int = "best", *, modules: Sequence[str] = (), seed: int = 0
) -> TrainedPolicy:
    """Load the policy of a run.

    It is built from ``config.yaml``, ``spec.json`` and a checkpoint; neither the environment nor a simulator is
    imported, and nothing in the files is executed.

    Args:
        run: a run directory, or what ``train`` returned.
        checkpoint: ``best``, which ``result.json`` judged, or ``last``, a number of environment steps, ``step_<n>``, or
            the path of one, in the run or elsewhere.
        modules: your own modules that the policy's config may name.
        seed: of the actions that are drawn; ``seed(n)`` of the policy changes it.

    Raises:
        PgrobotError: there is no such run or checkpoint, or one is damaged, only half there, of another version or of
            a package that is missing; the sentence says what.
    """
    directory = directory_of(run)
    path = checkpoint_of(directory, checkpoint)
    cfg = saved_config(directory)
    cfg.modules, cfg.device = list(modules), "cpu"
    check_modules(modules)
    spec = read_spec(directory)
    state = load_checkpoint(path)
    with blaming(modules), fitting(path, directory):
        try:
            scheme, learners = cast(cfg, spec, 1)
        except PgrobotError as error:
            raise PgrobotError(f"{error}{of_another(directory)}") from error
        policy = restored(scheme, policies_of(learners), state)
        policy, spec = unwrapped(cfg, policy, spec)
        policy.requires_grad_(requires_grad=False).eval()
        return TrainedPolicy(policy, spec, path, int(state["global_step"]), seed)
