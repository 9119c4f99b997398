"""Virtual networks on a real libvirtd."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from uuid import uuid4

import pytest

from hypervisor.driver import Hypervisor
from hypervisor.errors import AlreadyExists, AlreadyInState, HypervisorError, NotFound
from hypervisor.specs import NatNetworkSpec
from tests.lab.host import LabHost


@pytest.fixture
def network(host: Hypervisor, lab_host: LabHost) -> Iterator[NatNetworkSpec]:
    """Described, not defined; beside the lab's own network, and like it on addresses that no other lab has."""
    prefix = f"10.212.{lab_host.bridge.removeprefix('kvmlab')}"
    spec = NatNetworkSpec(
        uuid=uuid4(),
        name="second",
        bridge=f"{lab_host.bridge}b",
        gateway=IPv4Interface(f"{prefix}.1/24"),
        dhcp_first=IPv4Address(f"{prefix}.10"),
        dhcp_last=IPv4Address(f"{prefix}.99"),
    )
    yield spec
    for found in host.list_networks():
        if found.name != "default":
            if found.active:
                lab_host.virsh("net-destroy", str(found.uuid))
            lab_host.virsh("net-undefine", str(found.uuid))


def test_the_labs_own_is_seen(host: Hypervisor, lab_host: LabHost) -> None:
    (found,) = host.list_networks()

    assert (found.name, found.active, found.forward_mode) == ("default", True, "nat")
    assert found.bridge == lab_host.bridge
    assert host.find_network_by_name("default") == found.uuid
    assert host.read_network(found.uuid) == found
    assert host.network_leases(found.uuid) == []


def test_a_bridge_that_comes_and_goes_hides_no_other(host: Hypervisor, lab_host: LabHost) -> None:
    """libvirt says in several ways that an interface went while it was being described."""
    name = f"{lab_host.bridge}z"
    loop = f"for _ in $(seq 60); do ip link add {name} type bridge; ip link del {name}; done"
    with subprocess.Popen(["sh", "-c", loop]) as churn:
        looks = 0
        while churn.poll() is None:
            assert lab_host.bridge in {bridge.name for bridge in host.list_bridges()}
            looks += 1
    assert churn.returncode == 0
    assert looks > 10


def test_is_defined_started_and_seen(host: Hypervisor, network: NatNetworkSpec) -> None:
    defined = host.define_nat_network(network)
    host.start_network(network.uuid)

    assert (defined.active, defined.autostart, defined.persistent) == (False, True, True)
    assert defined.addresses == (str(network.gateway),)
    assert defined.dhcp_ranges == ((str(network.dhcp_first), str(network.dhcp_last)),)
    assert host.read_network(network.uuid).active
    with pytest.raises(AlreadyInState):
        host.start_network(network.uuid)


def test_twice_is_harmless_but_nothing_may_be_taken(host: Hypervisor, network: NatNetworkSpec) -> None:
    host.define_nat_network(network)
    host.define_nat_network(network)

    for clash in (
        replace(network, uuid=uuid4()),
        replace(network, name="third"),
        replace(network, name="third", uuid=uuid4()),
    ):
        with pytest.raises(AlreadyExists):
            host.define_nat_network(clash)


def test_addresses_in_use_are_told(host: Hypervisor, network: NatNetworkSpec) -> None:
    host.define_nat_network(network)
    host.start_network(network.uuid)
    clash = replace(network, uuid=uuid4(), name="third", bridge=f"{network.bridge}c")
    host.define_nat_network(clash)

    with pytest.raises(HypervisorError, match="in use"):
        host.start_network(clash.uuid)


def test_a_stranger_is_not_found(host: Hypervisor) -> None:
    assert host.find_network_by_name("nobody") is None
    with pytest.raises(NotFound):
        host.read_network(uuid4())
    with pytest.raises(NotFound):
        host.network_leases(uuid4())
