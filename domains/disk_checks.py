"""What is wrong with what people want of a disk: each problem beside its field."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from core.errors import InvalidInput
from core.units import GIB, TIB, human_bytes
from domains.disk_wishes import DiskSettings
from domains.models import Domain
from domains.snapshots.files import keeping_from
from hypervisor.limits import IoLimits
from hypervisor.specs import CacheMode, Discard, DiskBus, ImageFormat
from hypervisor.xml.slots import DISK
from storage import space, usage
from storage.models import Pool, Volume

MAX_DISK_GIB = 64 * 1024
MAX_BYTES_S = TIB
MAX_IOPS = 10**9


def settings(domain: Domain, wanted: DiskSettings) -> Iterator[InvalidInput]:
    """Whether the machine, as it was last seen, takes such a disk."""
    if wanted.bus not in set(DiskBus):
        yield InvalidInput("Give virtio, scsi or sata.", field="bus")
    elif domain.held:
        yield from _hot(domain, DiskBus(wanted.bus))
    if wanted.cache not in set(CacheMode):
        yield InvalidInput(f"Give {', '.join(CacheMode)}.", field="cache")
    if wanted.discard not in set(Discard):
        yield InvalidInput(f"Give {' or '.join(Discard)}.", field="discard")
    yield from limits(wanted.limits)


def _hot(domain: Domain, bus: DiskBus) -> Iterator[InvalidInput]:
    if bus is DiskBus.SATA:
        yield InvalidInput(
            "A SATA disk can't be plugged in while the machine runs.",
            field="bus",
            fix="Choose virtio or SCSI, or shut it down first.",
        )
    if bus is DiskBus.VIRTIO and DISK not in domain.pluggable:
        yield InvalidInput(
            "It has no free PCI Express slot while it runs.",
            field="bus",
            fix="Shut it down first: with the next start it gets one more.",
        )


def limits(wanted: IoLimits) -> Iterator[InvalidInput]:
    """Whether these are rates."""
    for name, most in {
        "read_bytes_s": MAX_BYTES_S,
        "write_bytes_s": MAX_BYTES_S,
        "read_iops": MAX_IOPS,
        "write_iops": MAX_IOPS,
    }.items():
        if not 0 <= getattr(wanted, name) <= most:
            yield InvalidInput(f"Give 0, for no limit, to {most:,}.", field=name)


def size(pool: Pool, wanted_gib: int, format: str, *, has_bytes: int = 0) -> Iterator[InvalidInput]:  # noqa: A002
    """Whether `pool` can hold a disk of that size, of which it holds `has_bytes` already."""
    if not 1 <= wanted_gib <= MAX_DISK_GIB:
        yield InvalidInput(f"Give 1 to {MAX_DISK_GIB:,} GiB.", field="size_gib")
        return
    wanted = wanted_gib * GIB
    if format not in set(ImageFormat):
        yield InvalidInput("Give qcow2 or raw.", field="format")
    elif format == ImageFormat.RAW and wanted - has_bytes > (free := space.free_bytes(pool)):
        yield InvalidInput(
            f"Pool {pool.name} has {human_bytes(free)} free.",
            field="size_gib",
            fix="Give less, or free some space." if has_bytes else "Give less, or choose qcow2.",
        )
    elif wanted > pool.capacity_bytes:
        yield InvalidInput(
            f"All of pool {pool.name} is {human_bytes(pool.capacity_bytes)}.",
            field="size_gib",
            fix="Give less.",
        )


def volume(domain: Domain, wanted: Volume, *, shareable: bool) -> Iterator[InvalidInput]:
    """Whether nothing else needs the volume, and none would be harmed by it."""
    field = "volume"
    if wanted.format not in set(ImageFormat):
        yield InvalidInput("Only qcow2 and raw disks can be attached.", field=field)
    if shareable and wanted.format != ImageFormat.RAW:
        yield InvalidInput("Only a raw disk can be shared: qcow2 breaks.", field="shareable")
    layer = usage.based_on(wanted)
    if layer is not None:
        yield InvalidInput(f"{layer} is based on it: writing to it would break that one.", field=field)
    if wanted.backing_path:
        yield InvalidInput(f"It is one layer on {wanted.backing_path}, and no whole disk.", field=field)
    yield from _users(domain, wanted, shareable=shareable)


def _users(domain: Domain, wanted: Volume, *, shareable: bool) -> Iterator[InvalidInput]:
    uses = usage.users_of(domain.host, [wanted.path]).get(wanted.path, []) if wanted.path else []
    if uses and not keeping_from(domain).filter(path=wanted.path).exists():
        own = reverse("domains:snapshots", args=[domain.uuid])
        uses = [use for use in uses if use.url != own]
    if not uses:
        return
    if not shareable:
        names = ", ".join(use.name for use in uses[:3])
        yield InvalidInput(f"{names} uses it.", field="volume", fix="Detach it there first.")
        return
    having = Domain.objects.filter(host=domain.host_id, gone_at=None, files__path=wanted.path).select_related(
        "team"
    )
    machines = list(having.distinct())
    named = {machine.name for machine in machines}
    for use in uses:
        if use.name not in named:  # the trash, or a snapshot
            yield InvalidInput(f"{use.name} uses it.", field="volume")
    for other in machines:
        if other.pk == domain.pk:
            yield InvalidInput("It has this disk already.", field="volume")
        elif other.team_id != domain.team_id:
            yield InvalidInput("A machine of another team uses it.", field="volume")
        elif other.files.filter(path=wanted.path, shareable=False).exists():
            yield InvalidInput(
                f"{other.name} has it for itself.",
                field="volume",
                fix="Detach it there, and attach it as shareable.",
            )


def growth(wanted: Volume) -> Iterator[InvalidInput]:
    """What of the file itself is in the way of a larger disk."""
    field = "size_gib"
    layer = usage.based_on(wanted)
    if layer is not None:
        yield InvalidInput(f"{layer} is based on it, and would not see the new size.", field=field)
    if wanted.details.get("compat") == "0.10" and wanted.details.get("snapshots"):
        yield InvalidInput(
            "It has snapshots in the old qcow2 format (0.10), which ties them to its size.",
            field=field,
            fix="Delete the snapshots first.",
        )
