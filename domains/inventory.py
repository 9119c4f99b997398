"""The only writer of what was observed of machines.

Facts replace what differs and nothing else, so an unchanged machine costs no write but its `seen_at`, and a browser is
told only of what changed. Machines are known by their UUID: names are labels, may be swapped, and may be there twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.dispatch import receiver

from core.events import publish
from domains import counters, duplicates
from domains.labels import LONGEST_TAG, MOST_TAGS
from domains.models import Domain, DomainDevice, DomainDisk, DomainFile, DomainNic, DomainState
from hosts.inventory import LARGEST, state_changed
from hosts.models import Host
from hypervisor.device_facts import DeviceFacts
from hypervisor.facts import DiskFacts, DomainFacts, NicFacts, OptionFacts
from operations import journal
from operations.models import Operation

# What tables of machines show; a change of anything else is told to the machine's own page alone.
SHOWN_IN_LISTS: Final = frozenset(
    {
        "host_id",
        "gone_at",
        "name",
        "state",
        "vcpus",
        "memory_mib",
        "autostart",
        "accelerated",
        "has_screen",
        "tags",
    }
)

# While libvirt starts a domain it is paused.
_BEFORE_START: Final = Q(state__in=(DomainState.CREATING, DomainState.OFF)) | Q(
    state=DomainState.PAUSED, state_reason="starting up"
)


def record_domain(host: Host, facts: DomainFacts) -> Domain:
    """Write what one machine said of itself just now, and return its row.

    The row's host is another one where that has the machine and did not let it go: then nothing else was written.
    """
    (row,) = record_some(host, [facts])
    return row


@transaction.atomic
def record_some(host: Host, facts: Sequence[DomainFacts]) -> list[Domain]:
    """The same for some machines of a host at once, in as many queries; the rows come in the order of `facts`."""
    uuids = [one.uuid for one in facts]
    recording = _Recording(host, _rows(Q(uuid__in=uuids)))
    rows = [recording.compare(one) for one in facts]
    recording.write(among=Q(domain__uuid__in=uuids))
    Domain.objects.filter(pk__in=[row.pk for row in rows], host=host).update(seen_at=Now())
    return rows


@transaction.atomic
def record_domains(
    host: Host, facts: Sequence[DomainFacts], *, unchanged: Collection[UUID] = frozenset()
) -> set[UUID]:
    """Write what all machines of a host said just now; a row that is not among them is marked as gone.

    `unchanged` are those that said what their rows hold (`domains.standing`): they are there, and not compared.
    Returns those that belong to another host. The number of queries does not depend on the number of machines (SQLite
    splits writes of many changed rows).
    """
    here = _rows(Q(host=host, gone_at=None) & ~Q(uuid__in=unchanged))
    strangers = [one.uuid for one in facts if one.uuid not in here]
    recording = _Recording(host, here | (_rows(Q(uuid__in=strangers)) if strangers else {}))
    elsewhere = {one.uuid for one in facts if recording.compare(one).host_id != host.pk}
    recording.write(among=Q())
    present = {one.uuid for one in facts}
    _mark_gone([row for row in here.values() if row.uuid not in present])
    Domain.objects.filter(host=host, gone_at=None).exclude(state=DomainState.CREATING).update(seen_at=Now())
    counters.count(
        {host.pk}
    )  # also where nothing changed: two who counted at once may both have missed something
    return elsewhere


@transaction.atomic
def record_started(uuid: UUID) -> None:
    """libvirt has just started this machine for the first time; all else that there is to say of it a reading tells.

    Nothing is written where something newer is known: only a row that was read before the start's end is changed.
    """
    before = Domain.objects.filter(_BEFORE_START, uuid=uuid, gone_at=None)
    host = before.values_list("host", flat=True).first()
    booted = {"state": DomainState.RUNNING, "state_reason": "booted", "seen_at": Now()}
    if host is None or not before.update(**booted):
        return
    journal.wake_about("domain", {uuid})
    counters.count({host})
    publish("domain", uuid)
    publish("domains")


@transaction.atomic
def record_moved(host: Host, facts: DomainFacts) -> Domain:
    """Write what a machine said on `host`, to which the panel has just moved it itself: it needs no word of the old."""
    Domain.objects.filter(uuid=facts.uuid).exclude(host=host).update(gone_at=Now())
    return record_domain(host, facts)


@transaction.atomic
def record_gone(host: Host, uuid: UUID) -> None:
    """The host does not know this machine (any more)."""
    duplicates.record(host, {}, among=Q(domain__uuid=uuid))
    _mark_gone(list(Domain.objects.filter(host=host, uuid=uuid, gone_at=None)))
    counters.count({host.pk})


@receiver(state_changed)
def tell_of_host(host: Host, **_: Any) -> None:
    """Push to pages that show machines of a host that came or went: what they say has turned new, or old."""
    for uuid in Domain.objects.filter(host=host, gone_at=None).values_list("uuid", flat=True):
        publish("domain", uuid)
    publish("domains")


def _rows(condition: Q) -> dict[UUID, Domain]:
    """With their devices, and locked: a worker and the watcher may record the same machine at the same time."""
    rows = Domain.objects.select_for_update(of=("self",)).filter(condition).select_related("host")
    rows = rows.prefetch_related("disks", "files", "nics", "devices")
    return {row.uuid: row for row in rows}


def _mark_gone(rows: list[Domain]) -> None:
    """All but those that an operation is still making; what was seen of them stays."""
    unmade = [row.uuid for row in rows if row.state == DomainState.CREATING]
    making = set(
        Operation.objects.active()
        .filter(target_kind="domain", target_id__in=unmade)
        .values_list("target_id", flat=True)
        if unmade
        else ()
    )
    gone = [row for row in rows if row.uuid not in making]
    if not gone:
        return
    Domain.objects.filter(pk__in=[row.pk for row in gone]).update(gone_at=Now())
    for row in gone:
        publish("domain", row.uuid)
    publish("domains")


class _Recording:
    """Collects what differs from the rows, writes it in a few statements, and tells who looks at it."""

    def __init__(self, host: Host, rows: dict[UUID, Domain]) -> None:
        self._host = host
        self._rows = rows
        self._new: list[Domain] = []
        self._changed: dict[UUID, Domain] = {}
        self._columns: set[str] = set()
        self._disks: dict[UUID, list[DomainDisk]] = {}
        self._files: dict[UUID, list[DomainFile]] = {}
        self._nics: dict[UUID, list[DomainNic]] = {}
        self._devices: dict[UUID, list[DomainDevice]] = {}
        self._elsewhere: dict[int, str] = {}
        self._moved: list[tuple[Domain, Host]] = []

    def compare(self, facts: DomainFacts) -> Domain:
        """Note what is new in `facts`; the row already holds it, the database will after `write`."""
        values = _columns(self._host, facts)
        row = self._rows.get(facts.uuid)
        if row is None:
            row = Domain(uuid=facts.uuid, **values)
            self._new.append(row)
            self._disks[row.uuid], self._nics[row.uuid] = _disks(row, facts.disks), _nics(row, facts.nics)
            self._files[row.uuid] = _files(row, facts.disks)
            self._devices[row.uuid] = _devices(row, facts.devices)
            return row
        if row.host_id != self._host.pk:
            if not duplicates.let_go(row):
                self._elsewhere[row.pk] = facts.state.value
                return row
            self._moved.append((row, row.host))
        different = {name for name, value in values.items() if getattr(row, name) != value}
        for name in different:
            setattr(row, name, values[name])
        if different:
            self._changed[row.uuid] = row
            self._columns |= different
        disks, files = _disks(row, facts.disks), _files(row, facts.disks)
        nics, devices = _nics(row, facts.nics), _devices(row, facts.devices)
        if _differ(disks, row.disks.all()):
            self._disks[row.uuid] = disks
        if _differ(files, row.files.all()):
            self._files[row.uuid] = files
        if _differ(nics, row.nics.all()):
            self._nics[row.uuid] = nics
        if _differ(devices, row.devices.all()):
            self._devices[row.uuid] = devices
        return row

    def write(self, *, among: Q) -> None:
        """Write and publish; `among` says which duplicates of the host were looked at."""
        Domain.objects.bulk_create(self._new)
        if (
            len(self._changed) == 1
        ):  # what an operation or an event leads to: spared the long statement for many
            (row,) = self._changed.values()
            row.save(update_fields=sorted(self._columns), force_update=True)
        elif self._changed:
            Domain.objects.bulk_update(self._changed.values(), sorted(self._columns))
        known = {uuid: row.pk for uuid, row in self._rows.items()}
        _replace(DomainDisk, self._disks, known)
        _replace(DomainFile, self._files, known)
        _replace(DomainNic, self._nics, known)
        _replace(DomainDevice, self._devices, known)
        duplicates.record(self._host, self._elsewhere, among)
        for row, source in self._moved:
            if source.gone_at is None:
                duplicates.tell_moved(row, source, self._host)
        if "state" in self._columns:
            journal.wake_about("domain", self._changed)
        if self._new or self._columns & counters.COUNTED:
            counters.count({self._host.pk, *(source.pk for _, source in self._moved)})
        new = {row.uuid for row in self._new}
        parts = (self._changed, self._disks, self._files, self._nics, self._devices)
        for uuid in new.union(*parts):
            publish("domain", uuid)
        if new or self._columns & SHOWN_IN_LISTS:
            publish("domains")


def _columns(host: Host, facts: DomainFacts) -> dict[str, Any]:
    """The observed columns; hostile text is cut to what they hold."""
    options = {"defined": _plain(facts.defined), "live": None if facts.live is None else _plain(facts.live)}
    tags = {} if facts.tags is None else {"tags": [tag[:LONGEST_TAG] for tag in facts.tags[:MOST_TAGS]]}
    return tags | {
        "host_id": host.pk,
        "gone_at": None,
        "name": facts.name[:255],
        "title": facts.title[:255],
        "description": facts.description,
        "state": DomainState(facts.state.value),
        "state_reason": facts.state_reason[:64],
        "live_id": facts.live_id,
        "persistent": facts.persistent,
        "autostart": facts.autostart,
        "managed_save": facts.managed_save,
        "vcpus": min(facts.vcpus, LARGEST),
        "vcpus_max": min(facts.vcpus_max, LARGEST),
        "memory_mib": min(facts.memory_mib, LARGEST),
        "memory_max_mib": min(facts.memory_max_mib, LARGEST),
        "machine": facts.machine[:64],
        "firmware": facts.firmware[:16],
        "accelerated": facts.accelerated,
        "has_screen": any(graphics.kind == "vnc" for graphics in facts.graphics),
        "pluggable": list(facts.pluggable),
        "xml_sha": facts.xml_sha[:64],
        "options": options,
    }


def _plain(options: OptionFacts) -> dict[str, Any]:
    """As JSON gives it back, so that what is the same compares as the same."""
    values = asdict(options)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _disks(row: Domain, disks: Sequence[DiskFacts]) -> list[DomainDisk]:
    return [
        DomainDisk(
            domain=row,
            target=disk.target[:32],
            bus=disk.bus[:32],
            device=disk.device[:16],
            path=disk.path[:1024],
            pool_name=disk.pool[:255],
            volume_name=disk.volume[:255],
            format=disk.format[:32],
            readonly=disk.readonly,
            shareable=disk.shareable,
            serial=disk.serial[:64],
            cache=disk.cache[:16],
            discard=disk.discard[:16],
            read_bytes_s=disk.limits.read_bytes_s,
            write_bytes_s=disk.limits.write_bytes_s,
            read_iops=disk.limits.read_iops,
            write_iops=disk.limits.write_iops,
            present=disk.present.value,
            pending=[list(pair) for pair in disk.pending],
        )
        for disk in disks
    ]


def _files(row: Domain, disks: Sequence[DiskFacts]) -> list[DomainFile]:
    """Each once, however many of the disks need it."""
    found: dict[tuple[str, str, str], DomainFile] = {}
    for disk in disks:
        for file in disk.files:
            path, pool, volume = key = file.path[:1024], file.pool[:255], file.volume[:255]
            fresh = DomainFile(
                domain=row, path=path, pool_name=pool, volume_name=volume, base=True, shareable=True
            )
            kept = found.setdefault(key, fresh)
            kept.base &= file.base
            kept.shareable &= disk.shareable
    return list(found.values())


def _nics(row: Domain, nics: Sequence[NicFacts]) -> list[DomainNic]:
    return [
        DomainNic(
            domain=row,
            mac=nic.mac[:17],
            kind=nic.kind[:16],
            source=nic.source[:255],
            model=nic.model[:32],
            link_up=nic.link_up,
            inbound_kib_s=nic.inbound_kib_s,
            outbound_kib_s=nic.outbound_kib_s,
            present=nic.present.value,
            # As JSON gives them back, or they would look changed at every reading.
            pending=[list(pair) for pair in nic.pending],
        )
        for nic in nics
    ]


def _devices(row: Domain, devices: Sequence[DeviceFacts]) -> list[DomainDevice]:
    return [
        DomainDevice(
            domain=row,
            kind=device.kind.value,
            key=device.key[:255],
            model=device.model[:64],
            detail=device.detail[:255],
            present=device.present.value,
        )
        for device in devices
    ]


def _differ(seen: Sequence[models.Model], known: models.QuerySet[Any]) -> bool:
    """Whether the devices seen are others than those known; their order does not count."""
    return sorted(map(_content, seen)) != sorted(map(_content, known))


def _content(device: models.Model) -> tuple[Any, ...]:
    return tuple(getattr(device, field.attname) for field in device._meta.concrete_fields[1:])


def _replace(
    kind: type[DomainDisk] | type[DomainFile] | type[DomainNic] | type[DomainDevice],
    devices: dict[UUID, Any],
    known: dict[UUID, int],
) -> None:
    if not devices:
        return
    kind._default_manager.filter(domain__in=[known[uuid] for uuid in devices if uuid in known]).delete()
    kind._default_manager.bulk_create([device for some in devices.values() for device in some])
