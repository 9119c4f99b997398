"""Disks and drives: plugged in and pulled out, changed, made larger, given another medium."""

from dataclasses import dataclass
from uuid import UUID

import libvirt

from hypervisor.driver_definition import DefinitionCalls, DomainDocument
from hypervisor.driver_domains import DEFINITION
from hypervisor.errors import AlreadyExists, Invalid
from hypervisor.limits import IoLimits
from hypervisor.specs import CdromSpec, DiskBus, DiskChange, DiskSpec
from hypervisor.translation import translate
from hypervisor.xml import disks, edit


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskDocuments:
    """A disk as it stands in this run and in the definition, each alone; None where it does not."""

    now: str | None
    later: str | None


class DiskCalls(DefinitionCalls):
    """As `DefinitionCalls`; a disk or drive is named by its target (`vda`)."""

    def disk_documents(self, uuid: UUID, target: str) -> DiskDocuments:
        """What there is of it."""
        found = self.read_document(uuid)
        return DiskDocuments(
            now=None if found.live_xml is None else disks.find(found.live_xml, target),
            later=disks.find(found.xml, target),
        )

    def plug_disk(self, uuid: UUID, spec: DiskSpec | CdromSpec) -> None:
        """Plug it in: now, if the domain runs, and for every later start. What is so already is left alone.

        Raises `AlreadyExists` where the target is another disk's.
        """
        found = self.read_document(uuid)
        now = None if found.live_xml is None else disks.path_of(found.live_xml, spec.target)
        later = disks.path_of(found.xml, spec.target)
        if {now, later} - {None, spec.path or ""}:
            raise AlreadyExists(f"The domain has another disk {spec.target}.")
        if spec.bus is DiskBus.SCSI:
            self._plug_scsi_controller(uuid, found)
        device = disks.device(spec)
        runs_without = found.live_xml is not None and now is None
        self._plug(uuid, now=device if runs_without else None, later=device if later is None else None)

    def plug_documents(self, uuid: UUID, target: str, wanted: DiskDocuments) -> None:
        """Bring the disk back to where it was, as far as it is not there: what runs no more is not asked for it."""
        found = self.read_document(uuid)
        runs_without = found.live_xml is not None and disks.find(found.live_xml, target) is None
        is_without = disks.find(found.xml, target) is None
        self._plug(uuid, now=wanted.now if runs_without else None, later=wanted.later if is_without else None)

    def _plug(self, uuid: UUID, *, now: str | None, later: str | None) -> None:
        if now is not None and now == later:
            self.attach_device(uuid, now, live=True, config=True)
            return
        if now is not None:
            self.attach_device(uuid, now, live=True, config=False)
        if later is not None:
            self.attach_device(uuid, later, live=False, config=True)

    def ask_to_unplug(self, uuid: UUID, target: str) -> None:
        """Ask the running guest to let go of it; libvirt waits up to 5 s. Look whether it went, it may go much later.

        Raises `NotFound` where it is gone already.
        """
        self.detach_device(uuid, disks.named(target), live=True, config=False)

    def undefine_disk(self, uuid: UUID, target: str) -> None:
        """Take it out of the definition. Raises `NotFound` where it is not there."""
        self.detach_device(uuid, disks.named(target), live=False, config=True)

    def change_disk(self, uuid: UUID, target: str, change: DiskChange) -> None:
        """Change it in the definition; a running domain takes it up at its next start. Raises `NotFound`."""
        self.redefine(uuid, disks.changing(target, change))

    @translate(effect=True)
    def set_disk_limits(self, uuid: UUID, target: str, limits: IoLimits) -> None:
        """Slow it down, or no more: now, if the domain runs, and at every later start."""
        domain = self._domain(uuid)
        flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0
        values = {
            "total_bytes_sec": 0,
            "total_iops_sec": 0,
            "read_bytes_sec": limits.read_bytes_s,
            "write_bytes_sec": limits.write_bytes_s,
            "read_iops_sec": limits.read_iops,
            "write_iops_sec": limits.write_iops,
        }
        domain.setBlockIoTune(target, values, flags)

    @translate()
    def disk_capacity(self, uuid: UUID, target: str) -> int:
        """Its size as the guest sees it, read by the format that the definition names."""
        return self._domain(uuid).blockInfo(target)[0]

    @translate(effect=True)
    def resize_disk(self, uuid: UUID, target: str, capacity_bytes: int) -> None:
        """Make a disk of a running domain larger; the guest is told. Raises `Invalid` for less than it has.

        libvirt itself would cut it off without a word.
        """
        domain = self._domain(uuid)
        if capacity_bytes < domain.blockInfo(target)[0]:
            raise Invalid("A disk can't be made smaller.")
        domain.blockResize(target, capacity_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

    @translate(effect=True)
    def change_media(self, uuid: UUID, *, target: str, path: str | None, force: bool = False) -> None:
        """Put the image at `path` into drive `target`, or None to empty it; now and for the next start.

        A guest may have locked its tray: `force` opens it all the same. Raises `NotFound` if there is no such drive.
        """
        domain = self._domain(uuid)
        flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        if domain.isActive():
            flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
        if force:
            flags |= libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE
        device = edit.media_device(domain.XMLDesc(DEFINITION), target=target, path=path)
        domain.updateDeviceFlags(device, flags)

    def _plug_scsi_controller(self, uuid: UUID, found: DomainDocument) -> None:
        later = not disks.has_scsi_controller(found.xml)
        now = found.live_xml is not None and not disks.has_scsi_controller(found.live_xml)
        if now or later:
            self.attach_device(uuid, disks.scsi_controller(), live=now, config=later)
