"""The forms for a machine's disks and drives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import uuid4

from django import forms
from django.forms import BoundField

from accounts.models import User
from core.units import GIB, MIB, human_bytes
from domains import disk_choices
from domains.actions.disks import MAX_PATIENCE_S, PATIENCE_S, settings_of
from domains.disk_checks import MAX_BYTES_S, MAX_DISK_GIB, MAX_IOPS
from domains.disk_wishes import DiskSettings, ExistingDisk, NewDisk
from domains.models import Domain, DomainDisk, DomainState
from hypervisor.limits import IoLimits
from storage.models import Pool, Volume

BUSES = [
    ("virtio", "virtio – the fastest"),
    ("scsi", "SCSI – many disks in one slot"),
    ("sata", "SATA – old systems"),
]
FORMATS = [("qcow2", "qcow2 – grows with use, can have snapshots"), ("raw", "raw – the plain bytes")]
CACHES = [
    ("default", "QEMU's choice (writeback)"),
    ("none", "none – past the host's memory; needed for live migration"),
    ("writeback", "writeback – through the host's memory"),
    ("writethrough", "writethrough – every write waits for the host's disk"),
    ("directsync", "directsync – past the host's memory, and every write waits"),
    ("unsafe", "unsafe – fast; a crash of the host loses data"),
]
DISCARDS = [("unmap", "Give freed space back to the host"), ("ignore", "Ignore")]


class DiskForm(forms.Form):
    """What all have: the machine, who asks, and a key that makes a second click harmless."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    units: ClassVar[dict[str, str]] = {"size_gib": "GiB", "patience_s": "s"}
    # Folded away until somebody wants them, or one of them is wrong.
    folded: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, user: User, domain: Domain, disk: DomainDisk | None = None) -> None:
        super().__init__(*args)
        self.user = user
        self.domain = domain
        self.disk = disk
        self.prepare()

    def prepare(self) -> None:
        """Fill in what depends on the machine."""

    def shown(self) -> Iterator[tuple[BoundField, str]]:
        """Each field that people see at once, with its unit."""
        for field in self.visible_fields():
            if field.name not in self.folded:
                yield field, self.units.get(field.name, "")

    def more(self) -> Iterator[tuple[BoundField, str]]:
        """The other ones."""
        for name in self.folded:
            yield self[name], self.units.get(name, "")

    def opened(self) -> bool:
        """Whether those are shown from the start."""
        return any(self.errors.get(name) or self.initial.get(name) for name in self.folded)

    def refuse(self, field: str, message: str) -> None:
        """Put the action's words beside the field they are about; those about none stand above."""
        self.add_error(field if field in self.fields else None, message)


class SettingsForm(DiskForm):
    """How a disk is plugged in. A limit that is left blank is none."""

    bus = forms.ChoiceField(choices=BUSES, initial="virtio")
    cache = forms.ChoiceField(choices=CACHES, initial="default")
    discard = forms.ChoiceField(label="When the guest frees space", choices=DISCARDS, initial="unmap")
    read_mib_s = forms.FloatField(
        label="Reads at most", required=False, min_value=0, max_value=MAX_BYTES_S / MIB
    )
    write_mib_s = forms.FloatField(
        label="Writes at most", required=False, min_value=0, max_value=MAX_BYTES_S / MIB
    )
    read_iops = forms.IntegerField(
        label="Read requests at most", required=False, min_value=0, max_value=MAX_IOPS
    )
    write_iops = forms.IntegerField(
        label="Write requests at most", required=False, min_value=0, max_value=MAX_IOPS
    )

    units: ClassVar[dict[str, str]] = DiskForm.units | {
        "read_mib_s": "MiB/s",
        "write_mib_s": "MiB/s",
        "read_iops": "per second",
        "write_iops": "per second",
    }
    folded: ClassVar[tuple[str, ...]] = ("read_mib_s", "write_mib_s", "read_iops", "write_iops")

    def settings(self) -> DiskSettings:
        """As typed, once it is valid."""
        typed = self.cleaned_data
        return DiskSettings(
            bus=typed["bus"],
            cache=typed["cache"],
            discard=typed["discard"],
            limits=IoLimits(
                read_bytes_s=round((typed["read_mib_s"] or 0) * MIB),
                write_bytes_s=round((typed["write_mib_s"] or 0) * MIB),
                read_iops=typed["read_iops"] or 0,
                write_iops=typed["write_iops"] or 0,
            ),
        )

    def refuse(self, field: str, message: str) -> None:
        """Rates are typed in MiB."""
        super().refuse(field.replace("_bytes_s", "_mib_s"), message)


class NewDiskForm(SettingsForm):
    """A disk to be made."""

    pool = forms.ModelChoiceField(
        Pool.objects.none(), to_field_name="uuid", empty_label=None, label="Storage pool"
    )
    size_gib = forms.IntegerField(label="Size", min_value=1, max_value=MAX_DISK_GIB, initial=10)
    format = forms.ChoiceField(choices=FORMATS, initial="qcow2")
    field_order = ["size_gib", "pool", "format"]

    def prepare(self) -> None:
        """Those pools that they may use."""
        pools = disk_choices.pools(self.user, self.domain)
        field: Any = self.fields["pool"]
        field.queryset = pools
        field.choices = [
            (str(pool.uuid), f"{pool.name} – {human_bytes(pool.available_bytes)} free") for pool in pools
        ]

    def wanted(self) -> NewDisk:
        """As typed, once it is valid."""
        typed = self.cleaned_data
        return NewDisk(
            pool=typed["pool"], size_gib=typed["size_gib"], format=typed["format"], settings=self.settings()
        )


