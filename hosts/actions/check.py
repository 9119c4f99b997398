"""Asking for a host to be checked."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Final

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import InvalidInput, TargetBusy
from hosts.checks import catalog, rows
from hosts.models import Host
from operations import actions as operations
from operations.models import Operation

KIND: Final = "host.check"


@transaction.atomic
def again(*, host: Host, actor: User, key: str = "") -> Operation:
    """Do one check again, with those that stand in its way or hang on it; all where `key` is blank.

    Raises Forbidden, InvalidInput for a check that this host has not, TargetBusy while something else works on it.
    """
    require(actor, Verb.HOST_MANAGE, host)
    keys = None
    if key:
        if key not in catalog.keys(host):
            raise InvalidInput("This host has no such check.", field="key")
        keys = catalog.around(host, key, rows.states(host))
    audit.record(actor, "host.check", target=host, check=key)
    return _begin(host, actor, keys)


def soon(host: Host, *, actor: User) -> None:
    """Do all checks, for who changed the host and was allowed to: at once, or when what works on it has ended."""
    with contextlib.suppress(TargetBusy):  # then the clock finds what waits to be checked
        _begin(host, actor, None)


def _begin(host: Host, actor: User, keys: Collection[str] | None) -> Operation:
    """One that is under way takes these along."""
    rows.ask(host, catalog.keys(host) if keys is None else keys)
    running: Operation | None = Operation.objects.active().about("host", host.uuid).filter(kind=KIND).first()
    if running is not None:
        return running
    return operations.submit(KIND, title=f"Check {host.name}", target=host, actor=actor, params={})
