"""Definitions. libvirt keeps no word of who defined a domain: after a crash only its document can tell."""

from __future__ import annotations

from accounts.models import User
from accounts.permissions import Role
from accounts.proof import Proof
from domains.actions import define
from domains.models import Domain, DomainDraft, Origin
from operations.models import Operation
from tests.faults.cases.base import Case, Ground

BEFORE_KIB, AFTER_KIB = "32768", "65536"


class Define(Case):
    """Twice the memory, by a text that a person typed."""

    kind = "domain.define"

    def prepare(self, ground: Ground) -> Domain:
        domain = ground.machine(disk=False)
        ground.look()
        domain.refresh_from_db()
        return domain

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        base = define.current(thing)
        actor = User.objects.get(role=Role.SUPERUSER)
        wanted = base.xml.replace(BEFORE_KIB, AFTER_KIB)
        draft = define.draft(domain=thing, base=base, xml=wanted, actor=actor)
        return define.define(draft=draft, ticked=(), proof=Proof(actor))

    def done(self, ground: Ground, thing: Domain) -> None:
        assert ground.dumpxml(thing.uuid).findtext("memory") == AFTER_KIB
        first, second = thing.versions.order_by("number")
        assert (first.origin, second.origin) == (Origin.FIRST, Origin.PANEL)
        assert not DomainDraft.objects.filter(domain=thing).exists()

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert ground.dumpxml(thing.uuid).findtext("memory") == BEFORE_KIB
        assert thing.versions.exclude(origin=Origin.PANEL).count() == 1
