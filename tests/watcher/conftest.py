from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

import pytest

from hosts.connections import act_as
from hosts.models import Host, HostState
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.lab.machines import Machine, machine
from watcher.watch import Watch

Define = Callable[..., Machine]


@contextmanager
def watching(**options: bool) -> Iterator[Watch]:
    """The watcher at work, in this process."""
    act_as("watcher")
    watch = Watch(**options)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()


def is_in(host: Host, state: HostState) -> bool:
    """Whether the database says so by now."""
    host.refresh_from_db()
    return host.state == state


@pytest.fixture
def near(transactional_db: None, lab_host: LabHost) -> Host:
    """A real libvirt host that the watcher has to find. Its threads see only rows that are committed."""
    return Host.objects.create(name="near", socket=str(lab_host.socket))


@pytest.fixture
def watched(near: Host) -> Iterator[Host]:
    """The same, with the watcher at work and connected."""
    with watching():
        eventually(partial(is_in, near, HostState.UP), within_s=20)
        yield near


@pytest.fixture
def define(lab_host: LabHost) -> Iterator[Define]:
    """Makes machines with virsh; they are gone after the test."""
    with ExitStack() as stack:

        def define_one(name: str, **options: object) -> Machine:
            made: AbstractContextManager[Machine] = machine(lab_host, name, **options)  # type: ignore[arg-type]
            return stack.enter_context(made)

        yield define_one
