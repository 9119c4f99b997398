"""Reads a host and records what it says, part by part. What one part of a host refuses does not hide the others.

`record` runs a function of an inventory with its arguments: on a thread that has a database connection, in a
transaction in which the host is still ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import ParamSpec, Protocol, TypeVar
from uuid import UUID

import structlog

import domains.inventory
import domains.versions
import hosts.inventory
import networks.inventory
import storage.inventory
from hosts.models import Host
from hypervisor import isolated
from hypervisor.errors import HypervisorError, NotFound, Unreachable
from hypervisor.isolated import Isolated
from storage.models import Pool
from watcher.aside import Reading

log = structlog.get_logger(__name__)

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


def read_domains(host: Host, hypervisor: Isolated, record: Record) -> set[UUID]:
    """All its machines, and the definitions that changed. Returns those that belong to another host."""
    elsewhere: set[UUID] = set()
    with _survived("machines"):
        elsewhere |= record(domains.inventory.record_domains, host, hypervisor.read_domains())
        _keep_definitions(host, hypervisor, record, record(domains.versions.unkept, host))
    return elsewhere


def read_domain(host: Host, hypervisor: Isolated, record: Record, uuid: UUID) -> bool:
    """One of them. Returns whether it belongs to another host."""
    elsewhere = False
    with _survived("machine"):
        try:
            facts = hypervisor.read_domain(uuid)
        except NotFound:
            record(domains.inventory.record_gone, host, uuid)
        else:
            row = record(domains.inventory.record_domain, host, facts)
            elsewhere = row.host_id != host.pk
            if not elsewhere and row.xml_sha != row.kept_sha:
                _keep_definitions(host, hypervisor, record, [uuid])
    return elsewhere


def _keep_definitions(host: Host, hypervisor: Isolated, record: Record, uuids: Iterable[UUID]) -> None:
    documents = {}
    for uuid in uuids:
        with suppress(NotFound):
            documents[uuid] = hypervisor.read_definition(uuid)
    if documents:
        record(domains.versions.keep, host, documents)


def read_networks(host: Host, hypervisor: Isolated, record: Record) -> None:
    """All its networks."""
    with _survived("networks"):
        record(networks.inventory.record_networks, host, hypervisor.list_networks())


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
