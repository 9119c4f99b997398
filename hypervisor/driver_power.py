"""Switching domains: on, off, asleep, and their memory to disk and back."""

from collections.abc import Callable
from uuid import UUID

import libvirt

from hypervisor.connection import unless_so_already
from hypervisor.driver_domains import DomainCalls
from hypervisor.errors import HypervisorError, Unreachable
from hypervisor.facts import AskedBy, DomainState, SaveProgress
from hypervisor.translation import translate


class PowerCalls(DomainCalls):
    """As `DomainCalls`."""

    def start_domain(self, uuid: UUID, *, paused: bool = False, fresh: bool = False) -> None:
        """Start it, or let it go on from its saved memory; returns once QEMU runs. Raises `AlreadyInState` if it runs.

        With `fresh` saved memory is thrown away.
        """
        flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
        flags |= libvirt.VIR_DOMAIN_START_FORCE_BOOT if fresh else 0
        with unless_so_already(lambda: self._is_active(uuid)), translate(effect=True):
            self._domain(uuid).createWithFlags(flags)

    def shutdown_domain(self, uuid: UUID) -> AskedBy:
        """Ask the guest to shut down, which it may ignore. Raises `AlreadyInState` if it is off, or about to be.

        Its agent is asked first; one that does not answer within libvirt's 5 s is passed over.
        """
        with unless_so_already(lambda: self._is_off_soon(uuid)):
            if self._agent_did(
                lambda: self._domain(uuid).shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
            ):
                return AskedBy.AGENT
            with translate(effect=True):
                self._domain(uuid).shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        return AskedBy.ACPI

    def reboot_domain(self, uuid: UUID) -> AskedBy:
        """Ask the guest to restart, as `shutdown_domain` does. Raises `Refused` if it is off."""
        if self._agent_did(lambda: self._domain(uuid).reboot(libvirt.VIR_DOMAIN_REBOOT_GUEST_AGENT)):
            return AskedBy.AGENT
        with translate(effect=True):
            self._domain(uuid).reboot(libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN)
        return AskedBy.ACPI

    @translate(effect=True)
    def reset_domain(self, uuid: UUID) -> None:
        """Press the reset button: the guest restarts at once, unsaved data are lost. Raises `Refused` if it is off."""
        self._domain(uuid).reset(0)

    def destroy_domain(self, uuid: UUID) -> None:
        """Cut the power. The definition stays. Raises `AlreadyInState` if it is off."""
        with unless_so_already(lambda: not self._is_active(uuid)), translate(effect=True):
            self._domain(uuid).destroyFlags(0)

    @translate(effect=True)
    def suspend_domain(self, uuid: UUID) -> None:
        """Stop its CPUs; memory stays. Harmless if it is paused; raises `Refused` if it is off."""
        self._domain(uuid).suspend()

    def resume_domain(self, uuid: UUID) -> None:
        """Let its CPUs go on, or wake a guest that put itself to sleep.

        Raises `AlreadyInState` if it runs, `Refused` if it is off.
        """
        with unless_so_already(lambda: self._state(uuid) is DomainState.RUNNING), translate(effect=True):
            domain = self._domain(uuid)
            if domain.state(0)[0] == libvirt.VIR_DOMAIN_PMSUSPENDED:
                domain.pMWakeup(0)
            else:
                domain.resume()

    def save_domain(self, uuid: UUID) -> None:
        """Write its memory to the host's disk and switch it off; its next start goes on from there.

        Lasts as long as it takes; `abort_job` from another thread ends it, and the domain goes on. Raises
        `AlreadyInState` if it is off.
        """
        with unless_so_already(lambda: not self._is_active(uuid)), translate(effect=True):
            self._domain(uuid).managedSave(0)

    @translate()
    def save_progress(self, uuid: UUID) -> SaveProgress | None:
        """How far it is; None while nothing is being saved."""
        domain = self._domain(uuid)
        if not domain.isActive():
            return None
        try:
            told = domain.jobStats(0)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:  # went off meanwhile
                return None
            raise
        if told.get("operation") != libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE:
            return None
        return SaveProgress(
            total_bytes=told.get("data_total", 0), processed_bytes=told.get("data_processed", 0)
        )

    @translate(effect=True)
    def discard_saved(self, uuid: UUID) -> None:
        """Throw its saved memory away; harmless where there is none."""
        domain = self._domain(uuid)
        if domain.hasManagedSaveImage(0):
            domain.managedSaveRemove(0)

    @translate(effect=True)
    def set_autostart(self, uuid: UUID, *, enabled: bool) -> None:
        """Whether the host starts it when the host itself starts. Raises `Refused` for one without a definition."""
        self._domain(uuid).setAutostart(int(enabled))

    def _is_off_soon(self, uuid: UUID) -> bool:
        # Its guest has gone down and its QEMU is ending: for libvirt it is active, and no longer running.
        return not self._is_active(uuid) or self._state(uuid) is DomainState.SHUTTING_DOWN

    def _agent_did(self, call: Callable[[], int]) -> bool:
        """False where the guest has no agent, or one that does not answer or will not."""
        try:
            with translate(effect=True):
                call()
        except Unreachable:
            raise
        except HypervisorError:
            return False
        return True
