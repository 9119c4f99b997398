"""Network cards and other devices. What a guest must let go of is proved in `tests.domains.test_nics`."""

from __future__ import annotations

from typing import Any, ClassVar

from lxml.builder import E

from domains.actions import devices as actions
from domains.device_wishes import NewDevice, NewNic, NicWish
from domains.models import Domain, DomainState
from domains.names import fresh_mac
from operations.models import Operation
from tests.faults.cases.base import Case, Ground


def nics(document: Any) -> list[tuple[str, str, str, str]]:
    """Address, kind, source and model of every card."""
    found = []
    for nic in document.iterfind("devices/interface"):
        source = nic.find("source")
        place = source.get("network") or source.get("bridge")
        found.append((nic.find("mac").get("address"), nic.get("type"), place, nic.find("model").get("type")))
    return found


class AddNic(Case):
    kind = "domain.nic.add"

    def prepare(self, ground: Ground) -> tuple[Domain, str]:
        return ground.machine(disk=False), fresh_mac()

    def ask(self, ground: Ground, thing: tuple[Domain, str]) -> Operation:
        domain, mac = thing
        nic = NewNic(kind="network", source="default", mac=mac)
        return actions.add_nic(domain=domain, nic=nic, actor=ground.actor)

    def done(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        domain, mac = thing
        assert nics(ground.dumpxml(domain.uuid)) == [(mac, "network", "default", "virtio")]
        assert domain.nics.get().mac == mac

    def undone(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        assert nics(ground.dumpxml(thing[0].uuid)) == []


class AddNicNow(AddNic):
    """To a guest that could not let go of it again."""

    name = "now"
    can_be_cancelled: ClassVar[bool] = False

    def prepare(self, ground: Ground) -> tuple[Domain, str]:
        return ground.machine(disk=False, state=DomainState.PAUSED), fresh_mac()

    def done(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        super().done(ground, thing)
        live = ground.dumpxml(thing[0].uuid, inactive=False)
        assert nics(live) == [(thing[1], "network", "default", "virtio")]


class ChangeNic(Case):
    """From a bridge into a network, while it runs, and to another model with the next start."""

    kind = "domain.nic.change"

    def prepare(self, ground: Ground) -> tuple[Domain, str]:
        mac = fresh_mac()

        def with_card(root: Any) -> None:
            card = E.interface(E.mac(address=mac), E.source(bridge=ground.lab.bridge), type="bridge")
            card.append(E.model(type="virtio"))
            root.find("devices").append(card)

        return ground.machine(disk=False, state=DomainState.PAUSED, change=with_card), mac

    def ask(self, ground: Ground, thing: tuple[Domain, str]) -> Operation:
        domain, mac = thing
        wish = NicWish(kind="network", source="default", model="e1000e")
        return actions.change_nic(domain=domain, mac=mac, wish=wish, actor=ground.actor)

    def done(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        domain, mac = thing
        assert nics(ground.dumpxml(domain.uuid)) == [(mac, "network", "default", "e1000e")]
        self.check_live(ground, thing, ("network", "default"))

    def undone(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        domain, mac = thing
        assert nics(ground.dumpxml(domain.uuid)) == [(mac, "bridge", ground.lab.bridge, "virtio")]
        self.check_live(ground, thing, ("bridge", ground.lab.bridge))

    def check_live(self, ground: Ground, thing: tuple[Domain, str], place: tuple[str, str]) -> None:
        live = ground.dumpxml(thing[0].uuid, inactive=False)
        assert nics(live) == [(thing[1], *place, "virtio")]
        link = live.find("devices/interface/link")
        assert link is None or link.get("state") == "up"


class DetachNic(Case):
    kind = "domain.nic.detach"

    def prepare(self, ground: Ground) -> tuple[Domain, str]:
        mac = fresh_mac()
        card = E.interface(E.mac(address=mac), E.source(network="default"), type="network")
        card.append(E.model(type="virtio"))
        return ground.machine(disk=False, change=lambda root: root.find("devices").append(card)), mac

    def ask(self, ground: Ground, thing: tuple[Domain, str]) -> Operation:
        return actions.detach_nic(domain=thing[0], mac=thing[1], actor=ground.actor)

    def done(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        assert nics(ground.dumpxml(thing[0].uuid)) == []
        assert not thing[0].nics.exists()

    def undone(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        assert len(nics(ground.dumpxml(thing[0].uuid))) == 1


class AddDevice(Case):
    kind = "domain.device.add"

    def prepare(self, ground: Ground) -> Domain:
        return ground.machine(disk=False)

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return actions.add_device(domain=thing, device=NewDevice(kind="rng"), actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert len(ground.dumpxml(thing.uuid).findall("devices/rng")) == 1
        assert thing.devices.filter(kind="rng").count() == 1

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert ground.dumpxml(thing.uuid).find("devices/rng") is None


class DetachDevice(Case):
    kind = "domain.device.detach"

    def prepare(self, ground: Ground) -> Domain:
        rng = E.rng(E.backend("/dev/urandom", model="random"), model="virtio")
        return ground.machine(disk=False, change=lambda root: root.find("devices").append(rng))

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return actions.detach_device(domain=thing, key="rng:virtio", actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert ground.dumpxml(thing.uuid).find("devices/rng") is None
        assert not thing.devices.filter(kind="rng").exists()

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert len(ground.dumpxml(thing.uuid).findall("devices/rng")) == 1


class ChangeVideo(Case):
    kind = "domain.device.change"

    def prepare(self, ground: Ground) -> Domain:
        return ground.machine(disk=False)

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return actions.change_video(domain=thing, model="virtio", actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        (video,) = ground.dumpxml(thing.uuid).findall("devices/video/model")
        assert video.get("type") == "virtio"

    def undone(self, ground: Ground, thing: Domain) -> None:
        (video,) = ground.dumpxml(thing.uuid).findall("devices/video/model")
        assert video.get("type") == "vga"


class DetachHostDevice(Case):
    """One that its machine was given by virsh, and that need not be there."""

    kind = "domain.hostdev.detach"

    def prepare(self, ground: Ground) -> Domain:
        source = E.source(E.vendor(id="0x046d"), E.product(id="0xc52b"))
        device = E.hostdev(source, mode="subsystem", type="usb", managed="yes")
        return ground.machine(disk=False, change=lambda root: root.find("devices").append(device))

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return actions.detach_host_device(domain=thing, key="usb:046d:c52b", actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert ground.dumpxml(thing.uuid).find("devices/hostdev") is None

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert ground.dumpxml(thing.uuid).find("devices/hostdev") is not None
