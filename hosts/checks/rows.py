"""The rows of a host's checks: which wait to be done, and how each ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.dispatch import receiver

from core.events import publish
from hosts.checks import catalog
from hosts.checks.finding import Finding
from hosts.inventory import state_changed
from hosts.models import LOST_STATES, CheckState, Credentials, Host, HostCheck

LONGEST: Final = 2000


def states(host: Host) -> dict[str, CheckState]:
    """How each stands, by its key."""
    return {row.key: CheckState(row.state) for row in HostCheck.objects.filter(host=host)}


@transaction.atomic
def ask(host: Host, keys: Collection[str]) -> None:
    """Let `keys` wait to be done. Rows of checks that the host no longer has go."""
    known = catalog.checks_of(host)
    HostCheck.objects.filter(host=host).exclude(key__in=[check.key for check in known]).delete()
    for position, check in enumerate(known):
        waiting = {"state": CheckState.WAITING} if check.key in keys else {}
        HostCheck.objects.update_or_create(
            host=host, key=check.key, defaults={"position": position, **waiting}
        )
    publish("host-checks", host.uuid)


def waiting(host: Host) -> Iterator[HostCheck]:
    """Each row that waits, marked as under way when it is given; also those that were asked for meanwhile."""
    put_back(host)
    while (row := HostCheck.objects.filter(host=host, state=CheckState.WAITING).first()) is not None:
        HostCheck.objects.filter(pk=row.pk).update(state=CheckState.RUNNING)
        row.host = host
        publish("host-checks", host.uuid)
        yield row


@transaction.atomic
def end(row: HostCheck, finding: Finding) -> None:
    """Write how a check ended, and the key that it offers; who looks is told where that is news."""
    if row.key == "host_key":
        # Not by save(): the files on disk stay as they are.
        Credentials.objects.filter(host=row.host).update(offered_host_key=finding.offered_key)
    values = {"state": finding.state, "detail": finding.detail[:LONGEST], "fix": finding.fix[:LONGEST]}
    HostCheck.objects.filter(pk=row.pk).update(**values, checked_at=Now())
    if any(getattr(row, name) != value for name, value in values.items()):
        publish("host-checks", row.host.uuid)


@receiver(state_changed)
def look_again(host: Host, **_: Any) -> None:
    """Where the watcher found that the host came, what failed is looked at again soon; where it went, everything."""
    soon = Q(state=CheckState.FAILED) | Q(host__state__in=LOST_STATES)
    HostCheck.objects.filter(soon, host=host).update(checked_at=None)


def put_back(host: Host) -> None:
    """What was under way waits again, for the next who checks: the clock at the latest."""
    HostCheck.objects.filter(host=host, state=CheckState.RUNNING).update(state=CheckState.WAITING)
    publish("host-checks", host.uuid)
