"""Puts a lab host into the inventory, as the watcher would, and runs operations here and now, as a worker would."""

from __future__ import annotations

from uuid import UUID

from celery import current_app

import hosts.inventory
import networks.inventory
import storage.inventory
from hosts.connections import act_as, borrow
from hosts.models import Host
from hypervisor.driver import Hypervisor
from hypervisor.facts import DomainFacts
from operations import engine
from operations.models import Operation
from tests.lab.host import LabHost


def adopt(lab: LabHost, *, name: str = "lab") -> Host:
    """The host with its facts, pools, volumes and networks, read just now."""
    act_as("worker")
    host = Host.objects.create(name=name, socket=str(lab.socket))
    read(host)
    host.refresh_from_db()
    return host


def read(host: Host) -> None:
    """Read all of it once more."""
    with borrow(host) as hypervisor:
        hosts.inventory.record_facts(host, hypervisor.host_facts(), latency_ms=0.1)
        storage.inventory.record_pools(host, hypervisor.list_pools())
        networks.inventory.record_networks(host, hypervisor.list_networks())
        networks.inventory.record_bridges(host, hypervisor.list_bridges())


def all_machines(hypervisor: Hypervisor) -> list[DomainFacts]:
    """The facts of all machines of a host."""
    return [one.facts for one in hypervisor.read_domains_anew({}) if one.facts is not None]


def carry_out(operation_id: UUID) -> Operation:
    """Run one operation to where it gets in one attempt."""
    current_app.loader.import_default_modules()  # as a worker does at its start: every room's procedures
    engine.execute(operation_id)
    return Operation.objects.get(pk=operation_id)
