"""The forms for a machine's network cards and devices. What makes sense is said by `device_wishes`."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.http import QueryDict

from accounts.models import User
from domains.cards import places
from domains.device_pages import later
from domains.device_wishes import (
    ADDABLE,
    MOST_KIB_S,
    MOST_RNG_BYTES_S,
    VIDEO_MODELS,
    NewDevice,
    NewNic,
    NicWish,
)
from domains.models import Domain, DomainNic
from hypervisor.device_specs import WatchdogAction
from hypervisor.specs import NicModel

_MODELS: Final = [
    (NicModel.VIRTIO.value, "virtio (fastest)"),
    (NicModel.E1000E.value, "e1000e"),
    (NicModel.E1000.value, "e1000"),
    (NicModel.RTL8139.value, "rtl8139"),
]
_ACTIONS: Final = [
    (WatchdogAction.RESET.value, "Reset the machine"),
    (WatchdogAction.POWEROFF.value, "Cut its power"),
    (WatchdogAction.PAUSE.value, "Pause it"),
    (WatchdogAction.INJECT_NMI.value, "Send it a non-maskable interrupt"),
    (WatchdogAction.NONE.value, "Nothing"),
]
_LINKS: Final = [("up", "Up"), ("down", "Down, as if its cable were pulled")]


def _limit(label: str) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=0, max_value=MOST_KIB_S)


class NicForm(forms.Form):
    """What a new card and one that changes have in common."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    source = forms.ChoiceField(label="Plugged into")
    model = forms.ChoiceField(choices=_MODELS)
    link = forms.ChoiceField(label="Link", choices=_LINKS)
    inbound_kib_s = _limit("Receives at most")
    outbound_kib_s = _limit("Sends at most")

    def __init__(self, user: User, domain: Domain, data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        choices = [
            (place.value, place.label if place.active else f"{place.label}, inactive")
            for place in places(user, domain)
        ]
        self.fields["source"].choices = choices  # type: ignore[attr-defined]

    @property
    def place(self) -> tuple[str, str]:
        """The kind and the name of what was chosen."""
        kind, _, source = self.cleaned_data["source"].partition(":")
        return kind, source

    def limits(self) -> dict[str, int]:
        """Both, 0 where nothing was typed."""
        return {name: self.cleaned_data[name] or 0 for name in ("inbound_kib_s", "outbound_kib_s")}


class NewNicForm(NicForm):
    """A card to be added."""

    mac = forms.CharField(
        label="MAC address", required=False, max_length=17, help_text="Blank: the panel chooses one."
    )
    field_order = ("key", "source", "mac", "model", "link", "inbound_kib_s", "outbound_kib_s")

    def nic(self) -> NewNic:
        """What was typed."""
        kind, source = self.place
        return NewNic(
            kind=kind,
            source=source,
            mac=self.cleaned_data["mac"].strip(),
            model=self.cleaned_data["model"],
            link_up=self.cleaned_data["link"] == "up",
            **self.limits(),
        )


class ChangeNicForm(NicForm):
    """A card that is there."""

    def __init__(
        self, user: User, domain: Domain, nic: DomainNic, data: QueryDict | None = None, **options: Any
    ) -> None:
        self.nic = nic
        super().__init__(user, domain, data, **options)
        for name, now, words in (
            ("source", f"{nic.kind}:{nic.source}", f"{nic.source or nic.kind} ({nic.kind})"),
            ("model", nic.model, nic.model),
        ):
            field = self.fields[name]
            if now not in [value for value, _ in field.choices]:  # type: ignore[attr-defined]
                field.choices = [(now, words), *field.choices]  # type: ignore[attr-defined]
            self.initial.setdefault(name, now)
        self.initial.setdefault("link", "up" if nic.link_up else "down")
        self.initial.setdefault("inbound_kib_s", nic.inbound_kib_s or None)
        self.initial.setdefault("outbound_kib_s", nic.outbound_kib_s or None)

    def wish(self) -> NicWish:
        """What was typed and is not so already, now and at the next start."""
        nic, data = self.nic, self.cleaned_data
        kind, source = self.place
        later = dict(nic.pending)
        limits = {
            name: value
            for name, value in self.limits().items()
            if value != getattr(nic, name) or name in later
        }
        moved = (kind, source) != (nic.kind, nic.source) or {"kind", "source"} & later.keys()
        link_up = data["link"] == "up"
        return NicWish(
            kind=kind if moved else None,
            source=source if moved else None,
            model=data["model"] if data["model"] != later.get("model", nic.model) else None,
            link_up=link_up if link_up != nic.link_up or "link_up" in later else None,
            inbound_kib_s=limits.get("inbound_kib_s"),
            outbound_kib_s=limits.get("outbound_kib_s"),
        )


class NewDeviceForm(forms.Form):
    """Another device; which of the other fields count depends on it."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    device = forms.ChoiceField()
    hung = forms.ChoiceField(
        label="When the guest hangs", choices=_ACTIONS, required=False, help_text="For a watchdog."
    )
    rate_bytes_s = forms.IntegerField(
        label="Random numbers",
        required=False,
        min_value=0,
        max_value=MOST_RNG_BYTES_S,
        help_text="The most that the guest may take of a random number generator. Blank: as many as it likes.",
    )

    def __init__(self, domain: Domain, data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        there = set(domain.devices.values_list("kind", flat=True))
        choices = [
            (kind.value, f"{words}, at its next start" if later(domain, kind) else words)
            for kind, words in ADDABLE.items()
            if kind.value not in there
        ]
        self.fields["device"].choices = choices  # type: ignore[attr-defined]

    def new(self) -> NewDevice:
        """What was typed."""
        data = self.cleaned_data
        return NewDevice(
            kind=data["device"],
            action=data["hung"] or WatchdogAction.RESET.value,
            rate_bytes_s=data["rate_bytes_s"] or 0,
        )


class VideoForm(forms.Form):
    """Another model of the video card."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    model = forms.ChoiceField(
        choices=[(model, model) for model in VIDEO_MODELS],
        help_text="virtio for current systems, vga or bochs for those that don't know it, qxl where SPICE is used.",
    )
