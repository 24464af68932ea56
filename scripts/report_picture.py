"""Photograph the report of a run: ``python scripts/report_picture.py RUN`` writes docs/pictures/report.png.

It needs Chromium. The picture in the README is that of this run, which was stopped and judged at 835,584 steps:

    pgrobot train task=halfcheetah 'constraint=[speed,torque,joint_limit]' total_steps=1_000_000
    pgrobot play RUN --film --checkpoint early,middle,best
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from pgrobot.report import PAGE, write_report

TARGET = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "report.png"
SIZE = (1360, 2480)  # pixels: down to the gradients by actuator
WIDTH = 1000  # of the picture


def main() -> None:
    """Write the report of the run, open it and keep what is seen first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run directory")
    asked = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        parser.error("there is no Chromium here")
    page = write_report(asked.run, asked.run / PAGE, videos=True).page
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
        ]
        size = f"--window-size={SIZE[0]},{SIZE[1]}"
        command = [browser, *options, size, f"--screenshot={shot}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(shot) as seen:
            small = seen.convert("RGB").resize((WIDTH, SIZE[1] * WIDTH // SIZE[0]), Image.Resampling.LANCZOS)
            small.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
                TARGET, optimize=True
            )
    print(f"{TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
