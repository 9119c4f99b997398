"""What the panel knows of virtual machines."""

from domains.models.devices import DomainDisk, DomainNic
from domains.models.domain import HELD, ON, Domain, DomainQuerySet, DomainState
from domains.models.duplicate import Duplicate
from domains.models.guest import AgentState, Guest, GuestAddress, GuestSecret
from domains.models.trash import Trashed, TrashedDisk

__all__ = [
    "AgentState",
    "Domain",
    "DomainDisk",
    "DomainNic",
    "DomainQuerySet",
    "DomainState",
    "Duplicate",
    "Guest",
    "GuestAddress",
    "GuestSecret",
    "HELD",
    "ON",
    "Trashed",
    "TrashedDisk",
]
