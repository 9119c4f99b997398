"""How the work on hosts is done, step by step. Importing this package registers every procedure."""

from hosts.procedures.check import CheckHost

__all__ = ["CheckHost"]
