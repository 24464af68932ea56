"""``pgrobot export``."""

from __future__ import annotations

from pgrobot.commands.parser import Parser


def export(words: list[str]) -> int:
    """``pgrobot export``: exit status 0 only if the file acts as the policy does."""
    parser = Parser(
        prog="pgrobot export",
        description="Write a run's policy as ONNX, with its normaliser and the map of its actions inside: raw "
        "observations in, deterministic actions in the environment's units out, a memory as inputs and outputs. Beside "
        "it stands spec.json: names, units, bounds, choices and the control period. Both are written only if the file "
        "acts as the policy does, in ONNX Runtime, to 1e-5 of half an action's range. "
        "Needs pip install 'pgrobot[export]'.",
        allow_abbrev=False,
    )
    parser.add_run()
    parser.add_argument("--checkpoint", default="best", help="best (the default), last, step_<n>, or a path")
    parser.add_argument("--output", default="", help="the directory to write (default: <run>/export)")
    asked = parser.parse_run(words)
    from pgrobot.deploy.exporting import export as export_run
    from pgrobot.deploy.parity import MOST

    told = export_run(asked.run, asked.checkpoint, output=asked.output, modules=asked.modules)
    print(told.path / "policy.onnx")
    for way, values in {"in": told.inputs, "out": told.outputs}.items():
        for value in values:
            print(f"  {way:<4}{value}")
    print(
        f"parity with torch: {told.difference:.1e} of half an action's range over {told.observations:,} observations "
        f"(at most {MOST:.0e})"
    )
    return 0
