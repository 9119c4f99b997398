"""Workers, hosts and the line between them die while machines move: one copy runs, and the inventory knows where."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from domains.actions.migrate import migrate
from domains.models import Domain
from domains.moving import MoveOptions
from operations.models import Operation, OperationState
from tests.conftest import Cast
from tests.domains import travel
from tests.domains.travel import Road
from tests.eventually import eventually
from tests.faults.harness import Crew
from tests.lab.lab import Lab
from tests.lab.namespace import LabError

# Ask the hosts, make room, move, verify, leave, delete the old disk: each before its effect and right after it.
FORWARD = [f"{step}:{moment}" for step in range(6) for moment in ("after running", "before done")]
# Cancelled where all can still be taken back; then killed while it is.
BACKWARD = ["1:after done as cancelled", "0:before done as cancelled"]
# So slow that there is time to break something, so short that the test ends.
SLOW = {"bandwidth_mib_s": 32}
# A broken line ends by keepalive, is tried again after 10 and 20 s, and waits for libvirt to throw its half away.
WITHIN_S = 280.0


@pytest.fixture
def road(transactional_db: None, cast: Cast, lab: Lab) -> Iterator[Road]:
    yield travel.build(lab, cast.operator)
    travel.clear(lab)


def ask(crew: Crew, road: Road, domain: Domain, *fates: str, **options: Any) -> Operation:
    with crew.doomed(*fates) as doom:
        return doom(
            migrate(domain=domain, target=road.there, options=MoveOptions(**options), actor=road.actor)
        )


def running(road: Road, uuid: UUID) -> list[bool]:
    """On which of the two hosts it runs."""
    return [state == "running" for state in road.states(uuid)]


def under_way(road: Road, uuid: UUID) -> Callable[[], bool]:
    """Whether QEMU is copying by now."""

    def look() -> bool:
        with suppress(LabError):
            return "Data processed" in road.lab.hosts[0].virsh("domjobinfo", str(uuid))
        return False

    return look


def assert_whole(road: Road, domain: Domain, operation: Operation) -> None:
    """One copy runs, where the inventory says, on a disk that holds what it held."""
    arrived = operation.state == OperationState.SUCCEEDED
    road.look()
    row = road.domain(domain.uuid)
    assert running(road, domain.uuid) == [not arrived, arrived], (operation.error, operation.left_behind)
    assert row.host == (road.there if arrived else road.here)
    volume = road.volume(domain.uuid)
    assert travel.holds(road.image(volume), "qcow2")
    assert road.volumes() == ([[], [volume.name]] if arrived else [[volume.name], []])


@pytest.mark.timeout(600)
def test_worker_killed_at_every_step(crew: Crew, road: Road) -> None:
    forward = [road.machine(f"on-{number}") for number in range(len(FORWARD))]
    backward = [road.machine(f"off-{number}") for number in range(len(BACKWARD))]
    wanted = [ask(crew, road, domain, fate) for domain, fate in zip(forward, FORWARD, strict=True)]
    stopped = [
        ask(crew, road, domain, fate, "0:before undone")
        for domain, fate in zip(backward, BACKWARD, strict=True)
    ]
    wanted, stopped = crew.wait(*wanted, within_s=WITHIN_S), crew.wait(*stopped, within_s=WITHIN_S)

    assert all(crew.met(operation) for operation in wanted + stopped)
    assert {operation.state for operation in wanted} == {OperationState.SUCCEEDED}
    assert {operation.state for operation in stopped} == {OperationState.CANCELLED}
    assert {operation.left_behind for operation in wanted + stopped} == {""}
    for domain in forward:
        assert running(road, domain.uuid) == [False, True]
        assert road.domain(domain.uuid).host == road.there
    for domain in backward:
        assert running(road, domain.uuid) == [True, False]
    here, there = road.volumes()
    assert len(here) == len(backward)
    assert len(there) == len(forward)


@pytest.mark.timeout(600)
def test_worker_killed_while_it_copies(crew: Crew, road: Road) -> None:
    domain = road.machine("carried")
    operation = ask(crew, road, domain, **SLOW)
    eventually(under_way(road, domain.uuid), within_s=60)

    crew.kill_worker()
    crew.start_worker()
    (operation,) = crew.wait(operation, within_s=WITHIN_S)

    assert operation.state == OperationState.SUCCEEDED, operation.error
    assert_whole(road, domain, operation)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("host", [0, 1], ids=["source", "target"])
@pytest.mark.parametrize("trouble", ["cut", "kill"])
def test_host_lost_while_it_copies(crew: Crew, road: Road, host: int, trouble: str) -> None:
    domain = road.machine("carried")
    operation = ask(crew, road, domain, **SLOW)
    eventually(under_way(road, domain.uuid), within_s=60)

    broken = road.lab.hosts[host]
    getattr(broken, trouble)()
    time.sleep(8)
    if trouble == "kill":
        broken.revive()
    else:
        broken.heal()
    (operation,) = crew.wait(operation, within_s=WITHIN_S)

    assert operation.left_behind == ""
    assert_whole(road, domain, operation)


@pytest.mark.timeout(600)
def test_cancelled_while_it_copies(crew: Crew, road: Road) -> None:
    domain = road.machine("kept")
    operation = ask(crew, road, domain, **SLOW)
    eventually(under_way(road, domain.uuid), within_s=60)

    Operation.objects.filter(pk=operation.pk).update(cancel_requested=True)
    (operation,) = crew.wait(operation, within_s=WITHIN_S)

    assert (operation.state, operation.left_behind) == (OperationState.CANCELLED, "")
    assert_whole(road, domain, operation)
