"""How the work on machines is done, step by step. Importing this package registers every procedure."""

from domains.procedures import create, delete, migrate, power

__all__ = ["create", "delete", "migrate", "power"]
