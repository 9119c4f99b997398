"""Machines that two hosts report.

A machine belongs to the host that has it until that host lets it go: says that it is gone, or that it migrated away, or
is removed. So a copy that appears elsewhere, by a backup that was restored or by a host that lies, never takes the
place of the one that is there; it is remembered as a `Duplicate`, told, and taken up by itself once it may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from core.events import publish
from domains.models import Domain, DomainState, Duplicate
from hosts.inventory import note
from hosts.models import Host

# Shorter, and a migration would be told as a duplicate.
TOLD_AFTER: Final = timedelta(seconds=20)
MIGRATED: Final = "migrated"
# As `let_go`, in the database.
_LET_GO: Final = (
    Q(domain__gone_at__isnull=False)
    | Q(domain__host__gone_at__isnull=False)
    | Q(domain__state=DomainState.OFF, domain__state_reason=MIGRATED)
)


def let_go(row: Domain) -> bool:
    """Whether the host that has the machine would leave it to another."""
    migrated = row.state == DomainState.OFF and row.state_reason == MIGRATED
    return row.gone_at is not None or row.host.gone_at is not None or migrated


def record(host: Host, seen: Mapping[int, str], among: Q) -> None:
    """Remember those that `host` was just seen to report too: keys of machines, and their states there.

    `among` says which of the host's duplicates the look was about; those that it did not find are forgotten.
    """
    known = dict(Duplicate.objects.filter(among, host=host).values_list("domain_id", "state"))
    if not known and not seen:
        return
    Duplicate.objects.filter(host=host, domain__in=known.keys() - seen.keys()).delete()
    changed = [key for key, state in seen.items() if known.get(key) != state]
    Duplicate.objects.bulk_create(
        [Duplicate(host=host, domain_id=key, state=seen[key]) for key in changed],
        update_conflicts=True,
        unique_fields=["domain", "host"],
        update_fields=["state"],
    )
    if changed or known.keys() - seen.keys():
        publish("domains")  # among others the host's own page shows them


def released(host: Host) -> set[UUID]:
    """Those that `host` reports and may have now. Tells people of those that stay."""
    rows = Duplicate.objects.filter(host=host)
    for row in rows.filter(told_at=None, since__lt=Now() - TOLD_AFTER).exclude(state=DomainState.PAUSED):
        _tell(row)
    return set(rows.filter(_LET_GO).values_list("domain__uuid", flat=True))


def tell_moved(domain: Domain, source: Host, target: Host) -> None:
    """Remember with both hosts that a machine changed its place."""
    note(source, "moved", f"{domain.name} moved to {target.name}.")
    note(target, "moved", f"{domain.name} moved here from {source.name}.")


def _tell(row: Duplicate) -> None:
    domain, owner, other = row.domain, row.domain.host, row.host
    Duplicate.objects.filter(pk=row.pk).update(told_at=Now())
    note(
        other,
        "duplicate",
        f"{domain.name} is defined here too, {DomainState(row.state).label.lower()}, with the same UUID as on "
        f"{owner.name}. The panel shows the one on {owner.name}. Undefine one of the two.",
    )
    publish("domains")
    note(owner, "duplicate", f"{domain.name} is also defined on {other.name}, with the same UUID.")
