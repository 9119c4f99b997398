"""Every definition of every machine, kept as it was seen, with who brought it about.

Whoever sees a definition that is not kept reads the document and calls `keep`: the operation that has just changed it
(`procedures.steps.refresh`), or the watcher, which also sees what virsh and others do. What changes while an operation
works on a machine is taken for its doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, OuterRef, Q, Subquery, When
from django.db.models.functions import Now

from accounts.models import User
from accounts.permissions import Verb
from core.events import publish
from domains.lifecycle import RULES
from domains.models import Domain, DomainQuerySet, DomainState, DomainVersion, Origin
from hosts.models import Host
from hypervisor.xml.differences import differences
from hypervisor.xml.parse import document_sha
from operations.models import Operation

# How many are kept of a machine.
KEPT: Final = 200
# How many of its differences are told in lists.
MOST_CHANGES: Final = 50
# How many the watcher reads at a time, so that a host with many new machines on a slow line is heard in between.
AT_ONCE: Final = 50
# An operation that ends before its change was noticed ended no longer ago than this.
_NOTICED_WITHIN: Final = timedelta(seconds=5)
# Where its host was lost before it could look, it may be as long as a host takes to come back. Such an operation says
# so under this name in its parameters.
_BACK_WITHIN: Final = timedelta(minutes=15)
UNSEEN: Final = "unseen"
_LEAVE_IT_AS_IT_IS: Final = [
    kind for kind, rule in RULES.items() if rule.verb in (Verb.DOMAIN_POWER, Verb.DOMAIN_GUEST)
]


def latest(domain: Domain) -> DomainVersion | None:
    """The definition in force, as far as it was seen; None where none was read yet."""
    newest: DomainVersion | None = domain.versions.select_related("author", "domain__host").first()
    return newest


def unchanged_by_others(domain: Domain, sha: str, *, actor: User) -> bool:
    """Whether the definition is still the one with this `sha`, or what `actor` alone made of that since.

    Several forms of one page change it one after another; those not sent yet know of none of the others.
    """
    if sha == domain.xml_sha:
        return True
    seen = domain.versions.only("number").filter(sha=sha).first()
    if seen is None or domain.kept_sha != domain.xml_sha:
        return False
    return not domain.versions.filter(number__gt=seen.number).exclude(author=actor).exists()


def with_drift(domains: DomainQuerySet) -> DomainQuerySet:
    """Each with `drift_at`, when its last change came from beside the panel and nobody let it stand, else None.

    `version_number` is that of its newest version. Costs no query.
    """
    waits = Case(When(origin=Origin.BESIDE, accepted_at=None, then=F("at")))
    newest = DomainVersion.objects.filter(domain=OuterRef("pk")).order_by("-number").annotate(waits=waits)
    told: DomainQuerySet = domains.annotate(
        drift_at=Subquery(newest.values("waits")[:1]), version_number=Subquery(newest.values("number")[:1])
    )
    return told


def unkept(host: Host) -> list[UUID]:
    """Machines whose definition is another one than the newest that is kept, at most AT_ONCE."""
    seen = Domain.objects.filter(host=host, gone_at=None).exclude(state=DomainState.CREATING)
    rows = seen.exclude(xml_sha="").exclude(xml_sha=F("kept_sha")).order_by("pk")
    return list(rows.values_list("uuid", flat=True)[:AT_ONCE])


@transaction.atomic
def keep(host: Host, documents: Mapping[UUID, str]) -> None:
    """Keep those of these definitions that are new.

    One that is not what the inventory saw last is left for the next look: it was read before or after.
    """
    rows = Domain.objects.select_for_update().filter(host=host, uuid__in=documents, gone_at=None)
    for row in rows.exclude(xml_sha=F("kept_sha")):
        xml = documents[row.uuid]
        if document_sha(xml) == row.xml_sha:
            _add(row, xml)


def _add(domain: Domain, xml: str) -> None:
    before: DomainVersion | None = domain.versions.only("number", "sealed").first()
    operation = _at_work(domain)
    origin = Origin.PANEL if operation else Origin.BESIDE if before else Origin.FIRST
    version = DomainVersion(
        domain=domain,
        number=before.number + 1 if before else 1,
        sha=domain.xml_sha,
        origin=origin,
        author=operation.actor if operation else None,
        operation=operation,
        note=operation.title if operation else "",
        changes=differences(before.xml, xml)[:MOST_CHANGES] if before else [],
    )
    version.xml = xml
    version.save(force_insert=True)
    Domain.objects.filter(pk=domain.pk).update(kept_sha=domain.xml_sha)
    if version.number > KEPT:
        domain.versions.filter(number__lte=version.number - KEPT).delete()
    publish("domain", domain.uuid)


def _at_work(domain: Domain) -> Operation | None:
    """The operation that changes definitions and is at work on this machine, or was until just now."""
    now = Q(finished_at=None) | Q(finished_at__gt=Now() - _NOTICED_WITHIN, versions=None)
    unseen = Q(finished_at__gt=Now() - _BACK_WITHIN, versions=None, **{f"params__{UNSEEN}": True})
    mine = Operation.objects.about("domain", domain.uuid).exclude(kind__in=_LEAVE_IT_AS_IT_IS)
    rows = mine.filter(now | unseen, started_at__isnull=False)
    found: Operation | None = rows.select_related("actor").order_by("-created_at").first()
    return found
