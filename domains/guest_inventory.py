"""The only writer of what guests say of themselves, and of the addresses that they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from core.events import publish
from core.reconcile import LARGEST
from domains.models import ON, AgentState, Domain, Guest, GuestAddress
from hosts.models import Host
from hypervisor.guest_facts import AddressFacts, AgentFacts, GuestFacts

MOST: Final = 64
# What an address may differ in without being another one.
_KEY = ("mac", "address", "prefix", "lease", "agent", "arp")


def to_ask(host: Host) -> list[UUID]:
    """The machines of `host` whose guests can be asked; of the others nothing is known any more."""
    here = Domain.objects.filter(host=host, gone_at=None)
    away = here.exclude(state__in=ON)
    forgotten = set(GuestAddress.objects.filter(domain__in=away).values_list("domain__uuid", flat=True))
    forgotten |= set(
        Guest.objects.filter(domain__in=away)
        .exclude(agent=AgentState.UNKNOWN)
        .values_list("domain__uuid", flat=True)
    )
    if forgotten:
        _forget(forgotten)
    return list(here.filter(state__in=ON).order_by("pk").values_list("uuid", flat=True))


@transaction.atomic
def record_guests(host: Host, facts: Mapping[UUID, GuestFacts]) -> None:
    """Write what some guests of `host` told just now. What an agent said stays while it is silent, with its age."""
    rows = Domain.objects.filter(host=host, uuid__in=facts, gone_at=None).select_related("guest")
    told, shown_in_lists = [], False
    for domain in rows.prefetch_related("addresses"):
        one = facts[domain.uuid]
        before = getattr(domain, "guest", None)
        changed = _record_agent(domain, before, one)
        addresses = _merged(domain, one.addresses)
        if [_content(row) for row in addresses] != [_content(row) for row in domain.addresses.all()]:
            domain.addresses.all().delete()
            GuestAddress.objects.bulk_create(addresses)
            changed = shown_in_lists = True
        if one.told is not None:
            told.append(domain.pk)
        if changed:
            publish("domain", domain.uuid)
    if told:
        Guest.objects.filter(domain__in=told).update(told_at=Now())
    if shown_in_lists:
        publish("domains")


def _record_agent(domain: Domain, before: Guest | None, facts: GuestFacts) -> bool:
    """Whether something changed that is shown."""
    values: dict[str, Any] = {"agent": AgentState(facts.link.value)}
    if facts.told is not None:
        values |= _columns(facts.told)
    if before is None:
        Guest.objects.create(domain=domain, **values)
        return True
    different = {name: value for name, value in values.items() if getattr(before, name) != value}
    if different:
        Guest.objects.filter(pk=before.pk).update(**different)
    return bool(different)


def _columns(told: AgentFacts) -> dict[str, Any]:
    return {
        "hostname": told.hostname[:255],
        "os": told.os[:255],
        "kernel": told.kernel[:255],
        "timezone": told.timezone[:64],
        "users": [name[:255] for name in told.users[:MOST]],
        "filesystems": [
            {
                "mountpoint": one.mountpoint[:255],
                "kind": one.kind[:255],
                "used_bytes": min(one.used_bytes, LARGEST),
                "total_bytes": min(one.total_bytes, LARGEST),
            }
            for one in told.filesystems[:MOST]
        ],
    }


def _merged(domain: Domain, addresses: tuple[AddressFacts, ...]) -> list[GuestAddress]:
    """One row for each address of a card, with all who say so; IPv4 first."""
    sources: dict[tuple[str, str], set[str]] = defaultdict(set)
    prefixes: dict[tuple[str, str], int] = {}
    for one in addresses:
        key = one.mac, one.address
        sources[key].add(one.source.value)
        # The ARP table does not know the network's size: what it tells is a single address.
        prefixes[key] = min(prefixes.get(key, one.prefix), one.prefix)
    order = sorted(sources, key=lambda key: (":" in key[1], key))
    return [
        GuestAddress(
            domain=domain,
            mac=mac[:17],
            address=address[:45],
            prefix=prefixes[mac, address],
            **{name: name in sources[mac, address] for name in ("lease", "agent", "arp")},
        )
        for mac, address in order[:MOST]
    ]


def _content(row: GuestAddress) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _KEY)


def _forget(uuids: set[UUID]) -> None:
    GuestAddress.objects.filter(domain__uuid__in=uuids).delete()
    Guest.objects.filter(domain__uuid__in=uuids).update(agent=AgentState.UNKNOWN)
    for uuid in uuids:
        publish("domain", uuid)
    publish("domains")
