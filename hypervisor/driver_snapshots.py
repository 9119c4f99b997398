"""Snapshots: taking, reading, going back; and the merging of the files that some of them are made of."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import libvirt

from hypervisor.driver_domains import DEFINITION, LIVE, DomainCalls
from hypervisor.errors import NotFound
from hypervisor.facts import SaveProgress
from hypervisor.snapshots import MergeProgress, SnapshotFacts, SnapshotOutline, SnapshotSpec
from hypervisor.translation import translate
from hypervisor.xml import edit
from hypervisor.xml import snapshots as documents

_SECURE: Final = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE


class SnapshotCalls(DomainCalls):
    """As `DomainCalls`; a snapshot is known by its domain's UUID and its name, and may be `NotFound`, too."""

    @translate()
    def snapshot_outlines(self) -> list[SnapshotOutline]:
        """Of each domain that has snapshots, their names: a few round trips for each of those."""
        found = []
        for domain in self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT):
            try:
                found.append(_outline(domain))
            except libvirt.libvirtError as error:
                if error.get_error_code() not in _GONE:
                    raise
        return found

    @translate()
    def read_snapshots(self, uuid: UUID) -> list[SnapshotFacts]:
        """All snapshots of one domain, parents first."""
        domain = self._domain(uuid)
        current = _current(domain)
        return [
            documents.snapshot_facts(one.getXMLDesc(0), current=one.getName() == current)
            for one in domain.listAllSnapshots(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)
        ]

    @translate()
    def definitions_at(self, uuid: UUID, name: str) -> tuple[str, str]:
        """The definition that the domain had at the snapshot, and the document of its run, the same if it was off."""
        text = self._snapshot(uuid, name).getXMLDesc(_SECURE)
        return documents.definition_at(text, {}), documents.run_at(text, {})

    def snapshot_exists(self, uuid: UUID, name: str) -> bool:
        """Whether the domain has a snapshot of this name. Raises `NotFound` without the domain."""
        try:
            with translate():
                self._snapshot(uuid, name)
        except NotFound:
            if not self.domain_exists(uuid):
                raise
            return False
        return True

    @translate(effect=True)
    def take_snapshot(self, uuid: UUID, spec: SnapshotSpec) -> None:
        """Take it. The memory of a running domain goes into a file while it runs on, into its disk while it stands.

        Where the host's storage fills up meanwhile, nothing was taken and the domain goes on.
        """
        flags = 0
        if spec.layers:
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
            if spec.memory_path:
                flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE
            else:
                flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
            if spec.quiesce:
                flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
        self._domain(uuid).snapshotCreateXML(documents.snapshot_xml(spec), flags)

    @translate()
    def snapshot_progress(self, uuid: UUID) -> SaveProgress | None:
        """How far the memory of the one that is being taken is; None where none is taken, or its memory not written."""
        domain = self._domain(uuid)
        told = domain.jobStats(0) if domain.isActive() else {}
        if told.get("operation") != libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT:
            return None
        return SaveProgress(
            total_bytes=told.get("data_total", 0), processed_bytes=told.get("data_processed", 0)
        )

    @translate(effect=True)
    def revert_inside(self, uuid: UUID, name: str) -> None:
        """Go back to a snapshot that is kept inside the disks; what came after is lost, saved memory too."""
        domain = self._domain(uuid)
        _discard_saved(domain)
        domain.revertToSnapshot(self._snapshot(uuid, name), libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE)

    @translate(effect=True)
    def define_as_at(self, uuid: UUID, name: str, layers: Mapping[str, str]) -> None:
        """Give the domain, which is off, the definition of the snapshot, with `layers` (path by target) as its disks.

        It keeps the name it has now. It has no saved memory then, and its next snapshot comes after this one. Twice is
        harmless.
        """
        domain, snapshot = self._domain(uuid), self._snapshot(uuid, name)
        text = snapshot.getXMLDesc(_SECURE)
        _discard_saved(domain)
        definition = edit.set_name(documents.definition_at(text, layers), domain.name())
        self._connection.defineXMLFlags(definition, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
        domain.snapshotCreateXML(text, flags)

    @translate(effect=True)
    def restore_memory(self, uuid: UUID, name: str, layers: Mapping[str, str], *, paused: bool) -> None:
        """Let the domain, which is off, go on from the memory that the snapshot kept in a file.

        Raises `Unsupported` for one that had another name then: libvirt ties memory to it.
        """
        text = self._snapshot(uuid, name).getXMLDesc(_SECURE)
        path = documents.snapshot_facts(text, current=False).memory_path
        flags = libvirt.VIR_DOMAIN_SAVE_PAUSED if paused else libvirt.VIR_DOMAIN_SAVE_RUNNING
        self._connection.restoreFlags(path, documents.run_at(text, layers), flags)

    @translate(effect=True)
    def delete_inside(self, uuid: UUID, name: str, *, children: bool) -> None:
        """Forget a snapshot that is kept inside the disks, with those that came after it if `children`."""
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN if children else 0
        self._snapshot(uuid, name).delete(flags)

    @translate(effect=True)
    def forget_snapshot(self, uuid: UUID, name: str, *, children: bool) -> None:
        """Remove libvirt's record of it; its files stay, and what came after it comes after its parent."""
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN if children else 0
        self._snapshot(uuid, name).delete(flags)

    @translate(effect=True)
    def replace_snapshot_files(self, uuid: UUID, name: str, files: Mapping[str, tuple[str, str]]) -> None:
        """The snapshot's disks lie in other files now: by old path the new one and its format. Twice is harmless."""
        domain = self._domain(uuid)
        text = documents.with_files_replaced(self._snapshot(uuid, name).getXMLDesc(_SECURE), files)
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        if _current(domain) == name:
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
        domain.snapshotCreateXML(text, flags)

    @translate()
    def disk_chains(self, uuid: UUID) -> dict[str, tuple[str, ...]]:
        """By target, the files a running domain's disk is made of, the one that is written to first."""
        return documents.chains(self._domain(uuid).XMLDesc(LIVE))

    @translate(effect=True)
    def begin_merge(self, uuid: UUID, target: str, *, top: str, base: str) -> None:
        """Begin to write what the file `top`, and those between, hold of a running domain's disk into `base`."""
        domain = self._domain(uuid)
        active = self.disk_chains(uuid).get(target, ())[:1] == (top,)
        flags = libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE if active else 0
        domain.blockCommit(target, base, top, 0, flags)

    @translate()
    def merge_progress(self, uuid: UUID, target: str) -> MergeProgress | None:
        """How far it is; None where nothing is merged. Raises `Refused` if the domain is off."""
        domain = self._domain(uuid)
        told = domain.blockJobInfo(target, 0)
        if not told:
            return None
        return MergeProgress(
            done_bytes=told.get("cur", 0),
            total_bytes=told.get("end", 0),
            ready=documents.mirror_ready(domain.XMLDesc(LIVE), target),
        )

    @translate(effect=True)
    def finish_merge(self, uuid: UUID, target: str) -> None:
        """Let the domain go on in the file that all was merged into."""
        self._domain(uuid).blockJobAbort(target, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)

    @translate(effect=True)
    def forget_chains(self, uuid: UUID, targets: frozenset[str]) -> None:
        """Let the definition not name what these disks are based on; their own files say it. Twice is harmless."""
        before = self._domain(uuid).XMLDesc(DEFINITION)
        after = documents.without_chains(before, targets)
        if after != before:
            self._connection.defineXMLFlags(after, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)

    def _snapshot(self, uuid: UUID, name: str) -> libvirt.virDomainSnapshot:
        return self._domain(uuid).snapshotLookupByName(name, 0)


_GONE: Final = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT)


def _outline(domain: libvirt.virDomain) -> SnapshotOutline:
    names = tuple(sorted(domain.snapshotListNames(0)))
    return SnapshotOutline(domain=UUID(domain.UUIDString()), names=names, current=_current(domain))


def _current(domain: libvirt.virDomain) -> str:
    return domain.snapshotCurrent(0).getName() if domain.hasCurrentSnapshot(0) else ""


def _discard_saved(domain: libvirt.virDomain) -> None:
    """Memory that was saved before does not fit to other disks: with it the guest would destroy its file systems."""
    if domain.hasManagedSaveImage(0):
        domain.managedSaveRemove(0)
