"""Every kind of operation, by subject. A new module is named in GROUPS."""

from __future__ import annotations

from tests.faults.cases import (
    copies,
    definitions,
    devices,
    disks,
    guests,
    hosts,
    imports,
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
    "storage": [
        storage.CreateVolume(),
        storage.DeleteVolume(),
        storage.RefreshPool(),
        imports.Import(),
        imports.Convert(),
    ],
    "trash": [trash.Trash(), trash.Restore(), trash.Purge()],
    "hosts": [hosts.Check(), hosts.Drain(), hosts.BringBack()],
    "guests": [guests.Ping(), guests.Trim(), guests.Thaw(), guests.Freeze(), guests.Password()],
}

# Kinds that need more than one host, or a device that only a real one has, with the file that proves the same of them.
ELSEWHERE = {
    "domain.create": "tests/faults/test_create.py",
    "domain.hostdev.attach": "tests/domains/test_devices.py",
    "domain.migrate": "tests/faults/test_migrate.py",
}
