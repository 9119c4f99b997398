"""The forms of the tab "Options": one for each group, filled with what the definition says."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.db.models import Q
from django.http import QueryDict

from accounts.models import Team, User
from domains.labels import LONGEST_DESCRIPTION, LONGEST_TITLE, tags_of
from domains.models import Domain
from domains.option_wishes import (
    BootWish,
    ClockWish,
    CpuWish,
    FirmwareWish,
    LabelWish,
    MemoryWish,
    TpmWish,
    Wish,
    clocks,
    offered_cpus,
)
from domains.options import CLOCK_WORDS, FIRMWARE_WORDS, Bootable, bootable, cpu_words, defined, live

_WHEN: Final = [("now", "Now, and at every start"), ("start", "At its next start")]


class OptionForm(forms.Form):
    """What all groups share: the definition that was seen, the click, and the wish that is made of what was typed."""

    sha = forms.CharField(widget=forms.HiddenInput, required=False)
    key = forms.UUIDField(widget=forms.HiddenInput)

    group: ClassVar[str]

    def __init__(self, domain: Domain, data: QueryDict | None = None, *, key: str = "") -> None:
        self.domain = domain
        self.options = defined(domain)
        initial = self.seen() | {"sha": domain.xml_sha, "key": key}
        super().__init__(data, initial=initial, auto_id=f"{self.group}-%s")
        if "when" in self.fields and not live(domain):
            del self.fields["when"]

    def seen(self) -> dict[str, Any]:
        """The fields as the definition has them."""
        return {name: self.options.get(name) for name in self.base_fields}

    def wish(self) -> Wish:
        """What was typed, once each field by itself is sound."""
        raise NotImplementedError

    @property
    def now(self) -> bool:
        """Whether what can change at once shall."""
        return self.cleaned_data.get("when") == "now"

    def clean(self) -> dict[str, Any]:
        """Ask the wish's own rules."""
        cleaned = super().clean() or {}
        if not self.options:
            self.add_error(None, "Its definition was not seen yet. Wait until its host answers.")
        if not self.errors:
            for problem in self.wish().problems(self.domain):
                self.add_error(problem.field, f"{problem.message} {problem.fix}".strip())
        return cleaned


class CpuForm(OptionForm):
    group = "cpu"

    vcpus = forms.IntegerField(label="vCPUs", min_value=1)
    vcpus_max = forms.IntegerField(label="At most", min_value=1)
    cpu = forms.ChoiceField(label="CPU", required=False)
    sockets = forms.IntegerField(required=False, min_value=1)
    cores = forms.IntegerField(required=False, min_value=1, label="Cores in each")
    threads = forms.IntegerField(required=False, min_value=1, label="Threads in each")
    when = forms.ChoiceField(
        label="The number of vCPUs changes",
        choices=_WHEN,
        help_text="All else changes at the next start.",
    )

    def __init__(self, domain: Domain, data: QueryDict | None = None, *, key: str = "") -> None:
        super().__init__(domain, data, key=key)
        offered = offered_cpus(self.domain)
        now = self.options.get("cpu", "")
        choices = [(cpu, cpu_words(cpu)) for cpu in ([] if now in offered else [now]) + offered]
        self.fields["cpu"].choices = choices  # type: ignore[attr-defined]

    def seen(self) -> dict[str, Any]:
        topology = {part: self.options.get(part) or None for part in ("sockets", "cores", "threads")}
        return super().seen() | topology | {"when": "now"}

    def wish(self) -> CpuWish:
        typed = self.cleaned_data
        topology = {part: typed.get(part) or 0 for part in ("sockets", "cores", "threads")}
        return CpuWish(
            vcpus=typed["vcpus"], vcpus_max=typed["vcpus_max"], cpu=typed["cpu"], now=self.now, **topology
        )


class MemoryForm(OptionForm):
    group = "memory"

    memory_mib = forms.IntegerField(label="Memory", min_value=1)
    memory_max_mib = forms.IntegerField(label="At most", min_value=1)
    when = forms.ChoiceField(
        label="The memory changes",
        choices=_WHEN,
        help_text="The maximum changes at the next start.",
    )

    def seen(self) -> dict[str, Any]:
        running = live(self.domain)
        return super().seen() | {"when": "now" if running and running["balloon"] else "start"}

    def wish(self) -> MemoryWish:
        typed = self.cleaned_data
        return MemoryWish(
            memory_mib=typed["memory_mib"], memory_max_mib=typed["memory_max_mib"], now=self.now
        )


