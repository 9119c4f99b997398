"""What may be done to pools, volumes and uploads."""

from storage.actions.exports import drop_export, export
from storage.actions.layers import reserve_layer, reserve_memory
from storage.actions.uploads import (
    begin_upload,
    discard_upload,
    finish_upload,
    note_progress,
    refuse_upload,
)
from storage.actions.volumes import create_volume, delete_volume, refresh_pool, reserve

__all__ = [
    "begin_upload",
    "create_volume",
    "delete_volume",
    "discard_upload",
    "drop_export",
    "export",
    "finish_upload",
    "note_progress",
    "refresh_pool",
    "refuse_upload",
    "reserve",
    "reserve_layer",
    "reserve_memory",
]
