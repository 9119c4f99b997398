"""The form for moving a machine: where to, and how."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from django import forms

from accounts.models import User
from accounts.permissions import Verb
from domains.actions.migrate import MOST_BANDWIDTH_MIB_S, MOST_DOWNTIME_MS, MOST_POST_COPY_S
from domains.models import Domain
from domains.moving import MoveOptions
from hosts.models import Host, HostState
from storage.models import Pool


class MoveForm(forms.Form):
    """Pools depend on the host; without a host the best one is taken, and the pool of the same name."""

    target = forms.ModelChoiceField(
        Host.objects.none(),
        to_field_name="uuid",
        required=False,
        label="To",
        empty_label="The host that suits it best",
    )
    pool = forms.ChoiceField(required=False, label="Pool for its disks")
    copy = forms.BooleanField(required=False, label="Copy the disks also where both hosts share them")
    delete_source = forms.BooleanField(
        required=False, initial=True, label="Delete the old disks once it is well on the other host"
    )
    eject = forms.BooleanField(required=False, label="Eject images that the other host doesn't have")
    bandwidth_mib_s = forms.IntegerField(
        required=False,
        label="Bandwidth",
        min_value=0,
        max_value=MOST_BANDWIDTH_MIB_S,
        help_text="Blank or 0: as much as there is.",
    )
    downtime_ms = forms.IntegerField(
        required=False,
        label="Standstill at the end",
        min_value=0,
        max_value=MOST_DOWNTIME_MS,
        help_text="Blank or 0: what QEMU thinks best, 300 ms.",
    )
    auto_converge = forms.BooleanField(
        required=False,
        initial=True,
        label="Slow it down if it changes its memory faster than the line carries",
    )
    post_copy_after_s = forms.IntegerField(
        required=False,
        label="Switch over after",
        min_value=0,
        max_value=MOST_POST_COPY_S,
        help_text="Lets it run there with a part of its memory still here (post-copy). If a host or the line fails"
        " then, the machine is lost as if its plug were pulled. Blank or 0: never.",
    )
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, domain: Domain, target: Host | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.domain = domain
        self.chosen = target
        hosts = Host.objects.permitted(user, Verb.HOST_VIEW).present().exclude(pk=domain.host_id)
        self.fields["target"].queryset = hosts.filter(state=HostState.UP, maintenance=False).order_by("name")  # type: ignore[attr-defined]
        pools = Pool.objects.permitted(user, Verb.STORAGE_VIEW).present().filter(host=target, state="running")
        names = pools.values_list("name", flat=True) if target is not None else ()
        self.fields["pool"].choices = [("", "The one of the same name"), *((name, name) for name in names)]  # type: ignore[attr-defined]
        if not domain.on:
            for field in ("bandwidth_mib_s", "downtime_ms", "auto_converge", "post_copy_after_s"):
                del self.fields[field]

    def options(self) -> MoveOptions:
        """As typed, once it is valid."""
        typed: dict[str, Any] = {
            option.name: self.cleaned_data[option.name]
            for option in fields(MoveOptions)
            if self.cleaned_data.get(option.name) is not None
        }
        return MoveOptions(**typed)
