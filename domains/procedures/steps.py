"""What the procedures of this room share: how to find the thing an operation is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from core.errors import Conflict
from domains import inventory, versions
from domains.models import Domain
from hosts.connections import Hypervisor, borrow
from hosts.models import Host
from hypervisor.errors import NotFound, Unreachable
from operations.run import Run


def host_of(params: dict[str, Any]) -> Host:
    """The host that the operation was submitted for. Raises Conflict where it was removed since."""
    return host_by(UUID(params["host"]))


def host_by(uuid: UUID) -> Host:
    """The host of that UUID. Raises Conflict where it was removed."""
    host: Host | None = Host.objects.present().filter(uuid=uuid).first()
    if host is None:
        raise Conflict("The host was removed from the panel.")
    return host


@contextmanager
def domain_on_host(params: dict[str, Any]) -> Iterator[tuple[Hypervisor, UUID]]:
    """An open connection and the machine's UUID; a machine that is gone is forgotten and told as Conflict."""
    host, domain = host_of(params), UUID(params["domain"])
    with borrow(host) as hypervisor:
        try:
            yield hypervisor, domain
        except NotFound:
            if hypervisor.domain_exists(domain):
                raise
            inventory.record_gone(host, domain)
            raise Conflict("The virtual machine is not on its host any more.") from None


def refresh(params: dict[str, Any]) -> Domain:
    """Read the machine now, so that the operation's end and the page agree without waiting for the event.

    A definition that is new is kept as a version, while the operation that made it is at work.
    """
    host, uuid = host_of(params), UUID(params["domain"])
    with borrow(host) as hypervisor:
        facts, definition = hypervisor.read_domain_and_definition(uuid)
        domain = inventory.record_domain(host, facts)
        if domain.xml_sha != domain.kept_sha:
            versions.keep(host, {uuid: definition})
    return domain


def show(run: Run) -> None:
    """Read the machine after something was done to it; where its host does not answer now, the watcher does later.

    What the watcher then finds in its definition is known as this operation's doing (`versions.UNSEEN`).
    """
    try:
        refresh(run.params)
    except Unreachable:
        run.keep(**{versions.UNSEEN: True})
    else:
        if run.params.get(versions.UNSEEN):
            run.keep(**{versions.UNSEEN: False})
