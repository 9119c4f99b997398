"""The connection in a process of its own: it does what the direct one does, and it can be ended."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

import hypervisor.isolated
from hypervisor import wire
from hypervisor.driver import Hypervisor
from hypervisor.errors import HypervisorError, NotFound, Unreachable
from hypervisor.events import DomainEvent, DomainEventKind, Event
from hypervisor.isolated import POOLS, Isolated
from hypervisor.uri import Address, Transport
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.lab.machines import machine


@pytest.fixture
def isolated(address: Address) -> Iterator[Isolated]:
    with Isolated.open(address, deadline_s=20) as opened:
        yield opened


def children() -> set[int]:
    """The processes that the zygote has forked and that are not gone."""
    process = hypervisor.isolated._zygote._process
    assert process is not None
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return {int(pid) for pid in text.split()}


@contextlib.contextmanager
def tarpit(folder: Path) -> Iterator[Address]:
    """A daemon that accepts and never says a word."""
    path = folder / "silent"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(50)
        yield Address(socket=str(path))


class TestCalls:
    def test_they_give_what_the_direct_ones_give(
        self, isolated: Isolated, host: Hypervisor, lab_host: LabHost
    ) -> None:
        with machine(lab_host, "<b>&ñ") as made:
            assert isolated.read_domain(made.uuid) == host.read_domain(made.uuid)
            assert isolated.read_domains_anew({}) == host.read_domains_anew({})
        assert isolated.list_networks() == host.list_networks()
        # How full they are changes with what others do on the same file system.
        assert [facts.uuid for facts in isolated.list_pools()] == [facts.uuid for facts in host.list_pools()]
        pool = isolated.list_pools()[0].uuid
        assert isolated.list_volumes(pool) == host.list_volumes(pool)
        assert isolated.refresh_pool(pool).path == host.refresh_pool(pool).path
        assert isolated.host_facts().uuid == host.host_facts().uuid
        assert isolated.memory_free_mib() > 0

    def test_what_is_known_does_not_come_again(self, isolated: Isolated, lab_host: LabHost) -> None:
        with machine(lab_host, "one") as one, machine(lab_host, "two") as two:
            first = {reading.uuid: reading for reading in isolated.read_domains_anew({})}
            known = {uuid: reading.digest for uuid, reading in first.items()}
            two.virsh("autostart")

            again = {reading.uuid: reading for reading in isolated.read_domains_anew(known)}

        assert first[one.uuid].facts is not None
        assert again[one.uuid].facts is None
        assert again[one.uuid].digest == known[one.uuid]
        changed = again[two.uuid].facts
        assert changed is not None
        assert changed.autostart
        assert again[two.uuid].digest != known[two.uuid]

    def test_errors_come_as_what_they_are(self, isolated: Isolated) -> None:
        with pytest.raises(NotFound) as caught:
            isolated.read_domain(uuid4())
        assert caught.value.code is not None

    def test_events_are_told_while_one_waits(self, isolated: Isolated, lab_host: LabHost) -> None:
        told: list[Event] = []
        isolated.subscribe(told.append)
        wake = os.eventfd(0)

        with machine(lab_host, "web1") as made:
            end = time.monotonic() + 5
            while not told and time.monotonic() < end:
                isolated.wait(1, wake=wake)

        first = told[0]
        assert isinstance(first, DomainEvent)
        assert (first.uuid, first.kind) == (made.uuid, DomainEventKind.DEFINED)
        os.close(wake)

    def test_a_wait_ends_when_it_is_woken(self, isolated: Isolated) -> None:
        wake = os.eventfd(1)
        began = time.monotonic()

        isolated.wait(30, wake=wake)

        assert time.monotonic() - began < 5
        os.close(wake)

    def test_what_is_asked_for_later_is_answered_later(self, isolated: Isolated) -> None:
        answers: list[object] = []
        isolated.ask_later(POOLS, answers.append)

        assert answers == []
        isolated.drain(0.5)
        assert len(answers) == 1


@contextlib.contextmanager
def babbler() -> Iterator[Isolated]:
    """A child that sends without end, and never what it was asked for."""
    ours, theirs = socket.socketpair()
    ended = time.monotonic() + 20

    def babble() -> None:
        with theirs, contextlib.suppress(OSError):
            while time.monotonic() < ended:
                theirs.sendall(wire.pack(["event", "nothing", None]) * 1000)

    with subprocess.Popen(["sleep", "60"]) as process:
        thread = threading.Thread(target=babble)
        thread.start()
        with Isolated(ours, os.pidfd_open(process.pid)) as isolated:
            yield isolated
        thread.join()


class TestBabble:
    def test_a_call_misses_its_deadline_all_the_same(self) -> None:
        with babbler() as isolated:
            began = time.monotonic()
            with pytest.raises(Unreachable, match="in time"):
                isolated.ping(deadline_s=0.5)
            assert time.monotonic() - began < 10

    def test_draining_ends(self) -> None:
        with babbler() as isolated:
            began = time.monotonic()
            isolated.drain(0.5)
            assert time.monotonic() - began < 10


def hear(isolated: Isolated, answers: list[object]) -> None:
    """Wait for the first answer."""
    ends = time.monotonic() + 20
    while not answers and time.monotonic() < ends:
        isolated.drain(0.1)


class TestStorageApart:
    @pytest.fixture
    def movable(self, address: Address, tmp_path: Path) -> Address:
        """The lab's host by a path that can be made to lead elsewhere."""
        link = tmp_path / "link"
        link.symlink_to(address.socket)
        return Address(socket=str(link))

    def test_a_second_connection_serves_storage(self, isolated: Isolated) -> None:
        answers: list[object] = []
        isolated.set_storage_apart(answers.append)

        hear(isolated, answers)
        assert answers == [None]
        isolated.ping(deadline_s=20)
        assert isolated.list_pools()

    def test_where_there_can_be_none_all_goes_on_with_the_first(self, movable: Address) -> None:
        answers: list[object] = []
        with Isolated.open(movable, deadline_s=20) as isolated:
            Path(movable.socket).unlink()
            isolated.set_storage_apart(answers.append)

            hear(isolated, answers)
            assert isinstance(answers[0], HypervisorError)
            isolated.ping(deadline_s=20)
            assert isolated.list_pools()

    def test_one_that_is_long_in_coming_keeps_nobody_waiting(self, movable: Address, tmp_path: Path) -> None:
        answers: list[object] = []
        with Isolated.open(movable, deadline_s=20) as isolated, tarpit(tmp_path) as silent:
            Path(movable.socket).unlink()
            Path(movable.socket).symlink_to(silent.socket)
            isolated.set_storage_apart(answers.append)

            isolated.ping(deadline_s=20)
            assert isolated.list_pools()
            assert answers == []


