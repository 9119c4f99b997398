"""What is looked at before a machine goes back: who has its disks by now, and what it would be given again."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.urls import reverse

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import allowed
from core.errors import Conflict, Forbidden
from domains import drafts
from domains.models import Domain
from domains.procedures.snapshot_files import volume_at
from domains.procedures.steps import domain_on_host, host_of
from hosts.connections import Hypervisor
from hosts.models import Host
from hypervisor.errors import NotFound
from hypervisor.snapshots import SnapshotFacts
from hypervisor.xml.nics import places
from operations.procedures import Step
from operations.run import Run
from storage.procedures.volumes import refuse_if_needed, refuse_if_plugged_in
from storage.usage import users_of


class CheckTaken(Step):
    """A disk that was taken out since may belong to others by now; going back would give it to both, or rewind it."""

    title = "Look who has its disks by now"

    def do(self, run: Run) -> None:
        """Raise Conflict where something else has a disk of that moment, or such a disk is gone."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            fact = snapshot_of(hypervisor, uuid, run.params["name"])
            _refuse_if_taken(hypervisor, host_of(run.params), uuid, fact)


class CheckGiven(Step):
    """Going back brings the whole definition of that moment; who asks may have no right to all that was in it."""

    title = "Look what it would be given again"

    def do(self, run: Run) -> None:
        """Raise Forbidden for networks, devices of the host and the like that the person could not give it today."""
        name, actor = run.params["name"], run.operation.actor
        with domain_on_host(run.params) as (hypervisor, uuid):
            now, (then, ran) = hypervisor.read_definition(uuid), hypervisor.definitions_at(uuid, name)
        for words in _withheld(actor, Domain.objects.get(uuid=uuid), now, then, ran):
            raise Forbidden(
                f"Going back would bring what was taken away since: {words}",
                fix="Ask somebody who may give it to the machine.",
            )


def snapshot_of(hypervisor: Hypervisor, uuid: UUID, name: str) -> SnapshotFacts:
    """The snapshot as the host has it; raises Conflict where it is gone."""
    for fact in hypervisor.read_snapshots(uuid):
        if fact.name == name:
            return fact
    raise Conflict("The snapshot is gone.")


def _refuse_if_taken(hypervisor: Hypervisor, host: Host, uuid: UUID, fact: SnapshotFacts) -> None:
    here = reverse("domains:detail", args=[uuid])
    users = users_of(host, [disk.path for disk in fact.disks])
    for disk in fact.disks:
        others = [use.name for use in users.get(disk.path, []) if not use.url.startswith(here)]
        if others:
            raise Conflict(
                f"Disk {disk.target} of that moment belongs to {others[0]} by now.",
                fix="Take it out of there first.",
            )
        volume = volume_at(host, disk.path)
        if volume is None:
            continue
        try:
            hypervisor.read_volume(volume.pool.uuid, volume.name)
        except NotFound:
            raise Conflict(f"Disk {disk.target} of that moment is gone: {disk.path}") from None
        if disk in fact.inside:
            refuse_if_needed(hypervisor, volume, besides=uuid)
        else:
            refuse_if_plugged_in(hypervisor, volume, besides=uuid)


def _withheld(actor: User | None, domain: Domain, now: str, then: str, ran: str) -> Iterator[str]:
    """Each thing that is new against the definition of today, and that `actor` may not give to the machine."""

    def may(verb: Verb, *thing: Domain) -> bool:
        return actor is not None and allowed(actor, verb, *thing)

    if not may(Verb.NETWORK_VIEW):
        for kind, source in sorted((places(then) | places(ran)) - places(now)):
            yield f"a network card in {f'{kind} {source}'.strip()}."
    for objection in drafts.objected(domain.host, now, then):
        verb = Verb.DOMAIN_PASSTHROUGH if objection.key.startswith("devices/hostdev") else Verb.DOMAIN_DEFINE
        if objection.final or not may(verb, domain):
            yield objection.text
