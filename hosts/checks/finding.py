"""How a check ended, in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from hosts.models import CheckState


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` is what was found, `fix` what to do, line by line; lines that begin with "$ " are commands.

    `offered_key` is a key of the host that waits for a person to confirm it; only the check "host_key" finds one.
    """

    state: CheckState
    detail: str
    fix: str = ""
    offered_key: str = ""


def passed(detail: str) -> Finding:
    """It is as it should be."""
    return Finding(CheckState.PASSED, detail)


def warning(detail: str, fix: str = "") -> Finding:
    """The host is of use, and less than it could be."""
    return Finding(CheckState.WARNING, detail, fix)


def failed(detail: str, fix: str = "", *, offered_key: str = "") -> Finding:
    """The host can't be used, or not for all, until somebody mends this."""
    return Finding(CheckState.FAILED, detail, fix, offered_key)


def skipped(detail: str) -> Finding:
    """Not looked at; `detail` says why."""
    return Finding(CheckState.SKIPPED, detail)
