"""What is known of a guest: its own word, hostile, in texts of at most 255 characters and lists of at most 64."""

from dataclasses import dataclass
from enum import StrEnum


class AgentLink(StrEnum):
    """Whether a guest agent can be spoken to. SILENT is one that is connected and did not answer in time."""

    NONE = "none"
    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    SILENT = "silent"


class AddressSource(StrEnum):
    """Who says so: the network's DHCP server, the guest's agent, or the host's ARP table."""

    LEASE = "lease"
    AGENT = "agent"
    ARP = "arp"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFacts:
    """One address of a network card, "192.0.2.7" and 24; never one that only its own wire can use."""

    mac: str
    address: str
    prefix: int
    source: AddressSource


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesystemFacts:
    """One file system that is mounted."""

    mountpoint: str
    kind: str
    used_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """What the agent told. `users` are those who are signed in."""

    hostname: str
    os: str
    kernel: str
    timezone: str
    users: tuple[str, ...]
    filesystems: tuple[FilesystemFacts, ...]
    addresses: tuple[AddressFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFacts:
    """All of it; `addresses` from every source, `told` None where no agent told anything."""

    link: AgentLink
    addresses: tuple[AddressFacts, ...]
    told: AgentFacts | None
