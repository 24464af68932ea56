"""The help page of ``pgrobot train``, read from the configs themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import resources

from pgrobot.configure import CONFIG_MODULE, CONFIG_NAME, options

USAGE = """\
Train a robot under safety budgets.

  pgrobot train [option ...] [key=value ...]

  pgrobot train                                                      the default robot under its budgets
  pgrobot train task=walker2d 'constraint=[speed]' seed=3            another robot, one constraint
  pgrobot train constraint.speed.budget=0.01 total_steps=1e6         a tighter budget, longer
  pgrobot train 'constraint=[]'                                      nothing limited
  pgrobot train '~constraint.torque'                                 one constraint less
  pgrobot train resume=runs/2026-01-31/12-00-00_hopper_ppo_seed1     go on where that run stopped, bit for bit
  pgrobot train -m task=hopper,walker2d 'seed=range(3)'              every combination, and a table at the end
"""
OPTIONS = """\
  -m, --multirun          run every combination of comma-separated values; add hydra/launcher=joblib for several at once
  --cfg {job,hydra,all}   print the composed config instead of running it (--resolve, --package KEY)
  --config-dir DIR        search DIR for more configs too; PGROBOT_CONFIG_PATH does the same
  --info, --hydra-help    what Hydra says of itself
  -h, --help              this page"""


def train_page(overrides: Sequence[str]) -> str:
    """Write the help page, with the groups that the search path of ``overrides`` offers."""
    groups = options(overrides)
    width = max(map(len, groups))
    listed = [f"  {group:<{width}}  {', '.join(names)}" for group, names in groups.items() if names]
    keys = [f"  {setting:<33} {comment}".rstrip() for setting, comment in documented_keys()]
    return "\n".join(
        [
            USAGE,
            "Groups (group=option; constraint and tracker take a list: 'constraint=[speed,torque]')",
            *listed,
            "",
            "Keys (key=value; every other key of the config can be set too: see --cfg job)",
            f"  {'constraint.<name>.budget':<33} what may be spent of that cost",
            *keys,
            "",
            "Options",
            OPTIONS,
        ]
    )


def documented_keys() -> Iterator[tuple[str, str]]:
    """Read every commented value of the primary config: ``"seed=1"``, ``"every random stream …"``."""
    text = resources.files(CONFIG_MODULE).joinpath(f"{CONFIG_NAME}.yaml").read_text(encoding="utf-8")
    path: list[str] = []
    for line in text.splitlines():
        if match := re.match(r"( *)(\w+):", line):
            path = [*path[: len(match[1]) // 2], match[2]]
        if match := re.match(r" *\w+: (\S+|\[\])\s+# (.+)$", line):
            value, comment = match.groups()
            shown = re.sub(r"(?<=\d)_(?=\d)", "", value.strip('"'))
            shown = re.sub(r"\$\{(\w+)\}", r"\1", shown)  # another key's value
            if path[0] not in ("defaults", "hydra"):
                yield f"{'.'.join(path)}={shown}", comment
