"""REST for virtual machines. Each module adds its calls to one router; what empties hosts is on that of `hosts.api`."""

from domains.api import act, create, drain, migrate, read
from domains.api.common import router

__all__ = ["act", "create", "drain", "migrate", "read", "router"]
