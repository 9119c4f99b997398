"""Machines for tests of disks and drives: real ones on the lab host, off or with a guest that has booted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from lxml.builder import E

from domains.models import Domain, DomainState
from operations.models import Operation, OperationState
from tests.eventually import eventually
from tests.faults.cases.base import Ground
from tests.lab.guest import COMMAND_LINE, READY, Guest, tiny_guest
from tests.stage import carry_out


def with_drive(root: Any) -> None:
    """An empty CD drive `sda`."""
    drive = E.disk(E.target(dev="sda", bus="sata"), E.readonly(), type="file", device="cdrom")
    root.find("devices").append(drive)


def with_held_drive(path: str) -> Callable[[Any], None]:
    """A SCSI CD drive `sda` with the image at `path`."""

    def change(root: Any) -> None:
        source, place = E.source(file=path), E.target(dev="sda", bus="scsi")
        root.find("devices").extend(
            [
                E.controller(type="scsi", index="0", model="virtio-scsi"),
                E.disk(source, place, E.readonly(), type="file", device="cdrom"),
            ]
        )

    return change


@contextmanager
def booted(
    ground: Ground,
    *,
    guest: Guest | None = None,
    command_line: str = COMMAND_LINE,
    until: str = READY,
    change: Callable[[Any], None] = with_drive,
) -> Iterator[UUID]:
    """A guest that drives virtio disks, with a disk `vda` and a drive `sda`, once it said the words of `until`."""
    log = ground.lab.root / "guest.log"
    guest = guest or tiny_guest()

    def boots(root: Any) -> None:
        change(root)
        root.find("memory").text = "128"
        root.find("devices").append(E.serial(E.source(path=str(log)), type="file"))
        root.append(E.cpu(mode="maximum"))
        root.find("os").extend(
            [E.kernel(str(guest.kernel)), E.initrd(str(guest.initrd)), E.cmdline(command_line)]
        )

    domain = ground.machine(state=DomainState.RUNNING, change=boots)
    try:
        eventually(lambda: log.exists() and until in log.read_text(errors="replace"), within_s=120)
        yield domain.uuid
    finally:
        ground.lab.clear()
        log.unlink(missing_ok=True)


def done(operation: Operation) -> Operation:
    """Carry it out; it must succeed."""
    ended = carry_out(operation.pk)
    assert ended.state == OperationState.SUCCEEDED, (ended.error, ended.fix, ended.left_behind)
    return ended


def failed(operation: Operation) -> Operation:
    """Carry it out; it must fail, and leave nothing behind."""
    ended = carry_out(operation.pk)
    assert ended.state == OperationState.FAILED, ended.message
    assert not ended.left_behind
    return ended


def targets(ground: Ground, domain: Domain, *, later: bool) -> list[str]:
    """The disks of the definition, or of this run, as libvirt has them."""
    root = ground.dumpxml(domain.uuid, inactive=later)
    return [target.get("dev") for target in root.iterfind("devices/disk/target")]


def element(ground: Ground, domain: Domain, target: str, *, later: bool = True) -> Any:
    """One disk of the definition, or of this run."""
    root = ground.dumpxml(domain.uuid, inactive=later)
    return next(disk for disk in root.iterfind("devices/disk") if disk.find("target").get("dev") == target)
