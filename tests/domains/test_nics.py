"""Network cards: added, changed in place and taken out, of machines that run and of those that don't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from lxml import etree

from core.errors import Conflict, Forbidden, InvalidInput
from domains.actions.devices import add_device, add_nic, change_nic, detach_device, detach_nic
from domains.device_wishes import NewDevice, NewNic, NicWish
from domains.models import Domain, DomainNic, DomainState
from domains.procedures.nics import ChangeDefinition
from hosts.models import Host
from networks.models import Bridge
from operations.actions import cancel
from operations.models import Operation, OperationState
from operations.run import Run
from tests.conftest import Cast, browser_of
from tests.domains.hardware import Machine, done, macs
from tests.eventually import eventually
from tests.lab.claims import remove_link
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
        remove_link(self.name)  # a run that was killed left it
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
        remove_link(self.name)


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
        eventually(lambda: leases(guest.log), within_s=120)

        wish = NicWish(kind="bridge", source=uplink.name)
        ended = done(change_nic(domain=domain, mac=MAC, wish=wish, actor=cast.operator))

        assert ended.state == OperationState.SUCCEEDED, ended.error
        address = eventually(
            lambda: next((ip for ip in leases(guest.log) if ip.startswith(uplink.prefix)), None), within_s=120
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
        """On the guest that runs already: it lets go of its card, and is given other things."""
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
        for kind, key in (("rng", "rng:virtio"), ("agent", "agent:org.qemu.guest_agent.0")):
            done(add_device(domain=guest.seen(), device=NewDevice(kind=kind), actor=cast.operator))
            assert guest.seen().devices.get(kind=kind).present == "both"
            ended = done(detach_device(domain=guest.seen(), key=key, actor=cast.operator))
            assert ended.state == OperationState.SUCCEEDED, ended.error
            assert not guest.seen().devices.filter(kind=kind).exists()


class TestOff:
    def test_is_added_changed_and_taken_out(self, machine: Machine, uplink: Uplink, cast: Cast) -> None:
        new = NewNic(kind="bridge", source=uplink.name, model="e1000e", link_up=False, outbound_kib_s=500)
        ended = done(add_nic(domain=machine.seen(), nic=new, actor=cast.operator))
        assert ended.state == OperationState.SUCCEEDED, ended.error
        added = machine.seen().nics.exclude(mac=MAC).get()
        assert (added.source, added.model, added.link_up, added.outbound_kib_s) == (
            uplink.name,
            "e1000e",
            False,
            500,
        )
        assert added.mac.startswith("52:54:00:")

        wish = NicWish(kind="network", source="default", model="virtio", link_up=True, outbound_kib_s=0)
        ended = done(change_nic(domain=machine.seen(), mac=added.mac, wish=wish, actor=cast.operator))
        assert ended.state == OperationState.SUCCEEDED, ended.error
        changed = machine.seen().nics.get(mac=added.mac)
        assert (changed.kind, changed.source, changed.model) == ("network", "default", "virtio")
        assert (changed.link_up, changed.outbound_kib_s) == (True, 0)

        done(detach_nic(domain=machine.seen(), mac=added.mac, actor=cast.operator))
        assert macs(machine.document()) == [MAC]

    def test_what_it_had_beside_survives(self, machine: Machine, cast: Cast) -> None:
        before = [child.tag for child in machine.document().find("devices")]

        done(change_nic(domain=machine.seen(), mac=MAC, wish=NicWish(link_up=False), actor=cast.operator))

        assert [child.tag for child in machine.document().find("devices")] == before
        assert machine.document().find("devices/interface/link").get("state") == "down"


class TestRunning:
    def test_link_now_and_model_later(self, machine: Machine, cast: Cast) -> None:
        domain = machine.start("--paused")
        wish = NicWish(link_up=False, model="e1000e")

        ended = done(change_nic(domain=domain, mac=MAC, wish=wish, actor=cast.operator))

        assert ended.state == OperationState.SUCCEEDED, ended.error
        nic = machine.seen().nics.get()
        assert (nic.link_up, nic.model, nic.pending) == (False, "virtio", [["model", "e1000e"]])
        page = browser_of(cast.operator).get(f"/machines/{domain.uuid}/hardware/").content.decode()
        assert "After its next start: model e1000e" in page

    def test_a_change_that_is_cancelled_leaves_the_card_as_it_was(
        self, machine: Machine, uplink: Uplink, cast: Cast
    ) -> None:
        domain = machine.start("--paused")
        wish = NicWish(kind="bridge", source=uplink.name)
        asked = change_nic(domain=domain, mac=MAC, wish=wish, actor=cast.operator)
        before = machine.document(live=True).find("devices/interface/source").get("network")

        def stop(self: ChangeDefinition, run: Run) -> bool:
            cancel(operation=run.operation, actor=cast.operator)
            run.check_cancelled()
            raise AssertionError

        real, ChangeDefinition.probe = ChangeDefinition.probe, stop  # type: ignore[method-assign]
        try:
            ended = done(asked)
        finally:
            ChangeDefinition.probe = real  # type: ignore[method-assign]

        assert ended.state == OperationState.CANCELLED, ended.error
        assert not ended.left_behind
        live = machine.document(live=True).find("devices/interface")
        assert live.find("source").get("network") == before == "default"
        assert live.find("link") is None or live.find("link").get("state") == "up"

    def test_limits_are_set_now_or_nothing_is(self, machine: Machine, cast: Cast) -> None:
        """Whether the test machine's kernel can limit a card decides which; half of it is neither."""
        domain = machine.start("--paused")
        wish = NicWish(inbound_kib_s=2000, outbound_kib_s=500)

        ended = done(change_nic(domain=domain, mac=MAC, wish=wish, actor=cast.operator))

        nic = machine.seen().nics.get()
        limits = (nic.inbound_kib_s, nic.outbound_kib_s, nic.pending)
        if ended.state == OperationState.SUCCEEDED:
            assert limits == (2000, 500, [])
        else:
            assert "can't limit network cards" in ended.error
            assert limits == (0, 0, [])

    def test_a_guest_that_does_not_answer_keeps_its_card(
        self, machine: Machine, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("domains.procedures.devices.PATIENCE_S", 0)
        domain = machine.start()

        ended = done(detach_nic(domain=domain, mac=MAC, actor=cast.operator))

        assert ended.state == OperationState.FAILED
        assert "does not let go" in ended.error
        assert macs(machine.document()) == [MAC]


class TestRefused:
    @pytest.fixture
    def domain(self, machine: Machine) -> Domain:
        return machine.seen()

    def new(self, mac: str) -> NewNic:
        return NewNic(kind="network", source="default", mac=mac)

    @pytest.mark.parametrize(
        "mac", ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "52:54:00:00:00", "<b>", "00:00:00:00:00:00"]
    )
    def test_no_address_of_a_card(self, domain: Domain, cast: Cast, mac: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            add_nic(domain=domain, nic=self.new(mac), actor=cast.operator)
        assert refused.value.field == "mac"

    def test_an_address_that_a_machine_of_another_host_has(self, domain: Domain, cast: Cast) -> None:
        elsewhere = Domain.objects.create(
            host=Host.objects.create(name="far"), name="twin", state=DomainState.OFF
        )
        DomainNic.objects.create(domain=elsewhere, mac=OTHER.upper(), kind="network", source="default")

        with pytest.raises(InvalidInput, match="twin has this MAC address"):
            add_nic(domain=domain, nic=self.new(OTHER), actor=cast.operator)

    def test_two_ask_for_one_address_at_once(self, domain: Domain, cast: Cast) -> None:
        """Both were checked before either was there; the later one gives way."""
        other = Domain.objects.create(host=domain.host, name="later", state=DomainState.OFF)
        first = add_nic(domain=domain, nic=self.new(OTHER), actor=cast.operator)

        with pytest.raises(InvalidInput, match="has this MAC address"):
            add_nic(domain=other, nic=self.new(OTHER), actor=cast.operator)
        assert done(first).state == OperationState.SUCCEEDED

    def test_a_network_that_is_not_there(self, domain: Domain, cast: Cast) -> None:
        for kind, source in (("network", "nowhere"), ("bridge", "br9"), ("direct", "eth0")):
            with pytest.raises(InvalidInput):
                add_nic(domain=domain, nic=NewNic(kind=kind, source=source), actor=cast.operator)

    def test_a_bridge_that_went_meanwhile(self, domain: Domain, cast: Cast) -> None:
        Bridge.objects.create(host=domain.host, name="br-gone")
        asked = change_nic(
            domain=domain, mac=MAC, wish=NicWish(kind="bridge", source="br-gone"), actor=cast.operator
        )

        ended = done(asked)

        assert ended.state == OperationState.FAILED
        assert "no bridge br-gone any more" in ended.error

    def test_a_card_that_virsh_moved_meanwhile(
        self, domain: Domain, machine: Machine, uplink: Uplink, cast: Cast
    ) -> None:
        wish = NicWish(kind="bridge", source=uplink.name)
        asked = change_nic(domain=domain, mac=MAC, wish=wish, actor=cast.operator)
        moved = machine.document()
        moved.find("devices/interface").set("type", "bridge")
        source = moved.find("devices/interface/source")
        source.attrib.clear()
        source.set("bridge", "elsewhere")
        file = machine.lab.root / "moved.xml"
        file.write_bytes(etree.tostring(moved))
        machine.lab.virsh("define", str(file))

        ended = done(asked)

        assert "was moved meanwhile" in ended.error
        assert machine.document().find("devices/interface/source").get("bridge") == "elsewhere"

    def test_an_owner_may_use_only_what_the_machine_is_in(
        self, domain: Domain, uplink: Uplink, cast: Cast
    ) -> None:
        Domain.objects.filter(pk=domain.pk).update(owner=cast.member)
        domain.refresh_from_db()

        with pytest.raises(InvalidInput, match="that you may use"):
            add_nic(domain=domain, nic=NewNic(kind="bridge", source=uplink.name), actor=cast.member)
        assert add_nic(domain=domain, nic=self.new(""), actor=cast.member)

    def test_a_stranger(self, domain: Domain, cast: Cast) -> None:
        with pytest.raises(Forbidden):
            detach_nic(domain=domain, mac=MAC, actor=cast.stranger)
        assert browser_of(cast.stranger).get(f"/machines/{domain.uuid}/nics/add/").status_code == 404

    def test_a_card_that_is_not_there(self, domain: Domain, cast: Cast) -> None:
        with pytest.raises(Conflict, match="no card"):
            detach_nic(domain=domain, mac=OTHER, actor=cast.operator)


class TestPages:
    def test_a_card_is_added_by_its_form(self, machine: Machine, cast: Cast) -> None:
        domain = machine.seen()
        browser, address = browser_of(cast.operator), f"/machines/{domain.uuid}/nics/add/"
        typed = {"key": str(uuid4()), "source": "network:default", "model": "virtio", "link": "up"}

        wrong = browser.post(address, typed | {"mac": "03:00:00:00:00:01"})
        assert wrong.status_code == 422
        assert "multicast" in wrong.content.decode()

        asked = browser.post(address, typed | {"mac": OTHER})
        assert asked.status_code == 302
        again = browser.post(address, typed | {"mac": OTHER})  # a double click
        assert again["Location"] == asked["Location"]
        done(Operation.objects.get(kind="domain.nic.add"))
        assert sorted(macs(machine.document())) == sorted([MAC, OTHER])

    def test_a_form_that_changes_nothing_says_so(self, machine: Machine, cast: Cast) -> None:
        domain = machine.seen()
        typed = {"key": str(uuid4()), "source": "network:default", "model": "virtio", "link": "up"}

        answer = browser_of(cast.operator).post(f"/machines/{domain.uuid}/nics/{MAC}/", typed)

        assert answer.status_code == 422
        assert "Nothing is to be changed" in answer.content.decode()

    def test_bridges_stand_on_the_networks_page(self, machine: Machine, uplink: Uplink, cast: Cast) -> None:
        page = browser_of(cast.operator).get("/networks/").content.decode()

        assert uplink.name in page
        assert "Bridges of hosts" in page
