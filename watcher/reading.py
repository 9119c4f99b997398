"""Reads a host and records what it says, part by part. What one part of a host refuses does not hide the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import structlog

import domains.inventory
import hosts.inventory
import networks.inventory
import storage.inventory
from hosts.models import Host
from hypervisor.driver_domains import DomainCalls
from hypervisor.driver_host import HostCalls
from hypervisor.driver_networks import NetworkCalls
from hypervisor.driver_storage import StorageCalls
from hypervisor.errors import HypervisorError, NotFound, Unreachable
from storage.models import Pool

log = structlog.get_logger(__name__)

# From here on one call for all machines is cheaper than one for each.
MANY: Final = 16


def contact(host: Host, hypervisor: HostCalls) -> None:
    """Hear that the host is there, how fast it answers and how much memory is free."""
    began = time.monotonic()
    memory_free_mib = hypervisor.memory_free_mib()
    latency_ms = 1000 * (time.monotonic() - began)
    hosts.inventory.record_contact(host, memory_free_mib=memory_free_mib, latency_ms=latency_ms)


def read_facts(host: Host, hypervisor: HostCalls) -> None:
    """What the host is. Raises HypervisorError: a host that says nothing of itself counts as lost."""
    facts = hypervisor.host_facts()
    began = time.monotonic()
    hypervisor.memory_free_mib()
    latency_ms = 1000 * (time.monotonic() - began)
    hosts.inventory.record_facts(host, facts, latency_ms=latency_ms)


def read_domains(host: Host, hypervisor: DomainCalls) -> None:
    """All its machines."""
    with _survived("machines"):
        domains.inventory.record_domains(host, hypervisor.read_domains())


def read_some_domains(host: Host, hypervisor: DomainCalls, uuids: set[UUID]) -> None:
    """Those that events were about."""
    if len(uuids) >= MANY:
        read_domains(host, hypervisor)
        return
    for uuid in uuids:
        with _survived("machine"):
            try:
                domains.inventory.record_domain(host, hypervisor.read_domain(uuid))
            except NotFound:
                domains.inventory.record_gone(host, uuid)


def read_networks(host: Host, hypervisor: NetworkCalls) -> None:
    """All its networks."""
    with _survived("networks"):
        networks.inventory.record_networks(host, hypervisor.list_networks())


def read_pools(host: Host, hypervisor: StorageCalls, *, refresh: bool) -> None:
    """All its pools and their volumes; with `refresh` libvirt looks at the pools' folders first.

    libvirt tells nothing about files that come or go beside it, and looking reads the head of every image.
    """
    with _survived("pools"):
        storage.inventory.record_pools(host, hypervisor.list_pools())
    for pool in Pool.objects.filter(host=host, gone_at=None):
        if not pool.usable:
            continue
        if refresh:
            with _survived("pool's folder"):
                storage.inventory.record_pool(host, hypervisor.refresh_pool(pool.uuid))
        with _survived("volumes"):
            storage.inventory.record_volumes(pool, hypervisor.list_volumes(pool.uuid))


@contextmanager
def _survived(what: str) -> Iterator[None]:
    """Log what the host refused and go on; only a broken connection ends the reading."""
    try:
        yield
    except Unreachable:
        raise
    except HypervisorError as error:
        log.warning("not readable", what=what, error=error.message)
