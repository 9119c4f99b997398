"""Shares the hosts among all watchers, on however many machines: each holds some by lease, on the database's clock.

A watcher that dies loses its hosts to the others when its leases run out; one that joins gets its share within two
looks. Who lost a host, and does not know it yet, is stopped at its next write: the write checks the epoch.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from hosts.models import Host, Transport
from watcher.models import Claim, Watcher

LEASE: Final = timedelta(seconds=12)
# Well before the lease runs out, and no more often: it takes a dozen statements.
RENEW_S: Final = 4.0
# Rows of watchers that died, for people who look for them.
_REMEMBERED: Final = timedelta(hours=1)
# What a lane and its connection rest on; the epoch stands first.
_VERSION: Final = (
    "epoch", "host__transport", "host__address", "host__port", "host__username", "host__socket",
    "host__insecure_since", "host__credentials__changed_at",
)  # fmt: skip
_HERE: Final = Q(transport=Transport.LOCAL)


class ClaimLost(Exception):
    """Another watcher has the host now: stop, and write nothing."""


@dataclass(frozen=True, slots=True)
class Held:
    """A host of ours. `version` changes with everything that says how it is reached, and with the claim itself."""

    host: Host
    epoch: int
    version: tuple[Any, ...]


class Claims:
    """This process's share of the hosts."""

    def __init__(self, *, remote_only: bool = False) -> None:
        self._uuid = uuid4()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._remote_only = remote_only
        self._looked_at = -RENEW_S
        self._known: dict[int, Held] = {}

    def glance(self) -> dict[UUID, Held]:
        """`look`, where it is time for it or a host came; in between what is ours as it is now, by two questions."""
        new = Host.objects.present().filter(claim=None)
        if self._remote_only:
            new = new.exclude(_HERE)
        if time.monotonic() - self._looked_at >= RENEW_S or new.exists():
            return self.look()
        return self._held()

    def look(self) -> dict[UUID, Held]:
        """Say that we live, renew what is ours, take what is free, give back what is more than our share."""
        self._looked_at = time.monotonic()
        columns = {"name": self._name, "remote_only": self._remote_only, "seen_at": Now()}
        Watcher.objects.update_or_create(uuid=self._uuid, defaults=columns)
        Watcher.objects.filter(seen_at__lt=Now() - _REMEMBERED).delete()
        ours = Claim.objects.filter(watcher=self._uuid)
        ours.exclude(host__in=Host.objects.present()).update(watcher=None, lease_until=None)
        ours.update(lease_until=Now() + LEASE)
        alive = Watcher.objects.filter(seen_at__gte=Now() - LEASE)
        self._balance(Host.objects.present().exclude(_HERE), alive.count())
        if not self._remote_only:
            self._balance(Host.objects.present().filter(_HERE), alive.filter(remote_only=False).count())
        return self._held()

    def _held(self) -> dict[UUID, Held]:
        """Reads the hosts that are new or reached in another way; of the others only what tells that they aren't."""
        ours = Claim.objects.filter(watcher=self._uuid, host__gone_at=None)
        versions = {key: tuple(version) for key, *version in ours.values_list("host_id", *_VERSION)}
        self._known = {key: held for key, held in self._known.items() if versions.get(key) == held.version}
        changed = [key for key in versions if key not in self._known]
        for host in Host.objects.filter(pk__in=changed) if changed else ():
            version = versions[host.pk]
            self._known[host.pk] = Held(host, version[0], version)
        return {held.host.uuid: held for held in self._known.values()}

    def release(self) -> None:
        """Give everything back, at the end: others need not wait for the leases."""
        Claim.objects.filter(watcher=self._uuid).update(watcher=None, lease_until=None)
        Watcher.objects.filter(pk=self._uuid).delete()

    @contextmanager
    def writing(self, held: Held) -> Iterator[None]:
        """A transaction in which the host stays ours. Raises ClaimLost."""
        with transaction.atomic():
            claims = Claim.objects.select_for_update().values_list("pk", flat=True)
            if not claims.filter(host=held.host.pk, watcher=self._uuid, epoch=held.epoch):
                raise ClaimLost(held.host.name)
            yield

    def still_ours(self, helds: Collection[Held]) -> set[int]:
        """The keys of those of these hosts that are ours, as of now, to be asked within the transaction that writes.

        Nothing is locked, or one long write would keep all the others waiting: on PostgreSQL a host could be taken
        over before the commit, by a watcher that found us silent for as long as a lease. So only for what is renewed
        all the time and makes no host come or go.
        """
        epochs = {held.host.pk: held.epoch for held in helds}
        rows = Claim.objects.filter(host__in=epochs, watcher=self._uuid).values_list("host_id", "epoch")
        return {key for key, epoch in rows if epochs[key] == epoch}

    def _balance(self, hosts: QuerySet[Host], watchers: int) -> None:
        unclaimed = hosts.filter(claim=None)
        Claim.objects.bulk_create([Claim(host=host) for host in unclaimed], ignore_conflicts=True)
        claims = Claim.objects.filter(host__in=hosts).order_by("pk")
        mine = list(claims.filter(watcher=self._uuid).values_list("pk", flat=True))
        share = ceil(claims.count() / max(1, watchers))
        Claim.objects.filter(pk__in=mine[share:], watcher=self._uuid).update(watcher=None, lease_until=None)
        free = Q(watcher=None) | Q(lease_until__lt=Now())
        wanted = claims.filter(free).values_list("pk", flat=True)[: max(0, share - len(mine))]
        for key in list(wanted):
            # Another may have been faster: the condition decides.
            Claim.objects.filter(free, pk=key).update(
                watcher=self._uuid, epoch=F("epoch") + 1, lease_until=Now() + LEASE
            )
