"""How the work on volumes is done, step by step. Importing this package registers every procedure."""

from storage.procedures import imports, pools
from storage.procedures.volumes import CreateVolume, DeleteVolume

__all__ = ["CreateVolume", "DeleteVolume", "imports", "pools"]
