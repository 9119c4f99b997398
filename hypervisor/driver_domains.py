"""Domains: read them, define them, switch them."""

from uuid import UUID

from hypervisor.connection import Connection
from hypervisor.facts import DomainFacts, DomainState
from hypervisor.specs import DomainSpec


class DomainCalls(Connection):
    """Each method raises `NotFound` for a UUID that the host does not know, `Unreachable` for a dead connection."""

    def domain_states(self) -> dict[UUID, DomainState]:
        """The state of every domain, in one call."""

    def read_domain(self, uuid: UUID) -> DomainFacts:
        """All that is known of one domain."""

    def read_domains(self) -> list[DomainFacts]:
        """All domains. One that vanishes or cannot be understood while we read is left out and logged."""

    def domain_exists(self, uuid: UUID) -> bool:
        """Whether the host knows this UUID."""

    def find_domain_by_name(self, name: str) -> UUID | None:
        """The UUID of the domain with exactly this name."""

    def define_domain(self, spec: DomainSpec) -> DomainFacts:
        """Define it, validated against libvirt's schema; doing it twice with the same spec is harmless.

        libvirt overwrites silently where name and UUID are the same. Raises `AlreadyExists` where only one of them is.
        """

    def start_domain(self, uuid: UUID, *, paused: bool = False) -> None:
        """Start it; returns once QEMU runs. Raises `AlreadyInState` if it runs."""

    def shutdown_domain(self, uuid: UUID) -> None:
        """Press the ACPI power button: a request that the guest may ignore. Raises `AlreadyInState` if it is off."""

    def reboot_domain(self, uuid: UUID) -> None:
        """Ask the guest to restart by ACPI; it may ignore that. Raises `Refused` if it is off."""

    def reset_domain(self, uuid: UUID) -> None:
        """Press the reset button: the guest restarts at once, unsaved data are lost. Raises `Refused` if it is off."""

    def destroy_domain(self, uuid: UUID) -> None:
        """Cut the power. The definition stays. Raises `AlreadyInState` if it is off."""

    def suspend_domain(self, uuid: UUID) -> None:
        """Stop its CPUs; memory stays. Raises `AlreadyInState` if it is paused, `Refused` if it is off."""

    def resume_domain(self, uuid: UUID) -> None:
        """Let its CPUs go on. Raises `AlreadyInState` if it runs, `Refused` if it is off."""

    def undefine_domain(self, uuid: UUID) -> None:
        """Forget the definition with its NVRAM, saved state, snapshots' and checkpoints' records; disks stay.

        A running domain goes on without a definition: destroy it first.
        """

    def set_autostart(self, uuid: UUID, *, enabled: bool) -> None:
        """Whether the host starts it when the host itself starts."""

    def change_media(self, uuid: UUID, *, target: str, path: str | None) -> None:
        """Put the image at `path` into CD-ROM drive `target`, or None to empty it; now and for the next start.

        Raises `NotFound` if there is no such drive.
        """
