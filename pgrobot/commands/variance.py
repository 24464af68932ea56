"""``pgrobot variance``."""

from __future__ import annotations

from pgrobot.commands.parser import Parser


def variance(words: list[str]) -> int:
    """``pgrobot variance``: exit status 0 only if no baseline is found biased."""
    parser = Parser(
        prog="pgrobot variance",
        description="Measure on a policy of a run what every baseline and control variate does to the policy gradient: "
        "its variance as a ratio to none and to the critic's value, and whether its mean differs. Advantages are "
        "taken as they are, whatever the run does to them: normalised ones cannot be compared. The table is also "
        "written to <run>/variance.json. The exit status is 0 if no baseline is found biased, 1 if one is.",
        allow_abbrev=False,
    )
    parser.add_run()
    parser.add_argument("--checkpoint", default="last", help="last (the default), best, step_<n>, or a path")
    parser.add_argument("--rollouts", type=int, default=32, help="independent rollouts (default: 32)")
    parser.add_argument(
        "--horizon", type=int, help="steps of each environment in a rollout (default: the run's)"
    )
    parser.add_argument(
        "--warmup",
        type=int,
        help="each rollout begins after so many steps at most, drawn for each, so that episodes of every age occur "
        "(default: the time limit)",
    )
    parser.add_argument("--seed", type=int, default=20_000, help="of all that is drawn (default: 20000)")
    parser.add_argument("--confidence", type=float, default=0.95, help="of the intervals (default: 0.95)")
    parser.add_argument(
        "--level",
        type=float,
        default=0.01,
        help="how often, at most, anything is called biased where nothing is (default: 0.01)",
    )
    asked = parser.parse_run(words)
    if asked.horizon is not None and asked.horizon < 1:
        parser.error(f"--horizon must be at least 1, not {asked.horizon}")
    if asked.warmup is not None and asked.warmup < 0:
        parser.error(f"--warmup must be at least 0, not {asked.warmup}")
    from rich.console import Console

    from pgrobot.variance import MeasurementPlan, measure, print_variance

    plan = MeasurementPlan(
        checkpoint=asked.checkpoint,
        rollouts=asked.rollouts,
        horizon=asked.horizon or 0,
        warmup=-1 if asked.warmup is None else asked.warmup,
        seed=asked.seed,
        confidence=asked.confidence,
        level=asked.level,
    )
    console = Console()
    with console.status("Collecting") as status:
        told = measure(asked.run, asked.modules, plan, status.update)
    print_variance(console, told)
    return 1 if any(row["bias"]["biased"] for row in told["baselines"].values() if "bias" in row) else 0
