"""Photograph the report of a run: ``python scripts/report_picture.py RUN`` writes docs/pictures/report.png.

It needs Chromium. The picture in the README is that of

    pgrobot train task=halfcheetah 'constraint=[speed,torque,joint_limit]' total_steps=1_000_000
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
SIZE = (1360, 1900)  # pixels
COLOURS = 96  # enough for a page of two palettes, and a third of the size


def main() -> None:
    """Write the report of the run, open it and keep what is seen first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run directory")
    asked = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        parser.error("there is no Chromium here")
    page = write_report(asked.run, asked.run / PAGE, videos=False).page
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
            seen.convert("RGB").quantize(COLOURS).save(TARGET, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
