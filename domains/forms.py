"""The form for a new machine: what was typed, turned into `NewDomain`, with each problem beside its field."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import Team, User
from accounts.permissions import Verb
from domains.actions.create import MAX_DISK_GIB, MIN_MEMORY_MIB, NewDomain, problems
from domains.names import NAME_RULE
from hosts.models import Host, HostState
from networks.models import Network
from storage.models import Pool, Volume, VolumeKind

DISK_FORMATS = [("qcow2", "qcow2 – grows with use"), ("raw", "raw – all space is set aside now")]
FIRMWARES = [("bios", "BIOS"), ("uefi", "UEFI")]
DEFAULT_MEMORY_MIB = 2048
DEFAULT_DISK_GIB = 5


class NewDomainForm(forms.Form):
    """Choices depend on the host; with one host there is nothing to choose."""

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
    firmware = forms.ChoiceField(choices=FIRMWARES, initial="bios")
    team = forms.ModelChoiceField(Team.objects.none(), required=False, empty_label="No team")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=1000)
    start = forms.BooleanField(required=False, initial=True, label="Start it when it is ready")
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, host: Host | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chosen_host = host
        hosts = (
            Host.objects.permitted(user, Verb.HOST_VIEW)
            .present()
            .filter(state=HostState.UP, maintenance=False)
        )
        pools = Pool.objects.permitted(user, Verb.STORAGE_VIEW).present().filter(host=host, state="running")
        networks = Network.objects.permitted(user, Verb.NETWORK_VIEW).present().filter(host=host, active=True)
        isos = (
            Volume.objects.permitted(user, Verb.STORAGE_VIEW)
            .present()
            .filter(pool__host=host, kind=VolumeKind.ISO)
        )
        self._choose("host", hosts, host)
        self._choose("pool", pools, pools.filter(name="default").first() or pools.first())
        self._choose("network", networks, networks.filter(name="default").first() or networks.first())
        self._choose("iso", isos, None)
        self._choose("team", Team.objects.order_by("name"), None)
        if host is not None and not host.uefi:
            self.fields["firmware"].choices = FIRMWARES[:1]  # type: ignore[attr-defined]

    def _choose(self, field: str, rows: Any, initial: Any) -> None:
        self.fields[field].queryset = rows  # type: ignore[attr-defined]
        to_field = getattr(self.fields[field], "to_field_name", None)
        if initial is not None and not self.initial.get(field):
            self.initial[field] = str(getattr(initial, to_field or "pk"))

    def clean(self) -> dict[str, Any]:
        """Ask the action's own rules, once every field by itself is sound."""
        cleaned = super().clean() or {}
        if not self.errors:
            for problem in problems(self.to_new()):
                self.add_error(problem.field, f"{problem.message} {problem.fix}".strip())
        return cleaned

    def to_new(self) -> NewDomain:
        """What was asked for."""
        values = {name: self.cleaned_data[name] for name in NewDomain.__slots__}
        return NewDomain(**values)
