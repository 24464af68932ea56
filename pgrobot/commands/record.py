"""``pgrobot record``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from pgrobot.commands.parser import Parser


def record(words: list[str]) -> int:
    """``pgrobot record``: exit status 0 once the file is written."""
    parser = Parser(
        prog="pgrobot record",
        description="Keep whole episodes of a run's policy as demonstrations, which other runs learn from: "
        "<run>/demonstrations.pt. They are the episodes of pgrobot evaluate with the same number of episodes, mode and "
        "seed. What is left out is as the run had it.",
        allow_abbrev=False,
    )
    parser.add_run()
    parser.add_argument("--episodes", type=int, default=20, help="how many (20)")
    parser.add_argument("--checkpoint", default="best", help="best (the default), last, step_<n>, or a path")
    parser.add_argument(
        "--mode", choices=("stochastic", "deterministic"), help="actions that are drawn, or the mean"
    )
    parser.add_argument("--seed", type=int, help="of the episodes")
    parser.add_argument(
        "--variation",
        action=argparse.BooleanOptionalAction,
        help="whether the model varies as it may in training, or is the robot's own",
    )
    parser.add_argument("--output", default="", help="the file to write (default: <run>/demonstrations.pt)")
    asked = parser.parse_run(words)
    from pgrobot.api import record as record_policy
    from pgrobot.ranges import at_least
    from pgrobot.run import check_changes

    changes = {
        key: getattr(asked, key) for key in ("mode", "seed", "variation") if getattr(asked, key) is not None
    }
    at_least(1)("--episodes", asked.episodes)
    check_changes(changes, "--")
    path = record_policy(
        asked.run,
        episodes=asked.episodes,
        checkpoint=asked.checkpoint,
        output=asked.output,
        modules=asked.modules,
        **changes,
    )
    from pgrobot.demonstrations import read_demonstrations

    told = read_demonstrations(path)
    returns = told.returns
    print(path)
    print(
        f"{len(returns):,} episodes, {len(told):,} steps; return {float(returns.mean()):,.1f} on average, "
        f"{float(returns.min()):,.1f} to {float(returns.max()):,.1f}"
    )
    left_out = asked.episodes - len(returns)
    if left_out:
        print(f"{left_out} episodes were left out, as their simulation broke")
    print(f"learn from them: pgrobot train scheme=clone scheme.file={shlex.quote(str(Path(path)))} task=…")
    return 0
