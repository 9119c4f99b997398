"""How the work on volumes is done, step by step. Importing this package registers every procedure."""

from storage.procedures import exports, imports, pools
from storage.procedures.layers import CreateLayer, CreateMemoryFile, filled
from storage.procedures.volumes import CheckUnused, CreateVolume, DeleteVolume

__all__ = [
    "CheckUnused",
    "CreateLayer",
    "CreateMemoryFile",
    "CreateVolume",
    "DeleteVolume",
    "filled",
    "exports",
    "imports",
    "pools",
]
