"""A connection to a real libvirtd, and a host that is empty again after each test."""

import contextlib
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from hypothesis import settings

from hypervisor.driver import Hypervisor
from hypervisor.errors import AlreadyInState
from hypervisor.specs import DomainSpec, VideoModel, VncSpec
from hypervisor.uri import Address
from tests.lab.host import LabHost

# A busy machine is no reason to fail: hypothesis measures each example against 200 ms of its own accord.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def address(lab_host: LabHost) -> Address:
    return Address(socket=str(lab_host.socket))


@pytest.fixture
def host(address: Address) -> Iterator[Hypervisor]:
    with Hypervisor.open(address) as opened:
        yield opened
    with Hypervisor.open(address) as another:
        _empty(another)


@pytest.fixture
def pool(host: Hypervisor) -> UUID:
    found = host.find_pool_by_name("default")
    assert found is not None
    return found


@pytest.fixture
def spec() -> DomainSpec:
    """A machine that starts quickly and finds nothing to boot."""
    return DomainSpec(
        uuid=uuid4(),
        name="small",
        vcpus=1,
        memory_mib=32,
        vnc=VncSpec(password="sesame"),
        video=VideoModel.VGA,
    )


@pytest.fixture
def running(host: Hypervisor, spec: DomainSpec) -> UUID:
    host.define_domain(spec)
    host.start_domain(spec.uuid)
    return spec.uuid


def _empty(host: Hypervisor) -> None:
    for domain in host.domain_states():
        with contextlib.suppress(AlreadyInState):
            host.destroy_domain(domain)
        host.undefine_domain(domain)
    for pool in host.list_pools():
        for volume in host.list_volumes(pool.uuid):
            host.delete_volume(pool.uuid, volume.name)
