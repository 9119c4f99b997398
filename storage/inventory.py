"""The only writer of what was observed of pools and volumes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from core.events import publish
from core.reconcile import LARGEST, reconcile
from hosts.inventory import note
from hosts.models import Host
from hypervisor.facts import PoolFacts, PoolState, VolumeFacts
from hypervisor.specs import ImageFormat
from storage.models import Pool, Volume, VolumeKind

# A list that was asked for before we made or deleted a volume may be recorded after it.
SETTLING = timedelta(seconds=10)


def record_pools(host: Host, facts: list[PoolFacts]) -> None:
    """All pools of `host`, as it told them just now; one that is missing is marked as gone."""
    _record_pools(Pool.objects.filter(host=host), host, facts)


def record_pool(host: Host, fact: PoolFacts) -> None:
    """One pool, as `host` told it just now; says nothing of the others."""
    _record_pools(Pool.objects.filter(host=host, uuid=fact.uuid), host, [fact])


def record_silent(host: Host, uuid: UUID | None) -> None:
    """This pool (None: nobody knows which) keeps everything waiting that asks for it."""
    pool = None if uuid is None else Pool.objects.filter(host=host, uuid=uuid, gone_at=None).first()
    if pool is not None:
        Pool.objects.filter(pk=pool.pk).update(state=PoolState.INACCESSIBLE.value)
        tell(pool)
    what = "Its storage" if pool is None else f"Its pool {pool.name}"
    note(host, "storage", f"{what} does not answer: look at the disk or the file server behind it.")


def record_volumes(pool: Pool, facts: list[VolumeFacts]) -> None:
    """All volumes of `pool`, as its host told them just now; one that is missing is marked as gone."""
    _record_volumes(pool.volumes.all(), pool, facts, spared=_unsettled)


def record_volume(pool: Pool, fact: VolumeFacts) -> None:
    """One volume, as the host told it just now; says nothing of the others."""
    _record_volumes(pool.volumes.filter(name=fact.name), pool, [fact], spared=lambda volume: False)


def record_header(volume: Volume, details: dict[str, int | str | list[str]]) -> None:
    """What was found by looking into the image's first bytes; kept for volumes of ours."""
    row = Volume.objects.get(pk=volume.pk)
    row.details = {**row.details, **details}
    row.save(update_fields=["details"])


def record_shared(here: Pool, there: Pool, *, shared: bool) -> None:
    """Whether two hosts' pools are the same storage, as it was found out just now."""
    if shared:
        here.shared_with.add(there)
    else:
        here.shared_with.remove(there)


def record_handed_over(here: Volume, there: Volume) -> None:
    """The same volume, as the host sees it whose machine has it from now on: what people said of it goes along."""
    owned = {name: getattr(here, name) for name in ("label", "kind", "ours", "team", "sha256", "format")}
    Volume.objects.filter(pk=there.pk).update(**owned)
    tell(there.pool)


def record_volume_gone(pool: Pool, name: str) -> None:
    """The volume is not there (any more)."""
    if pool.volumes.filter(name=name, gone_at=None).update(gone_at=Now()):
        tell(pool)


def drop_reservation(volume: UUID) -> None:
    """Take the row of a volume that never came to be out of the list; one that was made stays."""
    row = Volume.objects.select_related("pool").filter(uuid=volume, ours=True, ready=False).first()
    if row is not None:
        record_volume_gone(row.pool, row.name)


def disown(volume: Volume) -> None:
    """From now on it is a file like those that others brought: there as long as the host says so, fit for nothing."""
    Volume.objects.filter(pk=volume.pk).update(ours=False, ready=True, kind=VolumeKind.OTHER)


def tell(pool: Pool) -> None:
    """Push the change to pages that show this pool, or all of them."""
    publish("pool", pool.uuid)
    publish("storage")


def _record_pools(rows: QuerySet[Pool], host: Host, facts: list[PoolFacts]) -> None:
    changes = reconcile(
        rows,
        {fact.uuid: fact for fact in facts},
        key="uuid",
        columns=_pool_columns,
        fixed={"host": host},
    )
    for pool in [*changes.added, *changes.changed, *changes.gone]:
        publish("pool", pool.uuid)
    if changes:
        publish("storage")


def _pool_columns(fact: PoolFacts, row: Pool | None) -> dict[str, Any]:
    return {
        "name": fact.name[:255],
        "kind": fact.kind[:32],
        "state": fact.state.value,
        "path": fact.path[:1024],
        "capacity_bytes": min(fact.capacity_bytes, LARGEST),
        "allocation_bytes": min(fact.allocation_bytes, LARGEST),
        "available_bytes": min(fact.available_bytes, LARGEST),
    }


def _record_volumes(
    rows: QuerySet[Volume], pool: Pool, facts: list[VolumeFacts], *, spared: Callable[[Volume], bool]
) -> None:
    changes = reconcile(
        rows,
        {fact.name[:255]: fact for fact in facts},
        key="name",
        columns=_volume_columns,
        fixed={"pool": pool},
        spared=spared,
    )
    if changes:
        tell(pool)


def _unsettled(volume: Volume) -> bool:
    """Whether we are making it, or made or deleted it a moment ago."""
    if not volume.ours:
        return False
    if not volume.ready and volume.gone_at is None:
        return True
    moment = volume.gone_at or volume.seen_at
    return moment is not None and timezone.now() - moment < SETTLING


def _volume_columns(fact: VolumeFacts, row: Volume | None) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "path": fact.path[:1024],
        "format": fact.format[:32],
        "capacity_bytes": min(fact.capacity_bytes, LARGEST),
        "allocation_bytes": min(fact.allocation_bytes, LARGEST),
        "backing_path": fact.backing_path[:1024],
        "details": {
            "physical_bytes": fact.physical_bytes,
            "compat": fact.compat,
            "features": list(fact.features),
        },
    }
    if row is not None and row.ours:
        _distrust(columns, fact, row)
    else:
        columns["kind"] = _kind(fact)
    return columns


def _kind(fact: VolumeFacts) -> VolumeKind:
    """Of a file that others brought. libvirt knows ISO 9660 by its bytes; an image of UDF alone has only its name."""
    named = fact.format == ImageFormat.RAW and fact.name.lower().endswith(".iso")
    return VolumeKind.ISO if fact.format == "iso" or named else VolumeKind.OTHER


def _distrust(columns: dict[str, Any], fact: VolumeFacts, row: Volume) -> None:
    """Keep what we made, or found by looking at the bytes before anybody could use them.

    The guest owns a raw disk's bytes: with the header of another format in them it would make libvirt say any size and
    any backing file.
    """
    columns["format"] = row.format
    columns["details"] = {**row.details, "physical_bytes": fact.physical_bytes}
    if row.format == ImageFormat.RAW and fact.format != ImageFormat.RAW:
        columns |= {"capacity_bytes": min(fact.physical_bytes, LARGEST), "backing_path": ""}
