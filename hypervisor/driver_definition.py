"""Definitions as documents: read one, change it where nobody else did meanwhile, bring one back."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import libvirt

from hypervisor.driver_domains import DEFINITION, LIVE, DomainCalls
from hypervisor.errors import Changed, Invalid
from hypervisor.translation import translate
from hypervisor.xml.elements import document
from hypervisor.xml.parse import document_sha, uuid_of

Edit = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainDocument:
    """A definition: inactive, with its secrets. Never show or log `xml` as it is.

    `sha` is that of `DomainFacts.xml_sha`. `live_xml` is the document of this run, None while the domain is off.
    """

    xml: str
    sha: str
    live_xml: str | None


class DefinitionCalls(DomainCalls):
    """As `DomainCalls`. What is defined is validated against libvirt's schema: `Invalid` tells what is wrong."""

    @translate()
    def read_document(self, uuid: UUID) -> DomainDocument:
        """The definition as libvirt has it now."""
        domain = self._domain(uuid)
        xml = domain.XMLDesc(DEFINITION)
        live = domain.XMLDesc(LIVE) if domain.isActive() else None
        return DomainDocument(xml=xml, sha=document_sha(xml), live_xml=live)

    @translate()
    def read_definition(self, uuid: UUID) -> str:
        """The definition alone: inactive, with its secrets."""
        return self._domain(uuid).XMLDesc(DEFINITION)

    @translate(effect=True)
    def redefine(self, uuid: UUID, edit: Edit, *, expected_sha: str = "") -> DomainDocument:
        """Replace the definition by what `edit` makes of it; a running domain takes it up at its next start.

        Raises `Changed` where the definition is not the one of `expected_sha` (blank: whatever it is), `Invalid` where
        `edit` gave it another UUID: libvirt would define another domain. Between reading and defining libvirt leaves a
        gap of about a millisecond.
        """
        domain = self._domain(uuid)
        before = domain.XMLDesc(DEFINITION)
        if expected_sha and document_sha(before) != expected_sha:
            raise Changed("The definition was changed meanwhile.")
        after = edit(before)
        if uuid_of(document(after)) != uuid:
            raise Invalid("The definition has another UUID.")
        if after != before:
            domain = self._connection.defineXMLFlags(after, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        xml = domain.XMLDesc(DEFINITION)
        return DomainDocument(xml=xml, sha=document_sha(xml), live_xml=None)

    @translate(effect=True)
    def define_document(self, xml: str) -> UUID:
        """Define what is kept of a domain that is gone, or was made from another; returns its UUID.

        libvirt overwrites silently where name and UUID are those of a domain it has: look before.
        """
        domain = self._connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        return UUID(domain.UUIDString())

    @translate(effect=True)
    def attach_device(self, uuid: UUID, device: str, *, live: bool, config: bool) -> None:
        """Plug in the device that the document `device` describes: now, at the next start, or both."""
        self._domain(uuid).attachDeviceFlags(device, _affect(live=live, config=config))

    @translate(effect=True)
    def detach_device(self, uuid: UUID, device: str, *, live: bool, config: bool) -> None:
        """Pull it out. A running guest may take its time, or refuse: look whether the device went."""
        self._domain(uuid).detachDeviceFlags(device, _affect(live=live, config=config))

    @translate(effect=True)
    def update_device(self, uuid: UUID, device: str, *, live: bool, config: bool) -> None:
        """Change a device in place. Raises `Refused` or `Unsupported` for what QEMU can't change while it runs."""
        self._domain(uuid).updateDeviceFlags(device, _affect(live=live, config=config))


def _affect(*, live: bool, config: bool) -> int:
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE if live else 0
    return flags | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if config else 0)
