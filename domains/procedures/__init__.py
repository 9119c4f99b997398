"""How the work on machines is done, step by step. Importing this package registers every procedure."""

from domains.procedures import (
    bulk,
    clone,
    create,
    delete,
    drain,
    migrate,
    power,
    rename,
    save,
    shutdown,
    snapshot_delete,
    snapshot_revert,
    snapshot_take,
    template,
    trash,
)

__all__ = [
    "bulk",
    "clone",
    "create",
    "delete",
    "drain",
    "migrate",
    "power",
    "rename",
    "save",
    "shutdown",
    "snapshot_delete",
    "snapshot_revert",
    "snapshot_take",
    "template",
    "trash",
]
