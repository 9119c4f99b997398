"""How the work on machines is done, step by step. Importing this package registers every procedure."""

from domains.procedures import create, delete, power

__all__ = ["create", "delete", "power"]
