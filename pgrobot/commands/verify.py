"""``pgrobot verify``."""

from __future__ import annotations

import argparse
from pathlib import Path

from pgrobot.commands.parser import Parser


def verify(words: list[str]) -> int:
    """``pgrobot verify``: exit status 0 only if nothing speaks against the certificate."""
    parser = Parser(
        prog="pgrobot verify",
        description="Check a certificate against the run that it is about: the hashes of policy, config and model; "
        "every figure, anew from the episodes; and the episodes, run again. With the same versions and processor they "
        "have to be equal to the last bit, elsewhere new ones have to say the same. The exit status is 0 if the "
        "certificate holds, whatever its verdict, and 1 if it does not.",
        allow_abbrev=False,
    )
    parser.add_argument("certificate", type=Path, help="the file, or the run directory that it lies in")
    parser.add_argument("--run", type=Path, help="the run that it is about, if it lies elsewhere")
    parser.add_argument(
        "--rerun",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether to run the episodes again, without which somebody may have made them up",
    )
    parser.add_argument(
        "--modules", nargs="*", default=[], help="your own modules that the run's config names"
    )
    asked = parser.parse_args(words)
    from rich.console import Console

    from pgrobot.certificate import find_certificate, verify_certificate
    from pgrobot.certificate.shown import print_certificate
    from pgrobot.commands.certify import told

    file, run = find_certificate(asked.certificate, asked.run)
    found = verify_certificate(file, run, None, asked.modules, rerun=asked.rerun, told=told)
    for finding in found.findings:
        print(f"{'ok ' if finding.holds else 'NOT'} {finding.check:<9}{finding.words}")
    if not found.holds:
        print("The certificate does not hold.")
        return 1
    print(f"The certificate holds: {found.how}.")
    print_certificate(Console(), found.certificate)
    return 0
