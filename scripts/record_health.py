"""Record the metrics of the runs of tests/health/runs.yaml, by which findings are tested.

    python scripts/record_health.py                  # all of them
    python scripts/record_health.py std_collapsing   # some

Each becomes tests/health/recorded/<name>.json.xz: only what findings read, to five digits.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pgrobot.health import examine_run
from pgrobot.health.history import WATCHED
from pgrobot.health.reading import rows
from pgrobot.run import Surroundings, nobody, prepare, run, silent_console

TESTS = Path(__file__).resolve().parents[1] / "tests"
HERE = TESTS / "health"


def overrides() -> dict[str, list[str]]:
    """What to train, by name."""
    told = yaml.safe_load((HERE / "runs.yaml").read_text(encoding="utf-8"))
    cases = told["sabotaged"] | told["by_design"]
    listed = {name: case["overrides"] for name, case in cases.items()} | told["healthy"]
    return {name: [*told["common"], *chosen] for name, chosen in listed.items()}


def record(name: str, chosen: Sequence[str]) -> Path:
    """Train one run and keep what is to be kept of it; returns the file."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        request = prepare([*chosen, f"hydra.run.dir={directory}"])
        run(request, Surroundings((), "", "", 1, silent_console(), nobody))
        kept = json.dumps(recorded(directory)).encode()
        found = examine_run(directory)
    path = HERE / "recorded" / f"{name}.json.xz"
    path.write_bytes(lzma.compress(kept, preset=9))
    seen = [f"{f.name} {f.subject} since {f.since_step}" for f in found.standing]
    gone = [f"{f.name} {f.subject} {f.since_step} to {until}" for f, until in found.past]
    print(f"{name}: {path.stat().st_size:,} bytes; {seen}; gone {gone}", flush=True)
    return path


def recorded(run: Path) -> Mapping[str, Any]:
    """What findings read of a run."""
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    spec = json.loads((run / "spec.json").read_text(encoding="utf-8"))
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    steps: list[int] = []
    columns: dict[str, list[float | None]] = {}
    for index, (step, row) in enumerate(rows(run)):
        steps.append(step)
        for metric, value in row.items():
            if WATCHED.fullmatch(metric) and isinstance(value, float | int):
                columns.setdefault(metric, [None] * index)
                columns[metric] += [None] * (index - len(columns[metric])) + [float(f"{value:.5g}")]
    head = {"head": {"log_std_bounds": config["policy"]["head"].get("log_std_bounds")}}
    return {
        "config": {
            "policy": head,
            "multiplier": {"maximum": config["multiplier"].get("maximum")},
            "total_steps": config["total_steps"],
            "num_envs": config["num_envs"],
        },
        "spec": {"max_episode_steps": spec["max_episode_steps"]},
        "result": {"return": {"episodes": result["return"]["episodes"]}, "costs": result["costs"]},
        "steps": steps,
        "metrics": columns,
    }


def main() -> None:
    """Record what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", choices=[*overrides(), []], help="some of the runs (default: all)"
    )
    asked = parser.parse_args()
    sys.path.append(str(TESTS))  # own_functions.py, which some of them name
    (HERE / "recorded").mkdir(exist_ok=True)
    for name, chosen in overrides().items():
        if not asked.names or name in asked.names:
            record(name, chosen)


if __name__ == "__main__":
    main()
