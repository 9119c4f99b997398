from __future__ import annotations

from typing import Any

import pytest

from domains.wishes import NewDomain
from hosts.models import Host
from networks.models import Network
from storage.models import Pool
from tests.lab.host import LabHost
from tests.stage import adopt


@pytest.fixture
def real_host(transactional_db: None, lab_host: LabHost) -> Host:
    """A real libvirt host in the inventory. The engine's heartbeat has a thread of its own: rows must be committed."""
    return adopt(lab_host)


@pytest.fixture
def ask(real_host: Host) -> Any:
    """A small machine on the real host, with whatever a test wants to be different."""

    def new(**changes: Any) -> NewDomain:
        values: dict[str, Any] = {
            "host": real_host,
            "name": "web1",
            "vcpus": 1,
            "memory_mib": 128,
            "pool": Pool.objects.get(host=real_host, name="default"),
            "disk_gib": 5,
            "network": Network.objects.get(host=real_host, name="default"),
        }
        return NewDomain(**{**values, **changes})

    return new
