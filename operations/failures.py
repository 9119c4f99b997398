"""A step's exception as words for people, and whether it may pass by itself."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from core.errors import PanelError, Unavailable
from hypervisor.errors import (
    AccessDenied,
    Busy,
    Changed,
    HypervisorError,
    NoSpace,
    OutcomeUnknown,
    Unreachable,
    Unsupported,
)

log = structlog.get_logger(__name__)

FIXES: dict[type[HypervisorError], str] = {
    Changed: "Look at what is there now, and ask again.",
    Unreachable: "Check that the host is up and that libvirtd runs on it.",
    Busy: "Something else works on it. Try again in a moment. If that lasts, see docs/operations.md.",
    NoSpace: "Free some space in the pool, or choose another one.",
    AccessDenied: "The host refused. Check the rights of the panel's user and of the storage folder there.",
    Unsupported: "This host's libvirt or QEMU can't do this.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What happened, what to do about it, whether trying again later may help, and whether surely nothing was done."""

    message: str
    fix: str
    passing: bool
    untouched: bool = False


def explain(error: Exception) -> Failure:
    """The failure that `error` stands for; a defect of ours is told without its details, which go to the log."""
    if isinstance(error, HypervisorError):
        fix = next((text for kind, text in FIXES.items() if isinstance(error, kind)), "")
        return Failure(
            message=str(error),
            fix=fix,
            passing=isinstance(error, (Unreachable, Busy)),
            untouched=not isinstance(error, OutcomeUnknown),
        )
    if isinstance(error, PanelError):
        return Failure(message=error.message, fix=error.fix, passing=isinstance(error, Unavailable))
    log.error("a step broke", exc_info=error)
    return Failure(
        message=f"The panel broke: {type(error).__name__}.",
        fix="Tell your operator; the log has the details.",
        passing=False,
    )
