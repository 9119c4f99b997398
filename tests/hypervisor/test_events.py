"""What a real libvirtd tells without being asked."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from hypervisor import events
from hypervisor.driver import Hypervisor
from hypervisor.events import DomainEvent, DomainEventKind, NetworkEvent, ObjectEventKind, PoolEvent
from hypervisor.specs import CdromSpec, DomainSpec, ImageFormat, VolumeSpec
from hypervisor.uri import Address
from tests.eventually import eventually
from tests.lab.host import LabHost


@pytest.fixture
def heard(host: Hypervisor) -> list[events.Event]:
    """Grows with every event of the host."""
    found: list[events.Event] = []
    host.subscribe(found.append)
    return found


def kinds(heard: list[events.Event], uuid: UUID) -> list[DomainEventKind]:
    return [event.kind for event in heard if isinstance(event, DomainEvent) and event.uuid == uuid]


class TestDomainEvents:
    def test_tell_a_life(self, host: Hypervisor, spec: DomainSpec, heard: list[events.Event]) -> None:
        host.define_domain(spec)
        host.start_domain(spec.uuid)
        host.suspend_domain(spec.uuid)
        host.reset_domain(spec.uuid)
        host.destroy_domain(spec.uuid)
        host.undefine_domain(spec.uuid)

        eventually(lambda: DomainEventKind.UNDEFINED in kinds(heard, spec.uuid), within_s=5)
        told = [kind for kind in kinds(heard, spec.uuid) if kind is not DomainEventKind.REBOOTED]
        assert told[:4] == [
            DomainEventKind.DEFINED,
            DomainEventKind.RESUMED,
            DomainEventKind.STARTED,
            DomainEventKind.SUSPENDED,
        ]
        assert told[-2:] == [DomainEventKind.STOPPED, DomainEventKind.UNDEFINED]
        assert {event.name for event in heard if isinstance(event, DomainEvent)} == {"small"}

    def test_tell_of_a_reset(self, host: Hypervisor, running: UUID, heard: list[events.Event]) -> None:
        host.reset_domain(running)
        eventually(lambda: DomainEventKind.REBOOTED in kinds(heard, running), within_s=10)

    def test_tell_of_media(
        self, host: Hypervisor, spec: DomainSpec, heard: list[events.Event], pool: UUID
    ) -> None:
        iso = host.create_volume(pool, VolumeSpec(name="a.iso", format=ImageFormat.RAW, capacity_bytes=4096))
        host.define_domain(replace(spec, cdroms=(CdromSpec(target="sda"),)))
        host.start_domain(spec.uuid)
        host.change_media(spec.uuid, target="sda", path=iso.path)
        eventually(lambda: DomainEventKind.TRAY_CHANGED in kinds(heard, spec.uuid), within_s=5)

    def test_tell_of_metadata(
        self, host: Hypervisor, spec: DomainSpec, heard: list[events.Event], lab_host: LabHost
    ) -> None:
        host.define_domain(spec)
        lab_host.virsh("desc", str(spec.uuid), "--config", "--title", "Title")
        eventually(lambda: DomainEventKind.METADATA_CHANGED in kinds(heard, spec.uuid), within_s=5)


class TestOtherEvents:
    def test_tell_of_networks_and_pools(
        self, host: Hypervisor, pool: UUID, heard: list[events.Event], lab_host: LabHost
    ) -> None:
        network = host.find_network_by_name("default")
        assert network is not None
        host.refresh_pool(pool)
        lab_host.virsh("pool-destroy", "default")
        lab_host.virsh("pool-start", "default")
        lab_host.virsh("net-destroy", "default")
        lab_host.virsh("net-start", "default")

        expected: set[events.Event] = {
            PoolEvent(uuid=pool, name="default", kind=ObjectEventKind.REFRESHED),
            PoolEvent(uuid=pool, name="default", kind=ObjectEventKind.STOPPED),
            PoolEvent(uuid=pool, name="default", kind=ObjectEventKind.STARTED),
            NetworkEvent(uuid=network, name="default", kind=ObjectEventKind.STOPPED),
            NetworkEvent(uuid=network, name="default", kind=ObjectEventKind.STARTED),
        }
        eventually(lambda: expected <= set(heard), within_s=5)


class TestListener:
    def test_hears_nothing_after_the_end(self, address: Address, host: Hypervisor, spec: DomainSpec) -> None:
        found: list[events.Event] = []
        with Hypervisor.open(address) as other:
            other.subscribe(found.append)
            with pytest.raises(RuntimeError):
                other.subscribe(found.append)
            host.define_domain(spec)
            eventually(lambda: found, within_s=5)
        found.clear()
        host.undefine_domain(spec.uuid)
        assert found == []

    def test_may_fail(self, host: Hypervisor, spec: DomainSpec, caplog: pytest.LogCaptureFixture) -> None:
        def fail(_event: events.Event) -> None:
            raise ValueError("a listener's own trouble")

        host.subscribe(fail)
        host.define_domain(spec)

        eventually(lambda: "a listener's own trouble" in caplog.text, within_s=5)
        assert host.is_alive()


class TestLoop:
    @pytest.fixture
    def release(self) -> Iterator[threading.Event]:
        event = threading.Event()
        yield event
        event.set()

    def test_that_hangs_is_noticed(
        self, host: Hypervisor, spec: DomainSpec, release: threading.Event
    ) -> None:
        assert events.loop_alive()

        def hang(_event: events.Event) -> None:
            release.wait(30)

        host.subscribe(hang)
        host.define_domain(spec)

        eventually(lambda: not events.loop_alive(within_s=6), within_s=12)
        release.set()
        eventually(lambda: events.loop_alive(within_s=6), within_s=6)

    def test_is_not_alive_before_it_is_started(self) -> None:
        script = """
from hypervisor import events
assert not events.loop_alive()
events.ensure_loop()
assert events.loop_alive()
"""
        subprocess.run([sys.executable, "-c", script], check=True, timeout=30)

    def test_does_not_survive_a_fork(self) -> None:
        script = """
import os
from hypervisor import events
events.ensure_loop()
child = os.fork()
if child == 0:
    try:
        events.ensure_loop()
    except RuntimeError:
        os._exit(1 if events.loop_alive() else 0)
    os._exit(2)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
        subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
