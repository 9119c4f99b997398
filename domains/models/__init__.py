"""What the panel knows of virtual machines."""

from domains.models.devices import DomainDisk, DomainNic
from domains.models.domain import HELD, ON, Domain, DomainQuerySet, DomainState
from domains.models.duplicate import Duplicate

__all__ = ["HELD", "ON", "Domain", "DomainDisk", "DomainNic", "DomainQuerySet", "DomainState", "Duplicate"]
