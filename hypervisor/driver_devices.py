"""Devices of machines, plugged in and out, now where QEMU can and for the next start; and those hosts could give."""

import re
from typing import Final
from uuid import UUID

import libvirt

from hypervisor.device_facts import BridgeFacts, HostDeviceFacts, Presence
from hypervisor.device_specs import DeviceSpec
from hypervisor.driver_definition import DefinitionCalls, DomainDocument
from hypervisor.driver_domains import DEFINITION
from hypervisor.errors import HypervisorError, NotFound, Refused, Unreachable, Unsupported
from hypervisor.facts import NicFacts
from hypervisor.specs import NicChange
from hypervisor.translation import translate
from hypervisor.xml import nics, node_devices, peripherals
from hypervisor.xml.elements import document, serialize
from hypervisor.xml.slots import pluggable

# Interfaces that come by the dozen and are no bridges: not worth a question each.
_NO_BRIDGE: Final = re.compile(r"lo|(vnet|macvtap)\d+|veth\w+")
_NODE_DEVICES: Final = (
    libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV
    | libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV
    | libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET
    | libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE
    | libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST
    | libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET
    | libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI
)


class DeviceCalls(DefinitionCalls):
    """As `DefinitionCalls`. A device is named by its key: see `hypervisor.xml.peripherals`."""

    def device_presence(self, uuid: UUID, key: str) -> Presence | None:
        """Where the device stands; None where the machine has none of that key."""
        return _presence(self.read_document(uuid), key)

    def has_device_now(self, uuid: UUID, key: str) -> bool:
        """Whether it runs and has the device."""
        live = self.read_document(uuid).live_xml
        return live is not None and key in peripherals.keys(live)

    def plug_device(self, uuid: UUID, spec: DeviceSpec) -> Presence:
        """Give it the device; returns where it stands then. Twice is harmless.

        Where this run has no place for such a device, the next start brings it.
        """
        made = peripherals.build(spec)
        key, kind = peripherals.key_of(made), peripherals.kind_of(made)
        there = self.read_document(uuid)
        live = there.live_xml
        running = live is not None and key in peripherals.keys(live)
        if live is not None and not running and kind in pluggable(document(live)):
            self._plug_both(uuid, serialize(made), defined=key in peripherals.keys(there.xml))
        else:
            device = _as_running(live, key) if live is not None and running else serialize(made)
            self.redefine(uuid, peripherals.adding(device))
        found = self.device_presence(uuid, key)
        if found is None:
            raise NotFound("The device was taken away again meanwhile.")
        return found

    @translate(effect=True)
    def unplug_device(self, uuid: UUID, key: str) -> None:
        """Ask a running guest for the device; look whether it went. Raises `Unsupported` for what QEMU can't take out.

        Harmless where this run has it not.
        """
        live = self.read_document(uuid).live_xml
        if live is None or key not in peripherals.keys(live):
            return
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE
        try:
            with translate(effect=True):
                self._domain(uuid).detachDeviceFlags(peripherals.device_xml(live, key), flags)
        except NotFound:
            if self.has_device_now(uuid, key):
                raise

    def forget_device(self, uuid: UUID, key: str) -> None:
        """Take the device out of the definition; harmless where it is not in there."""
        self.redefine(uuid, peripherals.removing(key))

    def read_nic(self, uuid: UUID, mac: str) -> tuple[NicFacts | None, NicFacts | None]:
        """The card as it is defined, and as it is in this run; None where there it is not."""
        there = self.read_document(uuid)
        return _nic_in(there.xml, mac), None if there.live_xml is None else _nic_in(there.live_xml, mac)

    def nic_elements(self, uuid: UUID, mac: str) -> tuple[str, str]:
        """The card in the definition and in this run, as `restore_nic` takes them; blank where it is not."""
        there = self.read_document(uuid)
        return _nic_element(there.xml, mac), _nic_element(there.live_xml, mac)

    def restore_nic(self, uuid: UUID, mac: str, *, defined: str = "", live: str = "") -> None:
        """Make the card again what `nic_elements` gave, there where it was; blank leaves it as it is."""
        if defined:
            self.redefine(uuid, nics.restoring(mac, defined))
        if live and self.read_document(uuid).live_xml is not None:
            self.update_device(uuid, live, live=True, config=False)

    @translate(effect=True)
    def change_nic_now(self, uuid: UUID, mac: str, change: NicChange) -> None:
        """Change the card of a running domain. Raises `NotFound`, and `Refused` or `Unsupported` by QEMU."""
        live = self.read_document(uuid).live_xml
        if live is None:
            raise Refused("The virtual machine is off.")
        device = nics.changed_device(live, mac, change)
        self._domain(uuid).updateDeviceFlags(device, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def define_nic(self, uuid: UUID, mac: str, change: NicChange) -> None:
        """Change the card in the definition. Raises `NotFound`."""
        self.redefine(uuid, nics.changing(mac, change))

    def define_video(self, uuid: UUID, model: str) -> None:
        """Give the definition's first video card another model. Raises `NotFound`."""
        self.redefine(uuid, peripherals.setting_video(model))

    @translate()
    def video_element(self, uuid: UUID) -> str:
        """The first video card of the definition, as `restore_video` takes it. Raises `NotFound`."""
        return peripherals.video_element(self._domain(uuid).XMLDesc(DEFINITION))

    def restore_video(self, uuid: UUID, video: str) -> None:
        """Make the definition's first video card again what `video_element` gave."""
        self.redefine(uuid, peripherals.restoring_video(video))

    @translate()
    def list_bridges(self) -> list[BridgeFacts]:
        """The bridges of the host's own system; none where its libvirt does not tell of interfaces."""
        try:
            with translate():
                interfaces = self._connection.listAllInterfaces(0)
        except Unsupported:
            return []
        found = []
        for interface in interfaces:
            if _NO_BRIDGE.fullmatch(interface.name()):
                continue
            try:
                with translate():
                    xml, active = interface.XMLDesc(0), bool(interface.isActive())
            except Unreachable:
                raise
            except HypervisorError:
                # Gone since it was listed, which libvirt tells in several ways, one of them about an unreadable MTU.
                continue
            if node_devices.is_bridge(xml):
                found.append(node_devices.bridge_facts(xml, active=active))
        return found

    @translate()
    def list_host_devices(self) -> list[HostDeviceFacts]:
        """The PCI and USB devices of the host; none where its libvirt does not tell of them."""
        try:
            with translate():
                devices = self._connection.listAllDevices(_NODE_DEVICES)
        except Unsupported:
            return []
        documents = []
        for device in devices:
            try:
                with translate():
                    documents.append(device.XMLDesc(0))
            except NotFound:
                continue
        return node_devices.host_devices(documents)

    @translate(effect=True)
    def _plug_both(self, uuid: UUID, device: str, *, defined: bool) -> None:
        """Into the run, and in the same call into the definition: so it has the same place after the next start."""
        if defined:
            device = _as_running(self._domain(uuid).XMLDesc(DEFINITION), peripherals.key_of(document(device)))
        self.attach_device(uuid, device, live=True, config=not defined)


def _presence(there: DomainDocument, key: str) -> Presence | None:
    defined = key in peripherals.keys(there.xml)
    if there.live_xml is None:
        return Presence.BOTH if defined else None
    running = key in peripherals.keys(there.live_xml)
    if defined and running:
        return Presence.BOTH
    if running:
        return Presence.NOW
    return Presence.NEXT if defined else None


def _as_running(xml: str, key: str) -> str:
    """The device as a document has it, with its place and without the name that this run gave it."""
    device = document(peripherals.device_xml(xml, key))
    for alias in device.findall("alias"):
        device.remove(alias)
    return serialize(device)


def _nic_element(xml: str | None, mac: str) -> str:
    try:
        return "" if xml is None else peripherals.device_xml(xml, f"nic:{mac.lower()}")
    except NotFound:
        return ""


def _nic_in(xml: str, mac: str) -> NicFacts | None:
    try:
        return nics.nic_of(xml, mac)
    except NotFound:
        return None
