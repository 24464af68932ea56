"""Measure what docs/benchmarks.md states: one subcommand per figure.

    python scripts/benchmark.py speed          env-steps/s against Stable-Baselines3 in the same run
    python scripts/benchmark.py trust_region   the same for TRPO, against sb3-contrib
    python scripts/benchmark.py recurrent      the same for policies that remember, against sb3-contrib's RecurrentPPO
    python scripts/benchmark.py fast           env-steps/s of experiment=fast
    python scripts/benchmark.py environment    the environment alone against bare mujoco.batch
    python scripts/benchmark.py startup        seconds to the end of the first iteration, and peak memory
    python scripts/benchmark.py acting         what a trained policy costs, and whether it earns what it should
    python scripts/benchmark.py diagnostics    what diagnostics add to an iteration; the time of a report and of a film
    python scripts/benchmark.py variation      what five varied fields add to a training
    python scripts/benchmark.py against        all of these in this checkout and in another one (--other), in pairs
    python scripts/benchmark.py learning       returns of the final policies, every algorithm on every robot; resumable
                                               (docs/learning is written by --into docs/learning)
    python scripts/benchmark.py peers          the same of Stable-Baselines3 and sb3-contrib; resumable
    python scripts/benchmark.py seeds          coverage of the intervals in a sweep's table, by simulation
    python scripts/benchmark.py budgets        the cost that an iteration measures beside an evaluation of its policy
    python scripts/benchmark.py coverage       coverage of the bounds on a cost, by simulation
    python scripts/benchmark.py safe           certified returns under a speed budget after 3M steps; resumable
    python scripts/benchmark.py methods        every way to enforce it on the hopper, 1M steps; resumable
    python scripts/benchmark.py frontier       what the hopper earns under tight and loose ones; resumable

Each prints a table and keeps its numbers in runs/benchmarks/<subcommand>.json. Ratios come from pairs measured one
after the other, so they hold on a machine whose speed drifts; medians are given with the range beside them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from acting import acting
from against import against
from budgets import budgets
from covering import coverage
from diagnosing import diagnostics
from goals import GOALS
from learning import learning
from measuring import HOME, machine
from peers import LIBRARIES, peers
from recurrent import recurrent
from safety import SUITE, frontier, methods, safe
from seeds import seeds
from timings import environment, fast, speed, startup, trust_region
from varying import variation

TIMINGS = {
    function.__name__: function for function in (speed, trust_region, recurrent, fast, environment, startup)
}
SIMULATIONS = {seeds: 100_000, coverage: 1_000}  # and how many samples of each size
STUDIES = {function.__name__: function for function in (learning, peers, safe)}
ENFORCED = {function.__name__: function for function in (methods, frontier)}
COMPARISONS = {budgets.__name__: budgets}
ACTS = {acting.__name__: acting}
VARIES = {variation.__name__: variation}
LOOKS = {diagnostics.__name__: diagnostics}
PAIRS = {against.__name__: against}
FUNCTIONS = {
    **TIMINGS,
    **{function.__name__: function for function in SIMULATIONS},
    **STUDIES,
    **ENFORCED,
    **COMPARISONS,
    **ACTS,
    **LOOKS,
    **VARIES,
    **PAIRS,
}


def main() -> None:
    """Run one subcommand."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="name", required=True)
    for name in TIMINGS:
        commands.add_parser(name).add_argument("--repeats", type=int, default=5)
    for function, samples in SIMULATIONS.items():
        commands.add_parser(function.__name__).add_argument("--samples", type=int, default=samples)
    learns, compares, saves = (commands.add_parser(name) for name in STUDIES)
    learns.add_argument("--algorithms", nargs="+", choices=GOALS, default=tuple(GOALS))
    learns.add_argument("--robots", nargs="+", choices=next(iter(GOALS.values())), default=())
    compares.add_argument("--algorithms", nargs="+", choices=LIBRARIES, required=True)
    compares.add_argument("--robots", nargs="+", choices=next(iter(GOALS.values())), required=True)
    saves.add_argument("--robots", nargs="+", choices=SUITE, default=tuple(SUITE))
    enforced = [commands.add_parser(name) for name in ENFORCED]
    for study in (learns, compares, saves, *enforced):
        study.add_argument("--seeds", type=int, default=0, help="instead of the study's own number")
        study.add_argument("--jobs", type=int, default=2, help="sweeps at a time, sharing the cores")
    for study in (learns, compares):
        study.add_argument("--into", type=Path, default=HOME / "learning", help="where records and page go")
    (measures,) = (commands.add_parser(name) for name in COMPARISONS)
    measures.add_argument("--robots", nargs="+", default=("halfcheetah", "hopper"))
    measures.add_argument("--seeds", type=int, default=1)
    measures.add_argument("--steps", type=int, default=140_000, help="environment steps of a training")
    (acts,) = (commands.add_parser(name) for name in ACTS)
    acts.add_argument("--repeats", type=int, default=5)
    acts.add_argument("--steps", type=int, default=200_000, help="environment steps of the training")
    (looks,) = (commands.add_parser(name) for name in LOOKS)
    looks.add_argument("--repeats", type=int, default=5)
    looks.add_argument("--run", type=Path, default=None, help="report and film this one, and train none")
    (varies,) = (commands.add_parser(name) for name in VARIES)
    varies.add_argument("--repeats", type=int, default=5)
    varies.add_argument("--steps", type=int, default=150_000, help="environment steps of a training")
    for name in PAIRS:
        pairs = commands.add_parser(name)
        pairs.add_argument("--other", type=Path, required=True, help="a checkout with its own .venv")
        pairs.add_argument("--repeats", type=int, default=5)
    arguments = vars(parser.parse_args())
    name = arguments.pop("name")
    HOME.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), **FUNCTIONS[name](**arguments)}
    (HOME / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
