"""What a host might say of a machine, for tests of those who listen."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hypervisor.device_facts import Presence
from hypervisor.facts import (
    DiskFacts,
    DiskFile,
    DomainFacts,
    DomainState,
    GraphicsFacts,
    NicFacts,
    OptionFacts,
)
from hypervisor.limits import IoLimits


def domain_facts(name: str = "web1", **different: Any) -> DomainFacts:
    """A machine that is off, with one disk, one network card and a screen; `different` replaces any of it."""
    facts: dict[str, Any] = {
        "uuid": uuid4(),
        "name": name,
        "title": "",
        "description": "",
        "marker": "",
        "tags": None,
        "state": DomainState.OFF,
        "state_reason": "",
        "live_id": None,
        "persistent": True,
        "autostart": False,
        "managed_save": False,
        "vcpus": 2,
        "vcpus_max": 2,
        "memory_mib": 1024,
        "memory_max_mib": 1024,
        "machine": "pc-q35-7.2",
        "firmware": "bios",
        "accelerated": False,
        "disks": (disk_facts(),),
        "nics": (nic_facts(),),
        "graphics": (GraphicsFacts(kind="vnc", port=None, listen="127.0.0.1", has_password=True),),
        "devices": (),
        "pluggable": (),
        "defined": option_facts(),
        "live": None,
        "xml_sha": "0" * 64,
    }
    return DomainFacts(**facts | different)


def option_facts(**different: Any) -> OptionFacts:
    """Two vCPUs and 1 GiB of an emulated machine that boots from its disk."""
    facts: dict[str, Any] = {
        "vcpus": 2,
        "vcpus_max": 2,
        "vcpus_fixed": 2,
        "memory_mib": 1024,
        "memory_max_mib": 1024,
        "balloon": True,
        "cpu": "maximum",
        "sockets": 0,
        "cores": 0,
        "threads": 0,
        "boot": ("vda",),
        "bootable": ("vda", "52:54:00:00:00:01"),
        "firmware": "bios",
        "tpm": "",
        "clock": "utc",
    }
    return OptionFacts(**facts | different)


def disk_facts(target: str = "vda", **different: Any) -> DiskFacts:
    """A qcow2 disk on virtio."""
    facts: dict[str, Any] = {
        "target": target,
        "bus": "virtio",
        "device": "disk",
        "path": f"/pool/{target}.qcow2",
        "pool": "",
        "volume": "",
        "format": "qcow2",
        "readonly": False,
        "shareable": False,
        "serial": "",
        "cache": "",
        "discard": "",
        "limits": IoLimits(),
        "boot_order": None,
        "present": Presence.BOTH,
        "pending": (),
    }
    facts |= different
    named = DiskFile(path=facts["path"], pool=facts["pool"], volume=facts["volume"], base=False)
    files = (named,) if named.path or named.volume else ()
    return DiskFacts(**{"files": files} | facts)


def nic_facts(mac: str = "52:54:00:00:00:01", **different: Any) -> NicFacts:
    """A card in network `default`."""
    facts: dict[str, Any] = {
        "mac": mac,
        "kind": "network",
        "source": "default",
        "model": "virtio",
        "device": "",
        "link_up": True,
        "inbound_kib_s": 0,
        "outbound_kib_s": 0,
        "present": Presence.BOTH,
        "pending": (),
    }
    return NicFacts(**facts | different)
