"""What machines use, from a real host to the row."""

from __future__ import annotations

from domains.models import Domain
from hosts.models import Host
from monitoring.models import Usage
from tests.eventually import eventually
from tests.watcher.conftest import Define

SAMPLES_S = 30.0


def test_is_there_while_a_machine_runs(watched: Host, define: Define) -> None:
    machine = define("busy")
    machine.virsh("start")
    mine = Usage.objects.filter(domain__uuid=machine.uuid)

    # It finds nothing to boot, and its firmware looks for it again and again.
    eventually(lambda: mine.filter(cpu_time_s__gt=0, memory_mib__gt=0).exists(), within_s=SAMPLES_S)
    watched.refresh_from_db()
    assert watched.cpu_percent is not None
    assert mine.get().host == watched

    machine.virsh("destroy")
    eventually(lambda: not mine.exists(), within_s=SAMPLES_S)
    assert Domain.objects.filter(uuid=machine.uuid, gone_at=None).exists()
