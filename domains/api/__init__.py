"""REST for virtual machines. Each module adds its calls to one router; what empties hosts is on that of `hosts.api`."""

from domains.api import (
    act,
    bulk,
    copies,
    create,
    definition,
    devices,
    disks,
    drain,
    guest,
    migrate,
    options,
    read,
    snapshots,
    trash,
)
from domains.api.common import router

__all__ = [
    "act",
    "bulk",
    "copies",
    "create",
    "definition",
    "disks",
    "devices",
    "drain",
    "guest",
    "migrate",
    "options",
    "read",
    "router",
    "snapshots",
    "trash",
]