class BootForm(OptionForm):
    """The order is that in which the names are sent."""

    group = "boot"

    devices = forms.MultipleChoiceField(required=False, label="Boots from")

    def __init__(self, domain: Domain, data: QueryDict | None = None, *, key: str = "") -> None:
        super().__init__(domain, data, key=key)
        self._known = bootable(self.domain)
        self.fields["devices"].choices = [(device.name, device.name) for device in self._known]  # type: ignore[attr-defined]

    def seen(self) -> dict[str, Any]:
        return {"devices": self.options.get("boot", [])}

    def rows(self) -> list[tuple[Bootable, bool]]:
        """Each device, with whether it is booted from; those that are come first, in their order."""
        chosen = [str(name) for name in self["devices"].value() or ()]
        by_name = {device.name: device for device in self._known}
        order = [by_name[name] for name in dict.fromkeys([*chosen, *by_name]) if name in by_name]
        return [(device, device.name in chosen) for device in order]

    def wish(self) -> BootWish:
        return BootWish(devices=tuple(self.cleaned_data["devices"]))


class FirmwareForm(OptionForm):
    group = "firmware"

    firmware = forms.ChoiceField(choices=list(FIRMWARE_WORDS.items()))

    def wish(self) -> FirmwareWish:
        return FirmwareWish(firmware=self.cleaned_data["firmware"])


class TpmForm(OptionForm):
    group = "tpm"

    tpm = forms.BooleanField(required=False, label="A TPM 2.0, emulated by its host")

    def seen(self) -> dict[str, Any]:
        return {"tpm": bool(self.options.get("tpm"))}

    def wish(self) -> TpmWish:
        return TpmWish(tpm=self.cleaned_data["tpm"])


class ClockForm(OptionForm):
    group = "clock"

    clock = forms.ChoiceField(label="It shows at start")

    def __init__(self, domain: Domain, data: QueryDict | None = None, *, key: str = "") -> None:
        super().__init__(domain, data, key=key)
        names = dict.fromkeys([*clocks(), self.options.get("clock", "utc")])
        self.fields["clock"].choices = [(name, CLOCK_WORDS.get(name, name)) for name in names]  # type: ignore[attr-defined]

    def wish(self) -> ClockWish:
        return ClockWish(clock=self.cleaned_data["clock"])


class LabelForm(OptionForm):
    group = "label"

    title = forms.CharField(required=False, max_length=LONGEST_TITLE)
    description = forms.CharField(
        required=False, max_length=LONGEST_DESCRIPTION, widget=forms.Textarea(attrs={"rows": 4})
    )
    tags = forms.CharField(required=False, max_length=4000, help_text="Between commas.")

    def seen(self) -> dict[str, Any]:
        domain = self.domain
        return {
            "title": domain.title,
            "description": domain.description,
            "tags": ", ".join(map(str, domain.tags)),
        }

    def wish(self) -> LabelWish:
        typed = self.cleaned_data
        return LabelWish(
            title=typed["title"],
            description=typed["description"].replace("\r\n", "\n"),
            tags=tuple(tags_of(typed["tags"])),
        )


class OwnerForm(forms.Form):
    """Whose it is. People who can't sign in any more are not offered, unless it is theirs already."""

    owner = forms.ModelChoiceField(User.objects.none(), required=False, empty_label="Nobody")
    team = forms.ModelChoiceField(Team.objects.order_by("name"), required=False, empty_label="No team")

    def __init__(self, domain: Domain, data: QueryDict | None = None) -> None:
        initial = {"owner": domain.owner_id, "team": domain.team_id}
        super().__init__(data, initial=initial, auto_id="owner-%s")
        people = User.objects.filter(Q(is_active=True) | Q(pk=domain.owner_id))
        self.fields["owner"].queryset = people.order_by("username")  # type: ignore[attr-defined]


FORMS: Final[dict[str, type[OptionForm]]] = {
    form.group: form for form in (LabelForm, CpuForm, MemoryForm, BootForm, FirmwareForm, TpmForm, ClockForm)
}
