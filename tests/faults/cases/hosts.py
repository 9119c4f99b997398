"""Whole hosts. One operation at a time is about a host, so each has a row of its own for the same libvirtd."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.db.models import Q
from django.utils import timezone

from domains import inventory
from domains.actions.drain import bring_back, drain
from domains.draining import Fate
from domains.models import Domain, DomainState
from hosts.actions import check
from hosts.connections import borrow
from hosts.models import CheckState, Host, HostState
from operations.models import Operation, OperationState
from tests.faults.cases.base import Case, Ground


class OnTwin(Case):
    """A second row for the host, with a machine on it in the state `before`."""

    before: ClassVar[DomainState] = DomainState.OFF

    def prepare(self, ground: Ground) -> Domain:
        made = ground.machine(state=self.before, disk=False)
        Domain.objects.filter(pk=made.pk).delete()
        twin = Host.objects.create(name=f"twin-{uuid4()}", socket=ground.host.socket, state=HostState.UP)
        with borrow(twin) as hypervisor:
            return inventory.record_domain(twin, hypervisor.read_domain(made.uuid))


class Check(OnTwin):
    kind = "host.check"

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return check.again(host=thing.host, actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        under_way = Q(state__in=(CheckState.WAITING, CheckState.RUNNING))
        assert thing.host.checks.exists()
        assert not thing.host.checks.filter(under_way).exists()

    def undone(self, ground: Ground, thing: Domain) -> None:
        """It only looks."""


class Drain(OnTwin):
    """The machine stays: what becomes of those that leave is their own operations' matter."""

    kind = "host.drain"
    before = DomainState.PAUSED

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return drain(host=thing.host, fates={}, otherwise=Fate.LEAVE, actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert Host.objects.get(pk=thing.host_id).maintenance
        assert ground.state(thing.uuid) == "paused"

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert not Host.objects.get(pk=thing.host_id).maintenance


class BringBack(OnTwin):
    """A draining has shut the machine down."""

    kind = "host.bring-back"
    # A machine that was started meanwhile stays on, and is told as left behind.
    can_be_cancelled = False

    def prepare(self, ground: Ground) -> Domain:
        domain = super().prepare(ground)
        Host.objects.filter(pk=domain.host_id).update(maintenance=True)
        domain.host.refresh_from_db()
        whole = _ended("host.drain", domain.host, None)
        _ended("domain.stop", domain, whole)
        return domain

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return bring_back(host=thing.host, actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert not Host.objects.get(pk=thing.host_id).maintenance
        assert ground.state(thing.uuid) == "running"

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert Host.objects.get(pk=thing.host_id).maintenance
        assert ground.state(thing.uuid) == "shut off"


def _ended(kind: str, about: Host | Domain, parent: Operation | None) -> Operation:
    """One of the past."""
    made: Operation = Operation.objects.create(
        kind=kind,
        title=kind,
        target_kind=about._meta.model_name or "",
        target_id=about.uuid,
        target_name=str(about),
        state=OperationState.SUCCEEDED,
        parent=parent,
        params={},
        finished_at=timezone.now(),
    )
    return made
