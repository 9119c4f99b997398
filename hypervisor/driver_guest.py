"""Guests: what can be learnt of them, and what their agents do."""

import time
from collections.abc import Callable
from typing import Final, TypeVar
from uuid import UUID

import libvirt

from hypervisor import guest
from hypervisor.driver_domains import LIVE, DomainCalls
from hypervisor.errors import HypervisorError, Unreachable
from hypervisor.guest_facts import AddressFacts, AddressSource, AgentLink, GuestFacts
from hypervisor.translation import translate
from hypervisor.xml.agent import agent_link

# An agent is a program that its guest may stop, replace or make lie: none is waited for any longer.
AGENT_S: Final = 5
# A daemon that just came back says that no agent is connected until it has reached them again, one after the other.
_BACK_S: Final = 2.0
_LOOK_AGAIN_S: Final = 0.1

_SOURCES: Final = {
    AddressSource.LEASE: libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
    AddressSource.ARP: libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
}

Answer = TypeVar("Answer")


class GuestCalls(DomainCalls):
    """Each call of an agent ends after `AGENT_S`, and after two seconds more at most where its daemon just came back.

    libvirt goes on to use that limit for others' calls, too.

    Raises `Refused` where no agent is connected or it does not answer in time: what it was asked for may still happen.
    """

    def read_guest(self, uuid: UUID) -> GuestFacts:
        """What is known of the guest of a domain that is on; what one source refuses does not hide the others."""
        with translate():
            domain = self._domain(uuid)
            link = agent_link(domain.XMLDesc(LIVE))
        addresses = [
            *self._addresses(domain, AddressSource.LEASE),
            *self._addresses(domain, AddressSource.ARP),
        ]
        told = None
        if link is AgentLink.CONNECTED:
            try:
                with translate():
                    said = self._ask(uuid, lambda domain: domain.guestInfo(0, 0))
            except Unreachable:
                raise
            except HypervisorError:
                link = AgentLink.SILENT
            else:
                # While its file systems are frozen an agent tells nothing.
                told = guest.agent_facts(said) if said else None
                addresses += told.addresses if told else ()
        return GuestFacts(link=link, addresses=tuple(addresses), told=told)

    @translate()
    def guest_time_s(self, uuid: UUID) -> float:
        """Ask the agent for its clock: seconds since 1970."""
        told = self._ask(uuid, lambda domain: domain.getTime(0))
        return float(told["seconds"]) + told["nseconds"] / 1e9

    @translate(effect=True)
    def freeze_filesystems(self, uuid: UUID) -> int:
        """Let everything that is written reach the disks, and hold what comes after; returns how many froze."""
        return self._ask(uuid, lambda domain: domain.fsFreeze(None, 0))

    @translate(effect=True)
    def thaw_filesystems(self, uuid: UUID) -> int:
        """Let writes go on; harmless where nothing is frozen. Returns how many file systems thawed."""
        return self._ask(uuid, lambda domain: domain.fsThaw(None, 0))

    @translate(effect=True)
    def trim_filesystems(self, uuid: UUID) -> None:
        """Give back to the storage what no file uses."""
        self._ask(uuid, lambda domain: domain.fSTrim(None, 0, 0))

    @translate(effect=True)
    def set_guest_password(self, uuid: UUID, user: str, password: str) -> None:
        """Set the password of an account of the guest's."""
        self._ask(uuid, lambda domain: domain.setUserPassword(user, password, 0))

    def _ask(self, uuid: UUID, call: Callable[[libvirt.virDomain], Answer]) -> Answer:
        domain, until = self._domain(uuid), time.monotonic() + _BACK_S
        while True:
            domain.agentSetResponseTimeout(AGENT_S, 0)
            try:
                return call(domain)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_AGENT_UNRESPONSIVE or time.monotonic() > until:
                    raise
                if agent_link(domain.XMLDesc(LIVE)) is not AgentLink.CONNECTED:
                    raise
            time.sleep(_LOOK_AGAIN_S)

    def _addresses(self, domain: libvirt.virDomain, source: AddressSource) -> tuple[AddressFacts, ...]:
        try:
            with translate():
                return guest.card_addresses(domain.interfaceAddresses(_SOURCES[source], 0), source)
        except Unreachable:
            raise
        except HypervisorError:
            return ()
