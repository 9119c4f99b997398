"""Into the trash, out of it again, or away for good."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.permissions import Verb
from core.errors import Conflict
from core.events import publish
from domains import claims, inventory
from domains.models import Domain, Trashed, TrashedDisk
from domains.procedures.claims import refuse_if_taken
from domains.procedures.delete import Forget, PowerOff, Undefine
from domains.procedures.steps import host_of, refresh
from domains.snapshots.files import files_of
from hosts.connections import Hypervisor, borrow
from hypervisor.errors import NotFound
from hypervisor.xml import edit
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage.models import Volume
from storage.procedures import CheckUnused, DeleteVolume


class Keep(Step):
    """Before anything is taken away, all that brings it back is in the database."""

    title = "Keep its definition"

    def probe(self, run: Run) -> bool:
        """Whether that was done and the host has forgotten it since: then there is nothing to read any more."""
        with borrow(host_of(run.params)) as hypervisor:
            return _entry(run) is not None and not hypervisor.domain_exists(UUID(run.params["domain"]))

    def do(self, run: Run) -> None:
        """Write it down, in place of what an earlier stay in the trash may have left."""
        host, uuid = host_of(run.params), UUID(run.params["domain"])
        with borrow(host) as hypervisor:
            document = hypervisor.read_document(uuid)
            facts = hypervisor.read_domain(uuid)
        doomed = set(Volume.objects.filter(uuid__in=run.params["volumes"]).values_list("path", flat=True))
        with transaction.atomic():
            Trashed.objects.filter(domain__uuid=uuid).delete()
            entry = Trashed.objects.create(
                domain=Domain.objects.get(uuid=uuid),
                host=host,
                definition=document.xml,
                autostart=facts.autostart,
                by=run.operation.actor,
            )
            disks = [disk for disk in facts.disks if disk.device == "disk"]
            paths = {file.path: disk.target for disk in disks for file in disk.files if file.path}
            TrashedDisk.objects.bulk_create(
                TrashedDisk(trashed=entry, target=target[:32], path=path[:1024], doomed=path in doomed)
                for path, target in (files_of(entry.domain) | paths).items()
            )

    def undo(self, run: Run) -> None:
        """Forget it again: the machine stays."""
        Trashed.objects.filter(domain__uuid=run.params["domain"]).delete()


class TakeAway(Undefine):
    """From here on only a restore brings it back. What its firmware and its TPM keep stays on the host."""

    title = "Take it off its host"
    keep_state = True


class CheckPlace(Step):
    """What virsh did since the inventory was read counts, too."""

    title = "Check the host"

    def do(self, run: Run) -> None:
        """Raise Conflict where the machine is back already, its name, a disk or an address is taken, or a disk gone."""
        entry, uuid, name = _kept(run), UUID(run.params["domain"]), run.params["name"]
        wanted, mine = _document(run, entry), set(entry.disks.values_list("path", flat=True))
        taken = claims.objections(entry.domain, entry.host, claims.NOTHING, wanted, spared=mine)
        if taken:
            raise Conflict(" ".join(one.text for one in taken), fix="Free it there, and restore it then.")
        with borrow(host_of(run.params)) as hypervisor:
            if hypervisor.domain_exists(uuid):
                raise Conflict("It is on its host again: somebody defined it beside the panel.")
            if hypervisor.find_domain_by_name(name) is not None:
                raise Conflict(
                    f"The host has a virtual machine called {name} already.", fix="Choose another name."
                )
            for disk in entry.disks.all():
                _check_there(hypervisor, entry, disk)
            refuse_if_taken(hypervisor, entry.host, claims.new_disks(claims.NOTHING, wanted), besides=uuid)


class DefineAgain(Step):
    """As it was; nobody else has its UUID, so twice is harmless."""

    title = "Define the virtual machine"

    def probe(self, run: Run) -> bool:
        """Whether the host knows it."""
        with borrow(host_of(run.params)) as hypervisor:
            return hypervisor.domain_exists(UUID(run.params["domain"]))

    def do(self, run: Run) -> None:
        """Define what was kept, under the name and with the addresses that were chosen."""
        wanted = _document(run, _kept(run))
        with borrow(host_of(run.params)) as hypervisor:
            hypervisor.define_document(wanted)

    def undo(self, run: Run) -> None:
        """Take it off the host again, with all that must be there for the next try."""
        uuid = UUID(run.params["domain"])
        with borrow(host_of(run.params)) as hypervisor, suppress(NotFound):
            hypervisor.undefine_domain(uuid, keep_state=True)
        inventory.record_gone(host_of(run.params), uuid)


class Settle(Step):
    """It starts with its host if it did, and is in the inventory again."""

    title = "Bring the inventory up to date"

    def do(self, run: Run) -> None:
        """Set, and read."""
        if _kept(run).autostart:
            with borrow(host_of(run.params)) as hypervisor:
                hypervisor.set_autostart(UUID(run.params["domain"]), enabled=True)
        refresh(run.params)


class DropState(Step):
    """UEFI's variables and a TPM's state are files that libvirt deletes only with a definition that names them."""

    title = "Delete what its firmware kept"
    point_of_no_return = True

    def do(self, run: Run) -> None:
        """Define it for a moment, under a name that nobody has. Raises Conflict where it is back on its host."""
        entry = _entry(run)
        if entry is None or not edit.has_state(entry.definition):
            return
        uuid = UUID(run.params["domain"])
        name = f"purged-{uuid}"
        with borrow(host_of(run.params)) as hypervisor:
            if hypervisor.domain_exists(uuid) and hypervisor.find_domain_by_name(name) != uuid:
                raise Conflict("It is on its host again: somebody defined it beside the panel.")
            hypervisor.define_document(edit.set_name(entry.definition, name))
            with suppress(NotFound):
                hypervisor.undefine_domain(uuid)
        # The watcher may have seen it under that name.
        inventory.record_gone(entry.host, uuid)
        Domain.objects.filter(uuid=uuid).update(name=run.params["name"])


class CheckAway(CheckUnused):
    """A machine that is back needs its disks and its state."""

    def do(self, run: Run) -> None:
        """As CheckUnused; also raises Conflict where the machine is on its host again."""
        uuid = UUID(run.params["domain"])
        with borrow(host_of(run.params)) as hypervisor:
            back = hypervisor.domain_exists(uuid)
            if back and hypervisor.find_domain_by_name(f"purged-{uuid}") != uuid:
                raise Conflict(
                    "It is on its host again: somebody defined it beside the panel.",
                    fix="Take its entry out of the trash; the machine stays.",
                )
        super().do(run)


@procedure("domain.trash", verb=Verb.DOMAIN_DELETE)
def trash(params: dict[str, Any]) -> Sequence[Step]:
    """Nothing is deleted. Who is to go with it in the end is looked at now, so that it is told now."""
    check = CheckUnused(*map(UUID, params["volumes"]), besides=UUID(params["domain"]))
    return [check, Keep(), PowerOff(), TakeAway(), Forget()]


@procedure("domain.restore", verb=Verb.DOMAIN_DELETE)
def restore(params: dict[str, Any]) -> Sequence[Step]:
    """Its disks never went."""
    return [CheckPlace(), DefineAgain(), Settle()]


@procedure("domain.purge", verb=Verb.DOMAIN_DELETE)
def purge(params: dict[str, Any]) -> Sequence[Step]:
    """Its disks go last, as when a machine is deleted at once."""
    volumes = [UUID(volume) for volume in params["volumes"]]
    return [CheckAway(*volumes), DropState(), *map(DeleteVolume, volumes)]


@settled("domain.trash")
def into_the_trash(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """From now on it is listed. Past the point of no return also where the end is not known: it may be gone."""
    if succeeded or run.operation.committed:
        until = Now() + timedelta(days=run.params["days"])
        Trashed.objects.filter(domain__uuid=run.params["domain"]).update(since=Now(), until=until)
    publish("trash")


@settled("domain.restore")
def out_of_the_trash(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """One that is back on its host has no entry any more."""
    if succeeded:
        Trashed.objects.filter(domain__uuid=run.params["domain"]).delete()
    publish("trash")


@settled("domain.purge")
def purged(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """One that could not be deleted for good, though it was time, waits for another day."""
    if not succeeded:
        due = Trashed.objects.filter(domain__uuid=run.params["domain"], until__lte=Now())
        due.update(until=Now() + timedelta(days=1))
    out_of_the_trash(run, succeeded)


def _entry(run: Run) -> Trashed | None:
    rows = Trashed.objects.select_related("domain", "host")
    found: Trashed | None = rows.filter(domain__uuid=run.params["domain"]).first()
    return found


def _kept(run: Run) -> Trashed:
    entry = _entry(run)
    if entry is None:
        raise Conflict("It is not in the trash any more.")
    return entry


def _document(run: Run, entry: Trashed) -> str:
    """What will be defined: under the name and with the addresses that were chosen."""
    return edit.set_macs(edit.set_name(entry.definition, run.params["name"]), run.params["macs"])


def _check_there(hypervisor: Hypervisor, entry: Trashed, disk: TrashedDisk) -> None:
    """Raise Conflict where the disk lies in a pool we know, and is not there any more."""
    known = Volume.objects.filter(pool__host=entry.host, pool__gone_at=None, path=disk.path)
    volume = known.select_related("pool").order_by(F("gone_at").desc(nulls_first=True)).first()
    if volume is None:
        return
    try:
        hypervisor.read_volume(volume.pool.uuid, volume.name)
    except NotFound:
        raise Conflict(
            f"Its disk {disk.target}, {disk.path}, is gone.",
            fix="Put the file back, or delete the machine for good.",
        ) from None
