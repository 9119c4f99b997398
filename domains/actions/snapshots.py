"""Asking for snapshots to be taken, gone back to, and deleted; calling them something else."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.events import publish
from core.units import MIB, human_bytes
from domains.actions.ask import ask
from domains.lifecycle import refusal
from domains.models import Domain, Snapshot, SnapshotFile, SnapshotMemory
from domains.snapshots.keeping import Under, Way, way
from domains.snapshots.merging import GoesOn, Kept, plan
from hypervisor.specs import ImageFormat
from operations import actions as operations
from operations.models import Operation
from storage import labels, space
from storage.actions import reserve_layer, reserve_memory
from storage.models import Volume, VolumeKind

MOST: Final = 200
MOST_DESCRIPTION: Final = 2000
# What a machine's memory takes beside its size: the state of its devices.
_DEVICES_BYTES: Final = 64 * MIB


@transaction.atomic
def take(
    *,
    domain: Domain,
    label: str,
    description: str = "",
    memory: bool = True,
    quiesce: bool = False,
    actor: User,
    scheduled: bool = False,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for a snapshot, with the memory where the machine is on and `memory` is true.

    `quiesce` lets the guest's agent write everything to its disks first; only without memory, and where it goes on in
    new files. Raises Forbidden, TargetBusy, InvalidInput, and Conflict where it can't be kept.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    label, description = labels.checked(label, field="label"), _described(description)

    def begin() -> Operation:
        why = refusal("domain.snapshot.create", domain)
        if why:
            raise Conflict(why)
        with_memory = memory and domain.on
        chosen = _chosen(domain, memory=with_memory, quiesce=quiesce)
        files = _reserved(domain, chosen, label, memory=with_memory)
        return ask(
            "domain.snapshot.create",
            domain=domain,
            actor=actor,
            title=f"Take snapshot “{label}” of {domain.name}",
            params=files
            | {
                "name": str(uuid.uuid4()),
                "label": label,
                "description": description,
                "author": actor.pk,
                "scheduled": scheduled,
                "quiesce": quiesce,
                "on": domain.held,
            },
            details={"label": label, "memory": with_memory},
            idempotency_key=idempotency_key,
            long=with_memory,
            takes=_volumes([*(one["volume"] for one in files["layers"]), files["memory"]]),
        )

    return operations.once(actor, idempotency_key, begin, kind="domain.snapshot.create", target=domain)


@transaction.atomic
def revert(*, snapshot: Snapshot, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for the machine to become what it was, on or off; what came after is lost.

    Raises Forbidden, TargetBusy, and Conflict where a file of the snapshot is not known.
    """
    domain = snapshot.domain
    require(actor, Verb.DOMAIN_EDIT, domain)

    def begin() -> Operation:
        why = refusal("domain.snapshot.revert", domain)
        if why:
            raise Conflict(why)
        files = [file for file in snapshot.files.all() if file.target and snapshot.external]
        layers = [_fresh_layer(snapshot, file) for file in files]
        return ask(
            "domain.snapshot.revert",
            domain=domain,
            actor=actor,
            title=f"Take {domain.name} back to snapshot “{snapshot}”",
            params={
                "name": snapshot.name,
                "memory": snapshot.memory == SnapshotMemory.EXTERNAL,
                "layers": layers,
            },
            details={"snapshot": str(snapshot)},
            idempotency_key=idempotency_key,
            takes=_volumes([one["volume"] for one in layers]),
        )

    return operations.once(actor, idempotency_key, begin, kind="domain.snapshot.revert", target=domain)


