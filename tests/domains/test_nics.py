"""Network cards: added, changed in place and taken out, of machines that run and of those that don't."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Conflict, Forbidden, InvalidInput
from domains.actions.devices import add_nic, change_nic, detach_nic
from domains.device_wishes import NewNic, NicWish
from domains.models import Domain, DomainNic, DomainState
from hosts.models import Host
from networks.models import Bridge
from operations.actions import cancel
from operations.models import OperationState
from tests.conftest import Cast
from tests.domains.hardware import Machine, done, macs
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.stage import read

MAC = "52:54:00:c4:00:01"
OTHER = "52:54:00:c4:00:02"


class Uplink:
    """A bridge of the host with a DHCP server of its own, as a company's network has one."""

    def __init__(self, lab: LabHost) -> None:
        number = lab.bridge.removeprefix("kvmlab")
        self.name, self.prefix = f"br-t{number}", f"10.211.{number}"
        self._pid = lab.root / "uplink.pid"
        self._lab = lab
        for command in (
            f"ip link add {self.name} type bridge",
            f"ip address add {self.prefix}.1/24 dev {self.name}",
            f"ip link set {self.name} up",
            f"dnsmasq --conf-file=/dev/null --port=0 --interface={self.name} --except-interface=lo"
            f" --bind-interfaces --dhcp-range={self.prefix}.50,{self.prefix}.60 --no-ping"
            f" --pid-file={self._pid} --dhcp-leasefile={lab.root}/uplink.leases",
        ):
            lab.exec(*command.split())

    def close(self) -> None:
        self._lab.exec("sh", "-c", f"kill $(cat {self._pid})")
        subprocess.run(["ip", "link", "delete", self.name], check=True, timeout=10)


@pytest.fixture
def uplink(lab_host: LabHost, real_host: Host) -> Iterator[Uplink]:
    made = Uplink(lab_host)
    read(real_host)
    yield made
    made.close()


@pytest.fixture
def machine(lab_host: LabHost, real_host: Host) -> Iterator[Machine]:
    made = Machine(lab_host, real_host, "cards", mac=MAC)
    yield made
    made.gone()


@pytest.fixture
def guest(lab_host: LabHost, real_host: Host) -> Iterator[Machine]:
    made = Machine(lab_host, real_host, "leased", mac=MAC, guest=True)
    yield made
    made.gone()


def leases(log: Path) -> list[str]:
    return [line.split()[-1] for line in log.read_text().splitlines() if "LEASE" in line]


class TestMove:
    def test_from_nat_to_a_bridge_gets_a_new_lease_there(
        self, guest: Machine, uplink: Uplink, cast: Cast
    ) -> None:
        domain = guest.start()
        eventually(lambda: leases(guest.log), within_s=30)

        wish = NicWish(kind="bridge", source=uplink.name)
        ended = done(change_nic(domain=domain, mac=MAC, wish=wish, actor=cast.operator))

        assert ended.state == OperationState.SUCCEEDED, ended.error
        address = eventually(
            lambda: next((ip for ip in leases(guest.log) if ip.startswith(uplink.prefix)), None), within_s=30
        )
        assert address
        for document in (guest.document(), guest.document(live=True)):
            (nic,) = document.findall("devices/interface")
            assert (nic.get("type"), nic.find("source").get("bridge")) == ("bridge", uplink.name)
            assert nic.find("mac").get("address") == MAC
        nic = guest.seen().nics.get()
        assert (nic.kind, nic.source, nic.link_up, nic.pending) == ("bridge", uplink.name, True, [])
        self.taken_out_and_put_in_again(guest, cast)

    def taken_out_and_put_in_again(self, guest: Machine, cast: Cast) -> None:
        """On the guest that runs already: one that lets go of its card, and is given another one."""
        ended = done(detach_nic(domain=guest.seen(), mac=MAC, actor=cast.operator))
        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert macs(guest.document()) == macs(guest.document(live=True)) == []

        nic = NewNic(kind="network", source="default", mac=OTHER)
        ended = done(add_nic(domain=guest.seen(), nic=nic, actor=cast.operator))
        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert macs(guest.document()) == macs(guest.document(live=True)) == [OTHER]
        places = [
            doc.find("devices/interface/address") for doc in (guest.document(), guest.document(live=True))
        ]
        assert dict(places[0].attrib) == dict(places[1].attrib)
