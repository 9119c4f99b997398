"""A worker killed at any moment of making a machine: in the end the machine is there, or nothing of it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domains.actions.create import create
from domains.models import Domain, DomainState
from domains.wishes import NewDomain
from hosts.models import Host
from operations.models import Operation, OperationState
from storage.models import Pool, Volume
from tests.conftest import Cast
from tests.faults.harness import PROMISE_S, Crew
from tests.lab.host import LabHost
from tests.stage import adopt

STEPS = ("check", "disk", "define", "start", "verify")
MOMENTS = ("before running", "after running", "before done", "after done")
BOUNDARIES = [f"{step}:{moment}" for step in range(len(STEPS)) for moment in MOMENTS]
# Two deaths for each machine, as many as it may have: its third attempt has to bring it to its end.
FORWARD = list(zip(BOUNDARIES[::2], BOUNDARIES[1::2], strict=True))
# Cancelled when all but the last step is done, so that everything there is has to be taken back.
CANCELLED = "3:after done as cancelled"
BACKWARD = [(f"{step}:before undone", f"{step}:after undone") for step in range(4)]


@pytest.fixture
def bare_host(transactional_db: None, lab_host: LabHost) -> Iterator[Host]:
    """A real host, as empty after the test as before."""
    yield adopt(lab_host)
    lab_host.clear()


def domains_on(lab: LabHost) -> list[str]:
    return sorted(lab.virsh("list", "--all", "--uuid").split())


def volumes_on(lab: LabHost) -> list[str]:
    lab.virsh("pool-refresh", "default")
    return sorted(path.name for path in lab.pool_path.iterdir())


def ask(crew: Crew, cast: Cast, host: Host, name: str, *fates: str) -> Operation:
    pool = Pool.objects.get(host=host, name="default")
    new = NewDomain(host=host, name=name, vcpus=1, memory_mib=64, pool=pool, disk_gib=1)
    with crew.doomed(*fates) as doom:
        return doom(create(new=new, actor=cast.operator))


def test_killed_at_every_step(crew: Crew, cast: Cast, bare_host: Host, lab_host: LabHost) -> None:
    wanted = [ask(crew, cast, bare_host, f"on-{i}", *fates) for i, fates in enumerate(FORWARD)]
    stopped = [
        ask(crew, cast, bare_host, f"off-{i}", CANCELLED, *fates)
        for i, fates in enumerate(reversed(BACKWARD))
    ]
    wanted, stopped = crew.wait(*wanted, within_s=150), crew.wait(*stopped, within_s=150)

    assert [crew.met(operation) for operation in wanted + stopped] == [True] * (len(FORWARD) + len(BACKWARD))
    # Twice what one alone may take: 14 come back at once, and each makes a machine on the same few cores.
    assert max(crew.recovery_s(operation) for operation in wanted + stopped) < 2 * PROMISE_S
    assert {operation.state for operation in wanted} == {OperationState.SUCCEEDED}
    assert {operation.state for operation in stopped} == {OperationState.CANCELLED}
    assert {operation.left_behind for operation in stopped} == {""}

    assert domains_on(lab_host) == sorted(str(operation.target_id) for operation in wanted), "no half domain"
    volumes = Volume.objects.filter(gone_at=None, ready=True)
    assert volumes_on(lab_host) == sorted(volume.name for volume in volumes), "no orphan volume"
    assert volumes.count() == len(wanted)
    machines = Domain.objects.present()
    assert {machine.uuid for machine in machines} == {operation.target_id for operation in wanted}
    assert {machine.state for machine in machines} == {DomainState.RUNNING}
