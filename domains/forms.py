"""The form for a new machine: what was typed, turned into a wish, with each problem beside its field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any
from uuid import UUID

from django import forms
from django.db import models

from accounts.models import Team, User
from accounts.permissions import Verb
from core.errors import InvalidInput
from core.units import GIB, human_bytes
from domains.actions.create import MAX_DISK_GIB, MIN_MEMORY_MIB, problems
from domains.actions.place import nowhere, ranking
from domains.candidates import twins
from domains.images import free_disks
from domains.names import NAME_RULE
from domains.wishes import Anywhere, NewDomain, Wish
from hosts.models import Host, HostState
from networks.models import Network
from storage.models import Pool, Volume, VolumeKind

DISK_FORMATS = [("qcow2", "qcow2 – grows with use"), ("raw", "raw – all space is set aside now")]
FIRMWARES = [("bios", "BIOS"), ("uefi", "UEFI")]
# What a new machine begins with, and what that is called on the page. Templates have a form of their own.
SOURCES = {"iso": "Install from ISO", "image": "From a disk image", "disk": "From an existing disk"}
DEFAULT_MEMORY_MIB = 2048
DEFAULT_DISK_GIB = 5
USUAL = "default"


def usable_hosts(user: User) -> list[Host]:
    """Those that a new machine may be made on now."""
    hosts = Host.objects.permitted(user, Verb.HOST_VIEW).present()
    return list(hosts.filter(state=HostState.UP, maintenance=False))


class NewDomainForm(forms.Form):
    """Choices depend on the host; with one host there is nothing to choose, on any host names count.

    `source` is one of SOURCES. A disk lies on one host, so with another source than "iso" it says where.
    """

    source = forms.ChoiceField(choices=list(SOURCES.items()), widget=forms.HiddenInput, required=False)
    image = forms.ModelChoiceField(
        Volume.objects.none(), to_field_name="uuid", empty_label=None, label="Disk image"
    )
    name = forms.CharField(max_length=300, help_text=NAME_RULE)
    host = forms.ModelChoiceField(Host.objects.none(), to_field_name="uuid", empty_label=None)
    iso = forms.ModelChoiceField(
        Volume.objects.none(),
        to_field_name="uuid",
        required=False,
        label="Install from",
        empty_label="Nothing – an empty disk",
    )
    vcpus = forms.IntegerField(label="vCPUs", initial=1, min_value=1)
    memory_mib = forms.IntegerField(
        label="Memory", initial=DEFAULT_MEMORY_MIB, min_value=MIN_MEMORY_MIB, step_size=1
    )
    disk_gib = forms.IntegerField(label="Disk", initial=DEFAULT_DISK_GIB, min_value=1, max_value=MAX_DISK_GIB)
    disk_format = forms.ChoiceField(label="Disk format", choices=DISK_FORMATS, initial="qcow2")
    pool = forms.ModelChoiceField(
        Pool.objects.none(), to_field_name="uuid", empty_label=None, label="Storage pool"
    )
    network = forms.ModelChoiceField(
        Network.objects.none(), to_field_name="uuid", required=False, empty_label="No network"
    )
    labels = forms.MultipleChoiceField(
        required=False,
        label="Only on hosts with",
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )
    firmware = forms.ChoiceField(choices=FIRMWARES, initial="bios")
    team = forms.ModelChoiceField(Team.objects.none(), required=False, empty_label="No team")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=1000)
    start = forms.BooleanField(required=False, initial=True, label="Start it when it is ready")
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        user: User,
        hosts: list[Host],
        host: Host | None,
        source: str = "iso",
        image: Volume | None = None,
        **kwargs: Any,
    ) -> None:
        """`hosts` are the usable ones; without a `host` out of them the machine may run on any.

        `image` is the disk that was chosen, the first there is without a choice; its host is the `host` then.
        """
        super().__init__(*args, **kwargs)
        self.from_disk = source != "iso"
        self.no_disks = False
        self.as_it_is = source == "disk"
        self.chosen_image = image
        self.chosen_host = image.pool.host if image is not None else host
        host = self.chosen_host
        self.hosts = hosts
        self._user = user
        among = hosts if host is None else [host]
        self._choose_source(source)
        self._choose_host()
        self._choose_pool()
        networks = Network.objects.permitted(user, Verb.NETWORK_VIEW).present()
        self._choose_network(networks.filter(host__in=among, active=True).order_by("host__name", "name"))
        isos = Volume.objects.permitted(user, Verb.STORAGE_VIEW).present().filter(kind=VolumeKind.ISO)
        self._choose_iso(isos.filter(pool__host__in=among).select_related("pool__host"))
        self._choose("team", Team, Team.objects.order_by("name"))
        labels = sorted({str(label) for one in hosts for label in one.labels}) if host is None else []
        self.fields["labels"].choices = [(label, label) for label in labels]  # type: ignore[attr-defined]
        if not any(one.uefi for one in among):
            self.fields["firmware"].choices = FIRMWARES[:1]  # type: ignore[attr-defined]

    def _choose_source(self, source: str) -> None:
        self.initial["source"] = source
        if not self.from_disk:
            del self.fields["image"]
            return
        gone = ("host", "disk_gib", "disk_format", "pool") if self.as_it_is else ("host",)
        for name in gone:
            del self.fields[name]
        disks = free_disks(self._user, self.hosts, as_it_is=self.as_it_is)
        self.no_disks = not disks
        self.fields["image"].label = "Disk" if self.as_it_is else "Disk image"
        one = len({disk.pool.host_id for disk in disks}) <= 1
        self._choose("image", Volume, disks, self.chosen_image, words=lambda disk: _told(disk, one=one))
        if self.chosen_image is not None and not self.as_it_is:
            least = -(-self.chosen_image.capacity_bytes // GIB)
            self.initial["disk_gib"] = max(least, _whole(self.initial.get("disk_gib")))

    def _choose_host(self) -> None:
        if "host" not in self.fields:
            return
        if len(self.hosts) > 1:
            self.fields["host"].required = False
            self.fields["host"].empty_label = "Anywhere"  # type: ignore[attr-defined]
        self._choose("host", Host, self.hosts, self.chosen_host)

    def _choose_pool(self) -> None:
        """On any host the pool is chosen with the host."""
        if self.chosen_host is None or "pool" not in self.fields:
            self.fields.pop("pool", None)
            return
        pools = Pool.objects.permitted(self._user, Verb.STORAGE_VIEW).present()
        by_name = {pool.name: pool for pool in pools.filter(host=self.chosen_host, state="running")}
        usual = by_name.get(USUAL) or next(iter(by_name.values()), None)
        self._keep("pool", Pool, lambda old: by_name.get(old.name, usual))
        self._choose("pool", Pool, by_name.values(), usual)

    def _choose_network(self, rows: Iterable[Network]) -> None:
        """Networks of one name are one choice."""
        by_name: dict[str, Network] = {}
        for network in rows:
            by_name.setdefault(network.name, network)
        self._keep("network", Network, lambda old: by_name.get(old.name))
        usual = by_name.get(USUAL) or next(iter(by_name.values()), None)
        self._choose("network", Network, by_name.values(), usual)

    def _choose_iso(self, rows: Iterable[Volume]) -> None:
        """The same image on several hosts is one choice; one that a single host has says which."""
        copies: dict[str, list[Volume]] = {}
        for volume in rows:
            copies.setdefault(volume.sha256 or str(volume.uuid), []).append(volume)
        among = [same[0] for same in copies.values()]

        def words(row: Volume) -> str:
            alone = self.chosen_host is None and len(copies[row.sha256 or str(row.uuid)]) == 1
            return f"{row} (only on {row.pool.host.name})" if alone else str(row)

        if self.from_disk:
            del self.fields["iso"]
            return
        self._keep("iso", Volume, lambda old: twins(old).filter(pk__in=[row.pk for row in among]).first())
        self._choose("iso", Volume, among, words=words)

    def _keep(self, field: str, kind: Any, same: Callable[[Any], Any]) -> None:
        """After another host was chosen, go on with the thing there that is the same as the one chosen here."""
        try:
            old = kind.objects.filter(uuid=UUID(str(self.initial.get(field)))).first()
        except ValueError:
            return
        found = same(old) if old is not None else None
        self.initial[field] = str(found.uuid) if found is not None else ""

    def _choose(
        self,
        name: str,
        kind: type[models.Model],
        rows: Iterable[models.Model],
        initial: models.Model | None = None,
        *,
        words: Callable[[Any], str] = str,
    ) -> None:
        """Offer `rows`, read once: a query set would be read for each place that shows them."""
        field: Any = self.fields[name]
        key = field.to_field_name or "pk"
        rows = list(rows)
        nothing = [] if field.empty_label is None else [("", field.empty_label)]
        field.queryset = kind._default_manager.filter(pk__in=[row.pk for row in rows])
        field.choices = nothing + [(str(getattr(row, key)), words(row)) for row in rows]
        if initial is not None and name not in self.initial:
            self.initial[name] = str(getattr(initial, key))

    def clean(self) -> dict[str, Any]:
        """Ask the action's own rules, once every field by itself is sound."""
        cleaned = super().clean() or {}
        if not self.errors:
            new = self.to_new()
            found = list(problems(new))
            if not found and isinstance(new, Anywhere):
                found = _unplaced(new)
            for problem in found:
                self.add_error(problem.field, f"{problem.message} {problem.fix}".strip())
        return cleaned

    def to_new(self) -> NewDomain | Anywhere:
        """What was asked for."""
        plain: dict[str, Any] = {field.name: self.cleaned_data.get(field.name) for field in fields(Wish)}
        host, network = self.cleaned_data.get("host"), self.cleaned_data["network"]
        image = self.cleaned_data.get("image")
        if image is not None:
            plain |= {"disk_gib": plain["disk_gib"] or 1, "disk_format": plain["disk_format"] or "qcow2"}
            pool = image.pool if self.as_it_is else self.cleaned_data["pool"]
            return NewDomain(
                **plain,
                host=image.pool.host,
                pool=pool,
                network=network,
                image=image,
                as_it_is=self.as_it_is,
            )
        if host is not None:
            return NewDomain(**plain, host=host, pool=self.cleaned_data["pool"], network=network)
        labels = frozenset(self.cleaned_data["labels"])
        return Anywhere(**plain, network=network.name if network else "", labels=labels)


def _told(disk: Volume, *, one: bool) -> str:
    where = "" if one else f", on {disk.pool.host.name}"
    return f"{disk} ({human_bytes(disk.capacity_bytes)}, {disk.format}{where})"


def _whole(typed: Any) -> int:
    """What was typed as a number; 0 for what is none."""
    text = str(typed or "")
    return int(text) if text.isdecimal() and len(text) < 7 else 0


def _unplaced(new: Anywhere) -> list[InvalidInput]:
    found = ranking(new)
    return [] if found.best else [nowhere(found)]
