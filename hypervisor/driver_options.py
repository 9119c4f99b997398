"""Options of a domain that runs, and a start with other ones than those of its definition."""

from typing import Final
from uuid import UUID

import libvirt

from hypervisor.connection import unless_so_already
from hypervisor.driver_domains import DEFINITION, DomainCalls
from hypervisor.errors import Refused
from hypervisor.translation import translate
from hypervisor.xml.edit_label import live_labels
from hypervisor.xml.edit_start import boot_first
from hypervisor.xml.elements import MARKER_NAMESPACE, MARKER_PREFIX

_KIB_PER_MIB: Final = 1024


class OptionCalls(DomainCalls):
    """As `DomainCalls`. What runs changes, its definition does not: see `driver_definition` for that."""

    @translate(effect=True)
    def set_live_vcpus(self, uuid: UUID, vcpus: int) -> None:
        """Plug vCPUs in or out, up to the maximum of this run. Many guests refuse to give one up."""
        self._domain(uuid).setVcpusFlags(vcpus, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    @translate(effect=True)
    def set_live_memory(self, uuid: UUID, memory_mib: int) -> None:
        """Ask the guest's balloon driver for that much memory, up to the maximum of this run.

        It takes its time, and a guest without the driver never does it: only `DomainFacts.memory_mib` tells.
        """
        self._domain(uuid).setMemoryFlags(memory_mib * _KIB_PER_MIB, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    @translate(effect=True)
    def show_labels(self, uuid: UUID) -> None:
        """Give a running domain the title, the description and the tags of its definition."""
        domain = self._domain(uuid)
        title, description, ours = live_labels(domain.XMLDesc(DEFINITION))
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, title or None, None, None, live)
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, description or None, None, None, live)
        domain.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_ELEMENT, ours or None, MARKER_PREFIX, MARKER_NAMESPACE, live
        )

    def start_from(self, uuid: UUID, device: str) -> None:
        """Start it with `device`, named as in `edit_start.set_boot_order`, before all others, this time only.

        The document of this run differs from the definition, which stays as it is: libvirt brings it back when the
        domain stops, whatever happens to who asked. Raises `AlreadyInState` if it runs, `NotFound` for a device that is
        not there, `Refused` where its memory is saved (it would go on from there) or where it has no definition.
        """
        with unless_so_already(lambda: self._is_active(uuid)), translate(effect=True):
            domain = self._domain(uuid)
            if domain.hasManagedSaveImage(0):
                raise Refused("Its memory is saved; it would go on from there without booting.")
            if not domain.isPersistent():
                raise Refused("It has no definition to come back to.")
            self._connection.createXML(boot_first(domain.XMLDesc(DEFINITION), device=device), 0)
