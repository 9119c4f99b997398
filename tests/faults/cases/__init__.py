"""Every kind of operation, by subject. A new module is named in GROUPS."""

from __future__ import annotations

from tests.faults.cases import (
    copies,
    definitions,
    devices,
    disks,
    hosts,
    options,
    power,
    snapshots,
    storage,
    trash,
)
from tests.faults.cases.base import Case

GROUPS: dict[str, list[Case]] = {
    "copies": [
        copies.Clone(),
        copies.LinkedClone(),
        copies.Rename(),
        copies.Template(),
        copies.Untemplate(),
        copies.Export(),
    ],
    "definitions": [definitions.Define()],
    "devices": [
        devices.AddNic(),
        devices.AddNicNow(),
        devices.ChangeNic(),
        devices.DetachNic(),
        devices.AddDevice(),
        devices.DetachDevice(),
        devices.ChangeVideo(),
        devices.DetachHostDevice(),
    ],
    "options": [
        options.Cpu(),
        options.Memory(),
        options.Boot(),
        options.Firmware(),
        options.Tpm(),
        options.Clock(),
        options.Label(),
        options.StartFrom(),
    ],
    "disks": [
        disks.Add(),
        disks.Attach(),
        disks.Detach(),
        disks.Change(),
        disks.Resize(),
        disks.ChangeMedium(),
        disks.AddDrive(),
        disks.DetachDrive(),
    ],
    "power": [
        power.Start(),
        power.ForceOff(),
        power.Suspend(),
        power.Resume(),
        power.Reset(),
        power.Reboot(),
        power.StartPaused(),
        power.StartFresh(),
        power.DiscardSaved(),
        power.Save(),
        power.AutostartOn(),
        power.AutostartOff(),
        power.Shutdown(),
        power.Bulk(),
        power.Delete(),
    ],
    "snapshots": [
        snapshots.Take(),
        snapshots.TakeBeside(),
        snapshots.GoBack(),
        snapshots.GoBackBeside(),
        snapshots.Delete(),
        snapshots.DeleteBeside(),
    ],
    "storage": [storage.CreateVolume(), storage.DeleteVolume(), storage.RefreshPool()],
    "trash": [trash.Trash(), trash.Restore(), trash.Purge()],
    "hosts": [hosts.Check(), hosts.Drain(), hosts.BringBack()],
}

# Kinds that need more than one host, an upload or a worker of their own, with the file that proves the same of them.
ELSEWHERE = {
    "domain.create": "tests/faults/test_create.py",
    "domain.hostdev.attach": "tests/domains/test_devices.py",
    "domain.guest.freeze": "tests/domains/test_guest.py",
    "domain.guest.password": "tests/domains/test_guest.py",
    "domain.guest.ping": "tests/domains/test_guest.py",
    "domain.guest.thaw": "tests/domains/test_guest.py",
    "domain.guest.trim": "tests/domains/test_guest.py",
    "domain.migrate": "tests/faults/test_migrate.py",
    "volume.import": "tests/faults/test_volumes.py",
}
