"""Reads a host and records what it says, part by part. What one part of a host refuses does not hide the others.

`record` runs a function of an inventory with its arguments: on a thread that has a database connection, in a
transaction in which the host is still ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, ParamSpec, Protocol, TypeVar
from uuid import UUID

import structlog

import domains.guest_inventory
import domains.inventory
import domains.snapshots.inventory
import domains.versions
import hosts.devices
import hosts.inventory
import networks.inventory
import storage.inventory
from domains.standing import Standing
from hosts.models import Host
from hypervisor import isolated
from hypervisor.errors import HypervisorError, NotFound, Unreachable
from hypervisor.guest_facts import GuestFacts
from hypervisor.isolated import Isolated
from storage.models import Pool
from watcher.aside import Reading

log = structlog.get_logger(__name__)

# Written down together: it takes a few statements however many they are, and pages need not wait for all.
GUESTS_AT_ONCE: Final = 16

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Record(Protocol):
    """See above. Raises ClaimLost, and what the function raises."""

    def __call__(
        self, write: Callable[Parameters, Result], /, *args: Parameters.args, **named: Parameters.kwargs
    ) -> Result:
        """Run it."""
        ...


def read_facts(host: Host, hypervisor: Isolated, record: Record, *, latency_s: float) -> None:
    """What the host is. Raises HypervisorError: a host that says nothing of itself counts as lost."""
    facts = hypervisor.host_facts()
    record(hosts.inventory.record_facts, host, facts, latency_ms=1000 * latency_s)
    host.cpus = facts.cpus


def read_domains(host: Host, hypervisor: Isolated, record: Record, standing: Standing) -> set[UUID]:
    """All its machines, and the definitions that changed. Returns those that belong to another host."""
    elsewhere: set[UUID] = set()
    with _survived("machines"):
        known = record(standing.known, host)
        readings = hypervisor.read_domains_anew(known)
        elsewhere |= record(standing.record, host, known, readings)
        _keep_definitions(host, hypervisor, record, record(domains.versions.unkept, host))
    return elsewhere


def read_some_domains(host: Host, hypervisor: Isolated, record: Record, uuids: Iterable[UUID]) -> set[UUID]:
    """Some of them. Returns those that belong to another host.

    All are shown before the first definition is kept: that is what people wait for.
    """
    facts = []
    for uuid in uuids:
        with _survived("machine"):
            try:
                facts.append(hypervisor.read_domain(uuid))
            except NotFound:
                record(domains.inventory.record_gone, host, uuid)
    rows = record(domains.inventory.record_some, host, facts) if facts else []
    elsewhere = {row.uuid for row in rows if row.host_id != host.pk}
    unkept = [row.uuid for row in rows if row.xml_sha != row.kept_sha and row.uuid not in elsewhere]
    with _survived("definitions"):
        _keep_definitions(host, hypervisor, record, unkept)
    return elsewhere


def _keep_definitions(host: Host, hypervisor: Isolated, record: Record, uuids: Iterable[UUID]) -> None:
    documents = {}
    for uuid in uuids:
        with suppress(NotFound):
            documents[uuid] = hypervisor.read_definition(uuid)
    if documents:
        record(domains.versions.keep, host, documents)


def read_snapshots(host: Host, hypervisor: Isolated, record: Record) -> None:
    """Those of machines that have others than we know: libvirt tells of none that comes or goes."""
    with _survived("snapshots"):
        for uuid in record(domains.snapshots.inventory.unread, host, hypervisor.snapshot_outlines()):
            with _survived("snapshots of a machine"), suppress(NotFound):
                record(domains.snapshots.inventory.record, host, uuid, hypervisor.read_snapshots(uuid))


def read_networks(host: Host, hypervisor: Isolated, record: Record) -> None:
    """All its networks."""
    with _survived("networks"):
        record(networks.inventory.record_networks, host, hypervisor.list_networks())


def read_bridges(host: Host, hypervisor: Isolated, record: Record) -> None:
    """The bridges of its own system: libvirt tells nothing when one comes or goes."""
    with _survived("bridges"):
        record(networks.inventory.record_bridges, host, hypervisor.list_bridges())


def read_devices(host: Host, hypervisor: Isolated, record: Record) -> None:
    """The devices that it could give to machines."""
    with _survived("devices"):
        record(hosts.devices.record_devices, host, hypervisor.list_host_devices())


def read_storage(host: Host, record: Record, *, refresh: bool) -> Reading:
    """All its pools and their volumes; with `refresh` libvirt looks at the pools' folders first.

    libvirt tells nothing about files that come or go beside it, and looking reads the head of every image.
    """
    with _survived("pools"):
        record(storage.inventory.record_pools, host, (yield isolated.POOLS))
    for pool in record(_pools_of, host):
        if refresh:
            with _survived("pool's folder"):
                record(storage.inventory.record_pool, host, (yield isolated.fresh_pool(pool.uuid)))
        with _survived("volumes"):
            record(storage.inventory.record_volumes, pool, (yield isolated.volumes(pool.uuid)))


def read_guests(host: Host, record: Record, only: Collection[UUID] | None = None) -> Reading:
    """What the guests of its machines that are on say, and which addresses they have; `only` those, if given.

    One after the other: an agent that is silent keeps the next one waiting for its five seconds, and nobody else.
    """
    found: dict[UUID, GuestFacts] = {}
    for uuid in record(domains.guest_inventory.to_ask, host):
        if only is not None and uuid not in only:
            continue
        try:
            found[uuid] = yield isolated.guest(uuid)
        except Unreachable as error:
            # Of the guests' own connection; whether the host is there is found out on the main one.
            log.warning("guests not readable", error=error.message)
            break
        except HypervisorError as error:
            log.info("guest not readable", domain=str(uuid), error=error.message)
        if len(found) >= GUESTS_AT_ONCE:
            record(domains.guest_inventory.record_guests, host, found)
            found = {}
    if found:
        record(domains.guest_inventory.record_guests, host, found)
    with suppress(HypervisorError):
        yield isolated.LEAVE_GUESTS


def _pools_of(host: Host) -> list[Pool]:
    return [pool for pool in Pool.objects.filter(host=host, gone_at=None) if pool.usable]


@contextmanager
def _survived(what: str) -> Iterator[None]:
    """Log what the host refused and go on; only a broken connection ends the reading."""
    try:
        yield
    except Unreachable:
        raise
    except HypervisorError as error:
        log.warning("not readable", what=what, error=error.message)
