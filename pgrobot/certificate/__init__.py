"""Certificates: what a policy spends of its budgets, judged so that somebody else can check it."""

from pgrobot.certificate.certifying import certify_run
from pgrobot.certificate.document import NAME, read_certificate
from pgrobot.certificate.sampling import Told, untold
from pgrobot.certificate.verifying import Finding, Verification, find_certificate, verify_certificate

__all__ = [
    "NAME",
    "Finding",
    "Told",
    "Verification",
    "certify_run",
    "find_certificate",
    "read_certificate",
    "untold",
    "verify_certificate",
]
