"""Domains: read them, define them, forget them."""

import logging
from contextlib import suppress
from typing import Final
from uuid import UUID
from xml.sax.saxutils import unescape

import libvirt

from hypervisor.connection import Connection, unless_taken
from hypervisor.errors import Invalid, NotFound
from hypervisor.facts import DomainFacts, DomainReading, DomainState
from hypervisor.specs import DomainSpec
from hypervisor.states import domain_state, state_reason
from hypervisor.translation import translate
from hypervisor.xml import build, edit, parse

_log = logging.getLogger(__name__)

DEFINITION: Final = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
LIVE: Final = libvirt.VIR_DOMAIN_XML_SECURE
_QUOTES: Final = {"&apos;": "'", "&quot;": '"'}  # what libvirt escapes besides &, < and >
_UNDEFINE: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
)


class DomainCalls(Connection):
    """Each method raises `NotFound` for a UUID that the host does not know, `Unreachable` for a dead connection.

    Those that change something raise `OutcomeUnknown` if the connection breaks meanwhile.
    """

    @translate()
    def domain_states(self) -> dict[UUID, DomainState]:
        """The state of every domain, in one call."""
        return {
            UUID(domain.UUIDString()): domain_state(stats["state.state"])
            for domain, stats in self._connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
        }

    @translate()
    def read_domain(self, uuid: UUID) -> DomainFacts:
        """All that is known of one domain."""
        domain = self._domain(uuid)
        return _facts(domain, _situation(domain))

    @translate()
    def read_domain_and_definition(self, uuid: UUID) -> tuple[DomainFacts, str]:
        """All that is known of it, and the very document that this was read from: inactive, with its secrets."""
        domain = self._domain(uuid)
        situation = _situation(domain)
        live, definition = _documents(domain, situation.live_id)
        return parse.domain_facts(definition=definition, live=live, situation=situation), definition

    @translate()
    def read_domains_anew(self, known: dict[UUID, str]) -> list[DomainReading]:
        """All domains, without the facts of those that still have the digest in `known`: these aren't parsed.

        One that vanishes while we read is left out; so is one that cannot be understood, and logged.
        """
        persistent = self._listed(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)
        autostart = self._listed(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)
        managed_save = self._listed(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
        found = []
        for domain, stats in self._connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0):
            uuid, state = domain.UUIDString(), stats["state.state"]
            situation = parse.DomainSituation(
                state=domain_state(state),
                state_reason=state_reason(state, stats.get("state.reason", 0)),
                live_id=_live_id(domain),
                persistent=uuid in persistent,
                autostart=uuid in autostart,
                managed_save=uuid in managed_save,
            )
            try:
                with translate():
                    found.append(_reading(domain, situation, known))
            except (NotFound, Invalid) as error:
                _log.warning("Left domain %s out: %s", uuid, error)
        return found

    @translate()
    def read_domains_naming(self, *words: str) -> list[DomainFacts]:
        """Those in whose definition, or in whose run, one of these stands: a path, the name of a volume.

        The others are not looked into: of many domains on a host hardly one is asked for. Raises `Invalid` for one that
        names it and cannot be understood.
        """
        found = []
        for domain in self._connection.listAllDomains():
            with suppress(NotFound), translate():
                live, definition = _documents(domain, _live_id(domain))
                said = unescape(f"{live or ''}{definition}", _QUOTES)
                if any(word in said for word in words if word):
                    found.append(_understood(domain))
        return found

    def domain_exists(self, uuid: UUID) -> bool:
        """Whether the host knows this UUID."""
        try:
            with translate():
                self._domain(uuid)
        except NotFound:
            return False
        return True

    def find_domain_by_name(self, name: str) -> UUID | None:
        """The UUID of the domain with exactly this name."""
        try:
            with translate():
                return UUID(self._connection.lookupByName(name).UUIDString())
        except NotFound:
            return None

    def define_domain(self, spec: DomainSpec) -> DomainFacts:
        """Define it, validated against libvirt's schema; doing it twice with the same spec is harmless.

        libvirt overwrites silently where name and UUID are the same. Raises `AlreadyExists` where only one of them is.
        """
        document = build.domain_xml(spec)
        with unless_taken(lambda: self._is_taken(spec)), translate(effect=True):
            domain = self._connection.defineXMLFlags(document, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
            return _facts(domain, _situation(domain))

    @translate(effect=True)
    def undefine_domain(self, uuid: UUID, *, keep_state: bool = False) -> None:
        """Forget the definition with its NVRAM, saved memory, snapshots' and checkpoints' records; disks stay.

        With `keep_state` the files of its NVRAM and TPM stay on the host: defined again, it has them back. A running
        domain goes on without a definition: destroy it first.
        """
        domain = self._domain(uuid)
        if not keep_state:
            domain.undefineFlags(_UNDEFINE | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
            return
        flags = _UNDEFINE | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
        if edit.has_tpm(domain.XMLDesc(DEFINITION)):  # daemons before 8.9 don't know the flag
            flags |= libvirt.VIR_DOMAIN_UNDEFINE_KEEP_TPM
        domain.undefineFlags(flags)

    def _domain(self, uuid: UUID) -> libvirt.virDomain:
        return self._connection.lookupByUUIDString(str(uuid))

    def _listed(self, flag: int) -> frozenset[str]:
        return frozenset(domain.UUIDString() for domain in self._connection.listAllDomains(flag))

    @translate()
    def _is_active(self, uuid: UUID) -> bool:
        return bool(self._domain(uuid).isActive())

    @translate()
    def _state(self, uuid: UUID) -> DomainState:
        return domain_state(self._domain(uuid).state(0)[0])

    def _is_taken(self, spec: DomainSpec) -> bool:
        holder = self.find_domain_by_name(spec.name)
        return holder != spec.uuid and (holder is not None or self.domain_exists(spec.uuid))


def _situation(domain: libvirt.virDomain) -> parse.DomainSituation:
    state, reason = domain.state(0)
    return parse.DomainSituation(
        state=domain_state(state),
        state_reason=state_reason(state, reason),
        live_id=_live_id(domain),
        persistent=bool(domain.isPersistent()),
        autostart=bool(domain.autostart()),
        managed_save=bool(domain.hasManagedSaveImage(0)),
    )


def _facts(domain: libvirt.virDomain, situation: parse.DomainSituation) -> DomainFacts:
    live, definition = _documents(domain, situation.live_id)
    return parse.domain_facts(definition=definition, live=live, situation=situation)


def _reading(
    domain: libvirt.virDomain, situation: parse.DomainSituation, known: dict[UUID, str]
) -> DomainReading:
    uuid = UUID(domain.UUIDString())
    live, definition = _documents(domain, situation.live_id)
    digest = parse.domain_digest(definition=definition, live=live, situation=situation)
    facts = None
    if known.get(uuid) != digest:
        facts = parse.domain_facts(definition=definition, live=live, situation=situation)
    return DomainReading(uuid=uuid, digest=digest, facts=facts)


def _documents(domain: libvirt.virDomain, live_id: int | None) -> tuple[str | None, str]:
    return None if live_id is None else domain.XMLDesc(LIVE), domain.XMLDesc(DEFINITION)


def _understood(domain: libvirt.virDomain) -> DomainFacts:
    try:
        return _facts(domain, _situation(domain))
    except Invalid as error:
        raise Invalid(f"Domain {domain.name()} can't be read: {error.message}") from error


def _live_id(domain: libvirt.virDomain) -> int | None:
    """What libvirt knew when it handed the domain out; -1 stands for off."""
    number = domain.ID()
    return None if number < 0 else number