class TestEnding:
    def test_a_refused_connection_leaves_nothing(self, tmp_path: Path) -> None:
        nowhere = Address(socket=str(tmp_path / "none"))
        with pytest.raises(Unreachable):
            Isolated.open(nowhere, deadline_s=5)
        descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()

        for _ in range(1000):
            with pytest.raises(HypervisorError):
                Isolated.open(nowhere, deadline_s=5)

        assert len(os.listdir("/proc/self/fd")) <= descriptors
        assert threading.active_count() <= threads
        eventually(lambda: not children(), within_s=5)

    def test_a_silent_daemon_costs_the_deadline_and_no_more(self, tmp_path: Path) -> None:
        with tarpit(tmp_path) as address:
            began = time.monotonic()
            with pytest.raises(Unreachable, match="did not let us in"):
                Isolated.open(address, deadline_s=1)
            assert time.monotonic() - began < 3
            eventually(lambda: not children(), within_s=5)

    def test_a_call_that_misses_its_deadline_kills_the_child(
        self, isolated: Isolated, lab_host: LabHost
    ) -> None:
        lab_host.freeze()
        try:
            with pytest.raises(Unreachable, match="in time"):
                isolated.ping(deadline_s=1)
        finally:
            lab_host.thaw()
        eventually(lambda: not children(), within_s=5)

    def test_what_the_child_started_ends_with_it(self, tmp_path: Path) -> None:
        """Here a program that stands for ssh and waits for ever."""
        program = tmp_path / "ssh"
        program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 1000\n")
        program.chmod(0o755)
        address = Address(
            transport=Transport.SSH, hostname="192.0.2.1", username="x", credentials=str(tmp_path)
        )

        with pytest.raises(Unreachable):
            Isolated.open(address, deadline_s=2)

        pid = int((tmp_path / "pid").read_text())
        eventually(lambda: not Path(f"/proc/{pid}/cmdline").exists() or _is_dead(pid), within_s=5)

    def test_a_child_that_dies_is_told(self, isolated: Isolated) -> None:
        (child,) = children()
        os.kill(child, 9)

        with pytest.raises(Unreachable):
            isolated.read_domains_anew({})

    def test_another_zygote_takes_the_place_of_a_dead_one(self, isolated: Isolated, address: Address) -> None:
        process = hypervisor.isolated._zygote._process
        assert process is not None
        process.kill()
        process.wait()

        with Isolated.open(address, deadline_s=20) as another:
            assert another.list_networks() is not None

    def test_the_child_knows_nothing_of_our_environment(
        self, isolated: Isolated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (child,) = children()

        environment = Path(f"/proc/{child}/environ").read_bytes()

        assert b"PANEL" not in environment
        assert b"REDIS" not in environment
        assert b"DATABASE" not in environment
        modules = Path(f"/proc/{child}/maps").read_text()
        assert "_sqlite3" not in modules


def _is_dead(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()
