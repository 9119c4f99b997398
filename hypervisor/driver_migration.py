"""Moving a domain to another host.

Managed by us ("managed direct", https://libvirt.org/migration.html): this process is connected to both daemons and
leads them through the phases, so neither daemon needs a right on the other. The bytes go from QEMU to QEMU. If this
process dies, both daemons notice it: the target throws its half away, the source goes on running.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import libvirt

from hypervisor import streams
from hypervisor.connection import Connection
from hypervisor.driver_domains import DEFINITION, LIVE
from hypervisor.errors import Busy, NotFound, Refused
from hypervisor.facts import MigrationFacts, MigrationProgress
from hypervisor.specs import MigrationSpec
from hypervisor.states import domain_state, state_reason
from hypervisor.translation import translate
from hypervisor.xml import migration as documents

_MIGRATABLE: Final = LIVE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
Progress = Callable[[int], None]
_NO_JOB: Final = (libvirt.VIR_DOMAIN_JOB_NONE, libvirt.VIR_DOMAIN_JOB_COMPLETED)


class MigrationCalls(Connection):
    """The calls are made at the domain's source, but for `cpu_fits`."""

    @translate()
    def migration_facts(self, uuid: UUID) -> MigrationFacts:
        """What could keep the domain here."""
        domain = self._lookup(uuid)
        state, reason = domain.state(0)
        text = domain.XMLDesc(DEFINITION if domain.ID() < 0 else LIVE)
        return MigrationFacts(
            state=domain_state(state),
            state_reason=state_reason(state, reason),
            persistent=bool(domain.isPersistent()),
            managed_save=bool(domain.hasManagedSaveImage(0)),
            snapshots=domain.snapshotNum(0),
            checkpoints=len(domain.listAllCheckpoints(0)),
            tied=documents.tied_devices(text),
            nvram=documents.has_nvram(text),
            job=domain.ID() >= 0 and domain.jobStats(0).get("type", 0) not in _NO_JOB,
        )

    @translate()
    def cpu_fits(self, uuid: UUID, target: "MigrationCalls") -> bool:
        """Whether `target` can offer the CPU that the domain has; True where QEMU chooses one everywhere."""
        domain = self._lookup(uuid)
        text = domain.XMLDesc(DEFINITION if domain.ID() < 0 else _MIGRATABLE)
        cpu, kind, arch, machine = documents.cpu(text)
        if not cpu:
            return True
        answer = target._connection.compareHypervisorCPU(None, arch or None, machine or None, kind, cpu, 0)
        return answer in (libvirt.VIR_CPU_COMPARE_IDENTICAL, libvirt.VIR_CPU_COMPARE_SUPERSET)

    def migrate_domain(self, uuid: UUID, target: "MigrationCalls", spec: MigrationSpec) -> None:
        """Bring the domain to `target`, where it is defined and, if it ran, runs; the definition here stays, off.

        Lasts as long as it takes; `abort_job` from another thread ends it. After any error the domain still runs here,
        unless it is `OutcomeUnknown`: then look at both. Raises `Busy` while an earlier migration has not ended.
        """
        try:
            with translate(effect=True):
                self._lookup(uuid).migrate3(target._connection, self._parameters(uuid, spec), _flags(spec))
        except Refused as failure:
            if self.migration_progress(uuid) is not None:
                raise Busy(failure.message, code=failure.code, domain=failure.domain) from failure
            raise

    @translate()
    def migration_progress(self, uuid: UUID) -> MigrationProgress | None:
        """How far it is; None while no migration runs."""
        try:
            told = self._lookup(uuid).jobStats(0)
        except libvirt.libvirtError as error:
            if error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
                return None
            raise
        if told.get("operation") != libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
            return None
        return MigrationProgress(
            total_bytes=told.get("data_total", 0),
            processed_bytes=told.get("data_processed", 0),
            remaining_bytes=told.get("data_remaining", 0),
            elapsed_ms=told.get("time_elapsed", 0),
            downtime_ms=told.get("downtime", 0),
            throttle_percent=told.get("auto_converge_throttle", 0),
        )

    @translate(effect=True)
    def set_migration_downtime(self, uuid: UUID, limit_ms: int) -> None:
        """For how long the domain may stand still at the end. Raises `Refused` while no migration runs."""
        self._lookup(uuid).migrateSetMaxDowntime(limit_ms, 0)

    @translate(effect=True)
    def start_post_copy(self, uuid: UUID) -> None:
        """Let it run at the target now and fetch the rest of its memory as it needs it: from here it can't go back."""
        self._lookup(uuid).migrateStartPostCopy(0)

    def abort_job(self, uuid: UUID) -> None:
        """End what runs on the domain: a migration goes back to where it was. Harmless where nothing runs."""
        try:
            with translate(effect=True):
                self._lookup(uuid).abortJob()
        except (NotFound, Refused):
            return

    @translate(effect=True)
    def copy_volume(
        self,
        pool: UUID,
        name: str,
        *,
        target: "MigrationCalls",
        to: tuple[UUID, str],
        progress: Progress | None = None,
    ) -> None:
        """Write the bytes of a volume here over those of the volume `to` (its pool and name) there, holes kept.

        They go through this process; `progress` gets how many have, and an exception from it ends the copying.
        """
        source = self._connection.storagePoolLookupByUUIDString(str(pool)).storageVolLookupByName(name)
        sink = target._connection.storagePoolLookupByUUIDString(str(to[0])).storageVolLookupByName(to[1])
        with streams.opened(self._connection) as coming, streams.opened(target._connection) as going:
            source.download(coming, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
            sink.upload(going, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
            streams.pump(coming, going, progress=progress)

    def _parameters(self, uuid: UUID, spec: MigrationSpec) -> dict[str, Any]:
        domain = self._lookup(uuid)
        paths, flat = dict(spec.paths), frozenset(spec.copied)
        definition = domain.XMLDesc(DEFINITION | libvirt.VIR_DOMAIN_XML_MIGRATABLE)
        run = domain.XMLDesc(_MIGRATABLE) if spec.live else definition
        given: dict[str, Any] = {
            libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: documents.relocated(definition, paths, flat=flat),
            libvirt.VIR_MIGRATE_PARAM_DEST_XML: documents.relocated(run, paths, flat=flat),
        }
        if spec.address:
            address = f"[{spec.address}]" if ":" in spec.address else spec.address
            given[libvirt.VIR_MIGRATE_PARAM_URI] = f"tcp://{address}"
        if spec.bandwidth_mib_s:
            given[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = spec.bandwidth_mib_s
        if spec.copied and spec.live:
            given[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = list(spec.copied)
        return given

    def _lookup(self, uuid: UUID) -> libvirt.virDomain:
        return self._connection.lookupByUUIDString(str(uuid))


def _flags(spec: MigrationSpec) -> int:
    if not spec.live:
        return libvirt.VIR_MIGRATE_OFFLINE | libvirt.VIR_MIGRATE_PERSIST_DEST
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PERSIST_DEST
    if spec.copied:
        flags |= libvirt.VIR_MIGRATE_NON_SHARED_DISK
    if spec.proved:
        flags |= libvirt.VIR_MIGRATE_UNSAFE
    if spec.auto_converge:
        flags |= libvirt.VIR_MIGRATE_AUTO_CONVERGE
    if spec.post_copy:
        flags |= libvirt.VIR_MIGRATE_POSTCOPY
    return flags
