"""Every kind of operation, by subject. A new module is named in GROUPS."""

from __future__ import annotations

from tests.faults.cases import power
from tests.faults.cases.base import Case

GROUPS: dict[str, list[Case]] = {
    "power": [
        power.Start(),
        power.ForceOff(),
        power.Suspend(),
        power.Resume(),
        power.Reset(),
        power.Reboot(),
        power.Shutdown(),
        power.Delete(),
    ],
}

# Kinds that need more than one host, an upload or a worker of their own, with the file that proves the same of them.
ELSEWHERE = {
    "domain.create": "tests/faults/test_create.py",
    "domain.migrate": "tests/faults/test_migrate.py",
    "domain.stop": "tests/faults/test_migrate.py",
    "host.bring-back": "tests/faults/test_migrate.py",
    "host.drain": "tests/faults/test_migrate.py",
    "pool.refresh": "tests/faults/test_volumes.py",
    "volume.create": "tests/faults/test_volumes.py",
    "volume.delete": "tests/faults/test_volumes.py",
    "volume.import": "tests/faults/test_volumes.py",
}
