"""What a host is and can do."""

import libvirt

from hypervisor import acceleration
from hypervisor.connection import Connection
from hypervisor.facts import HostFacts, Hugepages, NumaCell
from hypervisor.translation import translate
from hypervisor.xml import host as documents

_KIB_PER_MIB = 1024
_BYTES_PER_MIB = 1024**2


class HostCalls(Connection):
    """Facts about the host itself."""

    @translate()
    def host_facts(self) -> HostFacts:
        """Everything that is known about the host, acceleration decision included. Takes some ten calls."""
        _, _, cpus, cpu_mhz, cells, sockets_per_cell, cores, threads = self._connection.getInfo()
        memory_mib, memory_free_mib = self._memory_mib()
        capabilities = documents.host_capabilities(self._connection.getCapabilities())
        machine = "q35" if "q35" in capabilities.machines else None
        flags = self._cpu_flags(capabilities.cpu_xml)
        virtualization = next((flag for flag in ("vmx", "svm") if flag in flags), "")
        manufacturer, product = self._manufacturer_and_product()
        above = documents.virtualized_by(manufacturer=manufacturer, product=product, cpu_flags=flags)
        decided = acceleration.decide(
            kvm_offered=capabilities.kvm_offered, cpu_virtualization=virtualization, virtualized_by=above
        )
        domain = documents.domain_capabilities(
            self._connection.getDomainCapabilities(None, None, machine, decided.accelerator.value, 0)
        )
        return HostFacts(
            uuid=capabilities.uuid,
            hostname=self._connection.getHostname(),
            libvirt_version=_version(self._connection.getLibVersion()),
            qemu_version=_version(self._connection.getVersion()),
            cpu_arch=capabilities.cpu_arch,
            cpu_model=capabilities.cpu_model,
            cpu_vendor=capabilities.cpu_vendor,
            cpu_virtualization=virtualization,
            cpus=cpus,
            cpu_sockets=sockets_per_cell * cells,
            cpu_cores_per_socket=cores,
            cpu_threads_per_core=threads,
            cpu_mhz=cpu_mhz,
            memory_mib=memory_mib,
            memory_free_mib=memory_free_mib,
            numa_cells=self._numa_cells(capabilities.cells),
            hugepages=self._hugepages(capabilities.cells),
            kvm_offered=capabilities.kvm_offered,
            machines=capabilities.machines,
            firmwares=domain.firmwares,
            secure_boot_offered=domain.secure_boot,
            cpu_modes=domain.cpu_modes,
            cpu_models=domain.cpu_models,
            tpm_offered=domain.tpm,
            manufacturer=manufacturer,
            product=product,
            virtualized_by=above,
            acceleration=decided,
        )

    @translate()
    def ping(self) -> None:
        """Hear that it answers: one round trip, whatever the host has to do."""
        self._connection.getLibVersion()

    @translate()
    def memory_free_mib(self) -> int:
        """What the host could give to guests right now: free memory and what its page cache would give back."""
        return self._memory_mib()[1]

    def _memory_mib(self) -> tuple[int, int]:
        """All, and what is to be had. `getInfo` leaves out memory that was added after boot."""
        stats = self._connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS, 0)
        free = sum(stats.get(part, 0) for part in ("free", "buffers", "cached"))
        return stats["total"] // _KIB_PER_MIB, free // _KIB_PER_MIB

    def _numa_cells(self, cells: tuple[documents.Cell, ...]) -> tuple[NumaCell, ...]:
        if not cells:
            return ()
        first = cells[0].id
        free = self._connection.getCellsFreeMemory(first, cells[-1].id - first + 1)
        return tuple(
            NumaCell(
                id=cell.id,
                cpus=cell.cpus,
                memory_mib=cell.memory_mib,
                memory_free_mib=free[cell.id - first] // _BYTES_PER_MIB if cell.id - first < len(free) else 0,
            )
            for cell in cells
        )

    def _hugepages(self, cells: tuple[documents.Cell, ...]) -> tuple[Hugepages, ...]:
        """Each size that was set aside, summed over the cells."""
        total: dict[int, int] = {}
        free: dict[int, int] = {}
        for cell in cells:
            if not cell.hugepages:
                continue
            counted = self._connection.getFreePages(list(cell.hugepages), cell.id, 1)
            for size, count in cell.hugepages.items():
                total[size] = total.get(size, 0) + count
                free[size] = free.get(size, 0) + counted.get(cell.id, {}).get(size, 0)
        return tuple(Hugepages(size_kib=size, total=total[size], free=free[size]) for size in sorted(total))

    def _cpu_flags(self, cpu_xml: str) -> frozenset[str]:
        """Every flag of the host's CPU, over any transport.

        The capabilities list only what the CPU has beyond its model: an EPYC's svm, part of the model, is not there.
        The baseline of this one CPU, expanded, names them all.
        """
        if not cpu_xml:
            return frozenset()
        try:
            expanded = self._connection.baselineCPU(
                [cpu_xml], libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
            )
        except libvirt.libvirtError as error:
            if error.get_error_domain() == libvirt.VIR_FROM_RPC:
                raise
            return documents.cpu_features(cpu_xml)
        return documents.cpu_features(expanded)

    def _manufacturer_and_product(self) -> tuple[str, str]:
        """Blank on hosts without SMBIOS tables or dmidecode."""
        try:
            return documents.manufacturer_and_product(self._connection.getSysinfo(0))
        except libvirt.libvirtError as error:
            if error.get_error_domain() == libvirt.VIR_FROM_RPC:
                raise
            return "", ""


def _version(number: int) -> str:
    """libvirt writes 9.0.0 as 9000000."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