@transaction.atomic
def delete(
    *, snapshot: Snapshot, children: bool, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for the snapshot to be deleted, with all that came after it if `children`. The machine stays as it is.

    Raises Forbidden, TargetBusy, and Conflict where something is based on what would change.
    """
    domain = snapshot.domain
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, "domain.snapshot.delete", domain)
    if before is not None:
        return before
    gone = [snapshot, *descendants(snapshot)] if children else [snapshot]
    if len({one.external for one in gone}) > 1:
        raise Conflict(
            "Some of them are kept inside the disks and some in files of their own.",
            fix="Delete them one by one.",
        )
    if snapshot.external:
        check_files(domain, {one.name for one in gone})
    return ask(
        "domain.snapshot.delete",
        domain=domain,
        actor=actor,
        title=f"Delete snapshot “{snapshot}” of {domain.name}",
        params={
            "name": snapshot.name,
            "names": [one.name for one in gone],
            "children": children,
            "external": snapshot.external,
        },
        details={"snapshot": str(snapshot), "with_children": children},
        idempotency_key=idempotency_key,
        long=snapshot.external,
    )


@transaction.atomic
def rename(*, snapshot: Snapshot, label: str, description: str, actor: User) -> None:
    """Call it something else; libvirt's own name stays. Raises Forbidden, InvalidInput."""
    require(actor, Verb.DOMAIN_EDIT, snapshot.domain)
    label, description = labels.checked(label, field="label"), _described(description)
    if (snapshot.label, snapshot.description) == (label, description):
        return
    audit.record(actor, "domain.snapshot.rename", target=snapshot.domain, snapshot=str(snapshot), label=label)
    Snapshot.objects.filter(pk=snapshot.pk).update(label=label, description=description)
    publish("domain", snapshot.domain.uuid)


def descendants(snapshot: Snapshot) -> list[Snapshot]:
    """All that came after it, as last seen."""
    others = list(snapshot.domain.snapshots.present().exclude(pk=snapshot.pk))
    names, found = {snapshot.name}, []
    while more := [one for one in others if one.parent in names and one not in found]:
        found += more
        names = {one.name for one in more}
    return found


def check_files(domain: Domain, names: set[str]) -> None:
    """Raise Conflict where, as far as the inventory knows, something else is based on files that would change."""
    kept: dict[str, Kept] = {}
    rows = SnapshotFile.objects.filter(snapshot__domain=domain, snapshot__gone_at=None)
    for name, target, path in rows.values_list("snapshot__name", "target", "path"):
        files = dict(kept[name].files) if name in kept else {}
        kept[name] = Kept(name, files | ({target: path} if target else {}))
    active = {disk.target: disk.path for disk in domain.disks.all() if disk.device == "disk" and disk.path}
    based = Volume.objects.present().filter(pool__host=domain.host).exclude(backing_path="")
    try:
        plan(names, list(kept.values()), active, dict(based.values_list("path", "backing_path")))
    except GoesOn as found:
        file = rows.filter(path=found.path).select_related("snapshot").first()
        if file is not None:
            raise GoesOn(found.path, f"Snapshot “{file.snapshot}”") from None
        if found.path in active.values():
            raise GoesOn(found.path, f"What {domain.name} holds now") from None
        raise


def _described(description: str) -> str:
    """Raises InvalidInput for what libvirt's documents can't carry."""
    description = description.replace("\r\n", "\n").strip()
    if len(description) > MOST_DESCRIPTION:
        raise InvalidInput(
            "The description is too long.", field="description", fix=f"{MOST_DESCRIPTION} at most."
        )
    if any(not letter.isprintable() and letter not in "\n\t" for letter in description):
        raise InvalidInput("The description holds invisible characters.", field="description")
    return description


def _chosen(domain: Domain, *, memory: bool, quiesce: bool) -> Way:
    chosen = way(domain, memory=memory)
    if not chosen.possible:
        raise Conflict(chosen.words)
    if quiesce and (memory or not domain.on or not chosen.external):
        raise InvalidInput(
            "Its agent can only help with a snapshot of the disks alone, of a machine that runs.",
            field="quiesce",
        )
    if domain.snapshots.present().count() >= MOST:
        raise Conflict(f"{domain.name} has {MOST} snapshots.", fix="Delete some first.")
    return chosen


def _reserved(domain: Domain, chosen: Way, label: str, *, memory: bool) -> dict[str, Any]:
    """Rows for the files that it takes. Raises Conflict where there is no room for the memory."""
    size_bytes = domain.memory_mib * MIB + _DEVICES_BYTES if memory else 0
    if memory and not chosen.external:
        _check_room(domain, size_bytes)
    volume = ""
    if memory and chosen.external:
        kept = reserve_memory(
            pool=chosen.under[0].volume.pool,
            label=_cut(f"Memory of {domain.name}", label),
            size_bytes=size_bytes,
        )
        volume = str(kept.uuid)
    return {
        "layers": [_layer(domain, under, label) for under in chosen.under],
        "inside": chosen.inside,
        "left_out": chosen.left_out,
        "memory": volume,
    }


def _volumes(keys: list[str]) -> list[Volume]:
    return list(Volume.objects.filter(uuid__in=filter(None, keys)))


def _check_room(domain: Domain, size_bytes: int) -> None:
    """The memory is written into one of the disks; whichever it is, its pool must have room."""
    paths = [disk.path for disk in domain.disks.all() if disk.path]
    rows = Volume.objects.present().filter(pool__host=domain.host, path__in=paths)
    for pool in {
        volume.pool for volume in rows.select_related("pool__host") if volume.kind != VolumeKind.ISO
    }:
        free = space.free_bytes(pool)
        if free < size_bytes:
            raise Conflict(
                f"Pool {pool} has {human_bytes(free)} free, and its memory may take {human_bytes(size_bytes)}.",
                fix="Free some space, or leave the memory out.",
            )


def _layer(domain: Domain, under: Under, label: str) -> dict[str, str]:
    name = _cut(f"{domain.name} {under.disk.target}", f"after “{label}”")
    volume = reserve_layer(under=under.volume, label=name)
    return {
        "target": under.disk.target,
        "volume": str(volume.uuid),
        "under": under.disk.path,
        "format": under.disk.format,
    }


def _fresh_layer(snapshot: Snapshot, file: SnapshotFile) -> dict[str, str]:
    domain = snapshot.domain
    kept = (
        Volume.objects.present()
        .filter(pool__host=domain.host, path=file.path)
        .select_related("pool__host")
        .first()
    )
    if kept is None or file.format not in set(ImageFormat):
        raise Conflict(
            f"The file that keeps disk {file.target} is not in a pool that the panel knows: {file.path}",
            fix="Make a pool of its folder, or look at it again.",
        )
    name = _cut(f"{domain.name} {file.target}", f"back at “{snapshot}”")
    volume = reserve_layer(under=kept, label=name)
    return {"target": file.target, "volume": str(volume.uuid), "under": file.path, "format": file.format}


def _cut(name: str, words: str) -> str:
    return f"{name[:90]} {words}"[: labels.MAX_LABEL]
