"""What is at work on a host's things: rooms above this one register how to find out, so that no host goes meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from hosts.models import Host
from operations.models import Operation, OperationQuerySet

# The active operations that touch this host and are about something of that room.
Check = Callable[[Host], OperationQuerySet]

_checks: list[Check] = []


def register(check: Check) -> Check:
    """Ask `check`, too, from now on."""
    _checks.append(check)
    return check


def with_things_of(host: Host) -> Operation | None:
    """One active operation that touches `host` though it is about something else, if there is one."""
    return next((found for check in _checks if (found := check(host).first()) is not None), None)
