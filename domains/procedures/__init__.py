"""How the work on machines is done, step by step. Importing this package registers every procedure."""

from domains.procedures import create, delete, drain, migrate, power, save, shutdown, trash

__all__ = ["create", "delete", "drain", "migrate", "power", "save", "shutdown", "trash"]