class ExistingDiskForm(SettingsForm):
    """A volume that is there."""

    volume = forms.ModelChoiceField(
        Volume.objects.none(), to_field_name="uuid", empty_label="Choose a disk", label="Disk"
    )
    shareable = forms.BooleanField(
        required=False,
        label="Several machines may have it at the same time",
        help_text="Only for raw disks with a file system for clusters: any other is destroyed by that.",
    )
    field_order = ["volume"]

    def prepare(self) -> None:
        """Those that nobody has for themselves."""
        volumes = list(disk_choices.unused(self.user, self.domain))
        field: Any = self.fields["volume"]
        field.queryset = disk_choices.volumes(self.user, self.domain)
        field.choices = [("", field.empty_label), *((str(one.uuid), _words(one)) for one in volumes)]
        if not volumes:
            here = self.domain.host.name
            field.help_text = f"No disk on {here} is free. Detach one elsewhere, or bring one to Storage."

    def wanted(self) -> ExistingDisk:
        """As typed, once it is valid."""
        typed = self.cleaned_data
        return ExistingDisk(volume=typed["volume"], shareable=typed["shareable"], settings=self.settings())


def _words(volume: Volume) -> str:
    return f"{volume} – {human_bytes(volume.capacity_bytes)} {volume.format}, pool {volume.pool}"


class ChangeDiskForm(SettingsForm):
    """A disk that is plugged in; its bus can be chosen while the machine is off."""

    def prepare(self) -> None:
        """What the next start brings, were nothing changed."""
        if self.disk is None:
            return
        now = settings_of(self.disk)
        self.initial = {
            "bus": now.bus,
            "cache": now.cache,
            "discard": now.discard,
            "read_mib_s": _mib(now.limits.read_bytes_s),
            "write_mib_s": _mib(now.limits.write_bytes_s),
            "read_iops": now.limits.read_iops or None,
            "write_iops": now.limits.write_iops or None,
        }
        bus, cache, discard = (self._also(name) for name in ("bus", "cache", "discard"))
        on = self.domain.state != DomainState.OFF
        bus.choices = [pair for pair in bus.choices if not on or pair[0] == now.bus]
        bus.help_text = "It can be changed while the machine is off." if on else ""
        if on:
            cache.help_text = discard.help_text = "It takes effect at the next start."

    def _also(self, name: str) -> Any:
        """The field, with a value that the panel itself would not choose."""
        field: Any = self.fields[name]
        value = self.initial[name]
        if value not in dict(field.choices):
            field.choices = [(value, value), *field.choices]
        return field


def _mib(count: int) -> float | None:
    return round(count / MIB, 6) or None


class ResizeDiskForm(DiskForm):
    """A disk only grows."""

    size_gib = forms.IntegerField(label="New size", max_value=MAX_DISK_GIB)

    def has(self, capacity_bytes: int) -> ResizeDiskForm:
        """With the least that makes sense filled in."""
        self.fields["size_gib"].help_text = (
            f"It has {human_bytes(capacity_bytes)}, and a disk can only grow."
            " The guest sees the new size at once; its partitions and file systems are then its own matter."
        )
        self.initial["size_gib"] = capacity_bytes // GIB + 1
        return self


class DetachDiskForm(DiskForm):
    """Its volume stays unless the box is ticked."""

    delete_volume = forms.BooleanField(required=False, label="Delete the disk for ever")
    patience_s = forms.IntegerField(
        label="Wait for the guest",
        min_value=1,
        max_value=MAX_PATIENCE_S,
        initial=PATIENCE_S,
        help_text="A guest that runs must let go of a disk by itself. If it doesn't, nothing changes.",
    )

    def prepare(self) -> None:
        """Nobody has to be waited for while it is off."""
        if not self.domain.on:
            self.fields["patience_s"].widget = forms.HiddenInput()


class MediumForm(DiskForm):
    """An image for a drive, or none."""

    image = forms.ModelChoiceField(
        Volume.objects.none(),
        to_field_name="uuid",
        required=False,
        empty_label="Nothing – eject what is in it",
    )
    force = forms.BooleanField(
        required=False,
        label="Force the tray open",
        help_text="Where the guest has locked it. What it reads from the old medium then fails.",
    )

    def prepare(self) -> None:
        """What fits into this drive."""
        if self.disk is None:
            return
        images = disk_choices.images(self.user, self.domain, self.disk.device)
        field: Any = self.fields["image"]
        field.queryset = images
        field.choices = [
            ("", field.empty_label),
            *(
                (str(one.uuid), f"{one} – {human_bytes(one.capacity_bytes)}, pool {one.pool}")
                for one in images
            ),
        ]
        held = next((str(one.uuid) for one in images if one.path == self.disk.path), "")
        self.initial["image"] = held
        if not self.domain.on:
            del self.fields["force"]
